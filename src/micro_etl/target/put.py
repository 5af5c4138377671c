"""Put a table into a store, under the condition that what was looked at still stands there."""

from __future__ import annotations

import mmap
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    NotModifiedError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from micro_etl.errors import MicroEtlError, TargetError
from micro_etl.store import Place
from micro_etl.store_errors import is_missing_bucket, reason, target_errors
from micro_etl.tablefile import Table
from micro_etl.target.outcome import Previous
from micro_etl.target.verify import Verdict, broken, judge, overtaken, read_back, strange

if TYPE_CHECKING:
    from obstore import PutMode, UpdateVersion
    from obstore.store import ObjectStore

_LARGEST = {"s3": 5 << 30, "az": 5000 << 20, "gs": 5 << 40}
"""What each kind of store takes in one conditional put; in several parts it knows no condition."""

_PAUSES = (0.1, 0.3, 1.0, 3.0)
_CONDITION = (PreconditionError, AlreadyExistsError, NotModifiedError, FileNotFoundError)
_DENIED = (PermissionDeniedError, UnauthenticatedError)
_STATUS = r"status code: (\d{3})"
_REFUSED, _PASSING = 4, (404, 408, 409, 412, 425, 429)
_NOT_IMPLEMENTED = 501
_NO_ETAG = "ETag Header missing"


def put(
    table: Table,
    place: Place,
    previous: Previous | None,
    *,
    metadata: Mapping[str, str],
    content_type: str,
    on_write: Callable[[], None],
) -> str | None:
    """Replace the object that was looked at, and read back what then stands there.

    Only what is read back counts: the store's answer to the put may be lost, late or wrong. Where
    nothing was written, it is sent again, a few times within the deadline.

    Returns:
        The ETag of the object, whose bytes were read and are the table's.

    Raises:
        RaceLostError: another run published meanwhile.
        TargetError: the store can't be written or read, or what it holds is not what was sent.
        AccessDeniedError: the store doesn't allow it.
    """
    _check_size(table, place)
    if previous and previous.etag is None:
        raise TargetError(
            f"can't write {place.location.shown}: the store names no ETag of what stands there, so "
            "that it can't be replaced safely"
        )
    attributes = _attributes(table, place, metadata, content_type)
    store, end = place.store_for_upload(table.size), time.monotonic() + place.deadline
    content, over, was_taken = map_file(table.file), previous, False
    for pause in (*_PAUSES, None):
        on_write()
        error = send(store, place.key, content, attributes, _mode(over))
        was_taken = was_taken or error is None
        content.madvise(mmap.MADV_DONTNEED)  # what was read of it, while it is read back
        try:
            now = read_back(place)
        except MicroEtlError as unread:
            raise _unverified(place, error, unread) from unread
        verdict = judge(now, table, metadata["run-id"], previous)
        if now and verdict is Verdict.PUBLISHED:
            return now.etag
        if now and verdict is Verdict.BROKEN:
            raise broken(place, now, table)
        if error and _is_final(error):
            break
        if now and verdict is Verdict.OVERTAKEN:
            if not (now.run_id or now.is_parquet):
                raise strange(place)
            raise overtaken(place, may_have_written=not isinstance(error, _CONDITION))
        if pause is None or time.monotonic() + pause > end:
            break
        over = None if verdict is Verdict.GONE else previous
        time.sleep(pause)
    with target_errors("write", place.location):
        raise _not_written(place, error, was_taken=was_taken) from error


def _check_size(table: Table, place: Place) -> None:
    largest = _LARGEST.get(place.location.scheme)
    if largest and table.size > largest:
        raise TargetError(
            f"can't write {place.location.shown}: the table has {table.size:,} bytes; the store "
            f"takes {largest:,} in one conditional upload"
        )


def _attributes(
    table: Table, place: Place, metadata: Mapping[str, str], content_type: str
) -> dict[str, str]:
    described = {
        "rows": str(table.rows),
        "content-sha256": table.sha256,
        "schema-sha256": table.schema_sha256,
        **metadata,
    }
    if place.location.scheme == "az":  # Azure's metadata names are identifiers
        described = {key.replace("-", "_"): value for key, value in described.items()}
    return {"Content-Type": content_type, **described}


def _mode(previous: Previous | None) -> PutMode:
    if previous is None:
        return "create"
    known = {"e_tag": previous.etag, "version": previous.version}
    return cast("UpdateVersion", {key: value for key, value in known.items() if value})


def map_file(file: Path) -> mmap.mmap:
    """Map a file into memory, which takes none of it: the system reads what is being sent.

    It is closed by the collector, once the store's client has let go of it.
    """
    with file.open("rb") as opened:
        return mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)


def send(
    store: ObjectStore, key: str, content: mmap.mmap, attributes: dict[str, str], mode: PutMode
) -> Exception | None:
    """Send once, and again where the answer got lost: the condition tells whether it had come."""
    for is_last in (False, True):
        try:
            obstore.put(store, key, content, attributes=attributes, mode=mode)
        except (BaseError, OSError, NotImplementedError) as error:
            if is_last or re.search(_STATUS, str(error)) or _NO_ETAG in str(error):
                return error
        else:
            return None
    return None


def _is_final(error: Exception) -> bool:
    """Tell whether a store that is asked again would say the same."""
    if isinstance(error, _DENIED) or is_missing_bucket(error):
        return True
    found = re.search(_STATUS, str(error))
    status = int(found[1]) if found else 0
    return status == _NOT_IMPLEMENTED or (status // 100 == _REFUSED and status not in _PASSING)


def _unverified(place: Place, error: Exception | None, unread: MicroEtlError) -> MicroEtlError:
    """Make the error of a put after which the object can't be read; the first error says more."""
    said = unread
    if error and not isinstance(error, _CONDITION):
        try:
            with target_errors("write", place.location):
                raise error
        except MicroEtlError as unwritten:
            said = unwritten
        if _is_final(error):
            return said
    return type(said)(f"{said}; what stands there was not verified, and may be broken")


def _not_written(place: Place, error: Exception | None, *, was_taken: bool) -> Exception:
    said = f"can't write {place.location.shown}"
    if error is None or _NO_ETAG in str(error):
        return TargetError(f"{said}: the store took the table, but doesn't hold it")
    if isinstance(error, _CONDITION) and not is_missing_bucket(error):
        if was_taken:
            return TargetError(
                f"{said}: the store said that it was written, but what stands there could not be "
                f"verified ({reason(error)})"
            )
        return TargetError(
            f"{said}: {reason(error)}; no other run published, and nothing was written"
        )
    return error
