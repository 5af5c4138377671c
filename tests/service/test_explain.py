"""The pass that reads good data and the one that explains bad data agree on every value."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from micro_etl.dataset import TYPES
from micro_etl.table import violation_queries as queries
from micro_etl.table.engine import connect
from micro_etl.table.stage import stage
from tests.service.conftest import Bench, dataset

VALUES = (Path(__file__).parent / "values.txt").read_text("utf-8").splitlines()
"""JSON values, one a line: of each type the limits, what is just beyond, and what looks like it."""
PARENTS = [
    *("null", "{}", "[]", '[{"m": 1}]', "5", '"x"', "true", '{"m": null, "t": null}'),
    *('{"m": 1, "m": 1}', '{"t": {}}', '{"x": 1, "x": 2}', '{"t": 5}', '{"t": [{"u": "x"}]}'),
    *('{"t": {"u": "x"}}', '{"t": {"u": {}}}', '{"t": {"u": "x", "u": "y"}}', '{"m": "x"}'),
    *('{"t": {"v": 1, "v": 2}}', '{"t": {}, "t": {}}', '{"M": 1, "T": 2, "m": 2, "t": {}}'),
    *('{"t": {"U": 1, "u": "x"}}', '{"x": {"y": 1, "y": 2}}', '{"t": null, "t": {"u": "x"}}'),
]
"""What can stand where an object is meant."""

NOT_PYTHON = ["nan", "inf", "-inf", "[Inf]", '{"b": infinity}', "[-NAN]"]
"""Numbers that the engine reads and Python does not."""

REFUSED = object()


def read(column_type: str, text: str) -> Any:
    """What a value is worth by plain Python, or `REFUSED`."""
    value = json.loads(text)
    match column_type, value:
        case _, None:
            return None
        case (("int32" | "int64"), int()) if not isinstance(value, bool):
            limit = 2 ** (31 if column_type == "int32" else 63)
            return value if -limit <= value < limit else REFUSED
        case "float64", int() | float() if not isinstance(value, bool):
            number = float(text)
            return number if math.isfinite(number) else REFUSED
        case ("string", str()) | ("boolean", bool()):
            return value
        case "timestamp", str():
            return read_timestamp(value)
        case "date", str():
            return read_date(value)
        case "json", _:
            # Python, too, writes the numbers that JSON lacks, and reads 1e400 as one of them.
            written = json.dumps(json.loads(text, parse_float=len))
            outside = re.sub(r'"(\\.|[^"\\])*"', "", written)
            return REFUSED if re.search("NaN|Infinity", outside) else value
        case _:
            return REFUSED


def read_timestamp(text: str) -> Any:
    """RFC 3339 and unambiguous variants of it, with what a microsecond can hold."""
    pattern = r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(?::(\d\d)(?:\.(\d+))?)?(Z|[+-]\d\d(?::?[0-5]\d)?)"
    parts = re.fullmatch(pattern, text.upper(), re.ASCII)
    if not parts or int((parts[4] or "0").ljust(7, "0")[6:]):
        return REFUSED
    seconds = f"{parts[3] or '00'}.{(parts[4] or '0').ljust(6, '0')[:6]}"
    try:
        moment = datetime.fromisoformat(f"{parts[1]}T{parts[2]}:{seconds}{parts[5]}")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return REFUSED


def read_date(text: str) -> Any:
    """A day of the calendar."""
    try:
        return date.fromisoformat(text) if re.fullmatch(r"[\d-]{10}", text, re.ASCII) else REFUSED
    except ValueError:
        return REFUSED


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The engine as a run uses it."""
    with connect(tmp_path) as connection:
        yield connection


def named(
    engine: duckdb.DuckDBPyConnection, bench: Bench, columns: str, values: list[str]
) -> set[str]:
    """The values that the explaining pass names."""
    found = set()
    for start in range(0, len(values), queries.SHOWN):  # it names so many at most
        part = values[start : start + queries.SHOWN]
        body = bench.body("[" + ",".join(f'{{"a": {value}}}' for value in part) + "]")
        for *_, first in engine.execute(queries.findings(dataset(columns), body)).fetchall():
            found |= {part[one["record"] - 1] for one in first}
    return found


def aborts(engine: duckdb.DuckDBPyConnection, bench: Bench, columns: str, body: str) -> bool:
    """Whether the fast pass aborts."""
    query = stage(dataset(columns), bench.body(body), bench.folder / "staged.parquet")
    try:
        engine.execute(query)
    except duckdb.InvalidInputException:
        return True
    return False


@pytest.mark.parametrize("column_type", TYPES)
def test_a_value_is_refused_if_and_only_if_it_is_explained(
    engine: duckdb.DuckDBPyConnection, bench: Bench, column_type: str
) -> None:
    columns = f'a = {{ type = "{column_type}" }}'
    should = {value for value in VALUES if read(column_type, value) is REFUSED} | {*NOT_PYTHON}
    values = [*VALUES, *NOT_PYTHON]
    sound = ",".join(f'{{"a": {value}}}' for value in values if value not in should)
    assert not aborts(engine, bench, columns, f"[{sound}]")
    accepted = [one for one in should if not aborts(engine, bench, columns, f'[{{"a": {one}}}]')]
    assert accepted == []
    assert named(engine, bench, columns, values) == should


@pytest.mark.parametrize("column_type", TYPES)
def test_null_is_refused_and_explained_where_a_value_is_required(
    engine: duckdb.DuckDBPyConnection, bench: Bench, column_type: str
) -> None:
    columns = f'a = {{ type = "{column_type}", required = true }}'
    assert aborts(engine, bench, columns, '[{"a": null}]')
    assert aborts(engine, bench, columns, "[{}]")
    assert named(engine, bench, columns, ["null"]) == {"null"}


@pytest.mark.parametrize("column_type", TYPES)
def test_an_accepted_value_is_what_plain_python_reads(bench: Bench, column_type: str) -> None:
    values = [value for value in VALUES if read(column_type, value) is not REFUSED]
    body = "[" + ",".join(f'{{"a": {value}}}' for value in values) + "]"
    rows = bench.rows(f'a = {{ type = "{column_type}" }}', body)
    cells = [row["a"] for row in rows]
    if column_type == "json":
        cells = [None if cell is None else json.loads(cell) for cell in cells]
    assert cells == [read(column_type, value) for value in values]
    assert len(values) >= 3


@pytest.mark.parametrize("parent", PARENTS)
def test_an_object_on_the_way_is_refused_if_and_only_if_it_is_explained(
    engine: duckdb.DuckDBPyConnection, bench: Bench, parent: str
) -> None:
    columns = """
        whole = { from = "w", type = "json" }
        member = { from = "w.m", type = "int32" }
        beside = { from = "w.t.u", type = "string" }
        deep = { from = "s.t.u", type = "string" }
    """
    for record in [f'{{"w": {parent}, "x": 1}}', f'{{"s": {parent}, "x": 1, "x": 2}}']:
        body = f'[{{"w": {{"m": 1}}, "s": {{"t": {{"u": ""}}}}}}, {record}]'
        findings = queries.findings(dataset(columns), bench.body(body))
        assert aborts(engine, bench, columns, body) is bool(engine.execute(findings).fetchall())
