"""How a value may be written, and what comes of it: each form of each type, right and wrong."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from micro_etl import column_types
from micro_etl.column_types import ColumnType, Form, SqlTypes
from tests.service.conftest import Bench


def instant(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type] # as many as there are


RIGHT: list[tuple[str, str, Any]] = [
    ('type = "decimal(12,2)"', "1.10", Decimal("1.10")),
    ('type = "decimal(12,2)"', "1E2", Decimal("100.00")),
    ('type = "decimal(12,2)"', "1.50000000", Decimal("1.50")),
    ('type = "decimal(12,2)"', "-0", Decimal("0.00")),
    ('type = "decimal(38,18)"', "12345678901234567.890000000000000001", None),
    ('type = "decimal(18,8)"', "1e-7", Decimal("0.00000010")),
    ('type = "decimal(12,2)", format = "text"', '"12.50"', Decimal("12.50")),
    ('type = "decimal(12,2)", format = "text"', '"+007.5"', Decimal("7.50")),
    ('type = "int32", format = "text"', '"-12"', -12),
    ('type = "float64", format = "text"', '"40.1123456789012345"', 40.112345678901235),
    ('type = "boolean", format = "text"', '"false"', False),
    ('type = "timestamp", format = "epoch"', "1577880001", instant(2020, 1, 1, 12, 0, 1)),
    ('type = "timestamp", format = "epoch"', '"-1"', instant(1969, 12, 31, 23, 59, 59)),
    ('type = "timestamp", format = "epoch"', "1577880001.0", instant(2020, 1, 1, 12, 0, 1)),
    ('type = "timestamp", format = "epoch"', "-1.0", instant(1969, 12, 31, 23, 59, 59)),
    ('type = "timestamp", format = "epoch_ms"', "1577880001000.0", instant(2020, 1, 1, 12, 0, 1)),
    (
        'type = "timestamp", format = "epoch_ms"',
        "1700000001123",
        instant(2023, 11, 14, 22, 13, 21, 123_000),
    ),
    (
        'type = "timestamp", timezone = "-05:00"',
        '"2024-01-01T02:30:00.000"',
        instant(2024, 1, 1, 7, 30),
    ),
    ('type = "timestamp", timezone = "UTC"', '"2024-01-01T02:30"', instant(2024, 1, 1, 2, 30)),
    ('type = "timestamp"', '"2024-01-01T02:30+0000"', instant(2024, 1, 1, 2, 30)),
    ('type = "timestamp"', '"2024-01-01 02:30:00-05"', instant(2024, 1, 1, 7, 30)),
    (
        'type = "timestamp", truncate = true',
        '"2024-01-01T00:00:00.1234567Z"',
        instant(2024, 1, 1, 0, 0, 0, 123_456),
    ),
    ('type = "string", null_values = ["", "."]', '"."', None),
    ('type = "int32", null_values = [-999]', "-999", None),
    ('type = "json", null_values = [[]]', "[ ]", None),
    ('type = "json", null_values = [{}]', "{}", None),
    ('type = "boolean", map = { 0 = false, 1 = true }', "1", True),
    ('type = "boolean", map = { Y = true, N = false }', '"N"', False),
    ('type = "string[]"', '["x", null, "y"]', ["x", None, "y"]),
    ('type = "decimal(5,2)[]"', "[1.10, 2]", [Decimal("1.10"), Decimal("2.00")]),
    ('type = "int32[]", format = "text"', '["1", "2"]', [1, 2]),
    ('type = "json"', '{"a": 1.10, "b": [1e5, -0.0]}', '{"a":1.10,"b":[1e5,-0.0]}'),
    ('type = "json"', '"say \\"1.10\\", 2.50"', '"say \\"1.10\\", 2.50"'),
]

WRONG = [
    ('type = "decimal(12,2)"', "1.105"),
    ('type = "decimal(12,2)"', "12345678901234567890.12"),
    ('type = "decimal(12,2)"', '"1.10"'),
    ('type = "decimal(12,2)", format = "text"', "1.10"),
    ('type = "decimal(12,2)", format = "text"', '" 1"'),
    ('type = "decimal(12,2)", format = "text"', '"1.005"'),
    ('type = "int32", format = "text"', '"012"'),
    ('type = "int32", format = "text"', '"1e2"'),
    ('type = "int32", format = "text"', '"99999999999"'),
    ('type = "float64", format = "text"', '"1e400"'),
    ('type = "float64", format = "text"', '"nan"'),
    ('type = "boolean", format = "text"', "true"),
    ('type = "timestamp", format = "epoch"', "1.5"),
    ('type = "timestamp", format = "epoch"', "1704067200.000001"),
    ('type = "timestamp", format = "epoch"', '"1704067200.0"'),
    ('type = "timestamp", format = "epoch"', "99999999999999.0"),
    ('type = "timestamp", format = "epoch"', "99999999999999"),
    ('type = "timestamp", timezone = "UTC"', '"2024-01-01T02:30Z"'),
    ('type = "timestamp"', '"2024-01-01T00:00:00.1234567Z"'),
    ('type = "timestamp"', '"2024-01-01T02Z"'),
    ('type = "boolean", map = { 0 = false, 1 = true }', '"1"'),
    ('type = "boolean", map = { 0 = false, 1 = true }', "2"),
    ('type = "string[]"', '["x", 1]'),
    ('type = "string[]"', '{"0": "x"}'),
    ('type = "json"', "[1, NaN]"),
]


@pytest.mark.parametrize(("column", "value", "expected"), RIGHT)
def test_value_that_is_written_so_is_read(
    bench: Bench, column: str, value: str, expected: Any
) -> None:
    if "38,18" in column:
        expected = Decimal(value)
    rows = bench.rows(f'v = {{ {column} }}\nn = {{ type = "int32" }}', f'[{{"v":{value},"n":1}}]')
    if rows[0]["v"] is None and expected is None:
        return
    assert rows == [{"v": expected, "n": 1}]


@pytest.mark.parametrize(("column", "value"), WRONG)
def test_value_that_is_not_is_a_violation_with_record_path_and_value(
    bench: Bench, column: str, value: str
) -> None:
    found = bench.violations(f"v = {{ {column} }}", f'[{{"v":null}},{{"v":{value}}}]')
    assert [(record, path) for record, path, _ in found] == [(2, "v")]


def test_a_type_of_ones_own_is_one_row(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    pattern = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    uuid = ColumnType(
        name="uuid",
        sql="UUID",
        elsewhere=SqlTypes("string", "STRING", "VARCHAR", "STRING"),
        form=Form(
            "a UUID in lower case",
            f"""regexp_full_match(CAST(@ AS VARCHAR), '"{pattern}"')""",
            "TRY_CAST(json_extract_string(@, '$') AS UUID)",
        ),
        zero="00000000-0000-0000-0000-000000000000",
    )
    monkeypatch.setitem(column_types._TYPES, "uuid", uuid)
    column = 'id = { type = "uuid", required = true, unique = true }'
    value = "0b5d6d1c-7f0e-4c39-9d6c-0f6e2b1a9c11"
    (row,) = bench.rows(column, f'[{{"id":"{value}"}}]')
    assert str(row["id"]) == value
    assert bench.violations(column, '[{"id":"x"}]') == [(1, "id", '"x"')]
    assert bench.table(column, "[]").rows == 0
