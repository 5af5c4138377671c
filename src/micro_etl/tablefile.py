"""What a table hands to a target: one Parquet file that keeps its dataset's contract."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, TypeAlias

Schema: TypeAlias = tuple[tuple[str, str, str], ...]
"""Name, repetition (``REQUIRED``, ``OPTIONAL``) and the engine's type of each column, in order."""


class Description(NamedTuple):
    """What a Parquet file says of itself.

    Attributes:
        rows: how many rows it has.
        schema: its columns.
    """

    rows: int
    schema: Schema


class ColumnProfile(NamedTuple):
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
    distinct: int | None = None
    least: str | None = None
    greatest: str | None = None


class Table(NamedTuple):
    """A Parquet file that keeps its dataset's contract.

    Attributes:
        file: where it is.
        rows: how many rows it has.
        size: its length in bytes.
        sha256: of its bytes, which are a function of the records, the dataset and the version.
        schema_sha256: of names, types and nullability of its columns.
        columns: a profile of each column.
        schema: names, types and nullability of its columns.
    """

    file: Path
    rows: int
    size: int
    sha256: str
    schema_sha256: str
    columns: tuple[ColumnProfile, ...]
    schema: Schema = ()
