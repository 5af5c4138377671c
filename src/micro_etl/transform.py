"""Turn a body of records into a Parquet file that keeps the dataset's contract, or say why not."""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# The engine, without the package around it, which a run has no use for: 16 ms to import, not 90.
import _duckdb as duckdb

from micro_etl import explain, sql
from micro_etl.dataset import Column, Dataset
from micro_etl.errors import ContractError, MachineError, SourceError, Violation
from micro_etl.layout import Body, Layout

# One thread keeps the order of rows by itself. Told to keep it, the engine would hold all that it
# has read of an array until its end: two hundred bytes a row.
ONE_THREAD = "SET threads = 1; SET preserve_insertion_order = false"
_MANY = 500_000  # rows
# Enough for what reads staged values: where there are many distinct ones, it counts them on disk.
_LITTLE_MEMORY, _ALL_MEMORY = "SET memory_limit = '128MB'", "RESET memory_limit"


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """What one column of a table holds.

    Attributes:
        name: the column's name.
        nulls: how many rows have no value.
        distinct: how many values differ, where the contract needs to know.
        least: the least value as text, shortened; none where there is none.
        greatest: the greatest value as text.
    """

    name: str
    nulls: int
    distinct: int | None
    least: str | None
    greatest: str | None


@dataclass(frozen=True, slots=True)
class Table:
    """A Parquet file that keeps its dataset's contract.

    Attributes:
        file: where it is.
        rows: how many rows it has.
        size: its length in bytes.
        sha256: of its bytes, which are a function of the records, the dataset and the version.
        schema_sha256: of names, types and nullability of its columns.
        columns: a profile of each column.
    """

    file: Path
    rows: int
    size: int
    sha256: str
    schema_sha256: str
    columns: tuple[ColumnProfile, ...]


def transform(
    body: Body,
    dataset: Dataset,
    *,
    scratch: Path,
    engine: Future[duckdb.DuckDBPyConnection] | None = None,
) -> Table:
    """Write the table of a body; its columns, types and nullability are exactly the dataset's.

    Args:
        body: the records; its files are removed when they are not needed any more.
        dataset: the contract.
        scratch: a folder for the table and what the engine spills.
        engine: what `start` gave for that folder, where it was called; ended here.

    Raises:
        ContractError: records break the contract; says which and how.
        SourceError: the body is not JSON.
        MachineError: no memory or no room in the scratch folder.
    """
    staged, file = scratch / "staged.parquet", scratch / f"{dataset.name}.parquet"
    with (engine or start(scratch)).result() as connection:
        _set_threads(connection, body.layout)
        try:
            ((count,),) = connection.execute(sql.stage(dataset, body, staged)).fetchall()
        except (duckdb.Error, UnicodeDecodeError) as error:
            raise_machine_error(error)
            _raise_violations(connection, dataset, body)
            raise SourceError(
                f"{_culprit(error, body)} is not what it should be: {reason_of(error)}"
            ) from error
        connection.execute(f"{ONE_THREAD}; {_LITTLE_MEMORY}")
        with ThreadPoolExecutor(1) as other:
            publish = (
                sql.publish(dataset.columns, staged, file)
                if count
                else sql.publish_empty(dataset.columns, file)
            )
            writing = other.submit(_execute, connection.cursor(), publish)
            try:
                if count > _MANY:  # one after the other, in less memory
                    writing.result()
                rows, empty, columns = read_profile(connection, dataset.columns, staged)
                if _may_hide_violations(rows, empty, columns):
                    _raise_violations(connection, dataset, body)
                _remove(body)
                writing.result()
            except duckdb.Error as error:
                raise_machine_error(error)
                raise
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


def start(scratch: Path) -> Future[duckdb.DuckDBPyConnection]:
    """Connect in the background: 20 ms of work in which the target and the source can answer."""
    return ThreadPoolExecutor(1).submit(connect, scratch)


def connect(scratch: Path) -> duckdb.DuckDBPyConnection:
    """An engine that works in UTC, spills to the scratch folder and fetches no extension.

    Raises:
        MachineError: it does not start.
    """
    try:
        return duckdb.connect(
            config={
                "TimeZone": "UTC",
                "temp_directory": str(scratch / "spill"),
                "autoinstall_known_extensions": "false",
            }
        )
    except duckdb.Error as error:  # it is the same each time: what lacks is memory
        raise MachineError(
            f"the engine does not start: {reason_of(error)}; give the task more memory"
        ) from error


def _set_threads(connection: duckdb.DuckDBPyConnection, layout: Layout) -> None:
    """Read lines on all cores; what else there is, the engine reads on one.

    Where there is one core, lines are read by two threads all the same, since a single one would
    cut the table into other row groups: the file would depend on the machine.
    """
    if layout is not Layout.NDJSON:
        connection.execute(ONE_THREAD)
        return
    row = connection.execute("SELECT current_setting('threads')").fetchone()
    if row == (1,):
        connection.execute("SET threads = 2")


def read_profile(
    connection: duckdb.DuckDBPyConnection, columns: tuple[Column, ...], table: Path
) -> tuple[int, int, tuple[ColumnProfile, ...]]:
    """Rows, rows without any value, and a profile of each column of a Parquet file."""
    (row,) = _execute(connection, sql.profile(columns, table))
    profiles = (
        ColumnProfile(column.name, *row[at : at + 4])
        for column, at in zip(columns, range(2, len(row), 4), strict=True)
    )
    return row[0], row[1], tuple(profiles)


