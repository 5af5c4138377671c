"""Read the head of an HTTP answer, and refuse one whose defects can hide a header."""

from __future__ import annotations

import http.client
import io
import re
from typing import BinaryIO

_MAX_LINE = 1 << 16
_MAX_HEAD = 1 << 20
_BARE = rb"[\r\0]"
_INTERIM = rb"HTTP/1\.\d 1(?!01)\d\d\b"  # what comes before the answer (RFC 9110, 15.2)
_CHUNK_SIZE = rb"([0-9a-fA-F]{1,15})[ \t]*(;.*)?\r?\n"
_FRAMING = frozenset(
    {"connection", "content-length", "keep-alive", "proxy-connection", "transfer-encoding"}
)


class BadHeadError(Exception):
    """The head of an answer has a defect that can hide a header, such as the body's length."""


class Response(http.client.HTTPResponse):
    """An answer whose head is read here, since Python's own parser stops at a malformed line."""

    def begin(self) -> None:
        """Read the status line and the headers, however many.

        Raises:
            BadHeadError: a header may be hidden.
            HTTPException: the head breaks off, or is too large.
        """
        if self.headers is not None:
            return
        stream: BinaryIO = self.fp
        status, lines = _read_head(stream)
        while re.match(_INTERIM, status):
            status, lines = _read_head(stream)
        headers = parse_head(lines)
        framing = "".join(f"{name}: {value}\r\n" for name, value in headers if name in _FRAMING)
        try:
            self.fp = io.BytesIO(status + framing.encode("latin-1") + b"\r\n")
            super().begin()
        finally:
            self.fp = stream
        self.headers = self.msg = http.client.HTTPMessage()
        for name, value in headers:
            self.msg[name] = value

    def _read_next_chunk_size(self) -> int:
        """Read a line as it should be; of one that breaks off, Python's own reads what is there.

        Raises:
            ValueError: it is not, which its caller makes an incomplete body of.
        """
        found = re.fullmatch(_CHUNK_SIZE, self.fp.readline(_MAX_LINE))
        if not found:
            raise ValueError
        return int(found[1], 16)


def _read_head(stream: BinaryIO) -> tuple[bytes, list[bytes]]:
    """The status line of an answer, empty where none came, and its header lines."""
    status, lines, size = stream.readline(_MAX_LINE + 1), [], 0
    while status:
        line = stream.readline(_MAX_LINE + 1)
        size += len(line)
        if len(line) > _MAX_LINE or size > _MAX_HEAD:
            raise http.client.LineTooLong("header line")
        if not line.endswith(b"\n"):
            raise http.client.RemoteDisconnected("the connection was closed within the headers")
        line = line.removesuffix(b"\n").removesuffix(b"\r")
        if not line:
            break
        lines.append(line)
    return status, lines


def parse_head(lines: list[bytes]) -> list[tuple[str, str]]:
    """The headers of an answer, names in lower case; ``chunked`` outranks a length (RFC 9112).

    Raises:
        BadHeadError: a line is malformed, or a length is no number, or two differ.
    """
    headers: list[tuple[str, str]] = []
    lost = 0
    for number, line in enumerate(lines, 1):
        name, colon, value = line.partition(b":")
        folded = line[:1] in b" \t"
        if re.search(_BARE, line):
            raise BadHeadError(f"header line {number} is malformed")
        if (folded and not headers) or line.startswith(b"From "):
            lost = number
        elif folded:
            before, text = headers[-1]
            headers[-1] = before, f"{text} {_text(line)}"
        elif not colon or re.search(rb"\s", name):
            raise BadHeadError(f"header line {number} should be a name, a colon and a value")
        elif name:
            headers.append((name.decode("latin-1").lower(), _text(value)))
    framed = _frame(headers)
    if lost and not any(name in ("content-length", "transfer-encoding") for name, _ in framed):
        raise BadHeadError(f"header line {lost} may be the body's length")
    return framed


def _frame(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers, of which one at most says where the body ends."""
    codings = [value.lower() for name, value in headers if name == "transfer-encoding"]
    if ",".join(codings).rpartition(",")[2].strip() == "chunked":
        others = [one for one in headers if one[0] not in ("content-length", "transfer-encoding")]
        return [*others, ("transfer-encoding", "chunked")]
    lengths = [value for name, value in headers if name == "content-length"]
    distinct = {length.strip() for value in lengths for length in value.split(",")}
    if len(distinct) > 1:
        raise BadHeadError("its headers give the body two lengths")
    for length in distinct:
        if not re.fullmatch("[0-9]{1,18}", length):
            raise BadHeadError(f"its Content-Length {length[:40]!r} is no number")
    others = [one for one in headers if one[0] != "content-length"]
    return [*others, *(("content-length", length) for length in distinct)]


def _text(value: bytes) -> str:
    return value.strip(b" \t").decode("latin-1")
