"""Rows are gathered in one table while further parts are staged."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from duckdb import OutOfMemoryException

from micro_etl.body import Body, Layout, Part
from micro_etl.errors import MachineError
from micro_etl.table.engine import start
from micro_etl.table.gathered import Gathered
from micro_etl.table.staging import Staging
from tests.service.conftest import dataset

CONTRACT = dataset('a = { type = "int64", required = true }')


@pytest.fixture(autouse=True)
def each_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part is staged in a pass of its own, and gathered at once."""
    monkeypatch.setattr("micro_etl.table.staging._LEAST_BYTES", 0)
    monkeypatch.setattr("micro_etl.table.staging._MOST_PARTS", 1)
    monkeypatch.setattr("micro_etl.table.gathered._TOGETHER", 1)


@pytest.fixture
def staging(tmp_path: Path) -> Iterator[Staging]:
    engine = start(tmp_path)
    with engine.result():
        yield Staging(CONTRACT, scratch=tmp_path, engine=engine)


def add(staging: Staging, folder: Path, *values: int) -> None:
    """Stage a part with some values."""
    file = folder / f"part-{values[0]}"
    file.write_text(json.dumps([{"a": value} for value in values]), encoding="utf-8")
    staging.add(Body((Part(file, file.name),), Layout.ARRAY, 1 << 20))


def values_of(staging: Staging) -> list[int]:
    """The values of the table, in the order of the rows."""
    assert staging.finish() is None
    with staging.table() as (engine, rows):
        return [value for (value,) in engine.execute(f"SELECT a FROM {rows}").fetchall()]


def wait_until_gathered(staging: Staging, parts: int) -> None:
    """Wait until the rows of some parts are in the table."""
    deadline = time.monotonic() + 20
    while len(staging._gathered._files) < parts:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_rows_are_in_the_order_of_the_parts(staging: Staging, tmp_path: Path) -> None:
    for first in range(0, 60, 3):
        add(staging, tmp_path, first, first + 1, first + 2)
    assert values_of(staging) == [*range(60)]
    assert staging.rows == 60
    assert not [*tmp_path.glob("staged-*.parquet")]


def test_rows_are_gathered_before_all_parts_have_come(staging: Staging, tmp_path: Path) -> None:
    add(staging, tmp_path, 1)
    add(staging, tmp_path, 2)
    wait_until_gathered(staging, 1)
    add(staging, tmp_path, 3)
    assert values_of(staging) == [1, 2, 3]


def test_parts_that_come_again_are_gathered_once(staging: Staging, tmp_path: Path) -> None:
    add(staging, tmp_path, 1)
    add(staging, tmp_path, 2)
    wait_until_gathered(staging, 1)
    staging.restart()
    add(staging, tmp_path, 3)
    add(staging, tmp_path, 4)
    assert values_of(staging) == [3, 4]


def test_values_that_are_too_large_for_little_memory_have_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("micro_etl.table.gathered._LIMITS", ("4MB", "5MB", "80%"))
    engine, text = start(tmp_path), "x" * 3_000_000
    with engine.result():
        contract = dataset('a = { type = "string" }')
        staging = Staging(contract, scratch=tmp_path, engine=engine)
        for number in range(4):
            file = tmp_path / f"part-{number}"
            file.write_text(json.dumps([{"a": f"{number}{text}"}]), encoding="utf-8")
            staging.add(Body((Part(file, file.name),), Layout.ARRAY, 8 << 20))
        assert staging.finish() is None
        with staging.table() as (gathered, rows):
            found = gathered.execute(f"SELECT a FROM {rows}").fetchall()
    assert found == [(f"{number}{text}",) for number in range(4)]


def test_no_memory_for_them_is_an_error_of_the_machine(
    staging: Staging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OutOfMemoryException("Out of Memory Error: failed to allocate data of size 8 MiB")

    monkeypatch.setattr(Gathered, "_append", fail)
    add(staging, tmp_path, 1)
    assert staging.finish() is None
    with pytest.raises(MachineError, match="out of memory"), staging.table():
        pass
