"""The engine for what does not fit one machine: Spark, from a folder of JSON to one of Parquet."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import obstore

from micro_etl import errors
from micro_etl.dataset import Dataset
from micro_etl.engine import Fetched, Made, Task
from micro_etl.errors import ConfigError, RaceLostError, SourceError
from micro_etl.events import LeftBehind
from micro_etl.location import Location
from micro_etl.publication import State
from micro_etl.settings import Settings
from micro_etl.source.files import SourceFile, list_files
from micro_etl.source.read import is_paged, needs_request
from micro_etl.spark import plan
from micro_etl.spark.check import check
from micro_etl.spark.job import Job
from micro_etl.spark.parts import hash_parts, part_name, write_part
from micro_etl.spark.session import open_session, spark_errors
from micro_etl.spark.target import (
    Target,
    Version,
    combine,
    describe,
    find_unread,
    look,
    new_version,
    publish,
    remove,
)
from micro_etl.store import ENDPOINT_VARIABLES, open_place
from micro_etl.store_errors import target_errors
from micro_etl.table.engine import connect
from micro_etl.table.parquet import expected_schema, publish_empty
from micro_etl.tablefile import ColumnProfile
from micro_etl.target.outcome import Outcome, Previous

_PEEK = 1 << 20
# Not the credentials: a task has its machine's, and these would be in the plan for all to see.
_STORE_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION", *ENDPOINT_VARIABLES)


class SparkEngine:
    """Does the steps of one run with Spark: its tasks fetch, check and write in one go."""

    def __init__(self, task: Task) -> None:
        settings = task.settings
        if settings.raw_url:
            raise ConfigError(
                f"RAW_URL is {settings.raw.shown} and ENGINE is spark, which keeps no responses; "
                "only one of them should be set"
            )
        _refuse_requests(task)
        self._task = task
        self._spark = open_session(task.scratch)
        self._folder = Target(task.target, settings.target_timeout, settings.target_deadline)
        self._name = new_version()
        self._unread: list[str] = []
        self._checked: dict[str, Any] = {}

    def look(self) -> Previous | None:
        """Look at what is published, and for versions that no reader sees."""
        previous, self._published = look(self._folder)
        if self._published or not previous:
            self._unread = find_unread(self._folder, self._published)
        return previous

    def extract(self) -> Fetched:
        """Fetch and check all of the source, and write the parts of the table."""
        task = self._task
        parts = None if task.dry_run else task.target.join(self._name)
        self._job = plan_job(task.dataset, task.settings, task.source, parts)
        with self._discarding(errors.MicroEtlError), spark_errors():
            self._checked = check(self._spark, self._job)
        return Fetched(size=self._checked["size"], received=self._checked["received"])

    def keep_raw(self) -> None:
        """Keep nothing: `__init__` refuses to."""

    def transform(self) -> Made:
        """Make a version of the parts."""
        with self._discarding(errors.MicroEtlError):
            self._version = assemble(
                self._checked, self._name, self._job, scratch=self._task.scratch
            )
        columns = zip(self._task.dataset.columns, self._checked["nulls"], strict=True)
        return Made(
            source_hash=self._checked["source_hash"],
            rows=self._version.rows,
            size=self._version.bytes,
            sha256=self._version.sha256,
            columns=tuple(ColumnProfile(column.name, nulls) for column, nulls in columns),
            files=len(self._version.files),
        )

    def load(self, previous: Previous | None) -> Outcome:
        """Publish the version, and only over what `look` has seen."""
        task = self._task
        task.publication.state = State.UNDER_WAY
        with self._discarding(errors.DataError, RaceLostError):  # others may have published it
            outcome = publish(
                self._version,
                self._folder,
                previous,
                dataset=task.dataset,
                metadata=task.metadata(self._checked["source_hash"]),
                scratch=task.scratch,
                is_whole=self._is_whole,
                force=task.force,
                dry_run=task.dry_run,
            )
        published = outcome.result == "published"
        task.publication.state = State.DONE if published else State.NOT_BEGUN
        for unused in self._unread if published else [self._name]:
            self._discard(unused)
        return outcome

    def _is_whole(self) -> bool:
        """Have Spark read the parts that are published; false where one is broken or missing."""
        published = self._published
        if published is None:
            return False
        folder, count = self._folder.location.join(published.name), len(published.files)
        with spark_errors():
            parts = self._spark.range(0, count, 1, count)
            work = hash_parts(folder, published.files, self._job)
            rows = parts.mapInArrow(work, "part LONG, sha256 STRING").collect()
        hashes = {row.part: row.sha256 for row in rows}
        return combine([hashes[part] for part in range(count)]) == published.sha256

    @contextmanager
    def _discarding(self, *kinds: type[errors.MicroEtlError]) -> Iterator[None]:
        """Remove the parts where the block ends with one of these errors."""
        try:
            yield
        except kinds:
            self._discard(self._name)
            raise

    def _discard(self, version: str) -> None:
        """Remove what no reader sees; that it can't be removed is no failure of the run."""
        if self._task.dry_run:
            return
        try:
            remove(self._folder, version)
        except errors.MicroEtlError as error:
            self._task.report.event(LeftBehind(reason=str(error)))


