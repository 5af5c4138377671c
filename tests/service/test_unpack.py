"""What a body holds is told from its first bytes, in whatever pieces it comes."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import gzip
import zlib

import pytest

from micro_etl.errors import SourceError
from micro_etl.source.unpack import unpack

BODY = b'[{"a": 1}]' * 50
PACKED = gzip.compress(BODY)
MARK = b"\xef\xbb\xbf"


def unpacked(body: bytes, size: int) -> bytes:
    """The body unpacked from pieces of a size."""
    pieces = (body[at : at + size] for at in range(0, len(body), size))
    return b"".join(unpack(iter(pieces), "the source"))


@pytest.mark.parametrize("size", [1, 2, 7, 1 << 20])
@pytest.mark.parametrize(
    ("body", "holds"),
    [
        (b"", b""),
        (b"[", b"["),
        (BODY, BODY),
        (MARK, b""),
        (MARK + BODY, BODY),
        (MARK + MARK + BODY, MARK + BODY),
        (MARK[:2], MARK[:2]),
        (PACKED, BODY),
        (gzip.compress(b""), b""),
        (gzip.compress(MARK + BODY), BODY),
        (gzip.compress(PACKED), BODY),
        (gzip.compress(gzip.compress(PACKED)), PACKED),
        (zlib.compress(BODY), BODY),
        (PACKED + PACKED, BODY + BODY),
        (PACKED + bytes(99), BODY),
        (PACKED + bytes(99) + PACKED + bytes(1), BODY + BODY),
        (b"xyz", b"xyz"),
    ],
)
def test_what_a_body_holds(body: bytes, holds: bytes, size: int) -> None:
    assert unpacked(body, size) == holds


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (PACKED[:-1], "gzip stream is cut short"),
        (PACKED + bytes(9) + PACKED[:9], "gzip stream is cut short"),
        (PACKED + b"xyz", "gzip stream is broken"),
        (PACKED + bytes(9) + b"xyz", "gzip stream is broken"),
        (gzip.compress(PACKED[:-9]), "gzip stream is cut short"),
        (zlib.compress(BODY)[:-1], "zlib stream is cut short"),
    ],
)
def test_a_stream_that_is_not_whole_is_refused(body: bytes, message: str, size: int) -> None:
    with pytest.raises(SourceError, match=f"the source: the {message}"):
        unpacked(body, size)


@pytest.mark.parametrize("encoding", ["deflate", " Deflate"])
@pytest.mark.parametrize(
    "body",
    [BODY, PACKED, zlib.compress(BODY), zlib.compress(BODY, wbits=-15)],
    ids=["plain", "gzip", "zlib", "raw"],
)
def test_what_is_announced_as_deflate_may_be_any_of_them(body: bytes, encoding: str) -> None:
    assert b"".join(unpack(iter([body]), "the source", encoding=encoding)) == BODY
