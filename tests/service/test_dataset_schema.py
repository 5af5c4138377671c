"""The JSON Schema of the dataset file says what the parser says, as far as a schema can."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import json
import tomllib
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from micro_etl.dataset import bundled_datasets, parse_dataset
from micro_etl.dataset.bundled import SCHEMA_FILE
from micro_etl.dataset.schema import dataset_schema
from micro_etl.errors import ConfigError
from tests.service import test_dataset_columns, test_dataset_source
from tests.service.dataset_files import DATASETS, write_toml

VALIDATOR = Draft202012Validator(dataset_schema())

# What depends on two tables, on what a text means, or on dates, which are text in JSON.
BEYOND = (
    *("fold case", "without a scheme", "they should be the same", "needs a key", "from_key is"),
    *("neither source.url nor source.body", "which source.each gives", "array of names of columns"),
    *("columns whose values are compared", "only the * of source.records", "a path without *"),
    *("column has one source", "that is text; add", "a type of one value", "[*] makes a list"),
    *("path in quotes", "a value in source.body", "through objects of source.body", "in upper and"),
    *("a variable is written", "JSON does not have", "what JSON has", "datetime.", " maps "),
    *("type is 'decimal(", "to one value of a page", "of the last record", "begins with the key"),
    *("keys joined by dots", "each of them once", "text in quotes", "text on one line"),
    *("the name alone", "names each column once"),
)


def is_valid(text: str) -> bool:
    """Whether the schema allows a file, with dates as text: so editors see them."""
    return bool(VALIDATOR.is_valid(as_json(tomllib.loads(text))))


def as_json(value: Any) -> Any:
    """What an editor makes of TOML."""
    if isinstance(value, dict):
        return {key: as_json(member) for key, member in value.items()}
    if isinstance(value, list):
        return [as_json(member) for member in value]
    return str(value) if isinstance(value, date | datetime | time) else value


def test_the_schema_that_ships_is_the_one_that_is_built() -> None:
    Draft202012Validator.check_schema(dataset_schema())
    assert json.loads(SCHEMA_FILE.read_text("utf-8")) == dataset_schema()


def parses(text: str) -> str | None:
    """What the parser says of a file, or none where it is right."""
    try:
        parse_dataset(text, label="t.toml")
    except ConfigError as error:
        return str(error)
    return None


def _parameters(test: Any) -> list[Any]:
    (mark,) = [mark for mark in test.pytestmark if mark.name == "parametrize"]
    return [getattr(case, "values", case) for case in mark.args[1]]


CASES = Path(__file__).parents[1] / "cases"
RIGHT = [
    *(
        file.read_text("utf-8").replace("{base}", "http://127.0.0.1")
        for file in sorted(CASES.glob("*/*/dataset.toml"))
    ),
    *(SCHEMA_FILE.with_name(f"{name}.toml").read_text("utf-8") for name in bundled_datasets()),
    *(
        f"{test_dataset_columns.SOURCE}\n[columns]\nc = {{ {text} }}"
        for text, _ in _parameters(test_dataset_columns.test_a_column_is_read)
    ),
    *(
        f'name = "t"\n[source]\n{test_dataset_source.URL}[source.pagination]\n{text}\n'
        + test_dataset_source.KEY
        for text, _ in _parameters(test_dataset_source.test_every_kind_of_pagination_is_read)
    ),
]


@pytest.mark.parametrize("text", RIGHT)
def test_what_parses_is_valid(text: str) -> None:
    assert parses(text) is None
    assert [error.message for error in VALIDATOR.iter_errors(as_json(tomllib.loads(text)))] == []


@settings(max_examples=400, deadline=None)
@given(DATASETS)
def test_any_file_is_refused_in_one_line_or_is_valid(root: dict[str, Any]) -> None:
    text = write_toml(root)
    refused = parses(text)
    if refused is None:
        assert is_valid(text)
    else:
        assert "\n" not in refused
        assert len(refused) < 800
    if refused is not None and is_valid(text):
        assert any(reason in refused for reason in BEYOND), refused
