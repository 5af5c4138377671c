"""A path that is written is the path that is read."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from micro_etl.dataset import EVERY, Origin, Path, parse_path, write_path, write_records

STEPS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
    st.sampled_from(["$", "", "*", "[0]", "{series}", "a.b", '"', "\\", "\\\n", "0", " "]),
    st.integers(0, 999_999_999),
    st.just(EVERY),
)
PATHS = st.lists(STEPS, min_size=1, max_size=6).map(tuple)


@given(PATHS)
def test_a_path_of_a_record_that_is_written_is_the_path_that_is_read(path: Path) -> None:
    parsed = parse_path(write_path(path))
    assert parsed is not None
    assert (parsed.steps, parsed.from_root, parsed.has_members) == (path, False, False)


@given(PATHS)
def test_a_path_of_the_root_that_is_written_is_the_path_that_is_read(path: Path) -> None:
    parsed = parse_path(write_path(path, Origin.ROOT))
    assert parsed is not None
    assert (parsed.steps, parsed.from_root) == (path, True)


@given(PATHS)
def test_a_path_of_records_that_is_written_is_the_path_that_is_read(path: Path) -> None:
    parsed = parse_path(write_records(path))
    assert parsed is not None
    assert (parsed.steps, parsed.from_root) == (path, False)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("labels[*].name", ("labels", EVERY, "name")),
        ("orders.*.line_items", ("orders", EVERY, "line_items")),
        ("*", (EVERY,)),
        ("*.*", (EVERY, EVERY)),
        ("[1]", (1,)),
        ("[0][12].a", (0, 12, "a")),
        ('a."b.c"[0]', ("a", "b.c", 0)),
        ('""', ("",)),
        ('"".""', ("", "")),
        ("$", ("$",)),
        ("text.$", ("text", "$")),
        ('"$".a', ("$", "a")),
        ("{series}", ("{series}",)),
        ("m", ("m",)),
        ("M", ("M",)),
    ],
)
def test_a_path_is_read(text: str, steps: Path) -> None:
    parsed = parse_path(text)
    assert parsed is not None
    assert (parsed.steps, parsed.from_root) == (steps, False)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("$.a", ("a",)),
        ("$[0].pages", (0, "pages")),
        ("$.orders.*.id", ("orders", EVERY, "id")),
        ("$.rates[*]", ("rates", EVERY)),
        ("$.$", ("$",)),
        ('$."a.b"', ("a.b",)),
    ],
)
def test_a_path_from_the_root_begins_with_a_dollar(text: str, steps: Path) -> None:
    parsed = parse_path(text)
    assert parsed is not None
    assert (parsed.steps, parsed.from_root) == (steps, True)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "a[",
            "a]",
            "a[]",
            "a[-1]",
            "a[01]",
            "a[1",
            "a[1]b",
            "a.[0]",
        ),
        *("a*", "*a", "**", "a[**]", "a[a]", "$.", "$.[0]", "$..a", '"a', '"a"b', "a b", "a[0 ]"),
        *("a[1234567890]", "$[*]a", "[0].", "[*]*"),
    ],
)
def test_what_is_not_a_path_is_not_read(text: str) -> None:
    assert parse_path(text) is None
