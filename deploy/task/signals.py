"""Handles Ctrl-C and SIGTERM: while a task runs, as a request to stop it; else as an exception."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STEP_SECONDS = 0.1


class Stop:
    """Whether the user asked to stop. The second time ends the program at once.

    Attributes:
        signal: The signal's number, or 0.
    """

    def __init__(self) -> None:
        self.signal = 0

    def request(self, number: int) -> None:
        """Note the request; raise when it is the second."""
        if self.signal:
            raise KeyboardInterrupt
        self.signal = number

    def wait(self, seconds: float) -> None:
        """Wait, but no longer once the user has asked to stop."""
        end = time.monotonic() + seconds
        while not self.signal and time.monotonic() < end:
            time.sleep(min(STEP_SECONDS, seconds))


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends what is under way as Ctrl-C does."""


@contextmanager
def terminable() -> Iterator[None]:
    """Raise `Terminated` on SIGTERM, so that a program that was started is stopped as well."""

    def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        raise Terminated

    before = signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Note Ctrl-C and SIGTERM instead of ending at once, so that no started task is lost."""
    stop = Stop()

    def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        stop.request(number)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
