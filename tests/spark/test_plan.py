"""The plan: splits hold every line once, and what they say adds up to what one body would say."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import pytest

from micro_etl.location import Location
from micro_etl.source.files import SourceFile
from micro_etl.spark.plan import (
    Split,
    has_lines,
    lines_between,
    merge_kinds,
    number_records,
    plan_splits,
    shift_records,
)

A, B, C = (Location.parse(f"/f/{name}") for name in "abc")
FILES = [SourceFile(A, "a", 25), SourceFile(B, "b", 10), SourceFile(C, "c", None)]


def test_large_files_with_a_record_a_line_are_cut_and_others_are_not() -> None:
    assert plan_splits(FILES, lambda file: file._replace(size=27, etag="e"), size=10) == [
        Split(0, A, "a", 0, 10, "e"),
        Split(1, A, "a", 10, 20, "e"),
        Split(2, A, "a", 20, 27, "e"),
        Split(3, B, "b"),
        Split(4, C, "c"),
    ]
    whole = [Split(n, file.location, file.name) for n, file in enumerate(FILES)]
    assert plan_splits(FILES, lambda _: None, size=10) == whole


def test_small_files_are_not_looked_into() -> None:
    def look(file: SourceFile) -> SourceFile:
        assert file.name == "a"
        return file

    plan_splits(FILES, look, size=10)


@pytest.mark.parametrize(
    ("head", "lines"),
    [
        (b'{"a": 1}\n{"a": 2}\n', True),
        (b' \n{"a": 1} \r\n\n {"a"', True),
        (b'{"a": 1}\n', False),
        (b'{"a": 1}', False),
        (b'{\n "a": 1}\n{"a": 2}', False),
        (b'{"a": 1}\n[{"a": 2}]', False),
        (b'[{"a": 1},\n{"a": 2}]', False),
        (b"\x1f\x8b\x08{}\n{}\n", False),
        (b'\xef\xbb\xbf{"a": 1}\n{"a": 2}\n', False),
        (b"", False),
    ],
)
def test_only_a_file_with_a_record_a_line_is_cut(head: bytes, lines: bool) -> None:
    assert has_lines(head) is lines


@pytest.mark.parametrize(
    "text",
    [b"", b"\n", b"a", b"a\n", b"aa\nbbb\n\nc\r\ndddd", b"\n\n\n", b"a" * 9 + b"\n" + b"b" * 9],
)
@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 100])
def test_every_line_is_in_one_split(text: bytes, chunk: int) -> None:
    lines = text.splitlines(keepends=True)
    for size in range(1, len(text) + 2):
        found = []
        for start in range(0, len(text), size):
            rest = text[max(start - 1, 0) :]
            chunks = [rest[at : at + chunk] for at in range(0, len(rest), chunk)]
            piece = b"".join(lines_between(chunks, start, min(start + size, len(text))))
            assert not piece or piece.endswith(b"\n") or text.endswith(piece)
            found += piece.splitlines(keepends=True)
        assert found == lines


def test_records_are_numbered_over_all_splits() -> None:
    assert number_records([3, 0, 2]) == [0, 3, 3, 5]
    first = [{"record": n, "value": str(n)} for n in range(1, 11)]
    kinds = [
        (0, ("b", "b", "x", 1, [{"record": 3, "value": "z"}])),
        (0, ("a", "a", "x", 1, [{"record": 3, "value": "y"}])),
        (2, ("a", "a", "x", 99, first)),
        (2, ("c", "c", "x", 1, first[:1])),
    ]
    shifted = [{"record": n + 3, "value": str(n)} for n in range(1, 10)]
    assert merge_kinds(kinds, [0, 3, 3, 102]) == [
        ("a", "a", "x", 100, [{"record": 3, "value": "y"}, *shifted]),
        ("b", "b", "x", 1, [{"record": 3, "value": "z"}]),
        ("c", "c", "x", 1, [{"record": 4, "value": "1"}]),
    ]


def test_an_engines_message_is_about_the_whole_file() -> None:
    said = "Malformed JSON, at byte 7 in record 2: unexpected end of data"
    assert shift_records(said, 40) == said.replace("record 2", "record 42")
