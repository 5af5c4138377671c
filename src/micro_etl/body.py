"""What a source hands to a table: parts of a body, each a file of records on disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

_CHUNK = 1 << 20


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


class Part(NamedTuple):
    """One file of records.

    Attributes:
        file: where it is, decompressed.
        name: what messages call it: a file's name, or a page's URL without secrets.
        series: the value of ``source.each`` that it was fetched for, or none.
        joint: what stood between it and the part before, where both were cut from one response;
            none where it begins one.
    """

    file: Path
    name: str
    series: str | None = None
    joint: bytes | None = None


class Body(NamedTuple):
    """All records of a source, in order.

    Attributes:
        parts: its files, at least one, all of one layout.
        layout: how the records are laid out in each.
        max_record: the largest record that is read, in bytes.
    """

    parts: tuple[Part, ...]
    layout: Layout
    max_record: int


def uncut(parts: Sequence[Part], layout: Layout) -> Iterator[bytes]:
    """Read the response that parts were cut from, byte for byte as it came.

    Args:
        parts: all of one response, in order.
        layout: theirs; each part of an array has brackets of its own.
    """
    bracket = int(layout is Layout.ARRAY)
    for part in parts:
        yield part.joint or b""
        left = part.file.stat().st_size
        if part is not parts[-1]:
            left -= bracket
        with part.file.open("rb") as file:
            if part is not parts[0]:
                left -= len(file.read(bracket))
            while chunk := file.read(min(left, _CHUNK)):
                left -= len(chunk)
                yield chunk


def join(parts: Sequence[Part], layout: Layout) -> Part:
    """Append parts of one response to the first of them; the files of the others are removed."""
    first, *others = parts
    bracket = int(layout is Layout.ARRAY)
    with first.file.open("r+b") as whole:
        for part in others:
            whole.seek(-bracket, os.SEEK_END)
            whole.truncate()
            whole.write(part.joint or b"")
            with part.file.open("rb") as file:
                file.seek(bracket)
                shutil.copyfileobj(file, whole, _CHUNK)
            part.file.unlink()
    return first


def restore(parts: Sequence[Part], layout: Layout) -> tuple[Part, ...]:
    """Join all parts that were cut from one response."""
    starts = [at for at, part in enumerate(parts) if part.joint is None]
    ends = [*starts[1:], len(parts)]
    return tuple(join(parts[start:end], layout) for start, end in zip(starts, ends, strict=True))
