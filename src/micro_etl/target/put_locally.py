"""Replace a local file, which has no conditional put: compare and replace under a lock."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import obstore

from micro_etl.errors import AccessDeniedError, TargetError
from micro_etl.store import Place
from micro_etl.store_errors import target_errors
from micro_etl.tablefile import Table
from micro_etl.target.outcome import Previous
from micro_etl.target.verify import Verdict, broken, judge, overtaken, read_back

_TRIES = 5
_PAUSE = 0.02


def put_locally(
    table: Table,
    place: Place,
    previous: Previous | None,
    *,
    scratch: Path,
    on_write: Callable[[], None],
) -> str | None:
    """Replace the file that was looked at, keep its mode and owner, and read back the new one.

    The table is complete on the disk before it gets the target's name, so that not even a power
    cut leaves a part of it there.

    Returns:
        The ETag of the file, whose bytes were read and are the table's.

    Raises:
        RaceLostError: another run published meanwhile.
        TargetError: the file can't be written, or its folder stays locked.
        AccessDeniedError: the machine doesn't allow it.
    """
    file = place.local
    if file is None:
        raise TypeError(f"{place.location.shown} is not local")
    with target_errors("write", place.location):
        file.parent.mkdir(parents=True, exist_ok=True)
        with _lock(file.parent, place) as folder:
            for _ in range(_TRIES):  # where a program that knows no lock removes what was written
                there = _etag(file, place)
                if there is not None and (previous is None or there != previous.etag):
                    raise overtaken(place)
                previous = previous if there else None
                _replace(file, table.file, folder, scratch, on_write)
                written = _etag(file, place)
                now = read_back(place)
                verdict = judge(now, table, "", previous)
                if now and verdict is Verdict.PUBLISHED:
                    return now.etag
                if now and now.etag == written:
                    raise broken(place, now, table)
                if now:
                    raise overtaken(place, may_have_written=True)
    raise TargetError(f"can't write {place.location.shown}: it is removed each time it was written")


@contextmanager
def _lock(folder: Path, place: Place) -> Iterator[int]:
    """Wait for a folder's lock and hold it; yields the folder's descriptor."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        end = time.monotonic() + place.timeout
        while True:
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise TargetError(
                        f"can't write {place.location.shown}: another program has locked its "
                        f"folder for {place.timeout:g} s; TARGET_TIMEOUT says how long to wait"
                    ) from None
            time.sleep(_PAUSE)
        yield opened
    finally:
        os.close(opened)


def _etag(file: Path, place: Place) -> str | None:
    if file.exists() and not file.is_file():  # it became a pipe, which would wait to be read
        raise TargetError(f"can't write {place.location.shown}: it is not a file any more")
    try:
        return obstore.head(place.store, place.key)["e_tag"]
    except FileNotFoundError:
        return None


def _replace(
    file: Path, table: Path, folder: int, scratch: Path, on_write: Callable[[], None]
) -> None:
    """Write a file beside the target, and give it the target's name once it is on the disk.

    Its name until then is always the same, so that what a killed run left is removed by the next.
    Whatever has that name, such as a link or a pipe, is removed and never opened. A link in the
    scratch folder names it, so that it goes with that.
    """
    kept = file.stat() if file.exists() else None
    staged, link = file.with_name(f".{file.name}.part"), scratch / "staged"
    staged.unlink(missing_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(staged)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    opened = os.open(staged, flags, 0o600 if kept else 0o666)
    try:
        with os.fdopen(opened, "wb") as copy, table.open("rb") as parquet:
            shutil.copyfileobj(parquet, copy)
            if kept:
                _keep_owner_and_mode(opened, kept, file)
            copy.flush()
            os.fsync(opened)
        on_write()
        staged.replace(file)
    except BaseException:
        staged.unlink(missing_ok=True)
        raise
    os.fsync(folder)


def _keep_owner_and_mode(opened: int, kept: os.stat_result, file: Path) -> None:
    made = os.fstat(opened)
    if (made.st_uid, made.st_gid) != (kept.st_uid, kept.st_gid):
        try:
            os.fchown(opened, kept.st_uid, kept.st_gid)
        except PermissionError as error:
            raise AccessDeniedError(
                f"can't write {file}: it belongs to user {kept.st_uid} and group {kept.st_gid}, "
                "which a file that replaces it would lose; run as its owner, or remove it first"
            ) from error
    os.fchmod(opened, stat.S_IMODE(kept.st_mode))
