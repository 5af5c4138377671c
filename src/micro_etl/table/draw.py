"""Draw a table for a terminal: aligned columns, and an ellipsis where something is cut."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Collection, Sequence

from micro_etl.text import printable

_WIDTH = 120  # where no terminal tells
_GAP = 2
_NARROWEST = 8  # to which a column of texts is cut before others are left out


def screen_width() -> int:
    """The columns of the terminal, or ``COLUMNS``."""
    return shutil.get_terminal_size((_WIDTH, 0)).columns


def draw(
    heads: Sequence[Sequence[str]],
    rows: Sequence[Sequence[str]],
    *,
    numbers: Collection[int] = (),
    names: Collection[int] = (),
    width: int,
) -> str:
    """Draw rows below their heads.

    Args:
        heads: the lines above the rule, each with a cell for every column.
        rows: the cells of each row.
        numbers: the columns, counted from 0, that are aligned to the right and never cut.
        names: the columns that are cut after all others.
        width: how many columns the screen has. Texts are cut to fit; columns at the right that
            still don't fit are left out, which a last column of ellipses says.
    """
    lines = [[printable(cell) for cell in line] for line in (*heads, *rows)]
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    while _total(widths) > width and (
        _shrink(widths, {*numbers, *names}) or _shrink(widths, numbers)
    ):
        pass
    shown = len(widths)
    while shown > 1 and _total([*widths[:shown], *[1] * (shown < len(widths))]) > width:
        shown -= 1
    if shown < len(widths):
        widths = [*widths[:shown], 1]
        lines = [[*line[:shown], "…"] for line in lines]
    drawn = [
        (" " * _GAP)
        .join(
            _fit(cell, room, right=at in numbers)
            for at, (cell, room) in enumerate(zip(line, widths, strict=True))
        )
        .rstrip()
        for line in lines
    ]
    drawn.insert(len(heads), (" " * _GAP).join("─" * room for room in widths))
    return "\n".join(drawn)


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _shrink(widths: list[int], fixed: Collection[int]) -> bool:
    """Take one from the widest column that is not fixed; false where none can give."""
    texts = [at for at in range(len(widths)) if at not in fixed and widths[at] > _NARROWEST]
    if texts:
        widths[max(texts, key=lambda at: widths[at])] -= 1
    return bool(texts)


def _fit(text: str, room: int, *, right: bool) -> str:
    if _width(text) > room:
        while _width(text) > room - 1:
            text = text[:-1]
        text += "…"
    padding = " " * (room - _width(text))
    return padding + text if right else text + padding


def _width(text: str) -> int:
    """The columns that a text takes: none for an accent, two for a wide character."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(one) else 1 + (unicodedata.east_asian_width(one) in "WF")
        for one in text
    )
