"""Read what a Parquet file says of itself: schema, rows, and what its columns hold."""

from __future__ import annotations

from pathlib import Path

from micro_etl.dataset import Column
from micro_etl.table import sql
from micro_etl.table.engine import Connection, Error, connect, machine_errors
from micro_etl.tablefile import ColumnProfile


def read_profile(
    connection: Connection, columns: tuple[Column, ...], table: Path
) -> tuple[int, int, tuple[ColumnProfile, ...]]:
    """Read rows, rows without any value, and a profile of each column of a Parquet file."""
    row = connection.execute(sql.profile(columns, table)).fetchone() or ()
    profiles = (
        ColumnProfile(column.name, *row[at : at + 4])
        for column, at in zip(columns, range(2, len(row), 4), strict=True)
    )
    return row[0], row[1], tuple(profiles)


def count_rows(file: Path, *, scratch: Path) -> int | None:
    """Count the rows of a Parquet file by its footer; none where it is not a Parquet file."""
    query = f"SELECT num_rows FROM parquet_file_metadata({sql.literal(file)})"
    with connect(scratch) as connection:
        try:
            with machine_errors(about=file):
                row = connection.execute(query).fetchone()
        except Error:
            return None
    return int(row[0]) if row else None


def read_schema(connection: Connection, table: Path) -> list[tuple[str, str, str]]:
    """Name, repetition and type of each column of a Parquet file, in order."""
    return connection.execute(sql.schema(table)).fetchall()


def expected_schema(columns: tuple[Column, ...]) -> list[tuple[str, str, str]]:
    """What `read_schema` says of a file that keeps the contract."""
    return [
        (column.name, "REQUIRED" if column.required else "OPTIONAL", sql.SQL_TYPES[column.type])
        for column in columns
    ]
