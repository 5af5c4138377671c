"""Fetch a split of a source to the disk of a task."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import PreconditionError

from micro_etl.body import Body, Layout, Part
from micro_etl.errors import SourceError, TargetError, scratch_errors
from micro_etl.source.fetch import Extract, extract
from micro_etl.source.files import series_of
from micro_etl.source.hashing import Hasher
from micro_etl.source.layout import find_layout, largest_record
from micro_etl.spark.job import Job
from micro_etl.spark.plan import Split, lines_between
from micro_etl.store import open_place
from micro_etl.store_errors import target_errors

if TYPE_CHECKING:
    from obstore import GetOptions


@dataclass(frozen=True, slots=True)
class Fetched:
    """A split on the disk of a task.

    Attributes:
        split: which one.
        extract: the file and what the source said of it.
        body: the file as a body of its own.
    """

    split: Split
    extract: Extract
    body: Body


def fetch_split(split: Split, job: Job, file: Path) -> Fetched:
    """Fetch a split into a file.

    Raises:
        SourceError: it can't be read, has changed since it was planned, or holds no records.
        MachineError: the file can't be written.
    """
    fetched = _fetch(split, job, file)
    return Fetched(split, fetched, _body(fetched, split, job))


def _fetch(split: Split, job: Job, file: Path) -> Extract:
    if split.end is None:
        return extract(split.location, file, options=job.options)
    timeout, deadline = job.options.http.read_timeout, job.options.deadline
    place = open_place(split.location, timeout=timeout, deadline=deadline)
    size, before = 0, max(split.start - 1, 0)
    try:
        with target_errors("read", split.location):
            part: GetOptions = {"range": {"offset": before}, "if_match": split.etag}
            found = obstore.get(place.store, place.key, options=part)
            with (
                scratch_errors(),
                Hasher(split.location.shown, job.options.hash_algorithm) as hasher,
                file.open("wb") as spool,
            ):
                if not split.start:
                    hasher.follow(file.open("rb"), 0)
                for piece in lines_between(map(bytes, found.stream()), split.start, split.end):
                    size += spool.write(piece)
                    spool.flush()
                    hasher.add(piece)
    except TargetError as error:
        if isinstance(error.__cause__, PreconditionError):
            raise SourceError(f"{split.name} has changed while it was read") from error
        raise SourceError(str(error)) from error
    return Extract(file, size, size, hasher)


def _body(fetched: Extract, split: Split, job: Job) -> Body:
    layout = Layout.LINES
    if not split.start:
        layout = find_layout(
            fetched.file,
            wrapped=job.dataset.is_wrapped,
            in_array=bool(job.dataset.records) and not isinstance(job.dataset.records[0], str),
            one_line=(
                job.is_folder
                or split.end is not None
                or split.location.names_lines(fetched.content_type)
            ),
            source=split.name,
            largest=job.max_record,
        )
    largest = largest_record(layout, job.max_record, size=fetched.size)
    series = series_of(split.name, job.dataset) if job.is_folder else None
    return Body((Part(fetched.file, split.name, series),), layout, largest)
