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
from micro_etl.table.draw import draw
from micro_etl.table.profile import first_rows
from micro_etl.table.profile import profile as read_profile
from micro_etl.table.show import draw_contents, head
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


def profile(file: Path, *, scratch: Path) -> str:
    """What `show` draws of each column."""
    return draw_contents(read_profile(file, scratch=scratch))


def cells(table: str) -> list[list[str]]:
    """The cells of each line."""
    return [re.split(" {2,}", line.strip()) for line in table.splitlines()]


def test_the_first_rows_are_shown_with_names_types_values_and_nulls(bench: Bench) -> None:
    shown = cells(head(bench.table(COLUMNS, BODY).file, scratch=bench.folder, rows=2))
    names, types, rule, *rows = shown
    assert names == ["number", "na me", "time", "ok", "rest", "never"]
    assert types == ["int32", "string", "timestamp", "boolean", "json", "float64"]
    assert set("".join(rule)) == {"─"}
    assert rows == [
        ["10", "Es\u2019hail 2", "2018-11-15 20:46:00+00", "true", "NULL", "NULL"],
        ["9", "日本", "NULL", "false", '{"a":[1]}', "NULL"],
    ]


def test_a_profile_shows_type_nulls_distinct_values_and_range(bench: Bench) -> None:
    shown = cells(profile(bench.table(COLUMNS, BODY).file, scratch=bench.folder))
    assert shown[0] == ["column", "type", "nulls", "distinct", "least", "greatest"]
    assert shown[2:] == [
        ["number", "int32", "1", "2", "9", "10"],
        ["na me", "string", "0", "2", "Es\u2019hail 2", "日本"],
        ["time", "timestamp", "1", "2", "2006-03-24 22:30:00+00", "2018-11-15 20:46:00+00"],
        ["ok", "boolean", "1", "2", "false", "true"],
        ["rest", "json", "1", "2", "5", '{"a":[1]}'],
        ["never", "float64", "3", "0", "NULL", "NULL"],
    ]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_nulls_distinct_and_range_fit_a_narrow_screen(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    long = json.dumps([{"a_rather_long_name": "日本" * 90, "b": "2024-01-01T00:00:00Z"}])
    columns = 'a_rather_long_name = { type = "string" }\nb = { type = "timestamp" }'
    shown = profile(bench.table(columns, long).file, scratch=bench.folder)
    assert cells(shown)[0] == ["column", "type", "nulls", "distinct", "least", "greatest"]
    text = next(line for line in shown.splitlines() if "日" in line)
    assert len(text) + text.count("日") + text.count("本") in (width, width - 1)
    assert text.count("…") >= 2
    assert max(len(line) for line in shown.splitlines()) <= width
    assert ("a_rather_long_name" in shown) is (width > 60)


def test_columns_that_do_not_fit_are_left_out_and_numbers_are_never_cut() -> None:
    table = draw([["a", "b", "c"]], [["123456789", "x" * 99, "y" * 99]], numbers={0}, width=22)
    assert table.splitlines() == [
        "        a  b         …",
        "─────────  ────────  ─",
        "123456789  xxxxxxx…  …",
    ]


def test_a_program_gets_the_first_rows_as_json(bench: Bench) -> None:
    columns = f'{COLUMNS}\nprice = {{ type = "decimal(9,2)" }}\ntags = {{ type = "date[]" }}'
    body = BODY.replace('"number": 10', '"price": 1.10, "tags": ["2024-01-02", null], "number": 10')
    assert first_rows(bench.table(columns, body).file, scratch=bench.folder, rows=2) == [
        {
            "number": 10,
            "na me": "Es\u2019hail 2",
            "time": "2018-11-15 20:46:00+00",
            "ok": True,
            "rest": None,
            "never": None,
            "price": "1.10",
            "tags": ["2024-01-02", None],
        },
        {
            "number": 9,
            "na me": "日本",
            "time": None,
            "ok": False,
            "rest": {"a": [1]},
            "never": None,
            "price": None,
            "tags": None,
        },
    ]


def test_json_that_is_nested_deeper_than_can_be_read_stays_a_text(bench: Bench) -> None:
    deep = "[" * 3000 + "]" * 3000
    file = bench.table('a = { type = "json" }', f'[{{"a": {deep}}}, {{"a": [1]}}]').file
    assert first_rows(file, scratch=bench.folder, rows=9) == [{"a": deep}, {"a": [1]}]


def test_an_empty_table_is_shown_as_well(bench: Bench) -> None:
    file = bench.table(COLUMNS, "[]").file
    assert "number" in head(file, scratch=bench.folder)
    assert ["number", "int32", "0", "0", "NULL", "NULL"] in cells(
        profile(file, scratch=bench.folder)
    )
    assert first_rows(file, scratch=bench.folder, rows=9) == []


def test_a_wide_or_foreign_table_is_shown_too(tmp_path: Path) -> None:
    file = tmp_path / "it's.parquet"
    columns = ", ".join(f'{i} AS "column ""{i}"""' for i in range(60))
    with duckdb.connect() as engine:
        engine.execute(
            f"COPY (SELECT {columns}, [1, 2] AS list, {{'a': 1}} AS struct, 1.5::DECIMAL(9, 2) AS"
            f" money, 'x'::BLOB AS blob, 'nan'::DOUBLE AS none, repeat('y', 999) AS long)"
            f" TO {literal(file)}"
        )
    assert 'column "0"' in head(file, scratch=tmp_path)
    contents = read_profile(file, scratch=tmp_path)
    assert [column.type for column in contents.columns[60:]] == [
        *("int32[]", "STRUCT(a INTEGER)", "decimal(9,2)", "BLOB", "float64", "string")
    ]
    assert contents.columns[-1].least == "y" * 99 + "…"
    assert len(cells(profile(file, scratch=tmp_path))) == 68
    (row,) = first_rows(file, scratch=tmp_path, rows=5)
    assert (row["list"], row["struct"], row["none"]) == ([1, 2], {"a": 1}, "NaN")


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
