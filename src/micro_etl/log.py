"""Tell what a run does: JSON lines for machines here, lines for people in `text_log`."""

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

from micro_etl.errors import MachineError
from micro_etl.events import (
    Event,
    RunFinished,
    limit_fields,
)
from micro_etl.mask import Mask

LEVELS = ("info", "warning", "error")
"""The levels of events, from the least important on."""
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


class Turn:
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
        self._level, self._run_id = LEVELS.index(level), run_id
        self._namespace, self._turn = namespace, Turn()

    def event(self, event: Event) -> None:
        """Print the event, unless it is less important than what is asked for."""
        with self._turn.take(event):
            self._say(event)

    def _say(self, event: Event) -> None:
        if self._namespace and event.ends_run:
            _print(embedded_metrics(self._namespace, self.dataset, event))
        if event.ends_run or LEVELS.index(event.level) >= self._level:
            line = {
                "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "level": event.level,
                "event": event.name,
                "run_id": self._run_id,
                **self.mask.clean_all(event.values),
            }
            _print(limit_fields(line))


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
    from micro_etl.text_log import TextReport  # for a person, who waits for click

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
