"""The report: JSON lines for machines, aligned lines for people, metrics for an alarm."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from micro_etl.report import JsonReport, TextReport, embedded_metrics, open_report, size

FINISHED: dict[str, Any] = {
    "result": "published",
    "rows": 187,
    "source_bytes": 4000,
    "seconds": {"total": 0.25},
    "target": "s3://b/k",
    "previous_rows": 1205,
}


def lines(captured: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """What was printed, read as JSON lines."""
    return [json.loads(line) for line in captured.readouterr().out.splitlines()]


def test_event_is_one_json_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    report = JsonReport(level="info", run_id="r1")
    report.event("extracted", bytes=5, source="ünï\n\udcff")
    report.progress(1, 2)
    report.table(Path("nothing"))
    (line,) = lines(capsys)
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "info",
        "event": "extracted",
        "run_id": "r1",
        "bytes": 5,
        "source": "ünï\n\udcff",
    }
    assert report.last_event == "extracted"


@pytest.mark.parametrize(
    ("level", "printed"),
    [
        ("info", ["extracted", "source_retry", "run_finished"]),
        ("warning", ["source_retry", "run_finished"]),
        ("error", ["run_finished"]),
    ],
)
def test_level_hides_what_matters_less_but_never_the_result(
    capsys: pytest.CaptureFixture[str], level: str, printed: list[str]
) -> None:
    report = JsonReport(level=level, run_id=None)
    report.event("extracted")
    report.event("source_retry", level="warning")
    report.event("run_finished", **FINISHED)
    assert [line["event"] for line in lines(capsys)] == printed


def test_metrics_stand_in_front_of_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    report = JsonReport(level="error", run_id=None, metrics=("Etl", "launches"))
    report.event("extracted")
    report.event("run_finished", **FINISHED)
    metrics, result = lines(capsys)
    assert result["event"] == "run_finished"
    assert metrics["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Etl"


@pytest.mark.parametrize(
    ("name", "fields", "values"),
    [
        (
            "run_finished",
            FINISHED,
            {"Succeeded": 1, "Rows": 187, "SourceBytes": 4000, "Duration": 0.25},
        ),
        ("run_failed", {"exit_code": 69}, {"Failed": 1}),
    ],
)
def test_metrics_are_in_cloudwatchs_embedded_format(
    name: str, fields: dict[str, Any], values: dict[str, float]
) -> None:
    line = embedded_metrics("Etl", "launches", name, fields)
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [["Dataset"]]
    assert line["Dataset"] == "launches"
    assert [metric["Name"] for metric in directive["Metrics"]] == list(values)
    assert {metric["Name"]: line[metric["Name"]] for metric in directive["Metrics"]} == values
    assert line["_aws"]["Timestamp"] > 1_600_000_000_000


def test_text_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    report = TextReport(level="info", color=None, live=False)
    report.event("run_started", source="x")
    report.event("source_retry", level="warning", attempt=2, reason="status 503")
    report.event("extracted", received=1234, source="https://h/x")
    report.event("transformed", rows=1187, bytes=20_000_000)
    report.event("left_behind", level="warning", reason="can't remove x")
    report.event("run_finished", **FINISHED)
    assert capsys.readouterr().out.splitlines() == [
        "retry     2: status 503",
        "source    1.2 kB from https://h/x",
        "table     1,187 rows, 20.0 MB of Parquet",
        "left      can't remove x",
        "target    s3://b/k published in 0.25 s, 1,205 rows before",
    ]


def test_text_of_an_error_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    report = TextReport(level="error", color=None, live=False)
    report.event("run_failed", level="error", error="so, first, one", violations=["one", "two"])
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == ["error     so, first, one", "          two"]


@pytest.mark.parametrize(
    ("log_format", "kind"), [("json", JsonReport), ("text", TextReport), ("auto", JsonReport)]
)
def test_auto_is_json_where_nobody_reads(log_format: str, kind: type) -> None:
    assert type(open_report(log_format=log_format)) is kind


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (417_317, "417.3 kB"),
        (2_500_000, "2.5 MB"),
        (10**9, "1.0 GB"),
        (10**16, "10000.0 TB"),
    ],
)
def test_size_is_readable(count: int, text: str) -> None:
    assert size(count) == text
