"""Tell what a run does: JSON lines for machines, a few aligned lines for people."""

from __future__ import annotations

import json
import math
import os
import re
import sys
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import click

from micro_etl.errors import MachineError

_LEVELS = ("info", "warning", "error")
_RESULTS = ("run_finished", "run_failed")
# What would steer a terminal, or break a line.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_REDRAW_SECONDS = 0.1


class Report(Protocol):
    """Where a run says what it does.

    Attributes:
        last_event: the name of the last event.
    """

    last_event: str

    def event(self, name: str, *, level: str = "info", **fields: Any) -> None:
        """Say that something happened; names and fields are fixed, and listed in the README."""

    def progress(self, received: int, total: int | None) -> None:
        """Say how many bytes of the source have come."""

    def table(self, file: Path) -> None:
        """Show the first rows of a Parquet file to whoever reads."""


class _Turn:
    """One thread speaks at a time, and the first result of a run is its last word."""

    def __init__(self) -> None:
        self._speaking, self._ended = threading.Lock(), False

    @contextmanager
    def take(self, name: str) -> Iterator[None]:
        """Say one thing, or wait for the end of the process where a result has been told."""
        with self._speaking:
            if not self._ended:
                self._ended = name in _RESULTS
                yield
                return
        threading.Event().wait()


class JsonReport:
    """One JSON object a line on standard output."""

    def __init__(
        self,
        *,
        level: str,
        run_id: str | None,
        metrics: tuple[str | None, str] = (None, ""),
        secrets: Collection[str] = (),
    ) -> None:
        self._secrets, self._turn = secrets, _Turn()
        self._level, self._run_id, self._metrics = _LEVELS.index(level), run_id, metrics
        self.last_event = ""

    def event(self, name: str, *, level: str = "info", **fields: Any) -> None:
        """Print the event, unless it is less important than what is asked for."""
        with self._turn.take(name):
            self._say(name, level, fields)

    def _say(self, name: str, level: str, fields: dict[str, Any]) -> None:
        self.last_event, fields = name, without(self._secrets, fields)
        namespace, dataset = self._metrics
        if namespace and name in _RESULTS:
            _print(embedded_metrics(namespace, dataset, name, fields))
        if name in _RESULTS or _LEVELS.index(level) >= self._level:
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            line = {"time": now, "level": level, "event": name, "run_id": self._run_id, **fields}
            _print(line)

    def progress(self, received: int, total: int | None) -> None:
        """Stay silent."""

    def table(self, file: Path) -> None:
        """Stay silent."""


class TextReport:
    """Aligned lines for people; errors go to standard error."""

    def __init__(
        self, *, level: str, color: bool | None, live: bool, secrets: Collection[str] = ()
    ) -> None:
        self._secrets, self._turn = secrets, _Turn()
        self._level, self._color, self._live = _LEVELS.index(level), color, live
        self._started = self._drawn = time.monotonic()
        self.last_event = ""

    def event(self, name: str, *, level: str = "info", **fields: Any) -> None:
        """Print what the event means."""
        with self._turn.take(name), printing():
            self._say(name, level, fields)

    def _say(self, name: str, level: str, fields: dict[str, Any]) -> None:
        self.last_event, fields = name, without(self._secrets, fields)
        self._clear()
        if name == "run_failed":
            click.echo(
                click.style("error", fg="red", bold=True) + f"     {printable(fields['error'])}",
                err=True,
                color=self._color,
            )
            for violation in fields.get("violations", [])[1:]:
                click.echo(f"          {printable(violation)}", err=True)
        elif name == "run_finished" or _LEVELS.index(level) >= self._level:
            line = _line(name, fields)
            if line:
                click.echo(f"{line[0]:<10}{line[1]}", color=self._color)

    def progress(self, received: int, total: int | None) -> None:
        """Redraw a line with bytes and speed, a few times a second."""
        now = time.monotonic()
        if self._live and now - self._drawn >= _REDRAW_SECONDS:
            self._drawn = now
            of = f" of {size(total)}" if total else ""
            speed = size(int(received / (now - self._started)))
            click.echo(f"\r\033[Ksource    {size(received)}{of}, {speed}/s", nl=False, err=True)

    def table(self, file: Path) -> None:
        """Print the first rows, unless only what is more important is asked for."""
        if self._level > _LEVELS.index("info"):
            return
        from micro_etl.show import head

        shown = head(file)
        with printing():
            self._clear()
            click.echo(shown)

    def _clear(self) -> None:
        if self._live:
            click.echo("\r\033[K", nl=False, err=True)


