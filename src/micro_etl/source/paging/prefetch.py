"""Make the next things while one is being used."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from queue import Empty, SimpleQueue
from typing import TypeVar

from micro_etl.source.deadline import Deadline

T = TypeVar("T")

_AHEAD = 2  # two hide one that takes longer than the others


class _End:
    """What comes after the last of them."""


def ahead(items: Iterator[T], *, deadline: Deadline) -> Iterator[T]:
    """Give what an iterator makes in a thread of its own, at most two before they are asked for.

    An error comes after everything that was made before it.

    Args:
        items: the iterator; it is closed in its thread.
        deadline: when to leave that thread behind.

    Raises:
        SourceError: the time is over.
    """
    made: SimpleQueue[T | _End] = SimpleQueue()
    room, is_stopped = threading.Semaphore(_AHEAD), threading.Event()

    def make() -> None:
        try:
            for one in items:
                made.put(one)
                room.acquire()
                if is_stopped.is_set():
                    break
        finally:
            made.put(_End())

    done = deadline.start(make)
    try:
        while not isinstance(one := _take(made, deadline), _End):
            yield one
            room.release()
        done.result()
    finally:
        is_stopped.set()
        room.release()
        if not done.done():
            deadline.abandon()
        del done  # else an error would hold its own traceback


def _take(made: SimpleQueue[T], deadline: Deadline) -> T:
    while True:
        try:
            return made.get(timeout=deadline.remaining)
        except Empty:
            deadline.abandon()
            deadline.check()
