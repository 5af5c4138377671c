"""Compile the queries that find every violation of a contract, once it is known that there is one.

They read each record whole, as JSON, which is slow and misses nothing: a null where a record should
be, a key that comes twice, a path that no record has.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path as FilePath
from typing import Any

from micro_etl.body import Body, Layout, Part
from micro_etl.dataset import Column, Dataset, Path
from micro_etl.errors import Violation
from micro_etl.table.sql import (
    EXPECTED,
    converted,
    dotted,
    identifier,
    is_of_type,
    literal,
    pointer,
    read_json,
    unrepeated,
)

SHOWN = 10
"""How many violations an error shows."""

Kind = tuple[str, str, str, int, Sequence[Mapping[str, Any]]]
"""One kind of violation: column, path, what was expected, how many, and the first of them."""

NO_OTHER = "a value that no other record has"
"""What a violation of a unique column says should be there."""

_OBJECT = "an object"
_NO_REPEAT = "an object without a repeated key"


def findings(dataset: Dataset, body: Body) -> str:
    """Find what is wrong with single records.

    A row is one kind of violation: column, path, what was expected, how many there are, and the
    first of them as a list of record and value.
    """
    read: dict[Path, set[str]] = {}
    for column in dataset.columns:
        for depth, key in enumerate(column.path):
            read.setdefault(column.path[:depth], set()).add(str(key))
    checks = [_check(f"{_type(())} IS DISTINCT FROM 'OBJECT'", (), _OBJECT)]
    for path, keys in sorted(read.items(), key=lambda item: dotted(item[0])):
        if path:
            checks.append(_check(f"{_type(path)} NOT IN ('OBJECT', 'NULL')", path, _OBJECT))
        repeated = f"{_type(path)} = 'OBJECT' AND NOT {unrepeated(_at(path), sorted(keys))}"
        checks.append(_check(repeated, path, _NO_REPEAT))
    for column in dataset.columns:
        checks += _column_checks(column)
    listed = ",\n    ".join(checks)
    return _summary(
        f"SELECT record, unnest([\n    {listed}\n  ], recursive := true)"
        f" FROM {_elements(dataset, body)}"
    )


def repeats(column: Column, dataset: Dataset, body: Body) -> str:
    """Find the values of a unique column that an earlier record has; rows as of `findings`."""
    leaf = _at(column.path)
    test, value = is_of_type(column.type, leaf), converted(column.type, leaf)
    return _summary(
        f"SELECT record, {literal(column.name)} AS name, {literal(dotted(column.path))} AS path,"
        f" shown AS value, {literal(NO_OTHER)} AS expected FROM (SELECT record,"
        f" CAST({leaf} AS VARCHAR) AS shown,"
        f" row_number() OVER (PARTITION BY {value} ORDER BY record) AS nth"
        f" FROM {_elements(dataset, body)} WHERE {test}) WHERE nth > 1"
    )


def keys(column: Column, dataset: Dataset, body: Body) -> str:
    """The values of a unique column as text that is equal where they are, each with its record."""
    leaf = _at(column.path)
    test, value = is_of_type(column.type, leaf), converted(column.type, leaf)
    return (
        f"SELECT {literal(column.name)} AS name, {_key(column, value)} AS key, record,"
        f" left(CAST({leaf} AS VARCHAR), 100) AS shown FROM {_elements(dataset, body)} WHERE {test}"
    )


def hashes(number: int, column: Column, table: FilePath) -> str:
    """A hash of each value of a column of a table, with a number of the column.

    Values that are equal have equal hashes; a few others may have as well.
    """
    name = identifier(column.name)
    return (
        f"SELECT {number}::INTEGER AS unique_column, (hash({_key(column, name)}) >> 1)::BIGINT"
        f" AS hash FROM read_parquet({literal(table)}) WHERE {name} IS NOT NULL"
    )


def _key(column: Column, value: str) -> str:
    """A value's text, where 0.0 and -0.0 are one."""
    return f"CAST({value}{' + 0' if column.type == 'float64' else ''} AS VARCHAR)"


def presence(dataset: Dataset, body: Body) -> str:
    """Count the records, and those that have each column's path: one row."""
    counts = ", ".join(f"count({_at(column.path)})" for column in dataset.columns)
    return f"SELECT count(*), {counts} FROM {_elements(dataset, body)}"


