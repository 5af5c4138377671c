"""The plain reading of a dataset file, which judges what the application publishes, is right."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.cases.replay import serve_case
from tests.integration.fetch_pages import fetch_pages
from tests.integration.plain_reading import Broken, Page, expected_rows

APIS = Path(__file__).parent / "cases" / "apis"


def rows(columns: str, *bodies: str, source: str = "", publish: str = "") -> list[dict[str, Any]]:
    """The rows of some bodies, by a dataset of these columns."""
    dataset = f"[source]\n{source}\n[publish]\n{publish}\n[columns]\n{columns}"
    return expected_rows(dataset, [Page(body.encode()) for body in bodies])


READ_AS: dict[str, Callable[[Any], object]] = {
    "timestamp": lambda text: datetime.fromisoformat(text),
    "date": lambda text: date.fromisoformat(text),
    "decimal": lambda text: Decimal(text),
    "json": lambda value: json.dumps(value, separators=(",", ":")),
}
"""How expected.json writes the values of a type."""


@pytest.mark.parametrize("case", sorted(folder.name for folder in APIS.iterdir()))
def test_the_pages_of_an_api_give_the_rows_that_are_expected(case: str) -> None:
    with serve_case(APIS / case) as replay:
        dataset = tomllib.loads(replay.dataset())
        found = expected_rows(dataset, fetch_pages(dataset, replay.variables()))
    expected = replay.expected()
    for row in expected:
        for name, column in dataset["columns"].items():
            read = READ_AS.get(column["type"].partition("(")[0])
            if read and row[name] is not None:
                row[name] = read(row[name])
    assert found == expected


PLACES: dict[str, tuple[str, str, str, list[object]]] = {
    "keys": ("", 'from = "b.c"', '[{"b": {"c": 1}}, {"b": null}, {}]', [1, None, None]),
    "a key with a dot": ("", 'from = "b.\\"c.d\\""', '[{"b": {"c.d": 1}}]', [1]),
    "an empty key": ("", "from = '\"\"'", '[{"": 1}]', [1]),
    "keys that differ by case": ("", 'from = "A"', '[{"a": 2, "A": 1}]', [1]),
    "an element": ("", 'from = "b[1]"', '[{"b": [0, 1]}, {"b": [0]}, {"b": []}]', [1, None, None]),
    "records that are arrays": ("", 'from = "[1]"', "[[0, 1], [2, 3]]", [1, 3]),
    "records within": ('records = "b.c"', 'from = "a"', '{"b": {"c": [{"a": 1}]}}', [1]),
    "records in an element": ('records = "[1]"', 'from = "a"', '[{}, [{"a": 1}]]', [1]),
    "members": (
        'records = "b.*"',
        'from = "a"',
        '{"b": {"x": {"a": 1}, "y": {"a": 2}}}',
        [1, 2],
    ),
    "members of elements": (
        'records = "b.*.c.*"',
        'from = "$.b.*.d"',
        '{"b": [{"d": 1, "c": {"x": {}, "y": {}}}, {"d": 2, "c": {"z": {}}}]}',
        [1, 1, 2],
    ),
    "the record itself": ('records = "b.*"', 'from = "$.b.*"', '{"b": {"x": 1, "y": 2}}', [1, 2]),
    "the root": ('records = "b"', 'from = "$.c[0].d"', '{"b": [{}], "c": [{"d": 1}]}', [1]),
    "a position": ('records = "b.*.c"', 'from_key = "$.b.*"', '{"b": [{"c": [{}, {}]}]}', [0, 0]),
    "no object in PHP": (
        "empty_arrays_as_objects = true",
        'from = "b.c"',
        '[{"b": []}, {"b": {"c": 1}}]',
        [None, 1],
    ),
    "columns": (
        'columnar = true\nrecords = "b"',
        'from = "a[0]"',
        '{"b": {"a": [[1], [], null], "unread": "x"}}',
        [1, None, None],
    ),
    "columns at the top": ("columnar = true", 'from = "a"', '{"a": [1, 2]}', [1, 2]),
    "no columns": ("columnar = true", 'from = "a"', '{"a": []}', []),
    "lines": ("", 'from = "a"', '\n{"a": 1}\r\n{"a": 2}\n\n', [1, 2]),
    "one after the other": ("", 'from = "a"', '{"a": 1}{"a": 2}', [1, 2]),
    "a byte order mark": ("", 'from = "a"', '\ufeff[{"a": 1}]', [1]),
    "no records": ("", 'from = "a"', "[]", []),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_value_is_found_where_the_path_leads(place: str) -> None:
    source, path, body, expected = PLACES[place]
    found = rows(f'a = {{ {path}, type = "int32" }}', body, source=source)
    assert [row["a"] for row in found] == expected


def test_every_element_becomes_a_list() -> None:
    body = '[{"b": [{"c": 1}, {}, {"c": null}]}, {"b": []}, {"b": null}, {}]'
    found = rows('a = { from = "b[*].c", type = "int32[]" }', body)
    assert [row["a"] for row in found] == [[1, None, None], [], None, None]


def test_elements_of_elements_become_one_list() -> None:
    body = '[{"b": [{"c": [1, 2]}, {"c": null}, {"c": [3]}]}]'
    assert rows('a = { from = "b[*].c[*]", type = "int32[]" }', body) == [{"a": [1, 2, 3]}]


def test_a_key_is_a_value() -> None:
    column = 'a = { from_key = "$.b.*", type = "date" }'
    body = '{"b": {"2024-01-02": {}}}'
    assert rows(column, body, source='records = "b.*"') == [{"a": date(2024, 1, 2)}]


def test_a_page_knows_what_it_was_asked_for() -> None:
    dataset = '[columns]\na = { from = "{series}", type = "string" }'
    pages = [Page(b"[{}]", "A"), Page(b"[{}]", "B")]
    assert expected_rows(dataset, pages) == [{"a": "A"}, {"a": "B"}]


def test_a_page_may_be_plain_python() -> None:
    assert expected_rows('[columns]\na = { type = "float64" }', [Page([{"a": 0.1}])]) == [
        {"a": 0.1}
    ]


def test_the_rows_of_all_pages_are_in_order() -> None:
    assert rows('a = { type = "int32" }', '[{"a": 2}]', "[]", '[{"a": 1}]') == [{"a": 2}, {"a": 1}]


BODIES: dict[str, tuple[str, str]] = {
    "nothing": ("", " "),
    "no JSON": ("", "[{]"),
    "cut short": ("", '[{"a": 1}'),
    "a trailing comma": ("", '[{"a": 1},]'),
    "NaN where nothing is read": ("", '[{"a": 1, "b": NaN}]'),
    "half of a surrogate pair": ("", '[{"a": 1, "b": "\\ud83d"}]'),
    "more after the array": ("", '[{"a": 1}]\n{"a": 2}'),
    "a number as the record": ("", "[1]"),
    "null as the record": ("", '[{"a": 1}, null]'),
    "an array as the record": ("", "[[1]]"),
    "a repeated key that is read": ("", '[{"a": 1, "a": 1}]'),
    "a path that no record has": ("", '[{"b": 1}]'),
    "no array of records": ('records = "b"', '{"b": {"a": 1}}'),
    "null as the records": ('records = "b"', '{"b": null}'),
    "no records": ('records = "b"', '{"message": "Internal error"}'),
    "records twice": ('records = "b"', '{"b": [{"a": 1}], "b": []}'),
    "two wrappers": ('records = "b"', '{"b": [{"a": 1}]}{"b": []}'),
    "an element without records": ('records = "b.*.c"', '{"b": [{"c": [{"a": 1}]}, {}]}'),
    "no members": ('records = "b.*"', '{"b": 1}'),
    "arrays of two lengths": ("columnar = true", '{"a": [1], "b": [1, 2]}'),
    "no arrays": ("columnar = true", '{"c": [1]}'),
}


@pytest.mark.parametrize("body", BODIES)
def test_a_body_without_whole_records_is_broken(body: str) -> None:
    source, text = BODIES[body]
    columns = 'a = { type = "int32" }'
    if "columnar" in source:
        columns += '\nb = { type = "int32" }'
    with pytest.raises(Broken):
        rows(columns, text, source=source)


@pytest.mark.parametrize("value", ["[]", '["x"]', '"x"', "5", "true"])
def test_a_value_where_an_object_is_meant_is_broken(value: str) -> None:
    with pytest.raises(Broken) as refused:
        rows(
            'a = { from = "b.c", type = "int32" }', "[]", f'[{{"b": {{"c": 1}}}}, {{"b": {value}}}]'
        )
    assert (refused.value.page, refused.value.record, refused.value.path) == (2, 2, "b")


UNIQUE = 'a = { type = "float64", unique = true }'


@pytest.mark.parametrize("body", ['[{"a": 1}, {"a": null}, {"a": null}]', '[{"a": 1}, {"a": 2}]'])
def test_a_key_that_comes_once_is_good(body: str) -> None:
    assert len(rows(UNIQUE, body)) > 1


@pytest.mark.parametrize("body", ['[{"a": 1}, {"a": 1.0}]', '[{"a": 0.0}, {"a": -0.0}]'])
def test_a_key_that_comes_twice_is_broken(body: str) -> None:
    with pytest.raises(Broken, match="no other record"):
        rows(UNIQUE, body)


def test_several_columns_make_one_key() -> None:
    columns = 'a = { type = "int32" }\nb = { type = "int32" }'
    good = '[{"a": 1, "b": 1}, {"a": 1, "b": 2}, {"a": 1, "b": null}, {"a": 1, "b": null}]'
    key = 'unique = ["a", "b"]'
    assert len(rows(columns, good, publish=key)) == 4
    with pytest.raises(Broken, match="no other record"):
        rows(columns, good, '[{"a": 1, "b": 2}]', publish=key)
