"""Read an object back, and judge by its bytes what became of a publication."""

from __future__ import annotations

import hashlib
from enum import Enum, auto
from typing import NamedTuple

from micro_etl.errors import RaceLostError, TargetError
from micro_etl.store import Place
from micro_etl.store_errors import is_missing_bucket, target_errors
from micro_etl.tablefile import Table
from micro_etl.target.limit import Reading
from micro_etl.target.look import metadata_of
from micro_etl.target.outcome import Previous

_MAGIC = b"PAR1"


class Seen(NamedTuple):
    """An object whose bytes were read.

    Attributes:
        etag: the store's name for its content.
        version: the store's version of it, where it has versions.
        sha256: of the bytes that were read.
        run_id: the run that wrote it, where it says so.
        said_sha256: what it says that the hash of its bytes is.
        is_parquet: it begins and ends as a Parquet file does.
    """

    etag: str | None
    version: str | None
    sha256: str
    run_id: str | None = None
    said_sha256: str | None = None
    is_parquet: bool = False


class Verdict(Enum):
    """What a look at the target shows after an attempt to write it."""

    PUBLISHED = auto()
    BROKEN = auto()
    UNTOUCHED = auto()
    GONE = auto()
    OVERTAKEN = auto()


def read_back(place: Place) -> Seen | None:
    """Read the object that stands at the target, whole; none where there is none.

    One request gives its name, its metadata and its bytes, so that they belong together whatever
    others do meanwhile.

    Raises:
        TargetError: the store can't be read.
        AccessDeniedError: the store doesn't allow it.
    """
    digest, first, last = hashlib.sha256(), b"", b""
    reading = Reading(place)

    def read() -> None:
        nonlocal first, last
        for chunk in found.stream():
            digest.update(chunk)
            piece = bytes(memoryview(chunk)[:4]), bytes(memoryview(chunk)[-4:])
            first, last = (first + piece[0])[:4], (last + piece[1])[-4:]

    with target_errors("read back", place.location):
        try:
            found = reading.get()
            reading.wait(read)
        except FileNotFoundError as error:
            if is_missing_bucket(error):
                raise
            return None
    said = metadata_of(found.attributes)
    return Seen(
        found.meta["e_tag"],
        found.meta["version"],
        digest.hexdigest(),
        said.get("run-id"),
        said.get("content-sha256"),
        is_parquet=first == last == _MAGIC,
    )


def judge(now: Seen | None, table: Table, run_id: str, previous: Previous | None) -> Verdict:
    """Say what became of a table that was sent, however the store answered.

    Args:
        now: what stands at the target.
        table: what was sent.
        run_id: the run that sent it.
        previous: what stood there before.
    """
    if now is None:
        return Verdict.GONE
    if now.sha256 == table.sha256 and now.run_id in (run_id, None):
        return Verdict.PUBLISHED
    # A run id may be the same in every run, such as the name of a job.
    sent, said = (run_id, table.sha256), (now.run_id, now.said_sha256)
    if said == sent and not (previous and (previous.run_id, previous.sha256) == sent):
        return Verdict.BROKEN
    if previous and is_still(previous, now):
        return Verdict.UNTOUCHED
    if said == sent:
        return Verdict.BROKEN
    return Verdict.OVERTAKEN


def is_still(previous: Previous, now: Seen) -> bool:
    """Tell whether what was read is what stood there before.

    Its bytes or what it says of itself tell as well, where a store names it otherwise each time.
    """
    same_name = (now.etag, now.version) == (previous.etag, previous.version)
    said = (now.run_id, now.said_sha256) == (previous.run_id, previous.sha256)
    return same_name or now.sha256 == previous.sha256 or (now.run_id is not None and said)


def broken(place: Place, now: Seen, table: Table) -> TargetError:
    """Make the error of an object that is not what was sent."""
    return TargetError(
        f"{place.location.shown} holds {now.sha256} where {table.sha256} was sent (SHA-256); "
        "what stands there may be broken"
    )


def strange(place: Place) -> TargetError:
    """Make the error of an object that no run can have written."""
    return TargetError(
        f"{place.location.shown} reads back as neither this run's table nor another's; what "
        "stands there may be broken"
    )


def overtaken(place: Place, *, may_have_written: bool = False) -> RaceLostError:
    """Make the error of an object that is neither this run's nor the one that was looked at.

    Args:
        place: where it is.
        may_have_written: this run's table may have stood there for a while.
    """
    what = "its table stays" if may_have_written else "this one wrote nothing"
    return RaceLostError(f"another run published {place.location.shown} meanwhile; {what}")
