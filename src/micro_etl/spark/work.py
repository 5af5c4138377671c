"""What one Spark task does: fetch a split, check it, and write it as one Parquet file."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb  # noqa: F401 - gives connections `sql`, whose result can be read as Arrow
import obstore
import pyarrow as pa
from obstore.exceptions import AlreadyExistsError, PreconditionError

from micro_etl.body import Body, Layout, Part
from micro_etl.dataset import Dataset
from micro_etl.errors import (
    MicroEtlError,
    SourceError,
    TargetError,
    scratch_errors,
)
from micro_etl.location import Location
from micro_etl.source.fetch import Extract, extract
from micro_etl.source.layout import find_layout, largest_record
from micro_etl.source.limits import ExtractOptions
from micro_etl.spark.plan import Split, lines_between
from micro_etl.store import open_place, sync, target_errors
from micro_etl.table import checks, parquet
from micro_etl.table.engine import ONE_THREAD, Connection, Error, connect, machine_errors, reason_of
from micro_etl.table.parquet import expected_schema, read_profile, read_schema
from micro_etl.table.sql import literal
from micro_etl.table.stage import stage as stage_sql
from micro_etl.table.violations import find_wrong_wrapper
from micro_etl.target.put import map_file, send
from micro_etl.target.verify import read_back

if TYPE_CHECKING:
    from obstore import GetOptions

_ROWS = 50_000
_SUMMARY = [("summary", pa.string())]
_HASHES = pa.schema([("part", pa.int64()), ("sha256", pa.string())])
_STAGED = pa.schema([*_SUMMARY, ("unique_column", pa.int32()), ("hash", pa.int64())])
_EXPLAINED = pa.schema(
    [
        *_SUMMARY,
        ("split", pa.int32()),
        ("name", pa.string()),
        ("key", pa.string()),
        ("record", pa.int64()),
        ("shown", pa.string()),
    ]
)

Rows = Iterator[pa.RecordBatch]
Said = Iterator[dict[str, Any] | pa.RecordBatchReader]
"""What is said of a split: parts of its summary, and rows."""


@dataclass(frozen=True, slots=True)
class Job:
    """What the tasks of a run have in common.

    Attributes:
        dataset: the contract.
        splits: all of them; a task is told the number of its own.
        options: limits of an extract.
        max_record: the largest record that is read, in bytes.
        parts: the folder that takes the Parquet files, or none in a dry run.
        timeout: seconds for one request to its store.
        deadline: seconds for a request with its retries.
        environ: variables that tell a task's machine what the driver's knows of its stores.
        is_folder: whether the source is one, in whose files a single object is a record.
    """

    dataset: Dataset
    splits: list[Split]
    options: ExtractOptions
    max_record: int
    parts: Location | None
    timeout: float
    deadline: float
    environ: dict[str, str] = field(default_factory=dict)
    is_folder: bool = False


def stage(job: Job) -> Callable[[Rows], Rows]:
    """The function for `mapInArrow` that checks splits and writes their Parquet files.

    Its summary of a split says how many rows and nulls there are and what was written, or that
    the split is `suspect`, with the engine's reason, or the `error` that kept it from being read.
    """
    return _for_each_split(job, _stage, _STAGED)


def explain_all(job: Job) -> Callable[[Rows], Rows]:
    """The function for `mapInArrow` that finds every violation, once it is known there is one."""
    return _for_each_split(job, _explain, _EXPLAINED)


def part_name(split: int) -> str:
    """The name of the Parquet file of a split."""
    return f"part-{split:06}.parquet"


def _for_each_split(
    job: Job, act: Callable[[Split, Body, Job, Path], Said], schema: pa.Schema
) -> Callable[[Rows], Rows]:
    def run(batches: Rows) -> Rows:
        os.environ.update(job.environ)
        for batch in batches:
            for number in batch.column(0).to_pylist():
                with tempfile.TemporaryDirectory(prefix="micro-etl-") as folder:
                    yield from _answer(job.splits[number], job, Path(folder), act, schema)

    return run


def _answer(
    split: Split,
    job: Job,
    scratch: Path,
    act: Callable[[Split, Body, Job, Path], Said],
    schema: pa.Schema,
) -> Rows:
    summary: dict[str, Any] = {"split": split.number}
    try:
        fetched = _fetch(split, job, scratch / "body")
        body = _body(fetched, split, job)
        summary |= {"size": fetched.size, "received": fetched.received}
        summary |= {"sha256_in": fetched.sha256, "layout": body.layout}
        for said in act(split, body, job, scratch):
            if isinstance(said, dict):
                summary |= said
            else:
                for batch in said:
                    yield _rows(batch, split, schema)
    except MicroEtlError as error:
        summary["error"] = [type(error).__name__, str(error)]
    yield pa.RecordBatch.from_pylist([{"summary": json.dumps(summary)}], schema=schema)


def _rows(batch: pa.RecordBatch, split: Split, schema: pa.Schema) -> pa.RecordBatch:
    count = len(batch)
    given = {name: batch.column(name) for name in batch.schema.names}
    given |= {"summary": pa.nulls(count, pa.string()), "split": pa.repeat(split.number, count)}
    return pa.RecordBatch.from_arrays(
        [given[field.name].cast(field.type) for field in schema], schema=schema
    )


def _stage(split: Split, body: Body, job: Job, scratch: Path) -> Said:
    columns = job.dataset.columns
    staged, file = scratch / "staged.parquet", scratch / part_name(split.number)
    with _connect(scratch) as connection:
        try:
            with machine_errors():
                connection.execute(stage_sql(job.dataset, body, staged))
        except (Error, UnicodeDecodeError) as error:
            yield {"suspect": reason_of(error)}
            return
        profile = read_profile(connection, job.dataset, [staged])
        rows = profile.rows
        said: dict[str, Any] = {"rows": rows, "nulls": [column.nulls for column in profile.columns]}
        if profile.empty:
            said["suspect"] = "a record without any value"
        if rows:
            with machine_errors():
                rows_sql = f"read_parquet({literal(staged)})"
                connection.execute(parquet.publish(columns, rows_sql, file))
            if read_schema(connection, file) != expected_schema(columns):
                raise AssertionError(f"{file.name} has the schema {read_schema(connection, file)}")
            said |= write_part(file, job.parts, timeout=job.timeout, deadline=job.deadline)
        yield said
        for number, key in enumerate(job.dataset.keys):
            if rows:
                query = checks.hashes(number, key, job.dataset, staged)
                yield connection.sql(query).to_arrow_reader(_ROWS)


def _explain(_: Split, body: Body, job: Job, scratch: Path) -> Said:
    with _connect(scratch) as connection:
        try:
            with machine_errors():
                yield from _find_violations(connection, body, job)
        except (Error, UnicodeDecodeError) as error:
            yield {"unreadable": reason_of(error)}


def _find_violations(connection: Connection, body: Body, job: Job) -> Said:
    found: dict[str, Any] = {}
    if body.layout is Layout.WRAPPED:
        wrong = find_wrong_wrapper(connection, job.dataset, body)
        if wrong:
            yield {"rows": 0, "wrapper": wrong}
            return
    row = connection.execute(checks.presence(job.dataset, body)).fetchone() or ()
    found |= {"rows": row[0], "present": row[1:]}
    found["kinds"] = connection.execute(checks.findings(job.dataset, body)).fetchall()
    yield found
    for key in job.dataset.keys:
        query = checks.keys(key, job.dataset, body)
        yield connection.sql(query).to_arrow_reader(_ROWS)


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


def _connect(scratch: Path) -> Connection:
    connection = connect(scratch)
    connection.execute(ONE_THREAD)  # Spark runs a task on each core
    return connection


def _fetch(split: Split, job: Job, file: Path) -> Extract:
    if split.end is None:
        return extract(split.location, file, options=job.options)
    timeout, deadline = job.options.http.read_timeout, job.options.deadline
    place = open_place(split.location, timeout=timeout, deadline=deadline)
    digest, size, hashing = hashlib.sha256(), 0, Future[str]()
    before = max(split.start - 1, 0)
    try:
        with target_errors("read", split.location):
            part: GetOptions = {"range": {"offset": before}, "if_match": split.etag}
            found = obstore.get(place.store, place.key, options=part)
            with scratch_errors(), file.open("wb") as spool:
                for piece in lines_between(map(bytes, found.stream()), split.start, split.end):
                    size += spool.write(piece)
                    digest.update(piece)
    except TargetError as error:
        if isinstance(error.__cause__, PreconditionError):
            raise SourceError(f"{split.name} has changed while it was read") from error
        raise SourceError(str(error)) from error
    hashing.set_result(digest.hexdigest())
    return Extract(file, size, size, hashing)


def _body(fetched: Extract, split: Split, job: Job) -> Body:
    layout = Layout.LINES
    if not split.start:
        layout = find_layout(
            fetched.file,
            wrapped=bool(job.dataset.records),
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
    return Body((Part(fetched.file, split.name),), layout, largest)
