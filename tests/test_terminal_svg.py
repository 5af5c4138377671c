"""The picture of a terminal shows what a terminal showed."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from dev.terminal_svg import Span, draw, parse, wrap
from tests.test_docs import ROOT

_GREEN = "#7ee787"


@pytest.mark.parametrize(
    ("printed", "lines"),
    [
        ("a\r\nb\r\n", [[Span("a")], [Span("b")]]),
        ("\r\x1b[K1 kB\r\x1b[K2 kB\r\n", [[Span("2 kB")]]),
        ("x \x1b[32mdone\x1b[0m y", [[Span("x "), Span("done", _GREEN), Span(" y")]]),
        ("\x1b[31m\x1b[1merror\x1b[0m", [[Span("error", "#ff7b72", bold=True)]]),
    ],
)
def test_what_was_erased_is_gone_and_colours_stay(printed: str, lines: list[list[Span]]) -> None:
    """Lines of spans, as a person saw them at the end."""
    assert parse(printed) == lines


def test_a_long_line_is_broken_where_a_terminal_does() -> None:
    """With its colours."""
    line = [Span("abc"), Span("defg", _GREEN)]
    assert wrap(line, columns=5) == [[Span("abc"), Span("de", _GREEN)], [Span("fg", _GREEN)]]


def test_the_picture_is_an_svg_with_the_text() -> None:
    """Characters of XML included."""
    svg = ElementTree.fromstring(draw([[Span("<a> & b")]]))  # noqa: S314 - our own
    assert "".join(svg.itertext()).strip() == "<a> & b"


def test_the_picture_of_the_readme_is_of_the_commands_that_it_names() -> None:
    """A published run and a refused one."""
    picture = ElementTree.fromstring((ROOT / "docs" / "terminal.svg").read_text("utf-8"))  # noqa: S314
    text = "\n".join(picture.itertext())
    assert "make run" in text
    assert "published" in text
    assert "the data breaks the contract" in text
