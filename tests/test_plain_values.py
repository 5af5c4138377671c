"""The plain reading of single values, which judges what the application publishes, is right."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from tests.integration.plain_reading import Broken, Page, expected_rows


def cell(column: str, value: str) -> object:
    """What becomes of a value under the key ``a``, by the column's table."""
    dataset = f"[columns]\na = {{ {column} }}"
    (row,) = expected_rows(dataset, [Page(f'[{{"a": {value}}}]'.encode())])
    return row["a"]


INT = 'type = "int32"'
FORMS = {
    "null": (INT, "null", None),
    "int32": (INT, "-2147483648", -(2**31)),
    "int64": ('type = "int64"', "9223372036854775807", 2**63 - 1),
    "float64": ('type = "float64"', "1e2", 100.0),
    "float64 of a whole number": ('type = "float64"', "64", 64.0),
    "string": ('type = "string"', '"\\u00e9"', "é"),
    "boolean": ('type = "boolean"', "false", False),
    "date": ('type = "date"', '"2024-02-29"', date(2024, 2, 29)),
    "json keeps digits": ('type = "json"', '{"b": 1.10, "a": [-0]}', '{"b":1.10,"a":[-0]}'),
    "json keeps many digits": ('type = "json"', "12345678901234567.89", "12345678901234567.89"),
    "decimal": ('type = "decimal(12,2)"', "12.5", Decimal("12.50")),
    "decimal with needless zeros": ('type = "decimal(12,2)"', "12.5000", Decimal("12.50")),
    "decimal of many digits": (
        'type = "decimal(38,2)"',
        "123456789012345678901234567890123456.78",
        Decimal("123456789012345678901234567890123456.78"),
    ),
    "list": ('type = "int32[]"', "[1, null]", [1, None]),
    "empty list": ('type = "string[]"', "[]", []),
    "no list": ('type = "string[]"', "null", None),
    "list of decimals": ('type = "decimal(4,1)[]"', "[1.5]", [Decimal("1.5")]),
    "list of moments": (
        'type = "timestamp[]", format = "epoch"',
        "[0]",
        [datetime(1970, 1, 1, tzinfo=UTC)],
    ),
    "int64 as text": ('type = "int64", format = "text"', '"+6001"', 6001),
    "float64 as text": ('type = "float64", format = "text"', '"-1.5e3"', -1500.0),
    "boolean as text": ('type = "boolean", format = "text"', '"true"', True),
    "decimal as text": ('type = "decimal(12,2)", format = "text"', '"-0012.5"', Decimal("-12.50")),
    "null values": ('type = "string", null_values = ["", "."]', '"."', None),
    "null number": ('type = "float64", null_values = [-999]', "-999.0", None),
    "null false": ('type = "string", null_values = [false]', "false", None),
    "zero is not false": ('type = "int32", null_values = [false]', "0", 0),
    "null list": ('type = "string[]", null_values = [[]]', "[]", None),
    "null object": ('type = "string", null_values = [{}]', "{}", None),
    "null elements": ('type = "int32[]", null_values = [-1]', "[-1, 2]", [None, 2]),
    "map of numbers": ('type = "boolean", map = { 0 = false, 1 = true }', "1", True),
    "map of text": ('type = "boolean", map = { Y = true, N = false }', '"N"', False),
    "map of text in quotes": ('type = "boolean", map = { "\\"1\\"" = true }', '"1"', True),
    "map of booleans": ('type = "int32", map = { true = 1, false = 0 }', "true", 1),
    "map of null": ('type = "boolean", map = { 0 = false }', "null", None),
    "map to decimals": ('type = "decimal(3,1)", map = { a = "1.5" }', '"a"', Decimal("1.5")),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_value_is_read_as_it_is_written(form: str) -> None:
    column, value, expected = FORMS[form]
    found = cell(column, value)
    assert found == expected
    assert type(found) is type(expected)


MOMENT = datetime(2024, 1, 1, 7, 30, tzinfo=UTC)
MOMENTS = [
    ("", '"2024-01-01T07:30:00Z"', MOMENT),
    ("", '"2024-01-01t07:30:00z"', MOMENT),
    ("", '"2024-01-01 02:30:00-05:00"', MOMENT),
    ("", '"2024-01-01T07:30:00+0000"', MOMENT),
    ("", '"2024-01-01T07:30:00+00"', MOMENT),
    ("", '"2024-01-01T07:30Z"', MOMENT),
    ("", '"2024-01-01T07:30:00.123456000Z"', MOMENT.replace(microsecond=123456)),
    ("", '"0001-01-01T00:00:00Z"', datetime(1, 1, 1, tzinfo=UTC)),
    ('timezone = "UTC"', '"2024-01-01T07:30"', MOMENT),
    ('timezone = "-05:00"', '"2024-01-01T02:30:00.000"', MOMENT),
    ("truncate = true", '"2024-01-01T07:30:00.9999999Z"', MOMENT.replace(microsecond=999999)),
    ('format = "epoch"', "1704094200", MOMENT),
    ('format = "epoch"', "1704094200.0", MOMENT),
    ('format = "epoch"', '"1704094200"', MOMENT),
    ('format = "epoch"', "-1", datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ('format = "epoch_ms"', "1704094200001", MOMENT.replace(microsecond=1000)),
]


@pytest.mark.parametrize(("options", "value", "expected"), MOMENTS)
def test_a_moment_is_read_as_it_is_written(options: str, value: str, expected: datetime) -> None:
    column = f'type = "timestamp"{", " if options else ""}{options}'
    assert cell(column, value) == expected


def broken(column: str, *values: str) -> list[tuple[str, str]]:
    """Each value with the column that refuses it."""
    return [(column, value) for value in values]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *broken(INT, "1.5", "1.0", "1e0", '"7"', "true", "2147483648", "[7]", "{}"),
        *broken('type = "int64"', "9223372036854775808", f"1{'0' * 5000}"),
        *broken('type = "float64"', '"1.5"', "true", "1e999", "[]"),
        *broken('type = "string"', "5", "true", "[]", "{}"),
        *broken('type = "boolean"', "1", '"true"', '""'),
        *broken('type = "date"', '"2024-02-30"', '"20240101"', '"2024-01-01T00:00:00Z"', "7"),
        *broken('type = "decimal(4,2)"', "1.234", "100", '"1.5"', "1e400", "1e-400"),
        *broken('type = "int32[]"', "1", '["1"]', "[[1]]", "{}"),
        *broken('type = "timestamp"', '"2024-01-01T07:30:00"', '"2024-01-01"', "1704094200"),
        *broken('type = "timestamp"', '"2024-01-01T07:30:60Z"', '"2024-01-01T24:00:00Z"'),
        *broken('type = "timestamp"', '"2024-01-01T07:30:00.1234567Z"', '"2024-01-01T07Z"'),
        *broken('type = "timestamp"', '"9999-12-31T23:59:59-00:01"', '"2024-01-01T07:30.5Z"'),
        *broken('type = "timestamp"', '"2024-01-01T07:30:00+24:00"', '" 2024-01-01T07:30:00Z"'),
        *broken('type = "timestamp", timezone = "UTC"', '"2024-01-01T07:30:00Z"'),
        *broken('type = "timestamp", format = "epoch"', "1.5", '"1.5"', '"1.0"', '" 1"', "true"),
        *broken('type = "timestamp", format = "epoch"', "999999999999", f"1{'0' * 5000}"),
        *broken('type = "int64", format = "text"', "5", '" 5"', '"5.0"', '"05"', '""', '"+-5"'),
        *broken('type = "float64", format = "text"', "1.5", '"NaN"', '".5"', '"1e999"'),
        *broken('type = "boolean", format = "text"', "true", '"True"', '"1"'),
        *broken('type = "decimal(4,2)", format = "text"', "1.5", '"1.234"', '"1,5"', '"1.5 "'),
        *broken('type = "boolean", map = { 0 = false, 1 = true }', "2", "1.0", "true", '"1"'),
        *broken('type = "int32", required = true', "null"),
        *broken('type = "string", required = true, null_values = [""]', '""'),
    ],
)
def test_a_value_that_is_written_otherwise_is_broken(column: str, value: str) -> None:
    with pytest.raises(Broken) as refused:
        cell(column, value)
    assert (refused.value.record, refused.value.path) == (1, "a")
