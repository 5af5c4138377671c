"""Profile any Parquet file: type, nulls, distinct values and range of each column."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from micro_etl.column_types import name_type
from micro_etl.errors import DataError
from micro_etl.table.engine import Connection, Error, connect, machine_errors, reason_of
from micro_etl.table.sql import identifier, literal

_LONGEST = 100  # characters of a value


@dataclass(frozen=True, slots=True)
class ColumnContents:
    """What one column of a file holds.

    Attributes:
        name: the column's name.
        type: its type in the words of a dataset file, or the engine's where they have none.
        nulls: how many rows have no value.
        distinct: how many values differ.
        least: the least value as text, of at most 100 characters; none where there is none.
        greatest: the greatest value as text.
    """

    name: str
    type: str
    nulls: int
    distinct: int
    least: str | None
    greatest: str | None


@dataclass(frozen=True, slots=True)
class Contents:
    """What a Parquet file holds.

    Attributes:
        rows: how many rows it has.
        bytes: its size.
        columns: what each column holds, in the order of the file.
    """

    rows: int
    bytes: int
    columns: tuple[ColumnContents, ...]


def profile(file: Path, *, scratch: Path) -> Contents:
    """Read what each column of a file holds, one after the other.

    Raises:
        DataError: the file is not Parquet.
        MachineError: no memory, or no room in the scratch folder.
    """
    with open_file(file, scratch) as (connection, source):
        (rows,) = connection.execute(f"SELECT count(*) FROM {source}").fetchone() or (0,)
        columns = tuple(
            ColumnContents(name, name_type(kind), *_summary(connection, source, name, kind))
            for name, kind in columns_of(connection, source)
        )
    return Contents(rows, file.stat().st_size, columns)


def first_rows(file: Path, *, scratch: Path, rows: int) -> list[dict[str, Any]]:
    """Read the first rows of a file as JSON has them, by the names of the columns.

    Numbers, booleans, lists and JSON stay what they are; all else is text, decimals included, so
    that no digit is lost.

    Raises:
        DataError: the file is not Parquet.
        MachineError: no memory, or no room in the scratch folder.
    """
    with open_file(file, scratch) as (connection, source):
        values = ", ".join(
            f"{_as_json(identifier(name), kind)} AS {identifier(name)}"
            for name, kind in columns_of(connection, source)
        )
        query = f"SELECT {values} FROM (SELECT * FROM {source} LIMIT {rows})"
        read = connection.execute(query)
        names = [column[0] for column in read.description or ()]
        return [
            {
                name: None if value is None else _read_json(value)
                for name, value in zip(names, row, strict=True)
            }
            for row in read.fetchall()
        ]


@contextmanager
def open_file(file: Path, scratch: Path) -> Iterator[tuple[Connection, str]]:
    """Start the engine; gives a connection, and SQL for the table in a Parquet file.

    Raises:
        DataError: the file is not Parquet.
        MachineError: no memory, or no room in the scratch folder.
    """
    with connect(scratch) as connection:
        try:
            with machine_errors(about=file):
                yield connection, f"read_parquet({literal(file)})"
        except Error as error:
            raise DataError(f"not a Parquet file: {reason_of(error)}") from error


def columns_of(connection: Connection, source: str) -> list[tuple[str, str]]:
    """Name and engine's type of each column."""
    described = connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
    return [(name, kind) for name, kind, *_ in described]


def _summary(connection: Connection, source: str, name: str, kind: str) -> tuple[Any, ...]:
    column = identifier(name)
    text = f"CAST({column} AS VARCHAR)"
    ordered = text if kind == "JSON" else column
    least, greatest = (
        f"CASE WHEN length({value}) > {_LONGEST} THEN left({value}, {_LONGEST - 1}) || '…'"
        f" ELSE {value} END"
        for value in (f"CAST({which}({ordered}) AS VARCHAR)" for which in ("min", "max"))
    )
    query = (
        f"SELECT count(*) - count({column}), count(DISTINCT {text}), {least}, {greatest}"
        f" FROM {source}"
    )
    return tuple(connection.execute(query).fetchone() or ())


def _read_json(text: str) -> Any:
    """Read a value; what only calls itself JSON, or is nested too deep to read, stays a text."""
    try:
        return json.loads(text, parse_constant=str)
    except (ValueError, RecursionError):
        return text


def _as_json(column: str, kind: str) -> str:
    """The text of a value as JSON."""
    if kind == "JSON":
        return f"CAST({column} AS VARCHAR)"
    if kind.startswith("DECIMAL"):
        return f"to_json(CAST({column} AS VARCHAR{'[]' * kind.count('[]')}))"
    return f"to_json({column})"
