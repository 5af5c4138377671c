"""A moment after which a source is not waited for, in whichever thread that is."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from typing import TypeVar
from weakref import WeakSet

from micro_etl.errors import SourceError

T = TypeVar("T")


class Deadline:
    """The end of the time that a source has.

    Time-outs between two pieces of data let a source trickle for ever; this does not.
    """

    def __init__(self, seconds: float, shown: str) -> None:
        """Start the clock.

        Args:
            seconds: how long the source has.
            shown: what messages call the source.
        """
        self._seconds, self._shown = seconds, shown
        self._end = time.monotonic() + seconds
        self._worker: threading.Thread | None = None
        self._sockets: WeakSet[socket.socket] = WeakSet()

    @property
    def remaining(self) -> float:
        """The seconds that are left; 0 once the time is over."""
        return max(0.0, self._end - time.monotonic())

    def check(self) -> None:
        """Raise a `SourceError` once the time is over."""
        if not self.remaining:
            raise SourceError(
                f"{self._shown}: not complete within {self._seconds:g} s (SOURCE_DEADLINE)"
            )

    def sleep(self, seconds: float) -> None:
        """Wait, but not beyond the deadline.

        Raises:
            SourceError: the time is over.
        """
        if seconds:
            time.sleep(min(seconds, self.remaining))
        self.check()

    def watch(self, connection: socket.socket) -> None:
        """Shut a connection down at the deadline, so that a thread that reads it goes on."""
        self.check()
        self._sockets.add(connection)

    def run(self, work: Callable[[], T]) -> T:
        """Do work in a thread of its own, which is left behind at the deadline.

        Some waits have no time-out: for a resolver, a pipe, a network's file system.

        Raises:
            SourceError: the time is over.
        """
        if threading.current_thread() is self._worker:
            return work()
        done = self.start(work)
        wait([done], timeout=self.remaining)
        if not done.done():
            self.abandon()
            self.check()
        try:
            return done.result()
        finally:
            del done  # else an error would hold its own traceback

    def start(self, work: Callable[[], T]) -> Future[T]:
        """Begin work in a thread of its own; what it runs in turn is done in the same thread.

        Raises:
            SourceError: the time is over.
        """
        self.check()
        done: Future[T] = Future()
        self._worker = threading.Thread(target=_finish, args=(work, done), daemon=True)
        self._worker.start()
        return done

    def abandon(self) -> None:
        """Shut every connection down, so that the thread that waits for one ends."""
        for connection in list(self._sockets):
            with suppress(OSError):  # it was closed meanwhile
                connection.shutdown(socket.SHUT_RDWR)


def _finish(work: Callable[[], T], done: Future[T]) -> None:
    try:
        done.set_result(work())
    except BaseException as error:
        done.set_exception(error)
    finally:
        del done
