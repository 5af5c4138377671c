"""A limit of time for what is read of a store, which could trickle for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, TypeVar

import obstore

from micro_etl.errors import TargetError
from micro_etl.store import SLOWEST, Place

if TYPE_CHECKING:
    from obstore import GetOptions, GetResult

T = TypeVar("T")


class Reading:
    """One request, with the time that its answer may take.

    That is the deadline for its retries, the time-out for the last of them, whose own error says
    more, and what its size takes at the slowest.

    The store's client waits where nothing can interrupt it, so that each wait has a thread of its
    own, which is left behind when the time is over.
    """

    def __init__(self, place: Place) -> None:
        """Start the clock."""
        self._place, self._limit = place, place.deadline + place.timeout
        self._start = time.monotonic()

    def get(self, options: GetOptions | None = None) -> GetResult:
        """Ask for the object.

        Raises:
            TargetError: the time is over.
        """
        found = self.wait(lambda: obstore.get(self._place.store, self._place.key, options=options))
        self._limit += found.meta["size"] / SLOWEST
        return found

    def wait(self, work: Callable[[], T]) -> T:
        """Do what may wait for the store.

        Raises:
            TargetError: the time is over.
        """
        done: Future[T] = Future()
        threading.Thread(target=_finish, args=(work, done), daemon=True).start()
        wait([done], timeout=max(0.0, self._start + self._limit - time.monotonic()))
        if not done.done():
            raise TargetError(
                f"can't read {self._place.location.shown}: not complete within {self._limit:.4g} s "
                "(TARGET_DEADLINE, TARGET_TIMEOUT and the time for its size)"
            )
        return done.result()


def _finish(work: Callable[[], T], done: Future[T]) -> None:
    try:
        done.set_result(work())
    except BaseException as error:
        done.set_exception(error)