def _refuse_requests(task: Task) -> None:
    """Refuse what tasks of Spark do not do: pages, and requests that are more than a URL.

    Raises:
        ConfigError: the dataset asks for it.
    """
    dataset, source = task.dataset, task.source
    if not source.is_http:
        return
    asked = {
        "source.each": dataset.each is not None,
        "source.headers": bool(dataset.headers),
        "source.body": dataset.body is not None,
        "source.oauth2": dataset.oauth2 is not None,
        "source.expect": bool(dataset.expect),
        "source.pagination": is_paged(dataset, source),
        "a variable in its URL": needs_request(dataset, source),
    }
    for what, is_asked in asked.items():
        if is_asked:
            raise ConfigError(
                f"ENGINE is spark and dataset {dataset.name} has {what}, which Spark does "
                "not support; keep the pages with ENGINE duckdb and RAW_URL, and read their folder"
            )


def plan_job(dataset: Dataset, settings: Settings, source: Location, parts: Location | None) -> Job:
    """List the source and cut it into what the tasks do.

    Raises:
        SourceError: the source can't be listed.
    """
    options = settings.extract_options
    if source.is_folder:
        files = list_files(source, dataset, options=options)
    else:
        size = None
        if source.is_local:
            size = source.path.stat().st_size if source.path.is_file() else None
        elif source.is_store:
            size = _head(source, settings)
        files = [SourceFile(source, source.shown, size)]

    def find_lines(file: SourceFile) -> SourceFile | None:
        return None if dataset.is_wrapped else _find_lines(file, settings)

    return Job(
        dataset=dataset,
        splits=plan.plan_splits(files, find_lines, size=plan.SPLIT_BYTES),
        options=options,
        max_record=settings.source_max_record_bytes,
        parts=Location.parse(str(parts.path.resolve())) if parts and parts.is_local else parts,
        timeout=settings.target_timeout,
        deadline=settings.target_deadline,
        environ={name: os.environ[name] for name in _STORE_VARIABLES if name in os.environ},
        is_folder=source.is_folder,
    )


def assemble(table: dict[str, Any], name: str, job: Job, *, scratch: Path) -> Version:
    """The version that the tasks have written; where there is no record, a file without rows.

    Raises:
        TargetError: the store can't be written.
    """
    parts = [one for _, one in table["parts"]]
    files = [part_name(number) for number, _ in table["parts"]]
    if not parts:
        file = scratch / part_name(0)
        with connect(scratch) as connection:
            connection.execute(publish_empty(job.dataset.columns, file))
        parts = [write_part(file, job.parts, timeout=job.timeout, deadline=job.deadline)]
        files = [file.name]
    size, sha256 = describe(parts)
    schema = expected_schema(job.dataset.columns)
    return Version(
        name=name,
        files=tuple(files),
        rows=table["rows"],
        bytes=size,
        sha256=sha256,
        schema_sha256=hashlib.sha256(repr(list(schema)).encode()).hexdigest(),
        dataset=job.dataset.name,
        schema=schema,
    )


def _find_lines(file: SourceFile, settings: Settings) -> SourceFile | None:
    """A file as it is now, where it has a record a line and an ETag that tells when it changes."""
    options = settings.extract_options
    place = open_place(file.location, timeout=options.http.read_timeout, deadline=options.deadline)
    with _source_errors(file.location):
        found = obstore.get(place.store, place.key, options={"range": (0, _PEEK)})
        lines = plan.has_lines(bytes(found.bytes()))
    size, etag = found.meta["size"], found.meta["e_tag"]
    return file._replace(size=size, etag=etag) if lines and etag else None


def _head(url: Location, settings: Settings) -> int | None:
    options = settings.extract_options
    place = open_place(url, timeout=options.http.read_timeout, deadline=options.deadline)
    with _source_errors(url):
        return obstore.head(place.store, place.key)["size"]


@contextmanager
def _source_errors(url: Location) -> Iterator[None]:
    try:
        with target_errors("read", url):
            yield
    except errors.TargetError as error:
        raise SourceError(str(error)) from error