def wrapper(dataset: Dataset, body: Body) -> str:
    """Type and text of what stands where the records should be, for each JSON value of the body."""
    source = read_json(body, {"element": "JSON"}, whole=True)
    found = f"json_extract(element, {pointer(dataset.records)})"
    return f"SELECT json_type({found}), left(CAST({found} AS VARCHAR), 100) FROM {source}"


def absent(columns: Sequence[Column], rows: int, present: Sequence[int]) -> dict[str, str]:
    """The paths that no record has, and the column of each, from what `presence` counted."""
    return {
        dotted(column.path): column.name
        for column, count in zip(columns, present, strict=True)
        if rows and not count
    }


def combine(
    kinds: Iterable[Kind], absent: Mapping[str, str]
) -> tuple[list[Violation], dict[str, int]]:
    """The violations in the order of the records, and how many there are of each column.

    Args:
        kinds: rows of `findings` and `repeats`.
        absent: paths that no record has, with their columns.
    """
    found: list[Violation] = []
    totals: dict[str, int] = {}
    for name, path, expected, count, first in kinds:
        if path in absent:  # said once, not for each record
            continue
        totals[name] = totals.get(name, 0) + count
        found += [Violation(one["record"], path, one["value"], expected) for one in first]
    for path, name in absent.items():
        # Where no parent is an object, that is the violation.
        if not any(path.startswith(f"{one.path}.") or one.path == "$" for one in found):
            totals[name] = 1
            found.append(Violation(None, path, None, "a path that at least one record has"))
    return sorted(found, key=lambda violation: violation.record or 0), totals


def locate(found: Sequence[Violation], rows: Sequence[tuple[str, int]]) -> list[Violation]:
    """Number records within their parts.

    Args:
        found: violations whose records are numbered over all parts.
        rows: names of the parts in order, and how many records each has.
    """
    ends = list(accumulate(count for _, count in rows))
    located = []
    for one in found:
        if one.record is not None:
            at = bisect_left(ends, one.record)
            before = ends[at - 1] if at else 0
            one = one._replace(record=one.record - before, file=rows[at][0])
        located.append(one)
    return located


def count(part: Part, body: Body) -> str:
    """Count the records of one part of a body."""
    alone = replace(body, parts=(part,))
    return f"SELECT count(*) FROM {read_json(alone, {'element': 'JSON'}, whole=True)}"


def _column_checks(column: Column) -> list[str]:
    leaf, kind = _at(column.path), _type(column.path)
    test = is_of_type(column.type, leaf)
    wrong = f"{kind} <> 'NULL' AND ({test}) IS NOT TRUE"
    checks = [_check(wrong, column.path, EXPECTED[column.type], name=column.name)]
    if column.required:
        # Where a parent is not an object, that is the violation.
        sound = " AND ".join(
            f"coalesce({_type(column.path[:depth])}, 'NULL') IN ('OBJECT', 'NULL')"
            for depth in range(1, len(column.path))
        )
        null = f"{_type(())} = 'OBJECT' AND coalesce({kind}, 'NULL') = 'NULL'"
        checks.append(
            _check(
                f"{null} AND {sound}" if sound else null,
                column.path,
                EXPECTED[column.type],
                name=column.name,
            )
        )
    return checks


def _check(condition: str, path: Path, expected: str, *, name: str | None = None) -> str:
    label = dotted(path) or "$"
    value = (
        f"CAST({_at(path)} AS VARCHAR)" if path else "coalesce(CAST(element AS VARCHAR), 'null')"
    )
    return (
        f"CASE WHEN {condition} THEN {{name: {literal(name or label)}, path: {literal(label)},"
        f" value: {value}, expected: {literal(expected)}}} END"
    )


def _summary(rows: str) -> str:
    return (
        "SELECT name, path, expected, count(*),"
        f" min_by({{record: record, value: left(value, 100)}}, record, {SHOWN})\n"
        f"FROM (\n  {rows}\n)\nWHERE name IS NOT NULL GROUP BY name, path, expected"
        "\nORDER BY min(record), name, path, expected"
    )


def _elements(dataset: Dataset, body: Body) -> str:
    source = read_json(body, {"element": "JSON"}, whole=True)
    if body.layout is Layout.WRAPPED:
        array = f"CAST(json_extract(element, {pointer(dataset.records)}) AS JSON[])"
        source = f"(SELECT unnest({array}) AS element FROM {source})"
    return f"(SELECT row_number() OVER () AS record, element FROM {source})"


def _at(path: Path) -> str:
    return f"json_extract(element, {pointer(path)})" if path else "element"


def _type(path: Path) -> str:
    return f"json_type({_at(path)})"
