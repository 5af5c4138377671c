"""Publish a table: the object is replaced by a complete, verified one, or stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from obstore.exceptions import PreconditionError

from micro_etl.dataset import Dataset
from micro_etl.errors import DataError, TargetError
from micro_etl.store import Place
from micro_etl.store_errors import is_archived
from micro_etl.tablefile import Table
from micro_etl.target.guards import refuse
from micro_etl.target.look import read_content
from micro_etl.target.outcome import Describe, Outcome, Previous
from micro_etl.target.put import put
from micro_etl.target.put_locally import put_locally
from micro_etl.target.verify import is_still, overtaken, read_back, strange

CONTENT_TYPE = "application/vnd.apache.parquet"
"""The media type of Parquet, as registered with IANA."""


def _do_nothing() -> None:
    """Nothing has to be told of a write."""


def load(
    table: Table,
    place: Place,
    previous: Previous | None,
    *,
    dataset: Dataset,
    metadata: Mapping[str, str],
    scratch: Path,
    describe: Describe,
    content_type: str = CONTENT_TYPE,
    force: bool = False,
    dry_run: bool = False,
    on_write: Callable[[], None] = _do_nothing,
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
        describe: says what a Parquet file is.
        content_type: the media type of the object.
        force: publish what the guards refuse.
        dry_run: do everything but the put.
        on_write: called before the target may change.

    Raises:
        DataError: a guard refused.
        RaceLostError: another run published meanwhile.
        TargetError: the store can't be read or written, or what it holds is not what was sent.
        AccessDeniedError: the store doesn't allow it.
    """
    if not force:
        known = _read_schema(previous, table, place, scratch, describe)
        refusal = refuse(table.rows, table.schema, known, dataset)
        if refusal:
            raise DataError(f"not published: {refusal}; --force publishes anyway")
    if previous and previous.sha256 == table.sha256:
        try:
            now = read_back(place)
        except TargetError as error:
            if not (force and is_archived(error.__cause__)):
                raise
        else:
            if now and now.sha256 == table.sha256:
                return Outcome("unchanged", now.etag)
            if now and not is_still(previous, now):
                raise overtaken(place) if now.run_id or now.is_parquet else strange(place)
            # What is broken or gone is published again.
    if dry_run:
        return Outcome("would publish", previous.etag if previous else None)
    if place.local:
        etag = put_locally(table, place, previous, scratch=scratch, on_write=on_write)
    else:
        etag = put(
            table,
            place,
            previous,
            metadata=metadata,
            content_type=content_type,
            on_write=on_write,
        )
    return Outcome("published", etag)


def _read_schema(
    previous: Previous | None, table: Table, place: Place, scratch: Path, describe: Describe
) -> Previous | None:
    """Read the columns of what stands at the target, where it says that they are others."""
    if previous is None or previous.schema is not None or not table.schema:
        return previous
    if previous.rows is None or previous.schema_sha256 == table.schema_sha256:
        return previous
    try:
        found = read_content(place, previous, scratch=scratch, describe=describe)
    except TargetError as error:
        if isinstance(error.__cause__, PreconditionError | FileNotFoundError):
            return previous  # another stands there by now, as the put will find
        raise
    return previous._replace(schema=found.schema, rows=previous.rows if found.schema else None)
