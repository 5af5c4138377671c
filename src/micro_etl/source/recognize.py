"""Name what a body is where it is not JSON in UTF-8, by its first bytes."""

from __future__ import annotations

import re

_MAGIC = (
    (b"PK\x03\x04", "a zip archive"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x1f\x8b", "gzip within gzip within gzip"),
    (b"\x1f\x9d", "the format of compress"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\xff\x06\0\0sNaPpY", "snappy"),
    (b"PAR1", "Parquet"),
    (b"ARROW1", "Arrow"),
    (b"Obj\x01", "Avro"),
    (b"ORC", "ORC"),
    (b"SQLite format 3\0", "a SQLite database"),
    (b"%PDF-", "a PDF"),
    (b"\xff\xfe\0\0", "UTF-32"),
    (b"\0\0\xfe\xff", "UTF-32"),
    (b"\x1e", "a JSON text sequence, RFC 7464"),
)
_UTF_32 = rb"[\t\n\r -~]\0\0\0|\0\0\0[\t\n\r -~]"
_UTF_16 = rb"[\t\n\r -~]\0|\0[\t\n\r -~]"
_TEXT = rb"[\[{][^\0]"  # what nearly every body begins with
_FRAMED = rb"[0-9a-fA-F]+;chunk-signature="
_PADDING = rb"[)\]}'&;,\s]*(?:while|for)\s*\(|\)\]\}'"
_CALL = rb"(?:/\*\*/)?[\w$.]+\(\s*[\[{]"


def recognize(head: bytes) -> str | None:
    """What a body is by its first bytes, or none where they say nothing.

    What brotli or raw deflate make has no first bytes of its own.
    """
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if re.match(_TEXT, head):
        return None
    for pattern, name in (
        (_UTF_32, "UTF-32"),
        (_UTF_16, "UTF-16"),
        (_FRAMED, "the frames of aws-chunked, which a store should have removed"),
        (_PADDING, "JSON behind a prefix against scripts"),
        (_CALL, "JSONP, a script"),
    ):
        if re.match(pattern, head):
            return name
    return None
