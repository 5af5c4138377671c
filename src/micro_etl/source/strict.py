"""Find what the engine reads although it is not JSON, while a body is hashed.

The engine reads NaN and trailing commas in what no column needs, VT and FF between records, and
more records behind the end of an array. Records behind an array and a line break are looked for
everywhere. To find the others takes 3 s of a processor for each gigabyte, as long as to read it:
they are looked for in the first 16 MiB of a body.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

THOROUGH = 16 << 20
"""How many bytes of a body are searched for everything."""

_WS = rb"[ \t\r\n]"
_BLANK = b" \t\r\n"
_CONTROL = (b"\x0b", b"\x0c")
_BEHIND_ARRAY = re.compile(rb"\]" + _WS + rb"+\{")
_TRAILING = re.compile(rb"," + _WS + rb"*[\]}]")
_CONSTANT = re.compile(rb"(?:nan|inf(?:inity)?)" + _WS + rb"*[,\]}]")  # in lower case
_OVERLAP = 32  # what a constant, its sign and what is around it take


class StrictScan:
    """Looks at a body piece by piece."""

    def __init__(self, file: BinaryIO) -> None:
        """Begin at the start of a body.

        Args:
            file: the body, read again where a find may be part of a string.
        """
        self._read = 0
        self._is_array: bool | None = None  # unknown while there is only white space
        self.follow(file)

    def follow(self, file: BinaryIO, added: int = 0) -> None:
        """Go on in another file, which starts between two records.

        Args:
            file: what comes next.
            added: how many bytes of the file, at its start, are not of the body.
        """
        self._file, self._start, self._added = file, self._read, added
        self._before = b""
        self._counted, self._in_string = self._read, False

    def look(self, piece: bytes) -> str | None:
        """Say what is wrong up to the end of the next piece, or none.

        The position in the file is the same afterwards.
        """
        found = None
        has_lines = self._is_array and (b"\n" in piece or b"\n" in self._before)
        if self._read > THOROUGH and not has_lines:
            self._read += len(piece)
            self._before = piece[-_OVERLAP:]
            return None
        text = self._before + piece
        start = self._read - len(self._before)
        if self._is_array is None and piece.strip(_BLANK):
            self._is_array = piece.lstrip(_BLANK).startswith(b"[")
        suspects: dict[str, Iterator[int]] = {}
        if self._is_array and (start < THOROUGH or b"\n" in text):
            suspects["a record behind the end of its array"] = _find(_BEHIND_ARRAY, text)
        if start < THOROUGH:
            suspects["a comma with nothing behind it"] = _find(_TRAILING, text)
            suspects["NaN or Infinity"] = _find_constants(text.lower())
            if any(control in piece for control in _CONTROL):
                found = "a control character"
        for name, places in suspects.items():
            if not found and not all(self._is_in_string(start + place) for place in places):
                found = name
        self._read += len(piece)
        blank = len(text) - len(text.rstrip(_BLANK))
        self._before = text[-(blank + _OVERLAP) :]
        return found

    def _is_in_string(self, offset: int) -> bool:
        """Whether an offset of the file is inside a string: behind an odd number of quotes."""
        here = self._file.tell()
        if offset < self._counted:
            self._counted, self._in_string = self._start, False
        self._file.seek(self._counted - self._start + self._added)
        while self._counted < offset:
            text = self._file.read(min(1 << 20, offset - self._counted))
            while text.endswith(b"\\"):
                text += self._file.read(1)
            quotes = text.replace(b"\\\\", b"").replace(b'\\"', b"").count(b'"')
            self._in_string ^= bool(quotes % 2)
            self._counted += len(text)
        self._file.seek(here)
        return self._in_string


def _find(pattern: re.Pattern[bytes], text: bytes) -> Iterator[int]:
    return (found.start() for found in pattern.finditer(text))


def _find_constants(text: bytes) -> Iterator[int]:
    """Find numbers that JSON has no word for; quicker than one pattern with what is before them."""
    for word in (b"nan", b"inf"):
        for found in re.finditer(word, text):
            place = found.start()
            before = text[max(0, place - _OVERLAP) : place].removesuffix(b"-").rstrip(_BLANK)
            if before.endswith((b":", b",", b"[")) and _CONSTANT.match(text, place):
                yield place
