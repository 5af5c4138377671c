"""Send the result of a run as OpenTelemetry metrics; the extra ``otel`` has what sends them."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping

from micro_etl import __version__
from micro_etl.events import Event, MetricsNotSent, RunFailed, RunFinished
from micro_etl.log import Report

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")
_FIRST_SIGNAL_CODE = 128


def is_wanted(environ: Mapping[str, str]) -> bool:
    """Whether the environment names a collector."""
    return any(environ.get(name) for name in _ENDPOINTS) and (
        environ.get("OTEL_SDK_DISABLED", "").lower() != "true"
    )


class MeteredReport(Report):
    """A report that sends the result of a run before it is told, after which nothing can be.

    What can't be sent is a warning. A run that is stopped by a signal has no time for it.
    """

    def __init__(self, report: Report) -> None:
        super().__init__(mask=report.mask)
        self._report = report

    def event(self, event: Event) -> None:
        """Tell the event; send the metrics of the last one."""
        self._report.dataset = self.dataset
        stopped = isinstance(event, RunFailed) and event.exit_code > _FIRST_SIGNAL_CODE
        if event.ends_run and not stopped:
            reason = send_metrics(event, self.dataset)
            if reason:
                self._report.event(MetricsNotSent(reason=reason))
        self._report.event(event)

    def phase(self, name: str, total: int | None = None) -> None:
        """Pass it on."""
        self._report.phase(name, total)

    def progress(self, received: int, total: int | None) -> None:
        """Pass it on."""
        self._report.progress(received, total)

    def arrived(self, parts: int, records: int | None) -> None:
        """Pass it on."""
        self._report.arrived(parts, records)

    def preview(self, draw: Callable[[], str]) -> None:
        """Pass it on."""
        self._report.preview(draw)


def send_metrics(event: Event, dataset: str) -> str | None:
    """Send what a run counted and how long it took; returns why that was not possible.

    The SDK's own variables say where to, with which headers and for how long (``OTEL_…``).
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.sdk.metrics import Counter, MeterProvider
        from opentelemetry.sdk.metrics.export import (
            AggregationTemporality,
            InMemoryMetricReader,
            MetricExportResult,
        )
        from opentelemetry.sdk.resources import Resource
    except ImportError as error:
        return f"{error.name or error} is missing; pip install '.[otel]' in a clone brings it"
    said = _Said()
    logger = logging.getLogger("opentelemetry")
    logger.handlers, logger.propagate = [said], False
    try:
        # A process that counts one run and ends has no sum to go on with.
        reader = InMemoryMetricReader({Counter: AggregationTemporality.DELTA})
        service = os.environ.get("OTEL_SERVICE_NAME") or "micro-etl"
        provider = MeterProvider(
            [reader], Resource.create({"service.name": service}), shutdown_on_exit=False
        )
        meter = provider.get_meter("micro_etl", __version__)
        about = {"dataset": dataset}
        _record(
            event,
            count=lambda name, **kind: meter.create_counter(name, "{run}").add(1, about | kind),
            gauge=lambda name, unit, value, **kind: meter.create_gauge(name, unit).set(
                value, about | kind
            ),
        )
        data = reader.get_metrics_data()
        if data and OTLPMetricExporter().export(data) is MetricExportResult.SUCCESS:
            return None
    except Exception as error:  # whatever it is, the run is done
        return f"{type(error).__name__}: {error}"
    return "; ".join(said.texts) or "the collector did not take them"


def _record(event: Event, *, count: Callable[..., None], gauge: Callable[..., None]) -> None:
    if isinstance(event, RunFailed):
        count("micro_etl.runs", result="failed", exit_code=event.exit_code)
    if isinstance(event, RunFinished):
        count("micro_etl.runs", result=event.result, exit_code=0)
        gauge("micro_etl.rows", "{row}", event.rows)
        gauge("micro_etl.source.size", "By", event.source_bytes)
        gauge("micro_etl.table.size", "By", event.bytes)
        for step, seconds in event.seconds.items():
            gauge("micro_etl.duration", "s", seconds, step=step)


class _Said(logging.Handler):
    """Keeps the last two things that the exporter says, instead of printing them."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts = [*self.texts[-1:], record.getMessage()]
