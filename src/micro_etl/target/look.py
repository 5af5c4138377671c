"""Look at what stands at a target, before anything is fetched."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from obstore.exceptions import BaseError, PreconditionError

from micro_etl.errors import AccessDeniedError, TargetError, scratch_errors
from micro_etl.store import Place
from micro_etl.store_errors import error_code, is_archived, is_missing_bucket, target_errors
from micro_etl.target.limit import Reading
from micro_etl.target.outcome import Describe, Previous

if TYPE_CHECKING:
    from obstore import GetOptions, GetResult

_OURS = ("dataset", "run-id", "version")
_ROWS, _SHA256 = re.compile("0|[1-9][0-9]{0,17}"), re.compile("[0-9a-f]{64}")
_TRIES = 3


class Published(NamedTuple):
    """What a store says of an object.

    Attributes:
        etag: the store's name for its content; none where the store has no such names.
        last_modified: when it was written.
        metadata: what the run that wrote it said; see `micro_etl.engine.Task.metadata`.
    """

    etag: str | None
    last_modified: datetime
    metadata: Mapping[str, str]


def look(
    place: Place, *, scratch: Path, describe: Describe, force: bool = False
) -> Previous | None:
    """Look at the object that stands at the target; its content is read only if it must be.

    What the object says of itself is believed where a run of this service wrote all of it.

    Args:
        place: where.
        scratch: a folder for its content.
        describe: says what a Parquet file is.
        force: the object may be replaced whatever it is, even where it can't be read.

    Raises:
        TargetError: the store can't be read.
        AccessDeniedError: the store doesn't allow it.
    """
    for _ in range(_TRIES):
        with target_errors("read", place.location):
            head = _head(place)
        if head is None:
            return None
        etag, version = head.meta["e_tag"], head.meta["version"]
        previous = _believe(metadata_of(head.attributes), etag, version)
        if previous:
            return previous
        if etag is None:
            raise TargetError(
                f"can't read {place.location.shown}: the store names no ETag of it, under which "
                "it could be replaced safely"
            )
        unknown = Previous(etag=etag, version=version, rows=None, sha256="")
        try:
            return read_content(place, unknown, scratch=scratch, describe=describe)
        except TargetError as error:
            if force and is_archived(error.__cause__):
                return unknown
            if not isinstance(error.__cause__, PreconditionError | FileNotFoundError):
                raise
    raise TargetError(
        f"can't read {place.location.shown}: it was replaced each time while it was read"
    )


def metadata_of(attributes: Mapping[str, str]) -> dict[str, str]:
    """The metadata of an object under the names that they have in every store but Azure."""
    return {key.replace("_", "-").lower(): value for key, value in attributes.items()}


def may_be_missing(error: AccessDeniedError) -> bool:
    """Tell whether a refused look can mean that there is no object.

    That is what S3 says where ``s3:ListBucket`` is not allowed.
    """
    cause = error.__cause__
    return (
        isinstance(cause, Exception)
        and error_code(cause) == "AccessDenied"
        and "perform: s3:GetObject" not in str(cause)
    )


def read_content(
    place: Place, previous: Previous, *, scratch: Path, describe: Describe
) -> Previous:
    """Read an object that was looked at: its rows, its schema and its hash.

    Raises:
        TargetError: it can't be read, or is not there any more.
        AccessDeniedError: the store doesn't allow it.
    """
    copy = download(place, scratch / "previous.parquet", etag=previous.etag)
    with copy.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    found = describe(copy)
    copy.unlink()
    return previous._replace(
        rows=found.rows if found else None,
        schema=found.schema if found else None,
        sha256=sha256,
    )


def download(place: Place, file: Path, *, etag: str | None = None) -> Path:
    """Copy an object into a file.

    Args:
        place: where it is.
        file: the copy.
        etag: what its ETag must be, where that matters.

    Raises:
        TargetError: there is no such object, or it can't be read.
        AccessDeniedError: the store doesn't allow it.
        MachineError: no room for the copy.
    """
    read_published(place, file, etag=etag)
    return file


def read_published(place: Place, file: Path, *, etag: str | None = None) -> Published:
    """Copy an object into a file, and read what the same answer says of it; raises the same."""
    with target_errors("read", place.location):
        options: GetOptions = {"if_match": etag} if etag else {}
        reading = Reading(place)
        found = reading.get(options)

        def copy() -> None:
            with scratch_errors(), file.open("wb") as opened:
                for chunk in found.stream():
                    opened.write(chunk)

        reading.wait(copy)
    return Published(
        etag=found.meta["e_tag"],
        last_modified=found.meta["last_modified"],
        metadata=metadata_of(found.attributes),
    )


def _believe(said: Mapping[str, str], etag: str | None, version: str | None) -> Previous | None:
    rows, sha256 = said.get("rows", ""), said.get("content-sha256", "")
    schema = said.get("schema-sha256")
    is_ours = schema and all(said.get(name) for name in _OURS)
    if not (is_ours and _ROWS.fullmatch(rows) and _SHA256.fullmatch(sha256)):
        return None
    return Previous(
        etag=etag,
        version=version,
        rows=int(rows),
        sha256=sha256,
        run_id=said["run-id"],
        dataset=said["dataset"],
        schema_sha256=schema,
    )


def _head(place: Place) -> GetResult | None:
    """Ask what stands at the target; where that is refused, ask for its content as well.

    S3 says why it refuses a HEAD only to a GET: without that, a bucket that does not exist looks
    like an object that does not, and expired credentials like a bad request.
    """
    try:
        return Reading(place).get({"head": True})
    except (BaseError, FileNotFoundError) as error:
        if not re.search("status code: 40[0-5]", str(error)):
            if isinstance(error, FileNotFoundError):
                return None
            raise
    try:
        return Reading(place).get()
    except FileNotFoundError as error:
        if is_missing_bucket(error):
            raise
        return None
