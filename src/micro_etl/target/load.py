"""Publish a table: the object is replaced by a complete, verified one, or stays as it is."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

import obstore
from obstore.exceptions import BaseError, GenericError, PreconditionError

from micro_etl.dataset import Dataset
from micro_etl.errors import DataError, MicroEtlError, RaceLostError, TargetError, scratch_errors
from micro_etl.store import Place, error_code, target_errors
from micro_etl.tablefile import Table
from micro_etl.target.outcome import Outcome, Previous

if TYPE_CHECKING:
    from obstore import GetResult, PutMode, UpdateVersion

CONTENT_TYPE = "application/vnd.apache.parquet"
"""The media type of Parquet, as registered with IANA."""


def load(
    table: Table,
    place: Place,
    previous: Previous | None,
    *,
    dataset: Dataset,
    metadata: Mapping[str, str],
    scratch: Path,
    content_type: str = CONTENT_TYPE,
    force: bool = False,
    dry_run: bool = False,
) -> Outcome:
    """Publish a table, whole or not at all, and only over the object that `look` saw.

    Args:
        table: what to publish.
        place: where.
        previous: what stood there before the records were fetched, so that whatever was published
            since is newer than they are and stays.
        dataset: its guards, ``min_rows`` and ``max_shrink``.
        metadata: what the object says of itself, on top of rows and hashes of the table; its
            ``run-id`` tells this run from others.
        scratch: a folder for what has to be looked at.
        content_type: the media type of the object.
        force: publish what the guards refuse.
        dry_run: do everything but the put.

    Raises:
        DataError: a guard refused.
        RaceLostError: another run published meanwhile.
        TargetError: the store can't be read or written, or what it holds is not what was sent.
        AccessDeniedError: the store doesn't allow it.
    """
    refusal = refuse(table.rows, previous, dataset)
    if refusal and not force:
        raise DataError(f"not published: {refusal}; --force publishes all the same")
    if previous and previous.sha256 == table.sha256:
        return Outcome("unchanged", previous.etag)
    if dry_run:
        return Outcome("would publish", previous.etag if previous else None)
    if place.local:
        etag = _put_locally(table, place, previous, scratch)
    else:
        etag = _put(table, place, previous, metadata, scratch, content_type)
    return Outcome("published", etag, superseded=not _verify(table, place, etag))


def refuse(rows: int, previous: Previous | None, dataset: Dataset) -> str | None:
    """Why a table of so many rows must not replace the previous one, or none."""
    if rows == 0:
        return "the table is empty"
    if rows < dataset.min_rows:
        return f"the table has {rows:,} rows; min_rows is {dataset.min_rows:,}"
    if previous is None:
        return None
    if previous.rows is None:
        return "what stands at the target is not a Parquet file"
    lost = previous.rows - rows
    if lost > round(previous.rows * dataset.max_shrink, 6):
        return (
            f"the table has {rows:,} rows, the published one {previous.rows:,}; "
            f"max_shrink allows to lose {dataset.max_shrink:.0%}"
        )
    return None


def look(
    place: Place, *, scratch: Path, count_rows: Callable[[Path], int | None]
) -> Previous | None:
    """Look at the object that stands at the target; its content is read only if it must be.

    Args:
        place: where.
        scratch: a folder for its content.
        count_rows: counts the rows of a Parquet file; none where it is not one.

    Raises:
        TargetError: the store can't be read.
        AccessDeniedError: the store doesn't allow it.
    """
    with target_errors("read", place.location):
        head = _head(place)
    if head is None:
        return None
    said = {key.replace("_", "-"): value for key, value in head.attributes.items()}
    rows, sha256 = said.get("rows", ""), said.get("content-sha256")
    if sha256 is None or not re.fullmatch("[0-9]{1,18}", rows):
        copy = download(place, scratch / "previous.parquet")
        with copy.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        count = count_rows(copy)
    else:
        count = int(rows)
    return Previous(head.meta["e_tag"], head.meta["version"], count, sha256, said.get("run-id"))


def _head(place: Place) -> GetResult | None:
    """Ask what stands at the target; where that is refused, ask for its content as well.

    S3 says why it refuses a HEAD only to a GET: without that, a bucket that does not exist looks
    like an object that does not, and expired credentials like a bad request.
    """
    try:
        return obstore.get(place.store, place.key, options={"head": True})
    except (BaseError, FileNotFoundError) as error:
        if not re.search("status code: 40[0-4]", str(error)):
            if isinstance(error, FileNotFoundError):
                return None
            raise
    try:
        return obstore.get(place.store, place.key)
    except FileNotFoundError as error:
        if error_code(error) == "NoSuchBucket":
            raise
        return None


def download(place: Place, file: Path) -> Path:
    """Copy an object into a file.

    Raises:
        TargetError: there is no such object, or it can't be read.
        AccessDeniedError: the store doesn't allow it.
        MachineError: no room for the copy.
    """
    with target_errors("read", place.location):
        chunks = obstore.get(place.store, place.key).stream()
        with scratch_errors(), file.open("wb") as copy:
            for chunk in chunks:
                copy.write(chunk)
    return file


def _put(
    table: Table,
    place: Place,
    previous: Previous | None,
    metadata: Mapping[str, str],
    scratch: Path,
    content_type: str,
) -> str | None:
    described = {
        "rows": str(table.rows),
        "content-sha256": table.sha256,
        "schema-sha256": table.schema_sha256,
        **metadata,
    }
    if place.location.scheme == "az":  # Azure's metadata names are identifiers
        described = {key.replace("-", "_"): value for key, value in described.items()}
    attributes = {"Content-Type": content_type, **described}
    mode: PutMode = "create"
    if previous:
        known = {"e_tag": previous.etag, "version": previous.version}
        mode = cast("UpdateVersion", {key: value for key, value in known.items() if value})

    content = table.file.read_bytes()  # of a path, the store's client would take half as much again

    def put() -> str | None:
        return obstore.put(place.store, place.key, content, attributes=attributes, mode=mode)[
            "e_tag"
        ]

    try:
        with target_errors("write", place.location):
            try:
                return put()
            except GenericError:  # nobody knows whether it is there: its condition will tell
                return put()
    except (RaceLostError, TargetError):
        # An upload whose answer got lost has succeeded, and meets its own object when repeated.
        with suppress(MicroEtlError):  # the first error says more
            now = look(place, scratch=scratch, count_rows=lambda _: None)
            if now and (now.sha256, now.run_id) == (table.sha256, metadata["run-id"]):
                return now.etag
        raise


def _put_locally(
    table: Table, place: Place, previous: Previous | None, scratch: Path
) -> str | None:
    """Replace a local file, which has no conditional put: compare and replace under a lock.

    The table is complete on the disk before it gets the target's name, so that not even a power
    cut leaves a part of it there. Its name until then is always the same: what a killed run leaves
    is overwritten by the next. A link in the scratch folder names it, so that it goes with that.
    """
    assert place.local is not None  # noqa: S101 - the caller asked
    with target_errors("write", place.location):
        place.local.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(place.local.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            try:
                now = obstore.head(place.store, place.key)["e_tag"]
            except FileNotFoundError:
                now = None
            if now != (previous.etag if previous else None):
                raise PreconditionError
            staged = place.local.with_name(f".{place.local.name}.part")
            link = scratch / "staged"
            link.unlink(missing_ok=True)
            link.symlink_to(staged)
            with staged.open("wb") as copy, table.file.open("rb") as parquet:
                shutil.copyfileobj(parquet, copy)
                copy.flush()
                os.fsync(copy.fileno())
            staged.replace(place.local)
            os.fsync(folder)
            return obstore.head(place.store, place.key)["e_tag"]
        finally:
            os.close(folder)


def _verify(table: Table, place: Place, etag: str | None) -> bool:
    """Read the object back; false where another run has replaced it since.

    Raises:
        TargetError: the object under this ETag is not the table.
    """
    digest = hashlib.sha256()
    try:
        with target_errors("read back", place.location):
            for chunk in obstore.get(place.store, place.key, options={"if_match": etag}).stream():
                digest.update(chunk)
    except RaceLostError:
        return False
    if digest.hexdigest() != table.sha256:
        raise TargetError(
            f"{place.location.shown} holds {digest.hexdigest()} where {table.sha256} was sent "
            "(SHA-256)"
        )
    return True
