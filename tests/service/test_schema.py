"""Columns, types and nullability of the file follow from the dataset, whatever the records."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from micro_etl.dataset import TYPES
from micro_etl.tablefile import ColumnProfile
from tests.service.conftest import Bench

EVERY_TYPE = "\n".join(
    f'{name}{suffix} = {{ from = "{name}", type = "{name}"{rule} }}'
    for name in TYPES
    for suffix, rule in [("", ""), ("_required", ", required = true")]
)
PHYSICAL = {
    "int32": "int32 {} (Int(bitWidth=32, isSigned=true))",
    "int64": "int64 {} (Int(bitWidth=64, isSigned=true))",
    "float64": "double {}",
    "string": "binary {} (String)",
    "boolean": "boolean {}",
    "timestamp": "int64 {} (Timestamp(isAdjustedToUTC=true, timeUnit=microseconds, "
    "is_from_converted_type=false, force_set_converted_type=false))",
    "date": "int32 {} (Date)",
    "json": "binary {} (JSON)",
}
SOME = {
    "int32": 1,
    "int64": 2,
    "float64": 0.5,
    "string": "x",
    "boolean": True,
    "timestamp": "2006-03-24T22:30:00Z",
    "date": "2006-03-24",
    "json": {"a": [1]},
}
OTHER = {
    "int32": -1,
    "int64": 3,
    "float64": 1e300,
    "string": "",
    "boolean": False,
    "timestamp": "1957-10-04T19:28:34Z",
    "date": "1957-10-04",
    "json": 5,
}


def schema(file: Path) -> list[str]:
    """The lines of a Parquet schema, without field ids, which are not set."""
    text = str(pq.ParquetFile(file).schema).replace(" field_id=-1", "")
    return [line.strip(" ;") for line in text.splitlines()[2:-1]]


@pytest.mark.parametrize(
    "records",
    [
        pytest.param([], id="no record"),
        pytest.param([SOME], id="one record"),
        pytest.param([SOME] * 3, id="one value"),
        pytest.param([SOME, OTHER] * 50, id="no null"),
        pytest.param([SOME | {"string": "x" * 100_000, "json": ["x" * 100_000]}], id="long"),
    ],
)
def test_the_schema_follows_from_the_dataset_whatever_the_records(
    bench: Bench, records: list[dict[str, Any]]
) -> None:
    table = bench.table(EVERY_TYPE, json.dumps(records))
    assert table.rows == len(records)
    assert schema(table.file) == [
        f"{repetition} {PHYSICAL[name].format(name + suffix)}"
        for name in TYPES
        for repetition, suffix in [("optional", ""), ("required", "_required")]
    ]


@pytest.mark.parametrize("column_type", TYPES)
def test_a_column_without_any_value_keeps_its_type(bench: Bench, column_type: str) -> None:
    columns = f'a = {{ type = "int32", required = true }}\nb = {{ type = "{column_type}" }}'
    table = bench.table(columns, '[{"a": 1, "b": null}, {"a": 2}]')
    assert schema(table.file)[1] == f"optional {PHYSICAL[column_type].format('b')}"
    assert table.columns[1] == ColumnProfile("b", 2, None, None, None)


def test_the_schema_has_a_hash_that_the_records_do_not_change(bench: Bench) -> None:
    first = bench.table(EVERY_TYPE, json.dumps([SOME]))
    assert bench.table(EVERY_TYPE, json.dumps([OTHER])).schema_sha256 == first.schema_sha256
    assert bench.table(EVERY_TYPE, "[]").schema_sha256 == first.schema_sha256
    renamed = EVERY_TYPE.replace("int32_required", "renamed")
    optional = EVERY_TYPE.replace(", required = true", "", 1)
    for columns in (renamed, optional):
        assert bench.table(columns, json.dumps([SOME])).schema_sha256 != first.schema_sha256
