"""Write the Parquet files of a table, and read them back."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import obstore
import pyarrow as pa
from obstore.exceptions import AlreadyExistsError

from micro_etl.errors import MicroEtlError, TargetError
from micro_etl.location import Location
from micro_etl.spark.job import Job
from micro_etl.store import open_place, sync
from micro_etl.store_errors import target_errors
from micro_etl.target.put import map_file, send
from micro_etl.target.verify import read_back

Rows = Iterator[pa.RecordBatch]

_HASHES = pa.schema([("part", pa.int64()), ("sha256", pa.string())])


def part_name(split: int) -> str:
    """The name of the Parquet file of a split."""
    return f"part-{split:06}.parquet"


def write_part(
    file: Path, folder: Location | None, *, timeout: float, deadline: float
) -> dict[str, Any]:
    """Put a Parquet file into a folder, over no other, and read it back.

    Raises:
        TargetError: the store can't be written, or holds something else than what was sent.
        AccessDeniedError: the store doesn't allow it.
    """
    with file.open("rb") as parquet:
        digest = hashlib.file_digest(parquet, "sha256").hexdigest()
    if folder is not None:
        place = open_place(folder.join(file.name), timeout=timeout, deadline=deadline)
        with target_errors("write", place.location):
            # Where another attempt at this split was first, what it wrote stays and is read back.
            error = send(place.store, place.key, map_file(file), {}, "create")
            if error and not isinstance(error, AlreadyExistsError):
                raise error
            if place.local:
                sync(place.local)
        held = hashlib.sha256()
        with target_errors("read back", place.location):
            for chunk in obstore.get(place.store, place.key).stream():
                held.update(chunk)
        if held.hexdigest() != digest:
            raise TargetError(
                f"{place.location.shown} holds {held.hexdigest()} where {digest} was sent"
            )
    return {"bytes": file.stat().st_size, "sha256": digest}


def hash_parts(folder: Location, files: Sequence[str], job: Job) -> Callable[[Rows], Rows]:
    """The function for `mapInArrow` that reads published files: a hash of each, by its number.

    Of a file that is missing or can't be read there is none.
    """

    def run(batches: Rows) -> Rows:
        os.environ.update(job.environ)
        for batch in batches:
            for number in batch.column(0).to_pylist():
                url = folder.join(files[number])
                place = open_place(url, timeout=job.timeout, deadline=job.deadline)
                try:
                    seen = read_back(place)
                except MicroEtlError:
                    seen = None
                answer = {"part": number, "sha256": seen.sha256 if seen else None}
                yield pa.RecordBatch.from_pylist([answer], schema=_HASHES)

    return run
