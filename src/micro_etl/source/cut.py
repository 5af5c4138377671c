"""Cut a response into parts while it comes, so that they can be read while the rest does.

An array is cut between two records: where what the first record begins with, up to its first key,
follows a brace and a comma. Inside a string these bytes can't be, since their quote would end it.
They may be inside a record; a cut there is noticed, because what is before it is no valid array
then, and `micro_etl.table.staging` joins the parts again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Self

from micro_etl.body import Layout, Part
from micro_etl.errors import SourceError
from micro_etl.source.hashing import Hasher
from micro_etl.source.layout import find_layout

PART_SIZE = 8 << 20
"""The bytes after which a part ends; a thread that parses one takes three times as much memory."""

_PEEK = 4096
_BEGINNING = re.compile(
    rb'[ \t\r\n]*\[[ \t\r\n]*(\{[ \t\r\n]*"[^"\\,:\]} \t\r\n](?:[^"\\]|\\.)*"[ \t\r\n]*:)'
)
_BETWEEN = re.compile(rb"\}([ \t\r\n]{0,250},[ \t\r\n]{0,250})\Z")
_LONGEST_BETWEEN = 502


def keep(*_: object) -> None:
    """Keep the parts; the default callback."""


class Cutter:
    """Writes a response into a file, or into several once it is larger than a part.

    Where it cuts depends on the bytes of the response alone, not on how they come.

    Attributes:
        parts: all of the response, in order, once it is complete.
        layout: how its records are laid out, where it is cut.
    """

    def __init__(
        self,
        name: str,
        *,
        on_part: Callable[[Part, Layout], None] = keep,
        on_restart: Callable[[], None] = keep,
        size: float = inf,
    ) -> None:
        """Prepare to write a response.

        Args:
            name: what messages call it.
            on_part: given each part but the last, and its layout, as soon as it is complete.
            on_restart: called where parts were given and the response comes again from its start.
            size: the bytes after which a part ends.
        """
        self._name, self._size = name, size
        self._on_part, self._on_restart = on_part, on_restart
        self.parts: list[Part] = []
        self.layout = Layout.ARRAY

    def open(self, file: Path, hasher: Hasher) -> Self:
        """Begin a response.

        Args:
            file: where to write it; the files of further parts have names that start so.
            hasher: given what is written.
        """
        if self.parts:
            self._on_restart()
            for part in self.parts:
                part.file.unlink(missing_ok=True)
        self.parts, self._first, self._held = [], file, b""
        self._hasher = hasher
        self._boundary: _Boundary | None = None
        self._begin(None)
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._append(self._held)
                self.parts.append(self._part)
        finally:
            self._file.close()

    def write(self, piece: bytes) -> None:
        """Write what has come of the response."""
        while (room := self._size - self._written) < len(piece):
            if room > 0:
                self._append(piece[: int(room)])
                piece = piece[int(room) :]
            if self._boundary is None:
                self._boundary = _Boundary(self._first)
                self.layout = self._boundary.layout
            piece, self._held = self._held + piece, b""
            found = self._boundary.find(piece)
            if found is None:
                kept = max(0, len(piece) - self._boundary.longest)
                self._append(piece[:kept])
                self._held = piece[kept:]
                return
            end, start = found
            self._append(piece[:end])
            self._end()
            self._begin(piece[end:start])
            piece = piece[start:]
        self._append(piece)

    def _append(self, piece: bytes) -> None:
        self._file.write(piece)
        self._file.flush()
        self._hasher.add(piece)
        self._written += len(piece)

    def _begin(self, joint: bytes | None) -> None:
        file = self._first
        if joint is not None:
            file = file.with_name(f"{file.name}-{len(self.parts)}")
            self._hasher.add(joint)
        self._part = Part(file, self._name, joint=joint)
        self._file, self._written = file.open("wb"), 0
        bracket = b"[" if joint else b""
        self._file.write(bracket)
        self._hasher.follow(file.open("rb"), len(bracket))

    def _end(self) -> None:
        if self.layout is Layout.ARRAY:
            self._file.write(b"]")
        self._file.close()
        self.parts.append(self._part)
        self._on_part(self._part, self.layout)


class _Boundary:
    """Where one record ends and the next begins.

    Attributes:
        layout: of the response.
        longest: the most bytes that tell of a boundary.
    """

    def __init__(self, file: Path) -> None:
        """Find out what boundaries look like in a response that starts as a file does."""
        with file.open("rb") as start:
            head = start.read(_PEEK)
        beginning = _BEGINNING.match(head)
        self.layout = Layout.ARRAY if beginning else Layout.LINES
        self._text = beginning[1] if beginning else b"\n{"
        self._is_known = beginning is not None or _is_lines(file)
        self.longest = _LONGEST_BETWEEN + len(self._text)

    def find(self, piece: bytes) -> tuple[int, int] | None:
        """Find the end of a record and the start of the next."""
        at = piece.find(self._text) if self._is_known else -1
        while at >= 0:
            if self.layout is Layout.LINES:
                return at + 1, at + 1
            between = _BETWEEN.search(piece, max(0, at - _LONGEST_BETWEEN), at)
            if between:
                return between.start(1), at
            at = piece.find(self._text, at + 1)
        return None


def _is_lines(file: Path) -> bool:
    """Whether a response that starts as a file does has one record a line."""
    try:
        return find_layout(file, wrapped=False, one_line=True, source="") is Layout.LINES
    except SourceError:  # which is said once all of it has come
        return False
