"""Find out how records lie in a body: what comes first and last decides, not what is announced."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from micro_etl.body import Layout
from micro_etl.errors import SourceError
from micro_etl.text import show_bytes

_WHITESPACE = b" \t\r\n"
_PEEK = 4096
_LARGEST_RECORD = (1 << 32) - 1  # the engine counts the bytes of a record in 32 bits


_DESCRIBED = {Layout.ARRAY: "an array of records", Layout.LINES: "one record a line"}


def find_layout(body: Path, *, wrapped: bool, one_line: bool, source: str) -> Layout:
    """Tell the layout from the body's first and last characters.

    Args:
        body: the file, decompressed.
        wrapped: the dataset says that an object holds the array.
        one_line: a single object on a single line is a record (NDJSON by name or content type),
            not an error page.
        source: what messages call it.

    Raises:
        SourceError: the body is empty or can't be what the dataset expects; shows its first bytes.
    """
    with body.open("rb") as file:
        head = file.read(_PEEK)
        file.seek(max(0, body.stat().st_size - _PEEK))
        tail = file.read().rstrip(_WHITESPACE)
        file.seek(0)
        lines = [file.readline(), _next_line(file)] if head.lstrip(_WHITESPACE)[:1] == b"{" else []
    first = head.lstrip(_WHITESPACE)[:1]
    if not tail:
        raise SourceError(f"{source} answered with an empty body; it should be JSON records")
    if wrapped:
        if first == b"{":
            return Layout.WRAPPED
        raise _unexpected(source, head, "an object that holds the records")
    if first == b"[":
        if tail.endswith(b"]"):
            return Layout.ARRAY
        raise SourceError(
            f"{source} answered with an array that is cut short: it ends with "
            f"{show_bytes(tail[-40:])}"
        )
    if first == b"{" and lines[0].rstrip(_WHITESPACE).endswith(b"}"):
        if one_line or lines[1].startswith(b"{"):
            return Layout.LINES
        raise _unexpected(source, head, "an array of records, not one object")
    raise _unexpected(source, head, "an array of records, or one record a line")


def largest_record(layout: Layout, allowed: int, *, size: int) -> int:
    """The bytes of what the engine takes for one record, which may be a whole body of a size."""
    return min(max(allowed, size) if layout is Layout.WRAPPED else allowed, _LARGEST_RECORD)


def one_layout(layouts: Mapping[str, Layout]) -> Layout:
    """The layout of all files, by their names.

    Raises:
        SourceError: they differ.
    """
    (first, layout), *_ = layouts.items()
    for name, other in layouts.items():
        if other is not layout:
            raise SourceError(
                f"{first} is {_DESCRIBED[layout]}, {name} {_DESCRIBED[other]}; "
                "the files of one source should be alike"
            )
    return layout


def _next_line(file: BinaryIO) -> bytes:
    for line in file:
        if line.strip(_WHITESPACE):
            return line.lstrip(_WHITESPACE)
    return b""


def _unexpected(source: str, head: bytes, expected: str) -> SourceError:
    return SourceError(f"{source} answered with {show_bytes(head)}; it should be {expected}")
