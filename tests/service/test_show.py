"""`show` prints the first rows of any Parquet file, and what each of its columns holds."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from micro_etl.errors import DataError
from micro_etl.table.show import head, profile
from micro_etl.table.sql import literal
from tests.service.conftest import Bench

COLUMNS = """
    number = { type = "int32" }
    "na me" = { type = "string" }
    time = { type = "timestamp" }
    ok = { type = "boolean" }
    rest = { type = "json" }
    never = { type = "float64" }
"""
BODY = """[
    {"number": 10, "na me": "Es\u2019hail 2", "time": "2018-11-15T21:46:00+01:00", "ok": true},
    {"number": 9, "na me": "日本", "ok": false, "rest": {"a": [1]}, "never": null},
    {"number": null, "na me": "日本", "time": "2006-03-24T22:30:00Z", "rest": 5}
]"""


def cells(table: str) -> list[list[str]]:
    """The cells of the lines between the borders."""
    lines = [line for line in table.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def test_the_first_rows_are_shown_with_names_values_and_nulls(bench: Bench) -> None:
    shown = head(bench.table(COLUMNS, BODY).file, scratch=bench.folder, rows=2)
    assert ["number", "na me", "time", "ok", "rest", "never"] in cells(shown)
    assert "10 │ Es\u2019hail 2 │ 2018-11-15 20:46:00+00 │ true" in re.sub(" +", " ", shown)
    assert "9 │ 日本 │ NULL │ false │ {" in re.sub(" +", " ", shown)
    assert "2006" not in shown


def test_a_profile_shows_type_nulls_distinct_values_and_range(bench: Bench) -> None:
    shown = cells(profile(bench.table(COLUMNS, BODY).file, scratch=bench.folder))
    assert shown[0] == ["column", "type", "nulls", "distinct", "least", "greatest"]
    assert [
        row for row in shown if row[0] in ("number", "na me", "time", "ok", "rest", "never")
    ] == [
        ["number", "INTEGER", "1", "2", "9", "10"],
        ["na me", "VARCHAR", "0", "2", "Es\u2019hail 2", "日本"],
        [
            "time",
            "TIMESTAMP WITH TIME ZONE",
            "1",
            "2",
            "2006-03-24 22:30:00+00",
            "2018-11-15 20:46:00+00",
        ],
        ["ok", "BOOLEAN", "1", "2", "false", "true"],
        ["rest", "JSON", "1", "2", "5", '{"a":[1]}'],
        ["never", "DOUBLE", "3", "0", "NULL", "NULL"],
    ]


def test_an_empty_table_is_shown_as_well(bench: Bench) -> None:
    file = bench.table(COLUMNS, "[]").file
    assert "number" in head(file, scratch=bench.folder)
    assert ["number", "INTEGER", "0", "0", "NULL", "NULL"] in cells(
        profile(file, scratch=bench.folder)
    )


def test_a_wide_or_foreign_table_is_shown_too(tmp_path: Path) -> None:
    file = tmp_path / "it's.parquet"
    columns = ", ".join(f'{i} AS "column ""{i}"""' for i in range(60))
    with duckdb.connect() as engine:
        engine.execute(
            f"COPY (SELECT {columns}, [1, 2] AS list, {{'a': 1}} AS struct, 1.5::DECIMAL(9, 2) AS"
            f" money, 'x'::BLOB AS blob, repeat('y', 999) AS long) TO {literal(file)}"
        )
    assert 'column "0"' in head(file, scratch=tmp_path)
    assert len(cells(profile(file, scratch=tmp_path))) >= 65
    assert "y" * 33 not in profile(file, scratch=tmp_path)


@pytest.mark.parametrize("shown", [head, profile])
@pytest.mark.parametrize("content", [b"", b"PAR1", b'[{"a": 1}]', b"a,b\n1,2\n"])
def test_what_is_not_parquet_is_named(
    tmp_path: Path, shown: Callable[..., str], content: bytes
) -> None:
    file = tmp_path / "x.parquet"
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"^not a Parquet file: ") as refused:
        shown(file, scratch=file.parent)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("shown", [head, profile])
def test_a_table_whose_pages_are_damaged_is_named(bench: Bench, shown: Callable[..., str]) -> None:
    file = bench.table(COLUMNS, BODY).file
    content = bytearray(file.read_bytes())
    content[4:60] = b"\xff" * 56
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"^not a Parquet file: "):
        shown(file, scratch=file.parent)


def test_as_many_rows_as_asked_for_are_shown(bench: Bench) -> None:
    file = bench.table('a = { type = "int32" }', json.dumps([{"a": i} for i in range(200)])).file
    rows = [row[0] for row in cells(head(file, scratch=bench.folder, rows=150)) if row[0].isdigit()]
    assert rows == [str(number) for number in range(150)]
