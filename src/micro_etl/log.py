"""Tell what a run does: JSON lines for machines, a few aligned lines for people."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click

from micro_etl.errors import MachineError
from micro_etl.events import (
    Event,
    Extracted,
    LeftBehind,
    MetricsNotSent,
    RunFailed,
    RunFinished,
    SourceRetry,
    Transformed,
    limit_fields,
)
from micro_etl.mask import Mask
from micro_etl.progress import ProgressLine
from micro_etl.text import printable, size

_LEVELS = ("info", "warning", "error")
_UNKNOWN = "unknown"


class Report:
    """Where a run says what it does; this one says nothing, and others override what they need.

    Attributes:
        mask: hides secrets in all that is said.
        dataset: the name of the dataset, once it is known, for metrics.
    """

    def __init__(self, *, mask: Mask | None = None) -> None:
        self.mask, self.dataset = mask or Mask(), _UNKNOWN

    def event(self, event: Event) -> None:
        """Say that something happened."""

    def phase(self, name: str, total: int | None = None) -> None:
        """Say what is being done: ``source``, ``table`` or ``upload``, and to how many bytes."""

    def progress(self, received: int, total: int | None) -> None:
        """Say how many bytes of the source have come."""

    def arrived(self, parts: int, records: int | None) -> None:
        """Say how many parts of the source have come, and how many records the last one has."""

    def preview(self, draw: Callable[[], str]) -> None:
        """Show a person the first rows; `draw` is called only where they are shown."""


class _Turn:
    """One thread speaks at a time, and the first result of a run is its last word."""

    def __init__(self) -> None:
        self._speaking, self._ended = threading.Lock(), False

    @contextmanager
    def take(self, event: Event) -> Iterator[None]:
        """Say one thing, or wait for the end of the process where a result has been told."""
        with self._speaking:
            if not self._ended:
                self._ended = event.ends_run
                yield
                return
        threading.Event().wait()


class JsonReport(Report):
    """One JSON object a line on standard output."""

    def __init__(
        self,
        *,
        level: str,
        run_id: str | None,
        namespace: str | None = None,
        dataset: str = _UNKNOWN,
        mask: Mask | None = None,
    ) -> None:
        super().__init__(mask=mask)
        self.dataset = dataset
        self._level, self._run_id = _LEVELS.index(level), run_id
        self._namespace, self._turn = namespace, _Turn()

    def event(self, event: Event) -> None:
        """Print the event, unless it is less important than what is asked for."""
        with self._turn.take(event):
            self._say(event)

    def _say(self, event: Event) -> None:
        if self._namespace and event.ends_run:
            _print(embedded_metrics(self._namespace, self.dataset, event))
        if event.ends_run or _LEVELS.index(event.level) >= self._level:
            line = {
                "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "level": event.level,
                "event": event.name,
                "run_id": self._run_id,
                **self.mask.clean_all(event.values),
            }
            _print(limit_fields(line))


class TextReport(Report):
    """Aligned lines for people; errors go to standard error."""

    def __init__(
        self, *, level: str, color: bool | None, live: bool, mask: Mask | None = None
    ) -> None:
        super().__init__(mask=mask)
        self._turn, self._level, self._color = _Turn(), _LEVELS.index(level), color
        self._line = ProgressLine(live=live)

    def event(self, event: Event) -> None:
        """Print what the event means."""
        with self._turn.take(event), self._line.hidden(for_good=event.ends_run), printing():
            self._say(event)

    def _say(self, event: Event) -> None:
        fields = self.mask.clean_all(event.values)
        if isinstance(event, RunFailed):
            click.echo(
                click.style("error", fg="red", bold=True) + f"     {printable(fields['error'])}",
                err=True,
                color=self._color,
            )
            for violation in fields.get("violations", [])[1:]:
                click.echo(f"          {printable(violation)}", err=True)
        elif event.ends_run or _LEVELS.index(event.level) >= self._level:
            line = _line(event, fields)
            if line:
                click.echo(f"{line[0]:<10}{line[1]}", color=self._color)

    def phase(self, name: str, total: int | None = None) -> None:
        """Begin another line of progress."""
        self._line.begin(name, total)

    def progress(self, received: int, total: int | None) -> None:
        """Note bytes for that line."""
        self._line.receive(received, total)

    def arrived(self, parts: int, records: int | None) -> None:
        """Note pages and records for that line."""
        self._line.count(parts, records)

    def preview(self, draw: Callable[[], str]) -> None:
        """Print the first rows, unless only what is more important is asked for."""
        if self._level > _LEVELS.index("info"):
            return
        shown = self.mask.clean(draw())
        with self._line.hidden(), printing():
            click.echo(f"\n{shown}\n")


def open_report(
    *,
    log_format: str,
    log_level: str = "info",
    run_id: str | None = None,
    namespace: str | None = None,
    dataset: str = _UNKNOWN,
    mask: Mask | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Report:
    """Open the report that a format asks for; ``auto`` is text on a terminal.

    Args:
        log_format: auto, text or json.
        log_level: the least important event that is printed.
        run_id: goes with each JSON line.
        namespace: of the metrics that are among the JSON lines, where there is one.
        dataset: the name of the dataset, as far as it is known.
        mask: hides secrets in all that is said.
        environ: where ``NO_COLOR`` stands.
    """
    if log_format == "json" or (log_format == "auto" and not sys.stdout.isatty()):
        return JsonReport(
            level=log_level, run_id=run_id, namespace=namespace, dataset=dataset, mask=mask
        )
    color = False if environ.get("NO_COLOR") else None
    return TextReport(level=log_level, color=color, live=sys.stderr.isatty(), mask=mask)


def embedded_metrics(namespace: str, dataset: str, event: Event) -> dict[str, Any]:
    """The result of a run in CloudWatch's embedded metric format.

    Source: Amazon CloudWatch user guide, "Specification: Embedded metric format".
    """
    values: dict[str, tuple[float, str]] = {"Failed": (1, "Count")}
    if isinstance(event, RunFinished):
        values = {
            "Succeeded": (1, "Count"),
            "Rows": (event.rows, "Count"),
            "SourceBytes": (event.source_bytes, "Bytes"),
            "Duration": (event.seconds["total"], "Seconds"),
        }
    return {
        "_aws": {
            "Timestamp": int(time.time() * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": namespace,
                    "Dimensions": [["Dataset"]],
                    "Metrics": [{"Name": key, "Unit": unit} for key, (_, unit) in values.items()],
                }
            ],
        },
        "Dataset": dataset,
        **{key: value for key, (value, _) in values.items()},
    }


@contextmanager
def printing() -> Iterator[None]:
    """End the command in one line where standard output can't be written.

    Raises:
        SystemExit: with the exit code of a `MachineError`.
        BrokenPipeError: the output pipe was closed; click ends the command quietly.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        sys.stderr.write(f"error     standard output can't be written: {error.strerror}\n")
        raise SystemExit(MachineError.exit_code) from error


def _print(line: Mapping[str, Any]) -> None:
    with printing():
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def _line(event: Event, fields: Mapping[str, Any]) -> tuple[str, str] | None:
    """Head and text of the line that an event prints, if it prints one."""
    if isinstance(event, SourceRetry):
        return "retry", f"{fields['attempt']}: {printable(fields['reason'])}"
    if isinstance(event, LeftBehind):
        return "left", printable(fields["reason"])
    if isinstance(event, MetricsNotSent):
        return "metrics", f"not sent: {printable(fields['reason'])}"
    if isinstance(event, Extracted):
        return "source", f"{size(fields['received'])} from {printable(fields['source'])}"
    if isinstance(event, Transformed):
        return "table", f"{fields['rows']:,} rows, {size(fields['bytes'])} of Parquet"
    if not isinstance(event, RunFinished):
        return None
    target, result = printable(fields["target"]), fields["result"]
    seconds = f"in {fields['seconds']['total']:.2f} s"
    before = "" if fields["previous_rows"] is None else f", {fields['previous_rows']:,} rows before"
    styled = click.style(result, fg="yellow" if result == "would publish" else "green")
    return "target", f"{target} {styled} {seconds}{before}"
