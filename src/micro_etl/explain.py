"""Compile the queries that find every violation of a contract, once it is known that there is one.

They read each record whole, as JSON, which is slow and misses nothing: a null where a record should
be, a key that comes twice, a path that no record has.
"""

from __future__ import annotations

from collections.abc import Sequence

from micro_etl.dataset import Column, Dataset
from micro_etl.layout import Body, Layout
from micro_etl.sql import (
    EXPECTED,
    converted,
    dotted,
    is_of_type,
    literal,
    pointer,
    read_json,
    unrepeated,
)

SHOWN = 10
"""How many violations an error shows."""

_OBJECT = "an object"
_NO_REPEAT = "an object without a repeated key"


def findings(dataset: Dataset, body: Body) -> str:
    """Find what is wrong with single records.

    A row is one kind of violation: column, path, what was expected, how many there are, and the
    first of them as a list of record and value.
    """
    read: dict[tuple[str, ...], set[str]] = {}
    for column in dataset.columns:
        for depth, key in enumerate(column.path):
            read.setdefault(column.path[:depth], set()).add(key)
    checks = [_check(f"{_type(())} IS DISTINCT FROM 'OBJECT'", (), _OBJECT)]
    for path, keys in sorted(read.items()):
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
        f" shown AS value, 'a value that no other record has' AS expected FROM (SELECT record,"
        f" CAST({leaf} AS VARCHAR) AS shown,"
        f" row_number() OVER (PARTITION BY {value} ORDER BY record) AS nth"
        f" FROM {_elements(dataset, body)} WHERE {test}) WHERE nth > 1"
    )


def presence(dataset: Dataset, body: Body) -> str:
    """Count the records, and those that have each column's path: one row."""
    counts = ", ".join(f"count({_at(column.path)})" for column in dataset.columns)
    return f"SELECT count(*), {counts} FROM {_elements(dataset, body)}"


def wrapper(dataset: Dataset, body: Body) -> str:
    """Type and text of what stands where the records should be, for each JSON value of the body."""
    source = read_json(body, {"element": "JSON"}, whole=True)
    found = f"json_extract(element, {pointer(dataset.records)})"
    return f"SELECT json_type({found}), left(CAST({found} AS VARCHAR), 100) FROM {source}"


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


def _check(condition: str, path: Sequence[str], expected: str, *, name: str | None = None) -> str:
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


def _at(path: Sequence[str]) -> str:
    return f"json_extract(element, {pointer(path)})" if path else "element"


def _type(path: Sequence[str]) -> str:
    return f"json_type({_at(path)})"
