"""`check` says whether a published file keeps the contract, and every way in which it does not."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from micro_etl.dataset import parse_dataset
from micro_etl.errors import DataError, MachineError
from micro_etl.table.check import check
from micro_etl.table.engine import machine_errors
from micro_etl.table.sql import literal
from tests.service.conftest import Bench

COLUMNS = """
    id = { type = "int32", required = true, unique = true }
    code = { type = "string", unique = true }
    time = { type = "timestamp" }
"""
CONTRACT = parse_dataset(
    f'name = "things"\npublish = {{ min_rows = 2 }}\n[columns]\n{COLUMNS}', label="things.toml"
)
RECORDS = '[{"id": 1, "code": "x", "time": null}, {"id": 2, "code": null}, {"id": 3, "code": null}]'


def copy(bench: Bench, selected: str) -> Path:
    """Another table, made from a sound one."""
    sound = bench.table(COLUMNS, RECORDS).file
    other = bench.folder / "other.parquet"
    with duckdb.connect() as engine:
        engine.execute("SET TimeZone = 'UTC'")
        engine.execute(f"COPY ({selected.replace('sound', literal(sound))}) TO {literal(other)}")
    return other


def test_a_table_that_a_run_made_keeps_the_contract(bench: Bench) -> None:
    assert check(bench.table(COLUMNS, RECORDS).file, CONTRACT, scratch=bench.folder) == 3


@pytest.mark.parametrize(
    ("selected", "message"),
    [
        ("SELECT id, time, code FROM sound", "columns are id, time, code; they should be id, code"),
        ("SELECT id, code FROM sound", "columns are id, code; they should be id, code, time"),
        ("SELECT *, 1 AS extra FROM sound", "columns are id, code, time, extra; they should be id"),
        ("SELECT id AS Id, code, time FROM sound", "columns are Id, code, time; they should be id"),
        (
            "SELECT CAST(NULLIF(id, 9) AS BIGINT) AS id, code, CAST(time AS TIMESTAMP) AS time"
            " FROM sound",
            "id is optional int64, it should be required int32; time is optional TIMESTAMP, "
            "it should be optional timestamp",
        ),
    ],
)
def test_another_schema_breaks_the_contract(bench: Bench, selected: str, message: str) -> None:
    with pytest.raises(DataError) as refused:
        check(copy(bench, selected), CONTRACT, scratch=bench.folder)
    assert f"the file breaks the contract of things: {message}" in str(refused.value)


def test_repeated_values_and_too_few_rows_are_all_listed(bench: Bench) -> None:
    again = copy(bench, "SELECT * FROM sound UNION ALL SELECT * FROM sound")
    with pytest.raises(DataError) as refused:
        check(again, CONTRACT, scratch=bench.folder)
    assert str(refused.value) == (
        "the file breaks the contract of things: id has 3 repeated values; "
        "code has 1 repeated values"
    )
    few = bench.table(COLUMNS, '[{"id": 1, "code": null, "time": null}]').file
    with pytest.raises(DataError, match="it has 1 rows; min_rows is 2"):
        check(few, CONTRACT, scratch=bench.folder)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + b"\x00" * 99 + b"PAR1", b"[{}]"])
def test_what_is_not_parquet_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.parquet"
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"^not a Parquet file: ") as refused:
        check(file, CONTRACT, scratch=tmp_path)
    assert "\n" not in str(refused.value)


def test_a_table_whose_pages_are_damaged_is_named(bench: Bench) -> None:
    file = bench.table(COLUMNS, RECORDS).file
    content = bytearray(file.read_bytes())
    content[4:60] = b"\xff" * 56
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"^not a Parquet file: "):
        check(file, CONTRACT, scratch=bench.folder)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (duckdb.OutOfMemoryException("failed to allocate"), "out of memory: failed to allocate"),
        (duckdb.IOException("No space left on device"), "the scratch folder can't be used: No "),
    ],
)
def test_a_machine_that_gives_out_is_no_fault_of_the_file(error: Exception, message: str) -> None:
    with pytest.raises(MachineError, match=message), machine_errors(about=Path("/x.parquet")):
        raise error


def test_what_the_engine_says_of_the_file_is_no_fault_of_the_machine() -> None:
    error = duckdb.IOException("No magic bytes found at end of file '/x.parquet'")
    with pytest.raises(duckdb.IOException), machine_errors(about=Path("/x.parquet")):
        raise error