def _execute(connection: duckdb.DuckDBPyConnection, query: str) -> list[Any]:
    """The rows of a query, which gets all the memory where values are too large for little."""
    try:
        return connection.execute(query).fetchall()
    except duckdb.OutOfMemoryException:
        connection.execute(_ALL_MEMORY)
        return connection.execute(query).fetchall()


def _remove(body: Body) -> None:
    """Remove its files; the first, which may be large, is freed in the background.

    To free a gigabyte takes the system a tenth of a second, once nobody has it open.
    """
    held = os.open(body.file, os.O_RDONLY)
    for file in (body.file, *body.more):
        file.unlink()
    threading.Thread(target=os.close, args=(held,)).start()


def count_rows(file: Path, *, scratch: Path) -> int | None:
    """How many rows a Parquet file has, by its footer; none where it is not a Parquet file."""
    with connect(scratch) as connection:
        try:
            row = connection.execute(
                f"SELECT num_rows FROM parquet_file_metadata({sql.literal(file)})"
            ).fetchone()
        except duckdb.Error:
            return None
    return int(row[0]) if row else None


def read_schema(connection: duckdb.DuckDBPyConnection, table: Path) -> list[tuple[str, str, str]]:
    """Name, repetition and type of each column of a Parquet file, in order."""
    return connection.execute(sql.schema(table)).fetchall()


def expected_schema(columns: tuple[Column, ...]) -> list[tuple[str, str, str]]:
    """What `read_schema` says of a file that keeps the contract."""
    return [
        (column.name, "REQUIRED" if column.required else "OPTIONAL", sql.SQL_TYPES[column.type])
        for column in columns
    ]


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


def _raise_violations(connection: duckdb.DuckDBPyConnection, dataset: Dataset, body: Body) -> None:
    """Raise a `ContractError` where there is a violation.

    Raises:
        ContractError: with the first violations and their totals.
        SourceError: the body is not JSON.
    """
    connection.execute(_ALL_MEMORY)
    try:
        found, totals = find_violations(connection, dataset, body)
    except (duckdb.Error, UnicodeDecodeError) as error:
        raise_machine_error(error)
        raise SourceError(
            f"{_culprit(error, body)} can't be read as JSON: {reason_of(error)}"
        ) from error
    if found:
        shown = found[: explain.SHOWN]
        if body.more:
            shown = explain.locate(shown, _count_records(connection, body))
        raise ContractError(shown, totals)


def find_violations(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, body: Body
) -> tuple[list[Violation], dict[str, int]]:
    """Every kind of violation, with the first of each kind, and totals by column."""
    if body.layout is Layout.WRAPPED:
        (kind, value), *others = connection.execute(explain.wrapper(dataset, body)).fetchall()
        path = sql.dotted(dataset.records)
        if others:
            raise SourceError(
                f"the body is {len(others) + 1:,} JSON values; it should be one that holds {path}"
            )
        if kind != "ARRAY":
            return [Violation(None, path, value, "an array of records")], {path: 1}
    row = connection.execute(explain.presence(dataset, body)).fetchone()
    assert row is not None  # noqa: S101 - an aggregate has one row
    rows, *present = row
    queries = [explain.findings(dataset, body)]
    queries += [
        explain.repeats(column, dataset, body) for column in dataset.columns if column.unique
    ]
    kinds = [kind for query in queries for kind in connection.execute(query).fetchall()]
    return explain.combine(kinds, explain.absent(dataset.columns, rows, present))


def _count_records(connection: duckdb.DuckDBPyConnection, body: Body) -> dict[str, int]:
    """How many records each of several files has."""
    rows = {}
    for name, file in zip(body.names, (body.file, *body.more), strict=True):
        row = connection.execute(explain.count(file, body)).fetchone()
        assert row is not None  # noqa: S101 - an aggregate has one row
        rows[name] = int(row[0])
    return rows


def _culprit(error: Exception, body: Body) -> str:
    """What messages call the file that an engine's error is about."""
    for name, file in zip(body.names, (body.file, *body.more), strict=False):
        if f'"{file}"' in str(error):
            return name
    return "the body"


def raise_machine_error(error: Exception) -> None:
    """Raise a `MachineError` where an error of the engine is one of the machine."""
    text = reason_of(error)
    if isinstance(error, duckdb.OutOfMemoryException):
        raise MachineError(f"out of memory: {text}; give the task more") from error
    if isinstance(error, duckdb.IOException):
        raise MachineError(f"the scratch folder can't be used: {text}") from error


def reason_of(error: Exception) -> str:
    """The engine's first line, without its class and our scratch file.

    It counts records from 2, whatever it calls them.
    """
    if "maximum_object_size" in str(error):
        return "a record is larger than SOURCE_MAX_RECORD_BYTES"
    line = str(error).splitlines()[0]
    of_thread = re.search(r'"exception_message":("(?:[^"\\]|\\.)*")', line)
    if of_thread:  # what one of the engine's threads could not write comes as JSON
        line = json.loads(of_thread[1])
    line = re.sub(
        r"(Malformed JSON.*, at byte \d+ in )(?:record/value|line) (\d+)",
        lambda found: f"{found[1]}record {int(found[2]) - 1}",
        line,
    )
    noise = r"^[A-Z]\w+( \w+)* Error: |( in)? file \"[^\"]*\"| '/[^']*'| Try auto-detecting.*"
    return re.sub(noise, "", line).strip()
