"""Decompress a body whose first bytes say that it is compressed, however it was announced."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import chain

from micro_etl.errors import SourceError

_PIECE = 1 << 20
_LAYERS = 2  # a server that compresses a file that is compressed
_GZIP = b"\x1f\x8b"
_ZLIB_FIRST = 0x78  # "x", with which no JSON begins
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""Of UTF-8, with which some programs begin what they write."""


def unpack(chunks: Iterator[bytes], shown: str, *, encoding: str = "") -> Iterator[bytes]:
    """Give a body in pieces: decompressed, and without a UTF-8 byte order mark at its start.

    Args:
        chunks: the body as it came; it may be gzip or zlib, twice at most.
        shown: what messages call it.
        encoding: what was announced, which counts for raw deflate alone, since its first bytes
            say nothing.

    Raises:
        SourceError: the compressed stream is broken or cut short.
    """
    head, chunks = _peek(chunks, len(_GZIP))
    if encoding.strip().lower() == "deflate" and not (_is_packed(head) or _may_be_json(head)):
        chunks = _decompress(chunks, "deflate", -zlib.MAX_WBITS, shown)
    for _ in range(_LAYERS):
        head, chunks = _peek(chunks, len(_GZIP))
        if head.startswith(_GZIP):
            chunks = _decompress(chunks, "gzip", zlib.MAX_WBITS | 16, shown)
        elif _is_zlib(head):
            chunks = _decompress(chunks, "zlib", zlib.MAX_WBITS, shown)
        else:
            break
    head, chunks = _peek(chunks, len(BYTE_ORDER_MARK))
    if head.startswith(BYTE_ORDER_MARK):
        yield next(chunks).removeprefix(BYTE_ORDER_MARK)
    yield from chunks


def _peek(chunks: Iterator[bytes], size: int) -> tuple[bytes, Iterator[bytes]]:
    """The first bytes, this many where there are, and all chunks, those bytes in the first."""
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= size:
            break
    return head, chain((head,), chunks)


def _is_packed(head: bytes) -> bool:
    return head.startswith(_GZIP) or _is_zlib(head)


def _may_be_json(head: bytes) -> bool:
    return not head.strip(b" \t\r\n") or head.lstrip(b" \t\r\n")[:1] in (b"[", b"{", b"\xef")


def _is_zlib(head: bytes) -> bool:
    return len(head) > 1 and head[0] == _ZLIB_FIRST and int.from_bytes(head[:2], "big") % 31 == 0


def _decompress(chunks: Iterator[bytes], kind: str, wbits: int, shown: str) -> Iterator[bytes]:
    """What the members of a stream hold, in pieces; zeros after a member are padding."""
    member, full = zlib.decompressobj(wbits=wbits), False
    try:
        for chunk in chunks:
            rest = chunk
            while rest or (full and not member.eof):
                if member.eof:
                    rest = rest.lstrip(b"\0")
                    if not rest:
                        break
                    member = zlib.decompressobj(wbits=wbits)
                piece = member.decompress(rest, _PIECE)
                full = len(piece) == _PIECE
                rest = member.unused_data if member.eof else member.unconsumed_tail
                yield piece
    except zlib.error as error:
        raise SourceError(f"{shown}: the {kind} stream is broken: {error}") from error
    if not member.eof:
        raise SourceError(f"{shown}: the {kind} stream is cut short")
