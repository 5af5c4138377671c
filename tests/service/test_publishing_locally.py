"""Publishing to a local file, tried whole: each step fails in turn, and others act before it.

The number of paths is in `docs/reliability.md`, and this test compares it.
"""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import obstore
import pytest

from micro_etl.errors import MicroEtlError, RaceLostError
from micro_etl.location import Location
from micro_etl.store import open_place
from micro_etl.tablefile import Table
from micro_etl.target.outcome import Outcome
from tests.service.test_publishing_model import FOREIGN, GARBAGE, NEW, OLD, OTHER, TABLES
from tests.service.test_publishing_model import publish as publish_to
from tests.service.test_publishing_model import table as table  # a fixture
from tests.torture.reliability import MODEL_PATHS

STATES = {
    "nothing": None,
    "an older table": OLD,
    "the same table": NEW,
    "a foreign table": FOREIGN,
    "no table": GARBAGE,
}
FAILURES = {
    "no room": OSError(errno.ENOSPC, "No space left on device"),
    "a broken disk": OSError(errno.EIO, "Input/output error"),
    "denied": PermissionError(errno.EACCES, "Permission denied"),
}
STEPS = ((obstore, "get"), (obstore, "head"), (os, "fsync"), (Path, "replace"))


class Course(NamedTuple):
    """What happens in one run.

    Attributes:
        state: what stands there at first.
        other: what another program does, "publishes", "deletes", or nothing.
        before: the step that it does so before.
        failure: how a step fails.
        at: the number of that step.
    """

    state: str
    other: str
    before: int
    failure: str
    at: int


@contextmanager
def watched(step: Callable[[], str]) -> Iterator[None]:
    """Call something before each step that touches the target; it may raise."""
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in STEPS:
            sound = getattr(owner, name)

            def call(*args: Any, _sound: Any = sound, **options: Any) -> Any:
                step()
                return _sound(*args, **options)

            patch.setattr(owner, name, call)
        copy = shutil.copyfileobj

        def copy_badly(source: Any, target: Any) -> None:
            if step() == "other bytes":
                target.write(b"PAR1 disk PAR1")
            else:
                copy(source, target)

        patch.setattr(shutil, "copyfileobj", copy_badly)
        yield


def walk(course: Course, table: Table, file: Path) -> tuple[int, bool, Outcome | MicroEtlError]:
    """Do one run; the number of its steps, and whether the other program acted."""
    steps = itertools.count()
    acted = False
    put_there(STATES[course.state], file)

    def step() -> str:
        nonlocal acted
        number = next(steps)
        if number == course.before and course.other != "nothing":
            acted = act(course.other, file)
        if number == course.at and course.failure in FAILURES:
            raise FAILURES[course.failure]
        return course.failure if number == course.at else ""

    place = open_place(Location.parse(str(file)), timeout=1, deadline=1)
    with watched(step):
        end = publish_to(table, place, force=False)
    return next(steps), acted, end


def put_there(data: bytes | None, file: Path) -> None:
    """Have a file hold this, as another program leaves it."""
    file.unlink(missing_ok=True)
    if data is not None:
        made = file.with_name("other")
        made.write_bytes(data)
        os.rename(made, file)  # noqa: PTH104 - Path's own is watched


def act(other: str, file: Path) -> bool:
    """Publish as another run does, which waits for the lock, or delete, as any program can."""
    if other == "deletes":
        file.unlink(missing_ok=True)
        return True
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        put_there(OTHER, file)
    except BlockingIOError:
        return False
    finally:
        os.close(folder)
    return True


def test_every_path_ends_and_says_what_is_so(table: Table, tmp_path: Path) -> None:
    """0 is the new table, read; a newer one of another run stays; nothing is broken in silence."""
    (tmp_path / "out").mkdir()
    file, count = tmp_path / "out" / "table.parquet", 0
    for state, other in itertools.product(STATES, ("nothing", "publishes", "deletes")):
        for before in itertools.count():
            for failure in ("", *FAILURES, "other bytes"):
                for at in itertools.count():
                    course = Course(state, other, before, failure, at)
                    steps, acted, end = walk(course, table, file)
                    if at >= steps:
                        break
                    check(course, acted, end, file)
                    count += 1
                    if not failure:
                        break
            if other == "nothing" or before >= steps:
                break
    assert count == MODEL_PATHS["local"]


def check(course: Course, acted: bool, end: Outcome | MicroEtlError, file: Path) -> None:
    """Compare how a run ended with what stands there."""
    now = file.read_bytes() if file.exists() else None
    where = (course, acted, end, now)
    assert os.listdir(file.parent) == [file.name][: now is not None], where  # noqa: PTH208
    if acted and course.other == "publishes" and course.before > 1:  # after what was looked at
        assert now == OTHER, where
    if isinstance(end, Outcome):
        assert end.result in ("published", "unchanged"), where
        assert now == NEW, where
        return
    if isinstance(end, RaceLostError):
        assert acted, where
        assert now != NEW, where
    untouched = now == STATES[course.state]
    assert untouched or now in (None, *TABLES) or "may be broken" in str(end), where
