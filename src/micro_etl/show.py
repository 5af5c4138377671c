"""Look into a Parquet file: its first rows, and what each column holds."""

from __future__ import annotations

import io
import shutil
from contextlib import redirect_stdout
from pathlib import Path

import duckdb

from micro_etl.errors import DataError
from micro_etl.report import printable
from micro_etl.sql import identifier, literal
from micro_etl.transform import reason_of

_WIDTH = 120  # where nobody's terminal tells


def head(file: Path, *, rows: int = 20) -> str:
    """The first rows as a table, with as many columns as fit a screen.

    Raises:
        DataError: the file is not Parquet.
    """
    with _connect() as connection:
        query = f"SELECT * FROM read_parquet({literal(file)}) LIMIT {rows}"
        return _render(connection, query, rows=rows)


def profile(file: Path) -> str:
    """Type, nulls, distinct values and range of each column, as a table.

    Raises:
        DataError: the file is not Parquet.
    """
    with _connect() as connection:
        source = f"read_parquet({literal(file)})"
        columns = _query(connection, f"DESCRIBE SELECT * FROM {source}")
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
        return _render(connection, " UNION ALL ".join(parts), rows=len(parts))


def _ordered(column: str, kind: str) -> str:
    return f"CAST({column} AS VARCHAR)" if kind == "JSON" else column


def _connect() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"TimeZone": "UTC", "autoinstall_known_extensions": "false"})


def _query(connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple[str, ...]]:
    try:
        return connection.execute(query).fetchall()
    except duckdb.Error as error:
        raise _not_parquet(error) from error


def _render(connection: duckdb.DuckDBPyConnection, query: str, *, rows: int) -> str:
    """All rows of a query as a table; `str` of a relation would leave out all but twenty.

    With room for more rows than there are, long values would be wrapped instead of shortened.
    """
    table, width = io.StringIO(), shutil.get_terminal_size((_WIDTH, 0)).columns
    try:
        with redirect_stdout(table):
            connection.sql(query).show(max_rows=rows, max_width=width)
    except duckdb.Error as error:
        raise _not_parquet(error) from error
    return "\n".join(printable(line) for line in table.getvalue().rstrip().split("\n"))


def _not_parquet(error: duckdb.Error) -> DataError:
    return DataError(f"not a Parquet file: {reason_of(error)}")
