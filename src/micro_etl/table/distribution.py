"""Read how the values of each column of a Parquet file are distributed, for a page about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from micro_etl.table.engine import Connection
from micro_etl.table.profile import columns_of, open_file
from micro_etl.table.sql import identifier

BINS = 24
"""How many intervals of the same width there are between the least value and the greatest."""

_FREQUENT, _LONGEST = 5, 3
_SHOWN = 200  # characters of a value
_SIGNED = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_WHOLE = ("BOOLEAN", *_SIGNED, *(f"U{name}" for name in _SIGNED))
_BROKEN = ("FLOAT", "DOUBLE", "DECIMAL")
_TIMES = ("TIMESTAMP", "DATE")


@dataclass(frozen=True, slots=True)
class Distribution:
    """How the values of one column are distributed.

    Attributes:
        measure: what is on the axis: ``value``, or ``length`` where values have no distance.
        least: where the axis begins, as text; none where there are no values.
        greatest: where it ends.
        bins: how many rows are in each interval.
        frequent: the most frequent values, shortened, and how many rows have each.
        longest: the longest values, shortened, and how many characters each has; of texts alone.
    """

    measure: str
    least: str | None
    greatest: str | None
    bins: tuple[int, ...]
    frequent: tuple[tuple[str, int], ...]
    longest: tuple[tuple[str, int], ...]


def read_distributions(file: Path, *, scratch: Path) -> tuple[Distribution, ...]:
    """Read the distribution of each column, in the order of the file.

    Raises:
        DataError: the file is not Parquet.
        MachineError: no memory, or no room in the scratch folder.
    """
    with open_file(file, scratch) as (connection, source):
        return tuple(
            _read(connection, source, identifier(name), kind)
            for name, kind in columns_of(connection, source)
        )


def _read(connection: Connection, source: str, column: str, kind: str) -> Distribution:
    text = f"CAST({column} AS VARCHAR)"
    is_list = kind.endswith("]")
    is_time = kind.startswith(_TIMES) and not is_list
    is_whole = not (is_time or (kind.startswith(_BROKEN) and not is_list))
    is_text = is_list or not kind.startswith((*_WHOLE, *_BROKEN, *_TIMES))
    value = f"len({column})" if is_list else f"length({text})" if is_text else column
    number = f"epoch({value})" if is_time else f"CAST({value} AS DOUBLE)"
    ends = connection.execute(
        f"SELECT CAST(min({value}) AS VARCHAR), CAST(max({value}) AS VARCHAR), min({number}),"
        f" max({number}) FROM {source} WHERE isfinite({number})"
    ).fetchone()
    least, greatest, low, high = ends or (None, None, None, None)
    shown = f"left({text}, {_SHOWN}) || if(length({text}) > {_SHOWN}, '…', '')"
    texts = f"FROM {source} WHERE {column} IS NOT NULL GROUP BY {text}"
    frequent = connection.execute(
        f"SELECT {shown}, count(*) {texts} ORDER BY count(*) DESC, {text} LIMIT {_FREQUENT}"
    ).fetchall()
    longest: list[tuple[str, int]] = []
    if is_text:
        longest = connection.execute(
            f"SELECT {shown}, length({text}) {texts}"
            f" ORDER BY length({text}) DESC, {text} LIMIT {_LONGEST}"
        ).fetchall()
    return Distribution(
        measure="length" if is_text else "value",
        least=least,
        greatest=greatest,
        bins=_count(connection, source, number, low, high, is_whole=is_whole),
        frequent=tuple(frequent),
        longest=tuple(longest),
    )


def _count(
    connection: Connection,
    source: str,
    number: str,
    low: float | None,
    high: float | None,
    *,
    is_whole: bool,
) -> tuple[int, ...]:
    """Count the rows in each interval; whole numbers have no more intervals than there are."""
    if low is None or high is None:
        return ()
    # In halves, in which the distance of any two doubles is a double.
    width = high / 2 - low / 2 + (0.5 if is_whole else 0)
    bins = min(BINS, int(width * 2)) if is_whole else BINS if width else 1
    position = f"({number} / 2 - $1) / $2 * {bins}" if width else "0 * ($1 + $2)"
    query = (
        f"SELECT least(CAST(floor({position}) AS INTEGER), {bins - 1}) AS bin, count(*)"
        f" FROM {source} WHERE isfinite({number}) GROUP BY bin"
    )
    counted = dict(connection.execute(query, [low / 2, width]).fetchall())
    return tuple(counted.get(index, 0) for index in range(bins))
