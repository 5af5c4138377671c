"""Detect the layout of a body from its first and last bytes, not from what is announced."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

from micro_etl.body import Layout
from micro_etl.errors import SourceError
from micro_etl.source.recognize import recognize
from micro_etl.source.unpack import BYTE_ORDER_MARK
from micro_etl.text import show_bytes

LARGEST_RECORD = 16 << 20
"""The largest record by default, in bytes."""

_WHITESPACE = b" \t\r\n"
_PEEK = 1 << 16
_SHOWN = 4096
_MOST = (1 << 32) - 1  # the engine counts the bytes of a record in 32 bits
_OUTSIDE, _INSIDE = re.compile(rb'["{}]'), re.compile(rb'["\\]')  # of a string

_DESCRIBED = {
    Layout.ARRAY: "an array of records",
    Layout.LINES: "one record a line",
    Layout.OBJECTS: "one record after the other",
}


def find_layout(
    body: Path,
    *,
    wrapped: bool,
    one_line: bool,
    source: str,
    in_array: bool = False,
    largest: int = LARGEST_RECORD,
) -> Layout:
    """Tell the layout from the body's first and last characters, in memory that does not grow.

    Args:
        body: the file, decompressed.
        wrapped: the dataset says where in the body the records are.
        one_line: a single object is a record (NDJSON by name or content type, or a file in a
            folder), not an error page.
        source: what messages call it.
        in_array: where `wrapped`, the body may be an array as well as an object.
        largest: how far to look for the end of the first record, in bytes.

    Raises:
        SourceError: the body is empty or can't be what the dataset expects; shows its first bytes.
    """
    with body.open("rb") as file:
        start, end = _bounds(file)
        if start == end:
            raise SourceError(f"{source} answered with an empty body; it should be JSON records")
        head, tail = _read(file, start, start + _SHOWN), _read(file, max(start, end - 40), end)
        name = recognize(_read(file, 0, _SHOWN))
        if name:
            raise _unexpected(source, head, "an array of records, or one record a line", name)
        if wrapped:
            if head.startswith(b"{") or (in_array and head.startswith(b"[")):
                return Layout.WRAPPED
            raise _unexpected(source, head, "an object that holds the records")
        if head.startswith(b"["):
            if tail.endswith(b"]"):
                return Layout.ARRAY
            raise SourceError(
                f"{source} answered with an array that is cut short: it ends with "
                f"{show_bytes(tail)}"
            )
        first = _first_object(file, start, largest) if head.startswith(b"{") else None
    if first and first.followed_by == BYTE_ORDER_MARK:
        raise SourceError(
            f"{source} answered with one object, then a byte order mark; "
            "the mark should be nowhere but at the start"
        )
    if first is None and head.startswith(b"{") and end - start > largest:
        raise SourceError(
            f"{source} answered with {show_bytes(head)}, which does not end within "
            f"SOURCE_MAX_RECORD_BYTES, {largest:,} bytes; it should be an array of records, or one "
            "record a line"
        )
    if first is None or first.followed_by[:1] not in (b"", b"{"):
        raise _unexpected(source, head, "an array of records, or one record a line")
    if not (first.followed_by or one_line):
        raise _unexpected(source, head, "an array of records, not one object")
    return Layout.LINES if first.is_line else Layout.OBJECTS


def largest_record(layout: Layout, allowed: int, *, size: int) -> int:
    """The bytes of what the engine takes for one record, which may be a whole body of a size."""
    return min(max(allowed, size) if layout is Layout.WRAPPED else allowed, _MOST)


def one_layout(layouts: Mapping[str, Layout]) -> Layout:
    """The layout of all files, by their names; lines are objects one after the other as well.

    Raises:
        SourceError: they differ.
    """
    if set(layouts.values()) == {Layout.LINES, Layout.OBJECTS}:
        return Layout.OBJECTS
    (first, layout), *_ = layouts.items()
    for name, other in layouts.items():
        if other is not layout:
            raise SourceError(
                f"{first} is {_DESCRIBED[layout]}, {name} {_DESCRIBED[other]}; "
                "the files of one source should be alike"
            )
    return layout


class _FirstObject(NamedTuple):
    """What the first object of a body tells.

    Attributes:
        is_line: it is on one line, and nothing else is on that line.
        followed_by: the first characters after it, empty where there are none.
    """

    is_line: bool
    followed_by: bytes


def _first_object(file: BinaryIO, start: int, largest: int) -> _FirstObject | None:
    """Look for the end of the object that starts somewhere; none where it has none, or is larger.

    Only strings and braces count here; the engine reads what is between them.
    """
    file.seek(start)
    depth, in_string, broken, read = 0, False, False, 0
    while read < largest and (chunk := file.read(_PEEK)):
        at = 0
        while found := (_INSIDE if in_string else _OUTSIDE).search(chunk, at):
            at, token = found.end(), found[0]
            if token == b'"':
                in_string = not in_string
            elif token == b"\\":
                if at == len(chunk):
                    chunk += file.read(1)
                at += 1
            else:
                depth += 1 if token == b"{" else -1
            if not depth:
                broken = broken or b"\n" in chunk[:at]
                return _look_behind(file, chunk[at:], is_line=not broken)
        broken = broken or b"\n" in chunk
        read += len(chunk)
    return None


def _look_behind(file: BinaryIO, rest: bytes, *, is_line: bool) -> _FirstObject:
    """Look at what follows the first object."""
    ended = False
    while rest or (rest := file.read(_PEEK)):
        follows = rest.lstrip(_WHITESPACE)
        ended = ended or b"\n" in rest[: len(rest) - len(follows)]
        if follows:
            return _FirstObject(is_line and ended, follows[: len(BYTE_ORDER_MARK)])
        rest = b""
    return _FirstObject(is_line, b"")


def _bounds(file: BinaryIO) -> tuple[int, int]:
    """Where the first character that is no white space is, and where the last one ends."""
    start = 0
    while chunk := file.read(_PEEK):
        start += len(chunk) - len(chunk.lstrip(_WHITESPACE))
        if chunk.strip(_WHITESPACE):
            break
    end = file.seek(0, os.SEEK_END)
    while end > start:
        chunk = _read(file, max(start, end - _PEEK), end)
        if chunk.strip(_WHITESPACE):
            return start, end - len(chunk) + len(chunk.rstrip(_WHITESPACE))
        end -= len(chunk)
    return start, start


def _read(file: BinaryIO, start: int, end: int) -> bytes:
    file.seek(start)
    return file.read(end - start)


def _unexpected(source: str, head: bytes, expected: str, name: str = "") -> SourceError:
    if not name:
        return SourceError(f"{source} answered with {show_bytes(head)}; it should be {expected}")
    is_text = head.isascii() and b"\0" not in head  # anything else is named, not shown
    shown = f"{show_bytes(head)}, {name}" if is_text else name
    return SourceError(f"{source} answered with {shown}; it should be JSON in UTF-8: {expected}")
