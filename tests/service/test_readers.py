"""Every reader sees the same table: values, a UTC timestamp, a nullable boolean."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.stores.emulators import MODULES, find_module, is_required

READ_SCRIPT = Path(__file__).parents[1] / "stores" / "read.mjs"

Rows = list[dict[str, Any]]

FIRST = {
    "flight_number": 1,
    "mission_name": "FalconSat",
    "launch_date": datetime(2006, 3, 24, 22, 30, tzinfo=UTC),
    "mission_successful": False,
    "webcast_url": "https://www.youtube.com/watch?v=0a_00nJ_Y88",
}
SUCCESSES = [False, True, True, True, False, False, *[True] * 4, None, True, True, None, None]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table of the bundled sample, made by the command."""
    folder = tmp_path_factory.mktemp("readers")
    sample = resources.files("micro_etl") / "datasets" / "launches.sample.json"
    subprocess.run(
        [
            *(sys.executable, "-m", "micro_etl", "run"),
            *("--source-url", str(sample), "--target-url", "out/launches.parquet"),
        ],
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=60,
    )
    return folder / "out" / "launches.parquet"


def read_with_pyarrow(file: Path) -> Rows:
    """Plain values by way of Arrow."""
    rows: Rows = pq.read_table(file).to_pylist()
    return rows


def read_with_pandas(file: Path) -> Rows:
    """Plain values by way of pandas' nullable types."""
    frame = pd.read_parquet(file, dtype_backend="pyarrow")
    assert str(frame.dtypes["launch_date"]) == "timestamp[us, tz=UTC][pyarrow]"
    assert str(frame.dtypes["mission_successful"]) == "bool[pyarrow]"
    rows: Rows = pa.Table.from_pandas(frame, preserve_index=False).to_pylist()
    return rows


def read_with_polars(file: Path) -> Rows:
    """Plain values by way of Polars."""
    frame = pl.read_parquet(file)
    assert frame.schema["launch_date"] == pl.Datetime("us", "UTC")
    assert frame.schema["mission_successful"] == pl.Boolean
    rows: Rows = frame.to_dicts()
    return rows


def read_with_duckdb(file: Path) -> Rows:
    """Plain values by way of DuckDB, in a session far from UTC."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'Asia/Kathmandu'")
        relation = connection.read_parquet(str(file))
        kinds = dict(zip(relation.columns, map(str, relation.types), strict=True))
        assert kinds["launch_date"] == "TIMESTAMP WITH TIME ZONE"
        assert kinds["mission_successful"] == "BOOLEAN"
        table = relation.to_arrow_table().cast(pq.read_schema(file).remove_metadata())
    rows: Rows = table.to_pylist()
    return rows


def read_with_javascript(file: Path) -> Rows:
    """Plain values by way of hyparquet, which knows instants as dates to the millisecond."""
    node = shutil.which("node")
    if node is None or find_module("hyparquet") is None:
        (pytest.fail if is_required() else pytest.skip)("hyparquet is not here: make stores")
    script = Path(shutil.copy(READ_SCRIPT, MODULES.parent / READ_SCRIPT.name))
    ended = subprocess.run(
        [node, str(script), str(file)], capture_output=True, text=True, timeout=60, check=True
    )
    rows: Rows = json.loads(ended.stdout)
    return [{**row, "launch_date": datetime.fromisoformat(row["launch_date"])} for row in rows]


@pytest.mark.parametrize(
    "read",
    [
        read_with_pyarrow,
        read_with_pandas,
        read_with_polars,
        read_with_duckdb,
        read_with_javascript,
    ],
)
def test_a_reader_sees_the_table(file: Path, read: Callable[[Path], Rows]) -> None:
    """All rows, the same instants, and null where it is not known whether a mission succeeded."""
    rows = read(file)
    assert rows == read_with_pyarrow(file)
    assert rows[0] == FIRST
    assert [row["mission_successful"] for row in rows] == SUCCESSES
    assert [row["launch_date"].utcoffset().total_seconds() for row in rows] == [0] * len(rows)
