"""Draw docs/terminal.svg: a terminal in which the commands of the README really ran.

make run && .venv/bin/python -m dev.terminal_svg
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import NamedTuple

_OUTPUT = Path("docs/terminal.svg")
_SAMPLE = Path("src/micro_etl/datasets/launches.sample.json")
_COLUMNS, _ROWS = 120, 50
_LINE, _CELL, _MARGIN, _BAR = 16, 7.8, 18, 34  # at 13 pixels, monospaced fonts are 7.8 wide
_FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
_COLORS = {"31": "#ff7b72", "32": "#7ee787", "33": "#e3b341"}
_TEXT, _PROMPT, _BACK = "#e6edf3", "#79c0ff", "#0d1117"
_ERASED = re.compile(r"[^\n]*\r\x1b\[K")
_STYLE = re.compile(r"\x1b\[([\d;]*)m")


class Span(NamedTuple):
    """A piece of a line in one style."""

    text: str
    color: str = _TEXT
    bold: bool = False


def main() -> int:
    """Run the commands, and write the picture."""
    with tempfile.TemporaryDirectory() as folder:
        wrong = _SAMPLE.read_text("utf-8").replace('"flight_number": 23,', '"flight_number": "23",')
        Path(folder, "wrong.json").write_text(wrong, "utf-8")
        published, _ = run("-m", "dev.quickstart", folder=".")
        refused, code = run("-m", "micro_etl", "run", "--source-url", "wrong.json", folder=folder)
    prompt = Span("$ ", _PROMPT, bold=True)
    lines = [
        [prompt, Span("make run", bold=True)],
        *parse(published),
        [],
        [prompt, Span("micro-etl run --source-url wrong.json", bold=True)],
        *parse(refused),
        [prompt, Span("echo $?", bold=True)],
        [Span(str(code))],
    ]
    _OUTPUT.write_text(draw(lines), "utf-8")
    sys.stdout.write(f"written: {_OUTPUT}\n")
    return 0


def run(*arguments: str, folder: str) -> tuple[str, int]:
    """Run this Python in a terminal; returns what it printed there, and its exit code.

    Args:
        arguments: Python's.
        folder: the working folder of the command.
    """
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (_ROWS, _COLUMNS))
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "TERM": "xterm-256color"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    printed = b"".join(iter(lambda: _read(ours), b""))
    os.close(ours)
    return printed.decode(), process.wait()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux says that the other end is closed
        return b""


def parse(printed: str) -> list[list[Span]]:
    """Read what a terminal was sent: lines of spans, without those that were erased."""
    text = printed.replace("\r\n", "\n")
    while _ERASED.search(text):
        text = _ERASED.sub("", text)
    color, bold = _TEXT, False
    lines: list[list[Span]] = []
    for line in text.rstrip("\n").split("\n"):
        spans = []
        for index, piece in enumerate(_STYLE.split(line)):
            if index % 2 == 0:
                spans.append(Span(piece, color, bold))
                continue
            for code in piece.split(";"):
                color = _TEXT if code in ("", "0") else _COLORS.get(code, color)
                bold = code not in ("", "0") and (bold or code == "1")
        lines += wrap([span for span in spans if span.text])
    return lines


def wrap(line: list[Span], columns: int = _COLUMNS) -> list[list[Span]]:
    """Break a line where the terminal does."""
    lines: list[list[Span]] = [[]]
    room = columns
    for span in line:
        text = span.text
        while len(text) > room:
            lines[-1].append(span._replace(text=text[:room]))
            lines.append([])
            text, room = text[room:], columns
        lines[-1].append(span._replace(text=text))
        room -= len(text)
    return lines


def draw(lines: list[list[Span]]) -> str:
    """Draw lines as an SVG picture of a terminal."""
    width = round(_COLUMNS * _CELL + 2 * _MARGIN)
    height = _BAR + len(lines) * _LINE + _MARGIN
    dots = "".join(
        f'<circle cx="{22 + 20 * index}" cy="18" r="6" fill="{color}"/>'
        for index, color in enumerate(("#ff5f57", "#febc2e", "#28c840"))
    )
    rows = [
        _draw_span(span, _MARGIN + start * _CELL, _BAR + (number + 1) * _LINE - 5)
        for number, line in enumerate(lines)
        for start, span in _place(line)
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'font-family="{_FONTS}" font-size="13" role="img" '
            'aria-label="A terminal: make run publishes a table; wrong data is refused">',
            f'<rect width="{width}" height="{height}" rx="8" fill="{_BACK}"/>',
            dots,
            *rows,
            "</svg>\n",
        ]
    )


def _place(line: list[Span]) -> Iterator[tuple[int, Span]]:
    column = 0
    for span in line:
        yield column, span
        column += len(span.text)


def _draw_span(span: Span, x: float, y: int) -> str:
    weight = ' font-weight="bold"' if span.bold else ""
    return (
        f'<text x="{x:.1f}" y="{y}" fill="{span.color}"{weight} xml:space="preserve" '
        f'textLength="{len(span.text) * _CELL:.1f}">{escape(span.text)}</text>'
    )


if __name__ == "__main__":
    sys.exit(main())
