"""The next things are made while one is used; errors come in their turn, and threads end."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from micro_etl.errors import SourceError
from micro_etl.source.deadline import Deadline
from micro_etl.source.paging.prefetch import ahead


def wait_until(made: list[int], count: int) -> None:
    """Wait until so many have been made."""
    end = time.monotonic() + 5
    while len(made) < count and time.monotonic() < end:
        time.sleep(0.001)


def numbers(made: list[int], most: int = 100) -> Iterator[int]:
    """Numbers, each of which is noted when it is made."""
    for number in range(most):
        made.append(number)
        yield number


def test_order_is_kept() -> None:
    assert [*ahead(numbers([]), deadline=Deadline(5, "x"))] == [*range(100)]


def test_no_more_is_made_than_will_soon_be_used() -> None:
    made: list[int] = []
    given = ahead(numbers(made), deadline=Deadline(5, "x"))
    assert next(given) == 0
    wait_until(made, 3)
    time.sleep(0.02)
    assert made == [0, 1, 2]
    assert next(given) == 1
    wait_until(made, 4)
    assert made == [0, 1, 2, 3]
    given.close()  # type: ignore[attr-defined]


def test_thread_ends_when_no_more_is_wanted() -> None:
    before = threading.active_count()
    for one in ahead(numbers([]), deadline=Deadline(5, "x")):
        if one == 2:
            break
    end = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < end:
        time.sleep(0.001)
    assert threading.active_count() == before


def test_error_comes_after_what_was_made_before_it() -> None:
    def fail() -> Iterator[int]:
        yield 1
        raise SourceError("no second one")

    given = ahead(fail(), deadline=Deadline(5, "x"))
    assert next(given) == 1
    with pytest.raises(SourceError, match="no second one"):
        next(given)


def test_thread_is_left_behind_at_the_deadline() -> None:
    is_over = threading.Event()

    def hang() -> Iterator[int]:
        yield 1
        is_over.wait(10)

    given = ahead(hang(), deadline=Deadline(0.1, "the source"))
    assert next(given) == 1
    with pytest.raises(SourceError, match=r"the source: not complete within 0\.1 s"):
        next(given)
    is_over.set()
