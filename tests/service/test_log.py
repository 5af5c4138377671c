"""The report: JSON lines for machines, aligned lines for people, metrics for an alarm."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import json
from typing import Any

import pytest

from micro_etl.events import (
    MOST_FIELDS,
    Event,
    Extracted,
    LeftBehind,
    RunFailed,
    RunFinished,
    RunStarted,
    SourceRetry,
    Transformed,
)
from micro_etl.log import JsonReport, embedded_metrics, open_report
from micro_etl.tablefile import ColumnProfile
from micro_etl.text import size
from micro_etl.text_log import TextReport

RETRY = SourceRetry(attempt=2, reason="status 503")


def finished() -> RunFinished:
    """The last event of a run that published."""
    return RunFinished(
        result="published",
        dataset="launches",
        source="https://h/x",
        source_bytes=4000,
        source_hash="xxh128:50c3",
        target="s3://b/k",
        etag='"e"',
        rows=187,
        previous_rows=1205,
        nulls={},
        bytes=3000,
        sha256="5a",
        seconds={"total": 0.25},
        version="9",
    )


def extracted(source: str = "https://h/x") -> Extracted:
    """The event after the source is here."""
    return Extracted(source=source, bytes=5, received=1234, etag=None, last_modified=None)


def lines(captured: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """What was printed, read as JSON lines."""
    return [json.loads(line) for line in captured.readouterr().out.splitlines()]


def test_event_is_one_json_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    report = JsonReport(level="info", run_id="r1")
    report.event(extracted("ünï\n\udcff"))
    report.progress(1, 2)
    report.preview(lambda: pytest.fail("a machine reads no tables"))
    (line,) = lines(capsys)
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "info",
        "event": "extracted",
        "run_id": "r1",
        "bytes": 5,
        "source": "ünï\n\udcff",
        "received": 1234,
        "etag": None,
        "last_modified": None,
    }


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
    report.event(extracted())
    report.event(RETRY)
    report.event(finished())
    assert [line["event"] for line in lines(capsys)] == printed


def count_fields(value: Any) -> int:
    """The fields of a line, as Logs Insights names them: ``columns.0.nulls``."""
    if isinstance(value, dict):
        return sum(map(count_fields, value.values()))
    return sum(map(count_fields, value)) if isinstance(value, list) else 1


@pytest.mark.parametrize("columns", [1, 30, 38, 39, 170, 180, 2000])
def test_a_line_has_as_many_fields_as_logs_insights_finds(
    capsys: pytest.CaptureFixture[str], columns: int
) -> None:
    report = JsonReport(level="info", run_id="r1")
    names = [f"c{number}" for number in range(columns)]
    profiles = [ColumnProfile(name, 1, None, "a", "b")._asdict() for name in names]
    totals = dict.fromkeys(names, 3)
    report.event(Transformed(source_hash="xxh128:5", rows=1, bytes=2, sha256="6", columns=profiles))
    report.event(RunFailed(exit_code=65, error="e", violations=["v"] * 10, totals=totals))
    event = finished()
    event.nulls = dict.fromkeys(names, 0)
    JsonReport(level="info", run_id="r1").event(event)
    made, failed, ended = lines(capsys)
    for line, name in ((made, "columns"), (failed, "totals"), (ended, "nulls")):
        assert count_fields(line) <= MOST_FIELDS
        left_out = line.get("omitted", {}).get(name, 0)
        assert len(line[name]) + left_out == columns
        each = 5 if name == "columns" else 1
        assert not left_out or count_fields(line) > MOST_FIELDS - each
    assert [one["name"] for one in made["columns"]] == names[: len(made["columns"])]
    assert [*ended["nulls"]] == names[: len(ended["nulls"])]
    assert ("omitted" in made) is (columns > 38)


def test_metrics_stand_in_front_of_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    report = JsonReport(level="error", run_id=None, namespace="Etl", dataset="launches")
    report.event(extracted())
    report.event(finished())
    metrics, result = lines(capsys)
    assert result["event"] == "run_finished"
    assert metrics["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Etl"


@pytest.mark.parametrize(
    ("event", "values"),
    [
        (finished(), {"Succeeded": 1, "Rows": 187, "SourceBytes": 4000, "Duration": 0.25}),
        (RunFailed(exit_code=69, error="down"), {"Failed": 1}),
    ],
)
def test_metrics_are_in_cloudwatchs_embedded_format(event: Event, values: dict[str, float]) -> None:
    line = embedded_metrics("Etl", "launches", event)
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [["Dataset"]]
    assert line["Dataset"] == "launches"
    assert [metric["Name"] for metric in directive["Metrics"]] == list(values)
    assert {metric["Name"]: line[metric["Name"]] for metric in directive["Metrics"]} == values
    assert line["_aws"]["Timestamp"] > 1_600_000_000_000


def test_text_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    report = TextReport(level="info", color=None, live=False)
    report.event(RunStarted(dataset="d", source="x", target="t", dry_run=False, version="9"))
    report.event(RETRY)
    report.event(extracted())
    report.event(
        Transformed(source_hash="xxh128:5", rows=1187, bytes=20_000_000, sha256="6", columns=[])
    )
    report.event(LeftBehind(reason="can't remove x"))
    report.event(finished())
    assert capsys.readouterr().out.splitlines() == [
        "retry     2: status 503",
        "source    1.2 kB from https://h/x",
        "table     1,187 rows, 20.0 MB of Parquet",
        "left      can't remove x",
        "target    s3://b/k published in 0.25 s, 1,205 rows before",
    ]


def test_text_of_an_error_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    report = TextReport(level="error", color=None, live=False)
    report.event(RunFailed(exit_code=65, error="so, first, one", violations=["one", "two"]))
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
