"""Compile the queries that find every violation of a contract, once it is known that there is one.

They read each record whole, as JSON, which is slow and misses nothing: a null where a record should
be, a key that comes twice, a path that no record has.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import accumulate
from pathlib import Path as FilePath
from typing import Any

from micro_etl.body import Body
from micro_etl.dataset import Column, Dataset, Origin, Path
from micro_etl.dataset.paths import write_path
from micro_etl.errors import Violation
from micro_etl.hints import suggest_path
from micro_etl.table.records import Reader, is_exact
from micro_etl.table.sql import identifier, literal
from micro_etl.table.stage import read_steps, repeats_key, wanted_kind, wrong_kind
from micro_etl.table.values import converted, expected, head, is_valid, type_of
from micro_etl.table.wrapper import NOTHING, whole_records

SHOWN = 10
"""How many violations an error shows."""

Kind = tuple[str, str, str, int, Sequence[Mapping[str, Any]]]
"""One kind of violation: column, path, what was expected, how many, and the first of them."""

NO_OTHER = "a value that no other record has"
"""What a violation of a unique column says should be there."""

_NO_REPEAT = "an object without a repeated key"


def findings(dataset: Dataset, body: Body) -> str:
    """Find what is wrong with single records.

    A row is one kind of violation: column, path, what was expected, how many there are, and the
    first of them as a list of record and value.
    """
    reader = Reader(dataset)
    checks = []
    for path, steps in read_steps(dataset).items():
        wrong = wrong_kind(dataset, reader, path, steps)
        if wanted_kind(steps) == "OBJECT":
            checks.append(_check(reader, wrong, path, "an object"))
            checks.append(_check(reader, repeats_key(reader, path, steps), path, _NO_REPEAT))
        else:
            checks.append(_check(reader, wrong, path, "an array"))
    for number, column in enumerate(dataset.columns, 1):
        checks += _column_checks(dataset, reader, column, number)
    listed = ",\n    ".join(checks)
    return _summary(
        f"SELECT record, unnest([\n    {listed}\n  ], recursive := true)"
        f" FROM {reader.rows(_records(dataset, body))}"
    )


def repeats(key: Sequence[str], dataset: Dataset, body: Body) -> str:
    """Find the values of a key that an earlier record has; rows as of `findings`."""
    return _summary(
        f"SELECT record, {literal(', '.join(key))} AS name, {literal(key_path(key, dataset))} AS"
        f" path, shown AS value, {literal(NO_OTHER)} AS expected FROM (SELECT record, shown,"
        f" row_number() OVER (PARTITION BY key ORDER BY record) AS nth"
        f" FROM {_keys(key, dataset, body)}) WHERE nth > 1"
    )


def keys(key: Sequence[str], dataset: Dataset, body: Body) -> str:
    """The values of a key as text that is equal where they are, each with its record."""
    return (
        f"SELECT {literal(', '.join(key))} AS name, key, record, shown"
        f" FROM {_keys(key, dataset, body)}"
    )


def hashes(number: int, key: Sequence[str], dataset: Dataset, table: FilePath) -> str:
    """A hash of each value of a key of a table, with the number of the key.

    Values that are equal have equal hashes; a few others may have as well.
    """
    columns = _columns(key, dataset)
    text = _key_text(columns, [identifier(column.name) for column in columns])
    there = " AND ".join(f"{identifier(name)} IS NOT NULL" for name in key)
    return (
        f"SELECT {number}::INTEGER AS unique_column, (hash({text}) >> 1)::BIGINT"
        f" AS hash FROM read_parquet({literal(table)}) WHERE {there}"
    )


def key_path(key: Sequence[str], dataset: Dataset) -> str:
    """The paths of the columns of a key, as messages show them."""
    return ", ".join(write_path(one.path, one.origin) for one in _columns(key, dataset))


def presence(dataset: Dataset, body: Body) -> str:
    """Count the records, and those that have each column's path: one row."""
    reader = Reader(dataset)
    counts = ", ".join(
        f"count({reader.value(head(column.path))})"
        if column.origin is Origin.RECORD
        else "count(*)"
        for column in dataset.columns
    )
    return f"SELECT count(*), {counts} FROM {reader.rows(_records(dataset, body))}"


def count(dataset: Dataset, body: Body) -> str:
    """Count the records of a body."""
    return f"SELECT count(*) FROM {_records(dataset, body)}"


def sample(dataset: Dataset, body: Body, most: int) -> str:
    """Read the first records of a body, as text."""
    return f"SELECT CAST(element AS VARCHAR) FROM {_records(dataset, body)} LIMIT {most}"


def absent(columns: Sequence[Column], rows: int, present: Sequence[int]) -> dict[str, Column]:
    """The paths that no record has, and the column of each, from what `presence` counted."""
    return {
        write_path(column.path, column.origin): column
        for column, count in zip(columns, present, strict=True)
        if rows and not count
    }


