"""Look into a Parquet file: its first rows, and what each column holds."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from micro_etl.errors import DataError
from micro_etl.table.engine import Error, configuration, machine_errors, reason_of
from micro_etl.table.sql import identifier, literal
from micro_etl.text import printable

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_WIDTH = 120  # where no terminal tells


def head(file: Path, *, scratch: Path, rows: int = 20) -> str:
    """Draw the first rows as a table, with as many columns as fit a screen.

    Raises:
        DataError: the file is not Parquet.
    """
    with _connect(scratch) as connection:
        query = f"SELECT * FROM read_parquet({literal(file)}) LIMIT {rows}"
        return _render(connection, file, query, rows=rows)


def profile(file: Path, *, scratch: Path) -> str:
    """Draw type, nulls, distinct values and range of each column, as a table.

    Raises:
        DataError: the file is not Parquet.
    """
    with _connect(scratch) as connection:
        source = f"read_parquet({literal(file)})"
        columns = _query(connection, file, f"DESCRIBE SELECT * FROM {source}")
        parts = []
        for name, kind, *_ in columns:
            column = identifier(name)
            text = f"CAST({column} AS VARCHAR)"
            parts.append(
                f"SELECT {literal(name)} AS column, {literal(kind)} AS type,"
                f" count(*) - count({column}) AS nulls, count(DISTINCT {text}) AS distinct,"
                f" left(CAST(min({_ordered(column, kind)}) AS VARCHAR), 32) AS least,"
                f" left(CAST(max({_ordered(column, kind)}) AS VARCHAR), 32) AS greatest"
                f" FROM {source}"
            )
        return _render(connection, file, " UNION ALL ".join(parts), rows=len(parts))


def _ordered(column: str, kind: str) -> str:
    return f"CAST({column} AS VARCHAR)" if kind == "JSON" else column


def _connect(scratch: Path) -> DuckDBPyConnection:
    import duckdb  # with the package around the engine, which draws tables: 70 ms

    return duckdb.connect(config=configuration(scratch))


def _query(connection: DuckDBPyConnection, file: Path, query: str) -> list[tuple[str, ...]]:
    with _file_errors(file):
        return connection.execute(query).fetchall()


def _render(connection: DuckDBPyConnection, file: Path, query: str, *, rows: int) -> str:
    """Draw all rows of a query as a table; `str` of a relation would leave out all but twenty.

    With room for more rows than there are, long values would be wrapped instead of shortened.
    """
    table, width = io.StringIO(), shutil.get_terminal_size((_WIDTH, 0)).columns
    with _file_errors(file), redirect_stdout(table):
        connection.sql(query).show(max_rows=rows, max_width=width)
    return "\n".join(printable(line) for line in table.getvalue().rstrip().split("\n"))


@contextmanager
def _file_errors(file: Path) -> Iterator[None]:
    try:
        with machine_errors(about=file):
            yield
    except Error as error:
        raise DataError(f"not a Parquet file: {reason_of(error)}") from error
