"""Run both engines in turn over ever larger folders, and write the table of docs/scale.md.

A record is a launch with the fields that the columns read and a sentence: 0.3 kB where the API
sends 2.2, so that 20 million need no more than 6 GB, and as much again for the engine's copy.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from dev.bench import records
from dev.bench.machine import describe

PAGE = Path("docs", "scale.md")
ENGINES = ("duckdb", "spark")
_SEED, _FILE = 2006, 125_000
_MARKS = re.compile(r"(<!-- python -m dev\.bench\.scale -->\n).*(<!-- end -->)", re.DOTALL)
_SAMPLE_SECONDS = 0.2
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Run:
    """What one run took; processor and memory are those of all its processes, looked at often.

    Attributes:
        wall: seconds, from the start of the process to its end.
        cpu: seconds of all cores.
        peak: the most memory in bytes, pages that processes share counted once.
        event: its last event.
    """

    wall: float
    cpu: float
    peak: int
    event: dict[str, Any]


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(prog="python -m dev.bench.scale", description=__doc__)
    parser.add_argument("--millions", type=int, nargs="+", default=[1, 5, 20], metavar="N")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each engine at each size")
    parser.add_argument("--folder", default=None, help="where there is room; removed at the end")
    options = parser.parse_args()

    before, rows = describe(), []
    for millions in options.millions:
        with tempfile.TemporaryDirectory(prefix="scale-", dir=options.folder) as folder:
            size = make(Path(folder, "raw"), millions * 1_000_000)
            runs: dict[str, list[Run]] = {engine: [] for engine in ENGINES}
            for number in range(1, options.rounds + 1):
                for engine in ENGINES:
                    run = measure(engine, Path(folder))
                    _say(
                        f"{millions} million, round {number}, {engine}: {run.wall:.1f} s,"
                        f" CPU {run.cpu:.1f} s, {run.peak / 2**20:,.0f} MiB"
                    )
                    runs[engine].append(run)
            compare(run for found in runs.values() for run in found)
            rows.append(row(millions, size, runs))
    text = PAGE.read_text("utf-8")
    table = page([before, describe()], options.rounds, rows)
    PAGE.write_text(_MARKS.sub(lambda found: found[1] + table + found[2], text), "utf-8")
    _say(f"written: {PAGE}")


def make(folder: Path, count: int) -> int:
    """Write so many launches, a record a line, into files of a folder; says how many bytes."""
    folder.mkdir()
    size = 0
    for number, start in enumerate(range(1, count + 1, _FILE)):
        with Path(folder, f"{number:04}.ndjson").open("wb") as file:
            stop = min(start + _FILE, count + 1)
            size += sum(map(file.write, records.lines(_SEED, start, stop)))
    return size


def measure(engine: str, folder: Path) -> Run:
    """Run an engine over the files of a folder, whose table is removed again.

    Raises:
        RuntimeError: it failed.
    """
    with tempfile.TemporaryDirectory(prefix="run-", dir=folder) as own:
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "micro_etl", "run", "--engine", engine],
            cwd=own,
            env={
                "PATH": os.environ["PATH"],
                "HOME": own,
                "TMPDIR": own,
                "SOURCE_URL": f"{folder}/raw/",
                "TARGET_URL": "table",
                "SOURCE_DEADLINE": "86400",
            }
            | {name: os.environ[name] for name in ("JAVA_HOME",) if name in os.environ},
            stdout=subprocess.PIPE,
            text=True,
        )
        seconds: dict[int, float] = {}
        peak = 0
        while process.poll() is None:
            peak = max(peak, _look(own, seconds))
            time.sleep(_SAMPLE_SECONDS)
        wall = time.perf_counter() - started
        output, _ = process.communicate()
        if process.returncode:
            raise RuntimeError(f"{engine} ended with {process.returncode}: {output}")
        return Run(wall, sum(seconds.values()), peak, json.loads(output.splitlines()[-1]))


def compare(runs: Iterable[Run]) -> None:
    """Refuse runs whose tables differ in rows or nulls.

    Raises:
        RuntimeError: they do.
    """
    found = {json.dumps([run.event["rows"], run.event["nulls"]]) for run in runs}
    if len(found) != 1:
        raise RuntimeError(f"the engines differ: {found}")


def row(millions: int, size: int, runs: dict[str, list[Run]]) -> str:
    """A line of the table."""
    cells = [f"{millions:,},000,000", f"{size / 1e9:.2f} GB"]
    for engine in ENGINES:
        found = runs[engine]
        walls = sorted(run.wall for run in found)
        cells += [
            f"{median(walls):,.1f} s ({walls[0]:,.1f} to {walls[-1]:,.1f})",
            f"{median(run.cpu for run in found):,.0f} s",
            f"{max(run.peak for run in found) / 2**20:,.0f} MiB",
        ]
    return f"| {' | '.join(cells)} |"


def page(machine: list[str], rounds: int, rows: list[str]) -> str:
    """The table, and how it came about."""
    return f"""Launches of 0.3 kB, a record a line, in plain files of {_FILE:,} on the local disk, to a local target;
`flight_number` is unique. Whole processes, each engine {rounds} times in turn: the median of the wall time with
its least and most, the median of the processor time, the most memory. Processor and memory are of all processes,
looked at every {_SAMPLE_SECONDS} s, shared pages counted once.

- before: {machine[0]}
- after: {machine[1]}

| records | source | DuckDB: wall | processor | memory | Spark: wall | processor | memory |
| --- | --- | --- | --- | --- | --- | --- | --- |
{chr(10).join(rows)}
"""  # noqa: E501 - its lines are those of the page


def _look(marker: str, seconds: dict[int, float]) -> int:
    """The memory of the processes whose environment names a folder; notes their CPU seconds."""
    memory = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"TMPDIR={marker}".encode() not in (process / "environ").read_bytes():
                continue
            times = (process / "stat").read_text().rpartition(")")[2].split()[11:13]
            rollup = (process / "smaps_rollup").read_text()
        except OSError:  # ended meanwhile
            continue
        seconds[int(process.name)] = sum(map(int, times)) / _TICK
        found = re.search(r"^Pss: +(\d+) kB", rollup, re.MULTILINE)
        memory += int(found[1]) * 1024 if found else 0
    return memory


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    main()