def combine(
    kinds: Iterable[Kind], absent: Mapping[str, Column], known: Collection[Path] = ()
) -> tuple[list[Violation], dict[str, int]]:
    """The violations in the order of the records, and how many there are of each column.

    Args:
        kinds: rows of `findings` and `repeats`.
        absent: paths that no record has, with their columns.
        known: paths that some records have.
    """
    found: list[Violation] = []
    totals: dict[str, int] = {}
    for name, path, wanted, count, first in kinds:
        if path in absent:  # said once, not for each record
            continue
        totals[name] = totals.get(name, 0) + count
        found += [Violation(one["record"], path, one["value"], wanted) for one in first]
    for path, column in absent.items():
        # Where no parent is an object, that is the violation.
        if not any(path.startswith((f"{one.path}.", f"{one.path}[")) for one in found) and not any(
            one.path == "$" for one in found
        ):
            totals[column.name] = 1
            hint = suggest_path(column.path, known) if column.origin is Origin.RECORD else ""
            wanted = f"a path that at least one record has{hint}"
            found.append(Violation(None, path, None, wanted))
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


def _column_checks(dataset: Dataset, reader: Reader, column: Column, number: int) -> list[str]:
    exact = is_exact(dataset)
    leaf = reader.leaf(column, number)
    test = is_valid(column, "leaf", exact=exact)
    # Named, so that a test that needs the value several times reads it once.
    wrong = f"list_transform([{leaf}], lambda leaf: leaf IS NOT NULL AND ({test}) IS NOT TRUE)[1]"
    wanted = expected(column)
    checks = [_check(reader, wrong, column.path, wanted, column=column, leaf=leaf)]
    if column.required:
        missing = f"({leaf}) IS NULL"
        if column.origin is Origin.RECORD:  # where a parent is wrong, that is the violation
            path = head(column.path)
            steps = read_steps(dataset)
            sound = [
                f"({wrong_kind(dataset, reader, path[:depth], steps[path[:depth]])}) IS NOT TRUE"
                for depth in range(len(path))
            ]
            missing = " AND ".join([missing, *sound])
        checks.append(_check(reader, missing, column.path, wanted, column=column, leaf=leaf))
    return checks


def _check(
    reader: Reader,
    condition: str,
    path: Path,
    wanted: str,
    *,
    column: Column | None = None,
    leaf: str | None = None,
) -> str:
    label = write_path(path, column.origin) if column else write_path(path) or "$"
    if column is None or column.origin is Origin.RECORD:
        value = reader.shown(reader.value(head(path)))
        value = f"coalesce({value}, 'null')" if not path else value
    else:
        value = reader.shown(leaf or "NULL")
    return (
        f"CASE WHEN {condition} THEN {{name: {literal(column.name if column else label)},"
        f" path: {literal(label)}, value: {value}, expected: {literal(wanted)}}} END"
    )


def _summary(rows: str) -> str:
    return (
        "SELECT name, path, expected, count(*),"
        f" min_by({{record: record, value: value}}, record, {SHOWN})\n"
        f"FROM (\n  {rows}\n)\nWHERE name IS NOT NULL GROUP BY name, path, expected"
        "\nORDER BY min(record), name, path, expected"
    )


def _records(dataset: Dataset, body: Body) -> str:
    return whole_records(dataset, body, on_wrong=NOTHING)


def _columns(key: Sequence[str], dataset: Dataset) -> list[Column]:
    named = {column.name: column for column in dataset.columns}
    return [named[name] for name in key]


def _keys(key: Sequence[str], dataset: Dataset, body: Body) -> str:
    """The valid values of a key: record, key as text, and as a message shows it."""
    reader = Reader(dataset)
    numbers = {column.name: number for number, column in enumerate(dataset.columns, 1)}
    columns = _columns(key, dataset)
    leaves = [reader.leaf(column, numbers[column.name]) for column in columns]
    taken = ", ".join(f"{leaf} AS leaf_{at}" for at, leaf in enumerate(leaves))
    tests = " AND ".join(
        f"leaf_{at} IS NOT NULL AND ({is_valid(column, f'leaf_{at}')})"
        for at, column in enumerate(columns)
    )
    text = _key_text(columns, [converted(one, f"leaf_{at}") for at, one in enumerate(columns)])
    shown = " || ', ' || ".join(f"CAST(leaf_{at} AS VARCHAR)" for at in range(len(columns)))
    rows = f"SELECT record, {taken} FROM {reader.rows(_records(dataset, body))}"
    return (
        f"(SELECT record, {text} AS key, left({shown}, 100) AS shown FROM ({rows}) WHERE {tests})"
    )


def _key_text(columns: Sequence[Column], values: Sequence[str]) -> str:
    """A key as text: of one value itself, of several as JSON; 0.0 and -0.0 are one."""
    texts = [
        f"CAST({value}{' + 0' if type_of(column).sql == 'DOUBLE' else ''} AS VARCHAR)"
        for column, value in zip(columns, values, strict=True)
    ]
    return texts[0] if len(texts) == 1 else f"CAST(to_json([{', '.join(texts)}]) AS VARCHAR)"
