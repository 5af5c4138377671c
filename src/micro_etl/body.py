"""What a source hands to a table: parts of a body, each a file of records on disk."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Layout(StrEnum):
    """How the records of a part are laid out."""

    ARRAY = "array"
    """One JSON array of records."""
    LINES = "lines"
    """One record a line (NDJSON)."""
    OBJECTS = "objects"
    """Records one after the other, with line breaks anywhere or nowhere."""
    WRAPPED = "wrapped"
    """One JSON value that holds the records somewhere inside."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file of records.

    Attributes:
        file: where it is, decompressed.
        name: what messages call it: a file's name, or a page's URL without secrets.
        series: the value of ``source.each`` that it was fetched for, or none.
    """

    file: Path
    name: str
    series: str | None = None


@dataclass(frozen=True, slots=True)
class Body:
    """All records of a source, in order.

    Attributes:
        parts: its files, at least one, all of one layout.
        layout: how the records are laid out in each.
        max_record: the largest record that is read, in bytes.
    """

    parts: tuple[Part, ...]
    layout: Layout
    max_record: int
