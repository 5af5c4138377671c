"""Tell what a run does in a few aligned lines for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from micro_etl.events import (
    Event,
    Extracted,
    LeftBehind,
    MetricsNotSent,
    RunFailed,
    RunFinished,
    SourceRetry,
    Transformed,
)
from micro_etl.log import LEVELS, Report, Turn, printing
from micro_etl.mask import Mask
from micro_etl.progress import ProgressLine
from micro_etl.text import printable, size


class TextReport(Report):
    """Aligned lines for people; errors go to standard error."""

    def __init__(
        self, *, level: str, color: bool | None, live: bool, mask: Mask | None = None
    ) -> None:
        super().__init__(mask=mask)
        self._turn, self._level, self._color = Turn(), LEVELS.index(level), color
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
        elif event.ends_run or LEVELS.index(event.level) >= self._level:
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
        if self._level > LEVELS.index("info"):
            return
        shown = self.mask.clean(draw())
        with self._line.hidden(), printing():
            click.echo(f"\n{shown}\n")


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
