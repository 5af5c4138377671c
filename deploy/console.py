"""Prints what a person reads: one aligned line for each step."""

import re
from collections.abc import Sequence
from typing import TextIO

WIDTH = 11
"""The column in which the text of a step begins."""


class Console:
    """Writes lines to a stream: standard output, or standard error under `--json`."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def step(self, name: str, text: str) -> None:
        """Write the line of a step, and what belongs to it."""
        first, *rest = text.split("\n")
        self.plain(f"{name:<{WIDTH}}{first}")
        for line in rest:
            self.more(line)

    def more(self, text: str) -> None:
        """Write lines that belong to the step above them."""
        for line in text.splitlines() or [""]:
            self.plain(f"{'':<{WIDTH}}{line}")

    def log(self, line: str) -> None:
        """Write a line of the task's own log."""
        self.plain(f"{'':<{WIDTH}}| {line}")

    def plain(self, text: str) -> None:
        """Write a text as it is."""
        print(text.rstrip(), file=self.stream, flush=True)


def shorten_hashes(text: str) -> str:
    """A text with its SHA-256 hashes as short as people can still tell them apart."""
    return re.sub(r"\b([0-9a-f]{12})[0-9a-f]{52}\b", r"\1", text)


def table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows as lines whose columns line up."""
    if not rows:
        return []
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
