"""What one Spark task does: fetch a split, check it, and write it as one Parquet file."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb  # noqa: F401 - gives connections `sql`, whose result can be read as Arrow
import pyarrow as pa

from micro_etl.body import Body, Layout
from micro_etl.dataset import Dataset
from micro_etl.errors import MicroEtlError, SourceError
from micro_etl.source.fetch import Extract
from micro_etl.source.paging.evidence import find_evidence
from micro_etl.source.read import may_say_more
from micro_etl.spark.fetch import Fetched, fetch_split
from micro_etl.spark.job import Job
from micro_etl.spark.parts import Rows, part_name, write_part
from micro_etl.spark.plan import Split
from micro_etl.table import parquet
from micro_etl.table import violation_queries as queries
from micro_etl.table.around import Around, read_around
from micro_etl.table.engine import IN_ORDER, Connection, Error, connect, machine_errors, reason_of
from micro_etl.table.parquet import expected_schema, read_profile, read_schema, rows_of
from micro_etl.table.sql import literal
from micro_etl.table.stage import stage as stage_sql
from micro_etl.table.violations import find_wrong_wrapper, list_known_paths

_ROWS = 50_000
_SUMMARY = [("summary", pa.string())]
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

Said = Iterator[dict[str, Any] | pa.RecordBatchReader]
"""What is said of a split: parts of its summary, and rows."""


def stage(job: Job) -> Callable[[Rows], Rows]:
    """The function for `mapInArrow` that checks splits and writes their Parquet files.

    Its summary of a split says how many rows and nulls there are and what was written, or that
    the split is `suspect`, with the engine's reason, or the `error` that kept it from being read.
    Two things count only where no violation is found: that there is `more` than the first page, and
    that the body has a `defect`, for which it is not JSON although the engine reads it.
    """
    return _for_each_split(job, _stage, _STAGED)


def explain_all(job: Job) -> Callable[[Rows], Rows]:
    """The function for `mapInArrow` that finds every violation, once it is known there is one."""
    return _for_each_split(job, _explain, _EXPLAINED)


def _for_each_split(
    job: Job, act: Callable[[Fetched, Job, Path], Said], schema: pa.Schema
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
    act: Callable[[Fetched, Job, Path], Said],
    schema: pa.Schema,
) -> Rows:
    summary: dict[str, Any] = {"split": split.number}
    try:
        fetched = fetch_split(split, job, scratch / "body")
        extract = fetched.extract
        summary |= {"size": extract.size, "received": extract.received}
        summary |= {"layout": fetched.body.layout}
        for said in act(fetched, job, scratch):
            if isinstance(said, dict):
                summary |= said
            else:
                for batch in said:
                    yield _rows(batch, split, schema)
        summary |= _hash(extract)
    except MicroEtlError as error:
        summary["error"] = [type(error).__name__, str(error)]
    yield pa.RecordBatch.from_pylist([{"summary": json.dumps(summary)}], schema=schema)


def _hash(fetched: Extract) -> dict[str, str | None]:
    try:
        return {"hash_in": fetched.hash}
    except SourceError as error:
        return {"hash_in": None, "defect": str(error)}


def _may_be_first_page(fetched: Extract, job: Job) -> bool:
    """Whether what the source says of pages counts: it is one answer, and the dataset says none."""
    if job.is_folder or job.dataset.pagination is not None:
        return False
    return job.dataset.is_wrapped or may_say_more(fetched.headers)


def _find_more(connection: Connection, fetched: Fetched, dataset: Dataset, rows: int) -> str | None:
    around = Around({}, None)
    if dataset.is_wrapped:
        around = read_around(connection, dataset, fetched.body)
    said = fetched.extract.headers
    headers = {name.lower(): said[name] for name in said}  # lines of one name as one value
    elements = rows if around.elements is None else around.elements
    evidence = find_evidence(headers, around.page, elements, records=dataset.records)
    return f"{fetched.split.name} {evidence.advice}" if evidence else None


def _rows(batch: pa.RecordBatch, split: Split, schema: pa.Schema) -> pa.RecordBatch:
    count = len(batch)
    given = {name: batch.column(name) for name in batch.schema.names}
    given |= {"summary": pa.nulls(count, pa.string()), "split": pa.repeat(split.number, count)}
    return pa.RecordBatch.from_arrays(
        [given[field.name].cast(field.type) for field in schema], schema=schema
    )


def _stage(fetched: Fetched, job: Job, scratch: Path) -> Said:
    columns = job.dataset.columns
    staged, file = scratch / "staged.parquet", scratch / part_name(fetched.split.number)
    with connect(scratch, IN_ORDER) as connection:
        try:
            with machine_errors():
                connection.execute(stage_sql(job.dataset, fetched.body, staged))
        except (Error, UnicodeDecodeError) as error:
            yield {"suspect": reason_of(error)}
            return
        profile = read_profile(connection, job.dataset, rows_of([staged]))
        rows = profile.rows
        said: dict[str, Any] = {"rows": rows, "nulls": [column.nulls for column in profile.columns]}
        if profile.empty:
            said["suspect"] = "a record without any value"
        if _may_be_first_page(fetched.extract, job):
            more = _find_more(connection, fetched, job.dataset, rows)
            said |= {"more": more} if more else {}
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
                query = queries.hashes(number, key, job.dataset, staged)
                yield connection.sql(query).to_arrow_reader(_ROWS)


def _explain(fetched: Fetched, job: Job, scratch: Path) -> Said:
    with connect(scratch, IN_ORDER) as connection:
        try:
            with machine_errors():
                yield from _find_violations(connection, fetched.body, job)
        except (Error, UnicodeDecodeError) as error:
            yield {"unreadable": reason_of(error)}


def _find_violations(connection: Connection, body: Body, job: Job) -> Said:
    found: dict[str, Any] = {}
    if body.layout is Layout.WRAPPED:
        wrong = find_wrong_wrapper(
            connection, job.dataset, body, is_one_of_several=job.has_several_files
        )
        if wrong:
            yield {"rows": 0, "wrapper": wrong}
            return
    row = connection.execute(queries.presence(job.dataset, body)).fetchone() or ()
    found |= {"rows": row[0], "present": row[1:]}
    if 0 in row[1:]:
        found["known"] = sorted(list_known_paths(connection, job.dataset, body))
    found["kinds"] = connection.execute(queries.findings(job.dataset, body)).fetchall()
    yield found
    for key in job.dataset.keys:
        query = queries.keys(key, job.dataset, body)
        yield connection.sql(query).to_arrow_reader(_ROWS)
