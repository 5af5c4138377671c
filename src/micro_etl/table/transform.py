"""Turn parts of records into a Parquet file that keeps the dataset's contract, or say why not."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from micro_etl.body import Body, restore
from micro_etl.dataset import Dataset
from micro_etl.errors import MachineError, SourceError
from micro_etl.table import parquet
from micro_etl.table.engine import Connection, machine_errors, reason_of, start
from micro_etl.table.parquet import Profile, expected_schema, read_profile, read_schema
from micro_etl.table.staging import Staging
from micro_etl.tablefile import Schema, Table

T = TypeVar("T")

_MANY = 500_000  # rows
_TRIES, _PAUSE = 1_000, 0.01  # seconds
# Enough for what reads staged values: where there are many distinct ones, it counts them on disk.
_LITTLE_MEMORY, _ALL_MEMORY = "SET memory_limit = '64MB'", "RESET memory_limit"


def keep() -> None:
    """Keep the parts; the default callback."""


def transform(
    body: Body,
    dataset: Dataset,
    *,
    scratch: Path,
    engine: Future[Connection] | None = None,
    on_read: Callable[[], None] = keep,
) -> Table:
    """Write the table of a body; its columns, types and nullability are exactly the dataset's.

    Args:
        body: the records.
        dataset: the contract.
        scratch: a folder for the table and what the engine spills.
        engine: what `start` gave for that folder, where it was called; ended here.
        on_read: called once the body is not needed any more.

    Raises:
        ContractError: records break the contract; says which and how.
        SourceError: the body is not JSON.
        MachineError: no memory or no room in the scratch folder.
    """
    staging = Staging(dataset, scratch=scratch, engine=engine or start(scratch))
    staging.add(body)
    with staging.connection():
        return write_table(body, dataset, staging, scratch=scratch, on_read=on_read)


def write_table(
    body: Body,
    dataset: Dataset,
    staging: Staging,
    *,
    scratch: Path,
    on_read: Callable[[], None] = keep,
) -> Table:
    """Write the table of a body that is staged; arguments and errors are those of `transform`.

    The caller closes the connection.
    """
    file = scratch / f"{dataset.name}.parquet"
    connection = staging.connection()
    error = staging.finish()
    body = body._replace(parts=staging.parts)
    if error:  # records are counted from the start of a response
        from micro_etl.table.violations import culprit, raise_violations  # 1 ms, where all is well

        body = body._replace(parts=restore(staging.parts, body.layout))
        raise_violations(connection, dataset, body)
        raise SourceError(
            f"{culprit(error, body)} is not what it should be: {reason_of(error)}"
        ) from error
    with staging.table() as (engine, rows), ThreadPoolExecutor(1) as other:
        engine.execute(_LITTLE_MEMORY)
        query = (
            parquet.publish(dataset.columns, rows, file)
            if staging.rows
            else parquet.publish_empty(dataset.columns, file)
        )
        writing = other.submit(_publish, engine.cursor(), query, file)
        if staging.rows > _MANY:  # one after the other, in less memory
            writing.result()
        profile = _in_little_memory(engine, lambda: read_profile(engine, dataset, rows))
        if _may_hide_violations(profile):
            from micro_etl.table.violations import raise_violations

            connection.execute(_ALL_MEMORY)
            raise_violations(connection, dataset, body)
        on_read()
        schema = writing.result()
    if schema != expected_schema(dataset.columns):
        raise AssertionError(f"the table has the schema {schema}")
    with file.open("rb") as written:
        digest = hashlib.file_digest(written, "sha256").hexdigest()
    return Table(
        file=file,
        rows=profile.rows,
        size=file.stat().st_size,
        sha256=digest,
        schema_sha256=hashlib.sha256(repr(list(schema)).encode()).hexdigest(),
        columns=profile.columns,
        schema=schema,
    )


def _publish(connection: Connection, query: str, file: Path) -> Schema:
    """Write the file, and read its schema; what it holds is profiled meanwhile."""
    _write(connection, query)
    return read_schema(connection, file)


def _write(connection: Connection, query: str) -> None:
    _in_little_memory(connection, lambda: connection.execute(query))


def _in_little_memory(connection: Connection, work: Callable[[], T]) -> T:
    """Do what gets all the memory only where values are too large for little."""
    try:
        with machine_errors():
            return work()
    except MachineError:
        _lift_limit(connection)
        with machine_errors():
            return work()


def _lift_limit(connection: Connection) -> None:
    """Give the engine all memory; this takes some, which another thread may have for a moment."""
    for _ in range(_TRIES):
        with suppress(MachineError), machine_errors():
            connection.execute(_ALL_MEMORY)
            return
        time.sleep(_PAUSE)
    with machine_errors():
        connection.execute(_ALL_MEMORY)


def _may_hide_violations(profile: Profile) -> bool:
    """Whether the pass may have missed something, which only a look at whole records can tell.

    Repeated values; a null where a record should be, which looks like an empty record; a path that
    no record has, which looks like nulls.
    """
    rows = profile.rows
    absent = rows > 0 and any(column.nulls == rows for column in profile.columns)
    return any(profile.repeats.values()) or absent or profile.empty > 0
