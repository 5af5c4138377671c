"""Say on a terminal how far a run is: one line, which is drawn over."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from micro_etl.text import size

_REDRAW_SECONDS = 0.1
_ERASE = "\r\033[K"


class ProgressLine:
    """Draws phase, percent, bytes, pages, records and seconds, from a thread of its own.

    A phase of less than a tenth of a second is not drawn.
    """

    def __init__(self, *, live: bool) -> None:
        self._live, self._lock = live, threading.Lock()
        self._phase = ""
        self._began = 0.0
        self._bytes, self._pages, self._records = 0, 0, 0
        self._total: int | None = None

    def begin(self, phase: str, total: int | None = None) -> None:
        """Begin a phase.

        Args:
            phase: one word.
            total: the bytes that it has to do with, where they are known.
        """
        if not self._live:
            return
        with self._lock:
            is_first = not self._phase
            self._phase, self._began = phase, time.monotonic()
            self._bytes, self._total = 0, total
        if is_first:
            threading.Thread(target=self._redraw, daemon=True).start()

    def receive(self, received: int, total: int | None) -> None:
        """Note how many bytes have come, of how many."""
        self._bytes, self._total = received, total

    def count(self, pages: int, records: int | None) -> None:
        """Note how many pages have come, and how many records the last one has."""
        self._pages, self._records = pages, self._records + (records or 0)

    @contextmanager
    def hidden(self, *, for_good: bool = False) -> Iterator[None]:
        """Leave the terminal to others for a while, or for good."""
        with self._lock:
            if for_good:
                self._phase = ""
            if self._live:
                _write(_ERASE)
            yield

    def _redraw(self) -> None:
        while True:
            time.sleep(_REDRAW_SECONDS)
            with self._lock:
                if not self._phase:
                    return
                columns = shutil.get_terminal_size().columns
                text = progress_text(
                    self._phase,
                    seconds=time.monotonic() - self._began,
                    received=self._bytes,
                    total=self._total,
                    pages=self._pages,
                    records=self._records,
                )
                _write(_ERASE + text[: columns - 1])


def progress_text(
    phase: str,
    *,
    seconds: float,
    received: int = 0,
    total: int | None = None,
    pages: int = 0,
    records: int = 0,
) -> str:
    """Write the line of a phase that has taken so long and come so far."""
    parts = []
    if received:
        of = f" of {size(total)} ({min(received / total, 1):.0%})" if total else ""
        parts += [f"{size(received)}{of}", f"{size(int(received / seconds))}/s"]
    elif total:
        parts.append(size(total))
    if records:
        parts.append(f"{pages:,} page{'s' * (pages != 1)}")
        parts.append(f"{records:,} record{'s' * (records != 1)}")
    return f"{phase:<10}{', '.join([*parts, f'{seconds:.0f} s'])}"


def _write(text: str) -> None:
    with suppress(OSError):  # a terminal that is gone needs no progress
        sys.stderr.write(text)
        sys.stderr.flush()
