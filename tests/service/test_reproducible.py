"""The bytes are a function of the records and the dataset; the machine leaves no trace in them."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from micro_etl.body import Layout
from micro_etl.dataset import bundled_dataset
from micro_etl.errors import MachineError
from micro_etl.table import engine
from micro_etl.table.transform import _in_little_memory, transform
from tests.service.command import launches
from tests.service.conftest import Bench


def test_no_memory_and_no_scratch_folder_are_errors_of_the_machine(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = bench.body(launches(50_000).decode())
    with pytest.raises(MachineError, match="the scratch folder can't be used"):
        transform(body, bundled_dataset("launches"), scratch=bench.folder / "nowhere")

    def connect(scratch: Path, settings: Mapping[str, str]) -> duckdb.DuckDBPyConnection:
        connection = started(scratch, settings)
        connection.execute("SET memory_limit = '1MB'")
        return connection

    started = engine.connect
    monkeypatch.setattr(engine, "connect", connect)
    with pytest.raises(MachineError, match=r"out of memory: .*; give the task more"):
        transform(body, bundled_dataset("launches"), scratch=bench.folder)


def test_the_limit_of_memory_is_lifted_once_another_thread_leaves_some() -> None:
    """To lift it takes 4 KiB, which the thread that writes the table may have meanwhile."""

    class Engine:
        refusals = 3

        def execute(self, query: str) -> None:
            assert query == "RESET memory_limit"
            self.refusals -= 1
            if self.refusals >= 0:
                raise duckdb.OutOfMemoryException("failed to allocate data of size 4.0 KiB")

    tries = iter([duckdb.OutOfMemoryException("too little"), None])

    def work() -> str:
        if error := next(tries):
            raise error
        return "done"

    engine: Any = Engine()
    assert _in_little_memory(engine, work) == "done"
    assert engine.refusals < 0


MANY = """
    n = { type = "int32", required = true, unique = true }
    text = { type = "string" }
    ok = { type = "boolean" }
"""


@pytest.mark.parametrize("layout", [Layout.ARRAY, Layout.LINES])
def test_bytes_and_order_do_not_depend_on_threads_or_folder(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: Layout
) -> None:
    records = [
        f'{{"n": {i}, "text": "{i:0200}", "ok": {"null" if i % 3 else "true"}}}'
        for i in range(300_000)
    ]
    text = "\n".join(records) if layout is Layout.LINES else f"[{','.join(records)}]"
    first = bench.table(MANY, text)
    file = pq.ParquetFile(first.file)
    assert file.metadata.num_row_groups > 1
    assert file.read(["n"])["n"].to_pylist() == list(range(300_000))
    for threads in (1, 2, 3):
        folder = tmp_path / str(threads)
        folder.mkdir()
        with monkeypatch.context() as patched:
            configuration = {**engine.configuration(folder), "threads": str(threads)}
            patched.setattr(engine, "configuration", lambda _, given=configuration: given)
            again = Bench(folder).table(MANY, text)
        assert again.sha256 == first.sha256
        assert again._replace(file=first.file) == first


PROGRAM = """
import sys
from pathlib import Path
from micro_etl.dataset import bundled_dataset
from micro_etl.body import Body, Layout, Part
from micro_etl.table.transform import transform
body = Body((Part(Path(sys.argv[1]), "body"),), Layout.ARRAY, 1 << 24)
print(transform(body, bundled_dataset("launches"), scratch=Path.cwd()))
"""


def test_values_and_bytes_do_not_depend_on_the_zone_of_the_machine(bench: Bench) -> None:
    record = {"flight_number": 1, "name": "x", "success": None, "links": {"webcast": None}}
    times = ["2006-03-24T22:30:00.000Z", "2024-03-31T02:30:00+01:00", "2024-07-01T00:00:00-07:00"]
    body = [{**record, "flight_number": i, "date_utc": time} for i, time in enumerate(times)]
    tables, rows = set(), []
    for zone in ("UTC", "Asia/Kolkata", "America/Los_Angeles", "Pacific/Kiritimati"):
        bench.body(json.dumps(body))
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(bench.folder / "body")],
            cwd=bench.folder,
            env={**os.environ, "TZ": zone, "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        tables.add(run.stdout)
        rows = pq.ParquetFile(bench.folder / "launches.parquet").read(["launch_date"]).to_pylist()
        assert [row["launch_date"] for row in rows] == [
            datetime.fromisoformat(time).astimezone(UTC) for time in times
        ]
    assert len(tables) == 1
