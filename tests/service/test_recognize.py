"""What is not JSON in UTF-8 is named by its first bytes."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import bz2
import gzip
import lzma

import pytest

from micro_etl.source.recognize import recognize


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"PK\x03\x04\x14", "a zip archive"),
        (b"\x28\xb5\x2f\xfd\x04", "zstd"),
        (bz2.compress(b"[]"), "bzip2"),
        (lzma.compress(b"[]"), "xz"),
        (gzip.compress(b"[]"), "gzip within gzip within gzip"),
        ("[]".encode("utf-16-le"), "UTF-16"),
        (" \n{}".encode("utf-16-be"), "UTF-16"),
        ("[]".encode("utf-32-le"), "UTF-32"),
        ("[]".encode("utf-32-be"), "UTF-32"),
        ("[]".encode("utf-32"), "UTF-32"),
        (b"PAR1", "Parquet"),
        (b")]}',\n[]", "JSON behind a prefix against scripts"),
        (b"while(1);[]", "JSON behind a prefix against scripts"),
        (b"/**/jQuery.x_1([{}])", "JSONP, a script"),
    ],
)
def test_a_known_format_is_named(head: bytes, name: str) -> None:
    assert recognize(head) == name


@pytest.mark.parametrize(
    "head", [b"", b"[]", b' \n{"a": 1}', b"null", b"<html>", b"Not found (404)", b"\0", b"\xff"]
)
def test_what_says_nothing_has_no_name(head: bytes) -> None:
    assert recognize(head) is None
