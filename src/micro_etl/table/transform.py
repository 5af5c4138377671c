"""Turn a body of records into a Parquet file that keeps the dataset's contract, or say why not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from micro_etl.body import Body, Layout
from micro_etl.dataset import Dataset
from micro_etl.errors import MachineError, SourceError
from micro_etl.table import sql
from micro_etl.table.engine import (
    ONE_THREAD,
    Connection,
    Error,
    machine_errors,
    reason_of,
    start,
)
from micro_etl.table.parquet import expected_schema, read_profile, read_schema
from micro_etl.table.violations import culprit, raise_violations
from micro_etl.tablefile import ColumnProfile, Table

T = TypeVar("T")

_MANY = 500_000  # rows
# Enough for what reads staged values: where there are many distinct ones, it counts them on disk.
_LITTLE_MEMORY, _ALL_MEMORY = "SET memory_limit = '128MB'", "RESET memory_limit"


def _keep() -> None:
    """Keep the parts."""


def transform(
    body: Body,
    dataset: Dataset,
    *,
    scratch: Path,
    engine: Future[Connection] | None = None,
    on_read: Callable[[], None] = _keep,
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
    staged, file = scratch / "staged.parquet", scratch / f"{dataset.name}.parquet"
    with (engine or start(scratch)).result() as connection:
        _set_threads(connection, body.layout)
        try:
            with machine_errors():
                ((count,),) = connection.execute(sql.stage(dataset, body, staged)).fetchall()
        except (Error, UnicodeDecodeError) as error:
            raise_violations(connection, dataset, body)
            raise SourceError(
                f"{culprit(error, body)} is not what it should be: {reason_of(error)}"
            ) from error
        connection.execute(f"{ONE_THREAD}; {_LITTLE_MEMORY}")
        with ThreadPoolExecutor(1) as other:
            publish = (
                sql.publish(dataset.columns, staged, file)
                if count
                else sql.publish_empty(dataset.columns, file)
            )
            writing = other.submit(_write, connection.cursor(), publish)
            if count > _MANY:  # one after the other, in less memory
                writing.result()
            rows, empty, columns = _in_little_memory(
                connection, lambda: read_profile(connection, dataset.columns, staged)
            )
            if _may_hide_violations(rows, empty, columns):
                connection.execute(_ALL_MEMORY)
                raise_violations(connection, dataset, body)
            on_read()
            writing.result()
        schema = read_schema(connection, file)
    if schema != expected_schema(dataset.columns):
        raise AssertionError(f"the table has the schema {schema}")
    with file.open("rb") as parquet:
        digest = hashlib.file_digest(parquet, "sha256").hexdigest()
    return Table(
        file=file,
        rows=rows,
        size=file.stat().st_size,
        sha256=digest,
        schema_sha256=hashlib.sha256(repr(schema).encode()).hexdigest(),
        columns=columns,
    )


def _set_threads(connection: Connection, layout: Layout) -> None:
    """Read lines on all cores; what else there is, the engine reads on one.

    Where there is one core, lines are read by two threads all the same, since a single one would
    cut the table into other row groups: the file would depend on the machine.
    """
    if layout is not Layout.LINES:
        connection.execute(ONE_THREAD)
        return
    row = connection.execute("SELECT current_setting('threads')").fetchone()
    if row == (1,):
        connection.execute("SET threads = 2")


def _write(connection: Connection, query: str) -> None:
    _in_little_memory(connection, lambda: connection.execute(query))


def _in_little_memory(connection: Connection, work: Callable[[], T]) -> T:
    """Do what gets all the memory only where values are too large for little."""
    try:
        with machine_errors():
            return work()
    except MachineError:
        connection.execute(_ALL_MEMORY)
        with machine_errors():
            return work()


def _may_hide_violations(rows: int, empty: int, columns: tuple[ColumnProfile, ...]) -> bool:
    """Whether the pass may have missed something, which only a look at whole records can tell.

    Repeated values; a null where a record should be, which looks like an empty record; a path that
    no record has, which looks like nulls.
    """
    repeated = any(
        column.distinct is not None and column.distinct < rows - column.nulls for column in columns
    )
    absent = rows > 0 and any(column.nulls == rows for column in columns)
    return repeated or absent or empty > 0
