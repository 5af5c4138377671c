"""A run sends its result to an OpenTelemetry collector, and never fails for it."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from micro_etl.otel import is_wanted
from tests.service.command import Ended, launches, micro_etl
from tests.service.servers import Answer, serve

SECRET = "hush-hush-hush"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the records of five launches."""
    (tmp_path / "launches.json").write_bytes(launches(5))
    return tmp_path


def run(folder: Path, endpoint: str, **extra: str) -> Ended:
    """A run with a collector."""
    environ = {"SOURCE_URL": "launches.json", "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, **extra}
    return micro_etl(folder, "run", **environ)


def read(body: bytes) -> tuple[dict[str, str], dict[str, list[tuple[dict[str, Any], float]]]]:
    """The attributes of the resource, and for each metric its points: attributes and value."""
    message = ExportMetricsServiceRequest.FromString(body)
    (resource,) = message.resource_metrics
    (scope,) = resource.scope_metrics
    assert scope.scope.name == "micro_etl"
    return attributes(resource.resource), {
        f"{metric.name} {metric.unit}": [
            (attributes(point), point.as_int or point.as_double)
            for point in (metric.sum if metric.HasField("sum") else metric.gauge).data_points
        ]
        for metric in scope.metrics
    }


def attributes(one: Any) -> dict[str, Any]:
    """Attributes by name."""
    return {
        pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in one.attributes
    }


def test_a_run_sends_counts_and_seconds_once(folder: Path) -> None:
    with serve(Answer(body=b"")) as collector:
        ended = run(folder, collector.url, OTEL_EXPORTER_OTLP_HEADERS=f"authorization={SECRET}")
    assert (ended.code, ended.err) == (0, "")
    assert "metrics_not_sent" not in ended.out
    (request,) = collector.requests
    assert (request.method, request.path) == ("POST", "/v1/metrics")
    assert request.headers["authorization"] == SECRET
    resource, metrics = read(request.body)
    assert resource["service.name"] == "micro-etl"
    about = {"dataset": "launches"}
    assert metrics["micro_etl.runs {run}"] == [
        ({**about, "result": "published", "exit_code": 0}, 1)
    ]
    assert metrics["micro_etl.rows {row}"] == [(about, 5)]
    assert metrics["micro_etl.source.size By"] == [(about, ended.result["source_bytes"])]
    assert metrics["micro_etl.table.size By"] == [(about, ended.result["bytes"])]
    seconds = {point["step"]: value for point, value in metrics["micro_etl.duration s"]}
    assert seconds == ended.result["seconds"]


def test_a_failed_run_is_counted_with_its_exit_code(folder: Path) -> None:
    with serve(Answer(body=b"")) as collector:
        ended = run(folder, collector.url, SOURCE_URL="nowhere.json", OTEL_SERVICE_NAME="mine")
    assert ended.code == 66
    resource, metrics = read(collector.requests[0].body)
    assert resource["service.name"] == "mine"
    about = {"dataset": "launches", "result": "failed", "exit_code": 66}
    assert metrics == {"micro_etl.runs {run}": [(about, 1)]}


@pytest.mark.parametrize("status", [None, 400, 503])
def test_a_collector_that_fails_is_one_warning(folder: Path, status: int | None) -> None:
    with serve(Answer(status=status or 200, reset=status is None)) as collector:
        began = time.monotonic()
        ended = run(folder, collector.url, OTEL_EXPORTER_OTLP_TIMEOUT="2")
        assert time.monotonic() - began < 20
    assert (ended.code, ended.err) == (0, "")
    names = [event["event"] for event in ended.events]
    assert names == ["run_started", "extracted", "transformed", "metrics_not_sent", "run_finished"]
    assert ended.events[-2]["level"] == "warning"
    assert ended.events[-2]["reason"]


def test_the_extra_that_is_missing_is_one_warning(folder: Path) -> None:
    (folder / "sitecustomize.py").write_text("import sys; sys.modules['opentelemetry'] = None\n")
    ended = run(folder, "http://127.0.0.1:1", PYTHONPATH=str(folder))
    assert (ended.code, ended.err) == (0, "")
    assert "is missing; pip install '.[otel]' in a clone" in ended.events[-2]["reason"]


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://h"}, True),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://h"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://h", "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_metrics_are_sent_where_a_collector_is_named(environ: dict[str, str], wanted: bool) -> None:
    assert is_wanted(environ) is wanted
