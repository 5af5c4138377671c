"""Find out how records lie in a body: what comes first and last decides, not what is announced."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from micro_etl.errors import SourceError

_WHITESPACE = b" \t\r\n"
_PEEK = 4096
_SHOWN = 120


class Layout(StrEnum):
    """How the records of a body are laid out; the values are the engine's names for them."""

    ARRAY = "array"
    """One JSON array of objects."""
    NDJSON = "newline_delimited"
    """One object a line."""
    WRAPPED = "unstructured"
    """One object that holds the array somewhere inside."""


@dataclass(frozen=True, slots=True)
class Body:
    """A file of records, ready to be read.

    Attributes:
        file: the file, decompressed.
        layout: how the records lie in it.
        max_record: the largest record that is read, in bytes.
    """

    file: Path
    layout: Layout
    max_record: int


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
            f"{source} answered with an array that is cut short: it ends with {show(tail[-40:])}"
        )
    if first == b"{" and lines[0].rstrip(_WHITESPACE).endswith(b"}"):
        if one_line or lines[1].startswith(b"{"):
            return Layout.NDJSON
        raise _unexpected(source, head, "an array of records, not one object")
    raise _unexpected(source, head, "an array of records, or one record a line")


def _next_line(file: BinaryIO) -> bytes:
    for line in file:
        if line.strip(_WHITESPACE):
            return line.lstrip(_WHITESPACE)
    return b""


def show(head: bytes) -> str:
    """Show the first bytes of a body on one line, whatever they are."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return f"{head[:16]!r} (UTF-16; it should be UTF-8)"
    if head.startswith(b"\xef\xbb\xbf"):
        return f"{head[:16]!r} (a byte order mark, which JSON must not have)"
    text = " ".join(head.decode("utf-8", "replace").split())
    return repr(text[:_SHOWN] + ("…" if len(text) > _SHOWN else ""))


def _unexpected(source: str, head: bytes, expected: str) -> SourceError:
    return SourceError(f"{source} answered with {show(head)}; it should be {expected}")
