"""The benchmark compares what it says, and refuses a wrong output."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import json
import sys
import urllib.request
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dev.bench import records, slow
from dev.bench.container import Contained
from dev.bench.job import Run, Store, run_job
from dev.bench.peers import PEERS, SERVICE
from dev.bench.report import Results, cost, figure, page, ratio
from dev.bench.scale import ENGINES, compare, make, measure, row
from dev.bench.scale import PAGE as SCALE
from dev.bench.scale import page as scale_page
from dev.bench.serve import serve_file, serve_pieces
from dev.bench.slow import FORMS, Late
from dev.bench.slow import measure as measure_late
from tests.conftest import Bucket

COUNT = 1200
COPY = """
import boto3, os
client = boto3.client("s3")
client.upload_file({file!r}, os.environ["S3_BUCKET"], os.environ["S3_KEY"])
"""


def test_the_expected_table_is_what_the_records_hold() -> None:
    parsed = json.loads(b"".join(records.body(1, COUNT)))
    rows = [
        {
            "flight_number": record["flight_number"],
            "mission_name": record["name"],
            "launch_date": datetime.fromisoformat(record["date_utc"]),
            "mission_successful": record["success"],
            "webcast_url": record["links"]["webcast"],
        }
        for record in parsed
    ]
    assert records.table(1, COUNT).to_pylist() == rows
    assert {None, True, False} == {row["mission_successful"] for row in rows}
    assert None in {row["webcast_url"] for row in rows}


def test_a_seed_makes_the_same_records_each_time() -> None:
    assert b"".join(records.body(1, COUNT)) == b"".join(records.body(1, COUNT))
    assert b"".join(records.body(1, COUNT)) != b"".join(records.body(2, COUNT))


def test_both_servers_send_the_whole_body(tmp_path: Path) -> None:
    body = b"".join(records.body(1, COUNT))
    file = tmp_path / "body.json"
    file.write_bytes(body)
    with serve_file(file) as whole, serve_pieces(lambda: records.body(1, COUNT)) as pieces:
        for url in (whole, pieces):
            with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own URL
                assert answer.read() == body


@pytest.mark.parametrize("form", FORMS)
def test_a_slow_source_sends_the_same_records_in_each_form(
    form: str, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slow, "PAGES", 20)
    command = [sys.executable, "-m", "micro_etl", "run"]
    late = measure_late(command, form, Store(bucket.endpoint), seed=1, count=1000)
    assert 0 < late.after < late.run.wall


def test_the_figures_of_a_wrong_output_do_not_count(bucket: Bucket, tmp_path: Path) -> None:
    expected = records.table(1, 20)
    wrong = expected.set_column(0, "flight_number", pa.array([*range(1, 20), 21], pa.int32()))
    store = Store(bucket.endpoint)
    for name, table in (("good", expected), ("wrong", wrong), ("short", expected.slice(1))):
        file = tmp_path / f"{name}.parquet"
        pq.write_table(table, file)
        command = [sys.executable, "-c", COPY.format(file=str(file))]
        if name == "good":
            run = run_job(command, "", store, expected)
            assert run.wall > 0
            assert run.cpu > 0
            assert run.peak > 10 << 20
        else:
            with pytest.raises(RuntimeError, match="another table"):
                run_job(command, "", store, expected)
    with pytest.raises(RuntimeError, match="ended with 3"):
        run_job([sys.executable, "-c", "raise SystemExit(3)"], "", store, expected)


def test_the_page_shows_medians_of_pairs() -> None:
    def runs(*walls: float) -> list[Run]:
        return [Run(wall, wall / 2, 100 << 20) for wall in walls]

    measured = {peer.name: runs(10, 20, 30) for peer in PEERS} | {SERVICE: runs(5, 30, 30)}
    sizes = {peer.name: 85_000_000 for peer in PEERS}
    imports = {peer.name: {"x": 0.05} for peer in PEERS}
    contained = Contained(130_000_000, runs(7)[0], runs(2, 3))
    late = {"array": [Late(run, 0.25) for run in runs(2, 4, 6)]}
    results = Results(
        ["then", "now"], measured, measured, late, runs(9)[0], contained, sizes, imports
    )
    assert ratio(measured, "wall") == "1.00 (0.50 to 1.50)"
    assert cost(runs(3600)) == pytest.approx(2 * (2 * 0.04048 + 4 * 0.004445))
    text = page(results)
    for peer in PEERS:
        assert f"| {peer.name} |" in text
        assert f">{peer.name}</text>" in figure(results)
    assert "| array | 3 | 0.25 (0.25 to 0.25) | 4 (2 to 6) |" in text
    assert "5,000,000 (11 GiB" in text
    assert "1.00 times as much" in text
    assert "130 MB with its base" in text
    assert "500,000 records in 7.0 s; with `--cpus 0.25` too, 205 in 2.5 (" in text


def test_the_lines_of_the_scale_are_the_launches_of_the_table(tmp_path: Path) -> None:
    size = make(tmp_path / "raw", COUNT)
    (file,) = (tmp_path / "raw").iterdir()
    assert file.stat().st_size == size
    assert 250 < size / COUNT < 350
    parsed = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    rows = [
        (one["flight_number"], one["name"], one["success"], one["links"]["webcast"])
        for one in parsed
    ]
    table = records.table(2006, COUNT)
    names = ("flight_number", "mission_name", "mission_successful", "webcast_url")
    assert rows == list(zip(*(table[name].to_pylist() for name in names), strict=True))


def test_spark_finds_java_where_the_environment_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "python"
    program.write_text('#!/bin/sh\necho "{\\"home\\": \\"$JAVA_HOME\\"}"\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setenv("JAVA_HOME", "/opt/java")
    assert measure("spark", tmp_path).event == {"home": "/opt/java"}


def test_a_run_of_the_scale_is_measured_whole_and_leaves_nothing(tmp_path: Path) -> None:
    make(tmp_path / "raw", 200_000)
    run = measure("duckdb", tmp_path)
    assert run.event["rows"] == 200_000
    assert 0 < run.cpu < 2 * run.wall * 16
    assert run.peak > 20 << 20
    assert [file.name for file in tmp_path.iterdir()] == ["raw"]
    compare([run, run])
    with pytest.raises(RuntimeError, match="the engines differ"):
        compare([run, replace(run, event={**run.event, "rows": 1})])
    line = row(1, 300_000_000, {engine: [run] for engine in ENGINES})
    table = scale_page(["before", "after"], 1, [line]).rpartition("\n\n")[2].splitlines()
    assert {cells.count("|") for cells in table} == {9}
    assert line.startswith("| 1,000,000 | 0.30 GB | ")
    assert "<!-- python -m dev.bench.scale -->\n" in SCALE.read_text("utf-8")
