"""Write and read Parquet files: the published file, its schema, and what its columns hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from micro_etl.dataset import Column, Dataset
from micro_etl.table.engine import Connection, Error, connect, machine_errors
from micro_etl.table.sql import identifier, literal
from micro_etl.table.values import type_of
from micro_etl.tablefile import ColumnProfile, Description, Schema


class Profile(NamedTuple):
    """What a Parquet file of a dataset holds.

    Attributes:
        rows: how many rows it has.
        empty: how many of them have no value at all.
        columns: a profile of each column.
        repeats: how many rows have the same value of a key as another, by key.
    """

    rows: int
    empty: int
    columns: tuple[ColumnProfile, ...]
    repeats: dict[tuple[str, ...], int]


def rows_of(files: Sequence[Path]) -> str:
    """Compile the rows of Parquet files, one file after the other."""
    return f"read_parquet([{', '.join(map(literal, files))}])"


def profile(dataset: Dataset, table: str) -> str:
    """Compile one row about a table: rows, empty rows, then four values a column, then repeats.

    The four are nulls, distinct values where the column is a key, the least and the greatest.
    """
    columns = dataset.columns
    empty = " AND ".join(f"{identifier(column.name)} IS NULL" for column in columns)
    parts = ["count(*)", f"count(*) FILTER (WHERE {empty})"]
    for column in columns:
        name, kind = identifier(column.name), type_of(column)
        parts += [
            f"count(*) - count({name})",
            f"count(DISTINCT {name})" if column.unique else "NULL",
            f"left(CAST(min({name}) AS VARCHAR), 100)" if kind.is_ordered else "NULL",
            f"left(CAST(max({name}) AS VARCHAR), 100)" if kind.is_ordered else "NULL",
        ]
    for key in _composite_keys(dataset):
        names = [identifier(name) for name in key]
        there = " AND ".join(f"{name} IS NOT NULL" for name in names)
        parts.append(
            f"count(*) FILTER (WHERE {there})"
            f" - count(DISTINCT ({', '.join(names)})) FILTER (WHERE {there})"
        )
    return f"SELECT {', '.join(parts)} FROM {table}"


def publish(columns: Sequence[Column], staged: str, table: Path) -> str:
    """Compile the pass that writes the file that readers get.

    DuckDB writes a column as REQUIRED when it knows from statistics that it has no null, as it does
    of a staged file. Where the contract allows nulls, a condition that always holds, and that no
    optimizer can see through, hides it: the schema follows from the dataset, not the day's data.

    Args:
        columns: of the dataset.
        staged: SQL for the table with the values.
        table: the file to write.
    """
    selected = ", ".join(
        name if column.required else f"CASE WHEN random() < 2 THEN {name} END AS {name}"
        for column in columns
        for name in [identifier(column.name)]
    )
    return (
        f"COPY (SELECT {selected} FROM {staged})"
        f" TO {literal(table)} (FORMAT parquet, COMPRESSION snappy)"
    )


def publish_empty(columns: Sequence[Column], table: Path) -> str:
    """Compile the file of a table without rows, whose statistics know nothing of nulls."""
    selected = ", ".join(
        f"CAST({literal(type_of(column).zero) if column.required else 'NULL'}"
        f" AS {type_of(column).sql}) AS {identifier(column.name)}"
        for column in columns
    )
    return (
        f"COPY (SELECT {selected} FROM range(0))"
        f" TO {literal(table)} (FORMAT parquet, COMPRESSION snappy)"
    )


def schema(table: Path) -> str:
    """Compile name, repetition, type and number of children of each element of a schema."""
    return (
        "SELECT name, repetition_type, duckdb_type, coalesce(num_children, 0)"
        f" FROM parquet_schema({literal(table)}) WHERE column_id > 0 ORDER BY column_id"
    )


def read_profile(connection: Connection, dataset: Dataset, table: str) -> Profile:
    """Read what a table of a dataset holds; it is given as SQL."""
    rows, empty, *rest = connection.execute(profile(dataset, table)).fetchone() or ()
    count = len(dataset.columns)
    columns = tuple(
        ColumnProfile(column.name, *rest[4 * at : 4 * at + 4])
        for at, column in enumerate(dataset.columns)
    )
    repeats: dict[tuple[str, ...], int] = {
        (one.name,): rows - one.nulls - one.distinct for one in columns if one.distinct is not None
    }
    repeats |= zip(_composite_keys(dataset), rest[4 * count :], strict=True)
    return Profile(rows, empty, columns, repeats)


def _composite_keys(dataset: Dataset) -> list[tuple[str, ...]]:
    """The keys whose repeats the profiles of single columns do not tell."""
    unique = {column.name for column in dataset.columns if column.unique}
    return [key for key in dataset.keys if len(key) > 1 or key[0] not in unique]


def read_schema(connection: Connection, table: Path) -> Schema:
    """Read name, repetition and type of each column of a Parquet file, in order."""
    elements = iter(connection.execute(schema(table)).fetchall())
    columns = []
    for name, repetition, kind, children in elements:
        columns.append((name, repetition, kind))
        while children:  # what is in a list is part of its column
            *_, more = next(elements)
            children += more - 1
    return tuple(columns)


def expected_schema(columns: Sequence[Column]) -> Schema:
    """Say what `read_schema` finds in a file that keeps the contract."""
    return tuple(
        (column.name, "REQUIRED" if column.required else "OPTIONAL", type_of(column).sql)
        for column in columns
    )


def count_rows(connection: Connection, file: Path) -> int | None:
    """Count the rows of a Parquet file by its footer; none where it is not a Parquet file."""
    query = f"SELECT num_rows FROM parquet_file_metadata({literal(file)})"
    try:
        with machine_errors(about=file):
            row = connection.execute(query).fetchone()
    except Error:
        return None
    return int(row[0]) if row else None


def describe(connection: Connection, file: Path) -> Description | None:
    """Read rows and schema of a Parquet file from anywhere; none where it is not a Parquet file."""
    rows = count_rows(connection, file)
    return None if rows is None else Description(rows, read_schema(connection, file))


def describe_alone(file: Path, *, scratch: Path) -> Description | None:
    """Do the same with an engine of its own, which takes 20 ms to start."""
    with connect(scratch) as connection:
        return describe(connection, file)