def open_report(
    *,
    log_format: str,
    log_level: str = "info",
    run_id: str | None = None,
    metrics: tuple[str | None, str] = (None, ""),
    secrets: Collection[str] = (),
    environ: Mapping[str, str] = os.environ,
) -> Report:
    """The report that a format asks for; ``auto`` is text where somebody reads it.

    Args:
        log_format: auto, text or json.
        log_level: the least important event that is printed.
        run_id: goes with each JSON line.
        metrics: namespace and dataset; with a namespace, JSON lines have metrics among them.
        secrets: what no message may hold, wherever it was heard.
        environ: where ``NO_COLOR`` stands.
    """
    if log_format == "json" or (log_format == "auto" and not sys.stdout.isatty()):
        return JsonReport(level=log_level, run_id=run_id, metrics=metrics, secrets=secrets)
    color = False if environ.get("NO_COLOR") else None
    return TextReport(level=log_level, color=color, live=sys.stderr.isatty(), secrets=secrets)


def embedded_metrics(
    namespace: str, dataset: str, name: str, fields: Mapping[str, Any]
) -> dict[str, Any]:
    """The result of a run in CloudWatch's embedded metric format.

    Source: Amazon CloudWatch user guide, "Specification: Embedded metric format".
    """
    values: dict[str, tuple[float, str]] = {"Failed": (1, "Count")}
    if name == "run_finished":
        values = {
            "Succeeded": (1, "Count"),
            "Rows": (fields["rows"], "Count"),
            "SourceBytes": (fields["source_bytes"], "Bytes"),
            "Duration": (fields["seconds"]["total"], "Seconds"),
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


def without(secrets: Collection[str], fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an event, in which what others said holds no secret of ours.

    A server's error page, for one, may repeat the URL that it was asked for.
    """
    kept = dict(fields)
    for name in ("error", "reason"):
        for secret in secrets if name in kept else ():
            kept[name] = kept[name].replace(secret, "…")
    return kept


def printable(text: str) -> str:
    """A text on one line, in which nothing steers a terminal: control characters as escapes."""
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def size(count: int) -> str:
    """A number of bytes for a reader."""
    if count < 1000:
        return f"{count} B"
    power = min(int(math.log10(count)) // 3, 4)
    return f"{count / 1000**power:.1f} {' kMGT'[power]}B"


@contextmanager
def printing() -> Iterator[None]:
    """End the command in one line where standard output can't be written.

    Raises:
        SystemExit: with the exit code of a `MachineError`.
        BrokenPipeError: nobody reads any more; click ends the command quietly.
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


def _line(name: str, fields: Mapping[str, Any]) -> tuple[str, str] | None:
    """Head and text of the line that an event prints, if it prints one."""
    if name == "source_retry":
        return "retry", f"{fields['attempt']}: {printable(fields['reason'])}"
    if name == "left_behind":
        return "left", printable(fields["reason"])
    if name == "extracted":
        return "source", f"{size(fields['received'])} from {printable(fields['source'])}"
    if name == "transformed":
        return "table", f"{fields['rows']:,} rows, {size(fields['bytes'])} of Parquet"
    if name != "run_finished":
        return None
    target, result = printable(fields["target"]), fields["result"]
    seconds = f"in {fields['seconds']['total']:.2f} s"
    before = "" if fields["previous_rows"] is None else f", {fields['previous_rows']:,} rows before"
    styled = click.style(result, fg="yellow" if result == "would publish" else "green")
    return "target", f"{target} {styled} {seconds}{before}"
