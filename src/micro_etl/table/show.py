"""Draw a Parquet file for a terminal: its first rows, and what each column holds."""

from __future__ import annotations

from pathlib import Path

from micro_etl.column_types import name_type
from micro_etl.table.draw import draw, screen_width
from micro_etl.table.profile import Contents, columns_of, open_file
from micro_etl.table.sql import identifier
from micro_etl.text import size

_LONGEST = 200  # characters of a value that are read; a screen has less room


def head(file: Path, *, scratch: Path, rows: int = 20) -> str:
    """Draw the first rows as a table, with as many columns as fit a screen.

    Raises:
        DataError: the file is not Parquet.
        MachineError: no memory, or no room in the scratch folder.
    """
    with open_file(file, scratch) as (connection, source):
        columns = columns_of(connection, source)
        values = ", ".join(
            f"coalesce(left(CAST({identifier(name)} AS VARCHAR), {_LONGEST}), 'NULL')"
            for name, _ in columns
        )
        query = f"SELECT {values} FROM (SELECT * FROM {source} LIMIT {rows})"
        cells = connection.execute(query).fetchall()
    names, types = zip(*((name, name_type(kind)) for name, kind in columns), strict=True)
    numbers = {at for at, kind in enumerate(types) if _is_number(kind)}
    return draw((names, types), cells, numbers=numbers, width=screen_width())


def draw_contents(contents: Contents) -> str:
    """Draw type, nulls, distinct values and range of each column, as a table."""
    cells = [
        (
            column.name,
            column.type,
            f"{column.nulls:,}",
            f"{column.distinct:,}",
            *("NULL" if end is None else end for end in (column.least, column.greatest)),
        )
        for column in contents.columns
    ]
    heads = ("column", "type", "nulls", "distinct", "least", "greatest")
    return draw((heads,), cells, numbers={2, 3}, names={0, 1}, width=screen_width())


def count_contents(contents: Contents) -> str:
    """Say how much there is of a file."""
    rows, columns = contents.rows, len(contents.columns)
    return (
        f"{rows:,} row{'s' * (rows != 1)}, {columns:,} column{'s' * (columns != 1)}, "
        f"{size(contents.bytes)}"
    )


def _is_number(kind: str) -> bool:
    return kind.startswith(("int", "float", "decimal")) and not kind.endswith("]")
