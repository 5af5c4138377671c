"""The layout of a body is told from what it holds; what can't be records is refused and shown."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import tracemalloc
from contextlib import nullcontext
from pathlib import Path

import pytest

from micro_etl.body import Layout
from micro_etl.errors import SourceError
from micro_etl.source.layout import find_layout, one_layout
from micro_etl.text import show_bytes


def layout_of(
    folder: Path, text: str | bytes, *, wrapped: bool = False, one_line: bool = False
) -> Layout:
    """The layout of a body of that text."""
    file = folder / "body"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return find_layout(file, wrapped=wrapped, one_line=one_line, source="https://host/path")


@pytest.mark.parametrize(
    ("text", "layout"),
    [
        ("[]", Layout.ARRAY),
        (' \r\n\t[{"a": 1}]\n', Layout.ARRAY),
        ("[" + '{"a": 1}, ' * 9999 + "{}]" + " " * 3000, Layout.ARRAY),
        ('{"a": 1}\n{"a": 2}', Layout.LINES),
        ('{"a": 1}\r\n{"a": 2}\r\n', Layout.LINES),
        ('{"a": 1}\n\n \t\n  {"a": 2}\n', Layout.LINES),
        ('{"a": "' + "x" * 9999 + '"}\n{"a": 2}\n', Layout.LINES),
        ("\n" * 99_999 + '{"a": 1}\n{"a": 2}' + " " * 99_999, Layout.LINES),
        ('{"a": 1}\r{"a": 2}\r', Layout.OBJECTS),
        ('{"a": 1}{"a": 2}', Layout.OBJECTS),
        ('{"a": 1}{"a": 2}\n{"a": 3}\n', Layout.OBJECTS),
        ('{"a": "}{\\"\\\\"} {"a": 2}', Layout.OBJECTS),
        ('{\n  "a": 1\n}\n{\n  "a": 2\n}\n', Layout.OBJECTS),
        ('{"a": "' + "x\\\\" * 99_999 + '"}\n{"a": 2}\n', Layout.LINES),
        ('{"a": {"b": "' + "{" * 99_999 + '"}}{"a": 2}\n', Layout.OBJECTS),
    ],
)
def test_the_content_decides_the_layout(tmp_path: Path, text: str, layout: Layout) -> None:
    assert layout_of(tmp_path, text) is layout


def test_a_single_line_is_a_record_only_where_the_source_announces_lines(tmp_path: Path) -> None:
    assert layout_of(tmp_path, '{"a": 1}\n', one_line=True) is Layout.LINES
    with pytest.raises(SourceError, match="should be an array of records, not one object"):
        layout_of(tmp_path, '{"error": "rate limit exceeded"}\n')


def test_an_object_holds_the_records_where_the_dataset_says_so(tmp_path: Path) -> None:
    assert layout_of(tmp_path, '{\n  "items": []\n}', wrapped=True) is Layout.WRAPPED
    with pytest.raises(SourceError, match="should be an object that holds the records"):
        layout_of(tmp_path, "[]", wrapped=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "answered with an empty body"),
        (" \r\n\t", "answered with an empty body"),
        ("<!DOCTYPE html><title>Down</title>", "answered with '<!DOCTYPE html>"),
        ('{\n  "error": "down"\n}', 'answered with \'{ "error": "down" }\''),
        ('[{"a": 1}, {"a"', "cut short: it ends with '.*{\"a\"'"),
        ("[" + "1," * 9999, "cut short: it ends with '.*1,1,'"),
        ("null", "answered with 'null'"),
        ("NaN", "answered with 'NaN'"),
        ("5", "answered with '5'"),
        ('"text"', "answered with '\"text\"'"),
        (b"\xef\xbb\xbf[]", "a byte order mark, which JSON must not have"),
        (b'\xef\xbb\xbf{"a": 1}\n{"a": 2}\n', "a byte order mark"),
        ("[]".encode("utf-16"), "UTF-16; it should be UTF-8"),
        ("[]".encode("utf-16-le"), "answered with UTF-16; it should be JSON in UTF-8: an"),
        ("[]".encode("utf-16-be"), "answered with UTF-16; it should be JSON in UTF-8: an array of"),
        (b"PAR1\x15\x04\x15", "answered with 'PAR1.*', Parquet; it should be JSON"),
        (
            b"PK\x03\x04\x14\x00",
            "answered with a zip archive; it should be JSON in UTF-8: an array",
        ),
        (b"\x1f\x8b\x08\x00", "answered with gzip within gzip within gzip; it should be JSON"),
        (b"\x00\x00\x00\x00", "it should be an array of records"),
    ],
)
def test_what_cannot_be_records_is_refused_and_shown(
    tmp_path: Path, text: str | bytes, message: str
) -> None:
    with pytest.raises(SourceError, match=message) as refused:
        layout_of(tmp_path, text)
    assert str(refused.value).startswith("https://host/path answered with")
    assert "\n" not in str(refused.value)


def test_a_byte_order_mark_is_refused_before_an_object_too(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="byte order mark"):
        layout_of(tmp_path, b'\xef\xbb\xbf{"items": []}', wrapped=True)


def test_only_the_first_characters_are_shown() -> None:
    assert (
        show_bytes(b"<html>\n  <body>\xff" + b"x" * 4000)
        == "'<html> <body>\ufffd" + "x" * 106 + "…'"
    )


@pytest.mark.parametrize("text", ['[1, {"a": []}]', '{"a": []}'])
def test_records_may_be_in_an_array_where_the_dataset_says_so(tmp_path: Path, text: str) -> None:
    (tmp_path / "body").write_text(text)
    options: dict[str, bool] = {"wrapped": True, "one_line": False, "in_array": True}
    assert find_layout(tmp_path / "body", source="x", **options) is Layout.WRAPPED


def test_lines_are_objects_one_after_the_other_as_well() -> None:
    lines, objects = Layout.LINES, Layout.OBJECTS
    assert one_layout({"a": lines, "b": objects}) is objects
    assert one_layout({"a": lines, "b": lines}) is lines
    with pytest.raises(SourceError, match="a is one record after the other, b an array"):
        one_layout({"a": objects, "b": Layout.ARRAY})


def test_a_mark_before_the_second_record_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="one object, then a byte order mark"):
        layout_of(tmp_path, b'{"a": 1}\n\xef\xbb\xbf{"a": 2}\n')


@pytest.mark.parametrize(
    ("piece", "message"),
    [
        (b"x", "does not end within SOURCE_MAX_RECORD_BYTES, 16,777,216 bytes"),
        (b'"}{"a": "', None),
        (b" ", "does not end within SOURCE_MAX_RECORD_BYTES"),
    ],
)
def test_memory_does_not_grow_with_a_line(
    tmp_path: Path, piece: bytes, message: str | None
) -> None:
    body = tmp_path / "body"
    body.write_bytes(b'{"a": "' + piece * ((32 << 20) // len(piece)) + b'"}')
    tracemalloc.start()
    try:
        with nullcontext() if message is None else pytest.raises(SourceError, match=message):
            find_layout(body, wrapped=False, one_line=False, source="x")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20
