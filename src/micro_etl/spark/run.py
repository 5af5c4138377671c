"""The way of the data on Spark: from a folder of JSON to a folder of Parquet."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import obstore

from micro_etl import __version__, errors, sql
from micro_etl.dataset import Dataset
from micro_etl.errors import ConfigError, RaceLostError, SourceError
from micro_etl.report import Report
from micro_etl.run import Watch
from micro_etl.settings import Settings
from micro_etl.source_files import SourceFile, list_files
from micro_etl.spark import plan
from micro_etl.spark.check import check
from micro_etl.spark.session import open_session, spark_errors
from micro_etl.spark.target import (
    Target,
    Version,
    describe,
    find_unread,
    look,
    new_version,
    publish,
    remove,
)
from micro_etl.spark.work import Job, part_name, write_part
from micro_etl.store import ENDPOINT_VARIABLES, is_store_url, open_place, target_errors
from micro_etl.transform import connect, expected_schema
from micro_etl.urls import means_files, redact

_PEEK = 1 << 20
# Not the credentials: a task has its machine's, and these would be in the plan for all to see.
_STORE_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION", *ENDPOINT_VARIABLES)


def run(
    dataset: Dataset,
    settings: Settings,
    *,
    run_id: str,
    scratch: Path,
    report: Report,
    force: bool = False,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Check the records of a dataset with Spark and publish their table as a folder of Parquet.

    Arguments, result and errors are those of `micro_etl.run.run`.
    """
    watch = Watch()
    source, target = settings.source(dataset), settings.target(dataset).rstrip("/")
    if settings.raw_url:
        raise ConfigError(
            f"RAW_URL is {redact(settings.raw_url)} and ENGINE is spark, which keeps no responses; "
            "only one of them should be set"
        )
    report.event(
        "run_started",
        dataset=dataset.name,
        source=redact(source),
        target=redact(target),
        dry_run=dry_run,
        version=__version__,
    )
    spark = open_session(scratch)
    watch.lap("start")
    folder = Target(target, settings.target_timeout, settings.target_deadline)
    previous, published = look(folder)
    unread = find_unread(folder, published) if published or not previous else []
    watch.lap("look")

    name = new_version()
    job = plan_job(dataset, settings, source, None if dry_run else f"{target}/{name}")
    try:
        with spark_errors():
            table = check(spark, job)
        version = assemble(table, name, job, scratch=scratch)
        watch.lap("transform")
        nulls = dict(zip((column.name for column in dataset.columns), table["nulls"], strict=True))
        report.event(
            "extracted",
            source=redact(source),
            bytes=table["size"],
            received=table["received"],
            etag=None,
            last_modified=None,
        )
        report.event(
            "transformed",
            source_sha256=table["source_sha256"],
            rows=version.rows,
            bytes=version.bytes,
            sha256=version.sha256,
            columns=[{"name": column, "nulls": count} for column, count in nulls.items()],
        )
    except errors.MicroEtlError:
        _discard(folder, name, report, dry_run=dry_run)
        raise
    try:
        outcome = publish(
            version,
            folder,
            previous,
            dataset=dataset,
            metadata={
                "dataset": dataset.name,
                "source-sha256": table["source_sha256"],
                "version": __version__,
                "run-id": run_id,
            },
            scratch=scratch,
            force=force,
            dry_run=dry_run,
        )
    except (errors.DataError, RaceLostError):  # after others, nobody knows what is published
        _discard(folder, name, report, dry_run=dry_run)
        raise
    if outcome.result == "unchanged":
        _discard(folder, name, report, dry_run=dry_run)
    if outcome.result == "published":
        for old in unread:
            _discard(folder, old, report)
    watch.lap("load")
    return {
        "result": outcome.result,
        "dataset": dataset.name,
        "source": redact(source),
        "source_bytes": table["size"],
        "source_sha256": table["source_sha256"],
        "target": redact(target),
        "etag": outcome.etag,
        "rows": version.rows,
        "previous_rows": previous.rows if previous else None,
        "nulls": nulls,
        "bytes": version.bytes,
        "sha256": version.sha256,
        "superseded": outcome.superseded,
        "files": len(version.files),
        "seconds": watch.laps(),
        "version": __version__,
    }


def plan_job(dataset: Dataset, settings: Settings, source: str, parts: str | None) -> Job:
    """List the source and cut it into what the tasks do.

    Raises:
        SourceError: the source can't be listed.
    """
    options = settings.extract_options
    if means_files(source):
        files = list_files(source, dataset, options=options)
    else:
        remote = "://" in source and not source.startswith("file://")
        local = Path(source.removeprefix("file://"))
        size = None if remote or not local.is_file() else local.stat().st_size
        if is_store_url(source) and remote:
            size = _head(source, settings)
        files = [SourceFile(source, redact(source), size)]

    def find_lines(file: SourceFile) -> SourceFile | None:
        return None if dataset.records else _find_lines(file, settings)

    return Job(
        dataset=dataset,
        splits=plan.plan_splits(files, find_lines, size=plan.SPLIT_BYTES),
        options=options,
        max_record=settings.source_max_record_bytes,
        parts=parts if parts is None or "://" in parts else str(Path(parts).resolve()),
        timeout=settings.target_timeout,
        deadline=settings.target_deadline,
        environ={name: os.environ[name] for name in _STORE_VARIABLES if name in os.environ},
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
            connection.execute(sql.publish_empty(job.dataset.columns, file))
        parts = [write_part(file, job.parts, timeout=job.timeout, deadline=job.deadline)]
        files = [file.name]
    size, sha256 = describe(parts)
    schema = repr(expected_schema(job.dataset.columns))
    return Version(
        name=name,
        files=tuple(files),
        rows=table["rows"],
        bytes=size,
        sha256=sha256,
        schema_sha256=hashlib.sha256(schema.encode()).hexdigest(),
    )


def _discard(folder: Target, version: str, report: Report, *, dry_run: bool = False) -> None:
    """Remove what no reader sees; that it can't be removed is said, but no failure of the run."""
    if dry_run:
        return
    try:
        remove(folder, version)
    except errors.MicroEtlError as error:
        report.event("left_behind", level="warning", reason=str(error))


def _find_lines(file: SourceFile, settings: Settings) -> SourceFile | None:
    """A file as it is now, where it has a record a line and an ETag that tells when it changes."""
    options = settings.extract_options
    place = open_place(file.url, timeout=options.http.read_timeout, deadline=options.deadline)
    with _source_errors(file.url):
        found = obstore.get(place.store, place.key, options={"range": (0, _PEEK)})
        lines = plan.has_lines(bytes(found.bytes()))
    size, etag = found.meta["size"], found.meta["e_tag"]
    return replace(file, size=size, etag=etag) if lines and etag else None


def _head(url: str, settings: Settings) -> int | None:
    options = settings.extract_options
    place = open_place(url, timeout=options.http.read_timeout, deadline=options.deadline)
    with _source_errors(url):
        return obstore.head(place.store, place.key)["size"]


@contextmanager
def _source_errors(url: str) -> Iterator[None]:
    try:
        with target_errors("read", url):
            yield
    except errors.TargetError as error:
        raise SourceError(str(error)) from error
