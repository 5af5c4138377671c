"""A page is read without a change, its records are found, and keys that come again are noticed."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import json
from typing import Any

import pytest

from micro_etl.dataset import parse_dataset, parse_path
from micro_etl.errors import SourceError
from micro_etl.source.paging.keys import SeenKeys
from micro_etl.source.paging.page import (
    Number,
    find_records,
    is_same,
    parse_page,
    value_at,
    write_json,
)


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1.10,"b":[12345678901234567.89,1e400,-0.0,10000000000000000000000],"c":"1.10"}',
        '[null,true,false,"\\u00e4\\"",{}]',
        "1.50",
    ],
)
def test_json_is_written_as_it_was_read(text: str) -> None:
    assert write_json(parse_page(text.encode(), name="x")) == text


def test_lines_are_records() -> None:
    assert parse_page(b'{"a": 1}\n\n{"a": "\xe2\x80\xa8"}\n', name="x", lines=True) == [
        {"a": 1},
        {"a": "\u2028"},
    ]


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"a": 1', b"[1] [2]", b'{"a": "\xff"}', b"[" * 100_000]
)
def test_page_that_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(SourceError, match=r"^page 7 "):
        parse_page(body, name="page 7")


def path(text: str) -> tuple[Any, ...]:
    """The steps of a path."""
    parsed = parse_path(text) if text else None
    return parsed.steps if parsed else ()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a.b", 1), ("c[1]", 3), ("c[2]", None), ("a.x", None), ("c.a", None), ("a[0]", None),
        ("d", None), ('"e.f"', 4),
    ],
)  # fmt: skip
def test_value_is_found_or_missing(text: str, value: Any) -> None:
    page = {"a": {"b": 1}, "c": [2, 3], "d": None, "e.f": 4}
    assert value_at(page, path(text)) == value


@pytest.mark.parametrize(
    ("value", "expected", "same"),
    [
        (0, 0, True), (0, False, False), (False, False, True), (1, True, False), ("0", 0, False),
        (Number("0.5"), 0.5, True), (Number("1.0"), 1, True), (None, 0, False), ([1], [1], True),
        ("a", "a", True), ("0.5", 0.5, False),
    ],
)  # fmt: skip
def test_value_is_compared_exactly(value: Any, expected: Any, same: bool) -> None:
    assert is_same(value, expected) is same


@pytest.mark.parametrize(
    ("page", "records", "columnar", "found", "elements"),
    [
        ([1, 2], "", False, [1, 2], 2),
        ({"a": {"b": [1]}}, "a.b", False, [1], 1),
        ([{}, [1, 2]], "[1]", False, [1, 2], 2),
        ({"a": []}, "a", False, [], 0),
        ({"a": {"x": 1, "y": 2}}, "a.*", False, [1, 2], 2),
        ({"a": [1, 2]}, "a.*", False, [1, 2], 2),
        ({"a": [{"b": [1, 2]}, {"b": []}, {"b": [3]}]}, "a.*.b", False, [1, 2, 3], 3),
        ({"a": {"x": {"b": [1]}, "y": {"b": [2, 3]}}}, "a.*.b", False, [1, 2, 3], 2),
        ({"a": [{"b": {"x": 1}}, {"b": {"y": 2}}]}, "a.*.b.*", False, [1, 2], 2),
        ({"a": []}, "a.*.b", False, [], 0),
        ({"a": {"x": [1, 2], "y": [3, 4]}}, "a", True, [{"x": 1, "y": 3}, {"x": 2, "y": 4}], 2),
        ({"t": [1, 2], "s": "ok"}, "", True, [{"t": 1}, {"t": 2}], 2),
        ({"a": [{"x": [1]}, {"x": [2]}]}, "a.*", True, [{"x": 1}, {"x": 2}], 2),
    ],
)
def test_records_are_found_and_counted(
    page: Any, records: str, columnar: bool, found: list[Any], elements: int
) -> None:
    seen = find_records(page, path(records), columnar=columnar)
    assert seen is not None
    assert ([one for _, one in seen.records], seen.elements) == (found, elements)


@pytest.mark.parametrize(
    ("page", "records", "columnar"),
    [
        ({}, "", False),
        ({"message": "error"}, "a", False),
        ({"a": None}, "a", False),
        ({"a": {}}, "a", False),
        ("text", "a", False),
        ({"a": 1}, "a.*", False),
        ({"a": 1}, "a.*.b", False),
        ({"a": [{"b": [1]}, {}]}, "a.*.b", False),
        ({"a": [{"b": [1]}, None]}, "a.*.b", False),
        ({"a": {"x": [1], "y": [1, 2]}}, "a", True),
        ({"a": {"x": 1, "y": "ok"}}, "a", True),
        ({"a": [1]}, "a", True),
    ],
)
def test_records_that_are_not_there_are_missing(page: Any, records: str, columnar: bool) -> None:
    assert find_records(page, path(records), columnar=columnar) is None


def repeats(columns: str, *pages: Any, records: str = "items", publish: str = "") -> list[bool]:
    """Whether each page repeats a key of those before it."""
    text = (
        f'name = "t"\n[source]\nrecords = "{records}"\n[columns]\n{columns}\n[publish]\n{publish}'
    )
    dataset = parse_dataset(text, label="t.toml")
    keys, said = SeenKeys(dataset), []
    for page in pages:
        parsed = parse_page(json.dumps(page).encode(), name="x")
        found = find_records(parsed, dataset.records)
        assert found is not None
        said.append(bool(keys.add(parsed, found)))
    return said


def ids(*values: Any) -> dict[str, Any]:
    """A page of records with these ids."""
    return {"items": [{"id": value} for value in values]}


ID = 'id = { type = "string", unique = true, null_values = [""] }'


@pytest.mark.parametrize(
    ("pages", "expected"),
    [
        ([ids(1, 2), ids(3), ids(2)], [False, False, True]),
        ([ids("a"), ids("b"), ids("a", "c")], [False, False, True]),
        ([ids(1, 1), ids(2)], [False, False]),  # within a page the table refuses it
        ([ids(None, ""), ids("")], [False, True]),
        ([{"items": [{}, 1]}, {"items": [{}, 1]}], [False, True]),
        ([ids(-1), ids(-2)], [False, False]),
        ([ids(1.5), ids(1.5)], [False, True]),
    ],
)
def test_key_that_comes_again_is_noticed(pages: list[Any], expected: list[bool]) -> None:
    assert repeats(ID, *pages) == expected


def test_null_in_a_key_is_compared_unless_the_table_refuses_it() -> None:
    columns = 'id = { type = "int64", required = true }\nk = { type = "string" }'
    publish = 'unique = ["id", "k"]'
    pages = [{"items": [{"id": 2, "k": None}]}, {"items": [{"id": 2}]}]
    assert repeats(columns, *pages, publish=publish) == [False, True]
    assert repeats(columns, ids(None), ids(None), publish=publish) == [False, False]
    assert repeats(
        'id = { type = "int64", required = true, unique = true }', ids(None), ids(None)
    ) == [False, False]


def test_key_of_several_columns_is_compared_as_one() -> None:
    columns = 'a = { type = "int64" }\nb = { from = "x.y", type = "int64" }'
    pages = [{"items": [{"a": a, "x": {"y": b}}]} for a, b in ((1, -1), (1, -2), (2, -1), (1, -2))]
    assert repeats(columns, *pages, publish='unique = ["a", "b"]') == [False, False, False, True]


def test_key_is_found_at_the_root() -> None:
    columns = (
        'a = { from = "$.days.*.id", type = "int64", required = true }\n'
        'b = { from_key = "$.days.*", type = "string", required = true }\n'
        'c = { from = "id", type = "int64", required = true }'
    )
    pages = [
        {"days": {"mon": {"id": 1, "rows": [{"id": 1}, {"id": 2}]}}},
        {"days": {"tue": {"id": 1, "rows": [{"id": 1}, {"id": 2}]}}},
        {"days": {"mon": {"id": 1, "rows": [{"id": 2}]}}},
    ]
    publish = 'unique = ["a", "b", "c"]'
    assert repeats(columns, *pages, records="days.*.rows", publish=publish) == [False, False, True]


def test_key_whose_values_are_always_there_is_preferred() -> None:
    columns = (
        'a = { type = "string", unique = true }\n'
        'id = { type = "int64", required = true, unique = true }'
    )
    assert repeats(columns, ids(1), ids(1)) == [False, True]
