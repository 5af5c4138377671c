"""Compile the way into a wrapper: from the root of a body to its records."""

from __future__ import annotations

from typing import NamedTuple

from micro_etl.body import Body, Layout
from micro_etl.dataset import EVERY, Column, Dataset, Origin, Path
from micro_etl.dataset.paths import write_path
from micro_etl.table.records import read_objects
from micro_etl.table.sql import ABORT, literal, member, pointer
from micro_etl.table.values import leads

NOTHING = "CAST([] AS JSON[])"
"""No records: for queries that find out why a wrapper is wrong."""


class Level(NamedTuple):
    """One step into a wrapper: an array, or every member of an object.

    Attributes:
        path: that leads to it from the root, as the dataset file writes it.
        rows: SQL for the values that hold it, each as ``node``.
        container: the expression for it in a row.
        sound: the test that it is what it should be.
        expected: what a violation says it should be.
    """

    path: str
    rows: str
    container: str
    sound: str
    expected: str


def whole_records(dataset: Dataset, body: Body, *, on_wrong: str = ABORT) -> str:
    """Compile the table of whole records, in order.

    Its columns are ``record``, a number from 1; ``element``, the record as JSON; ``series``; and
    ``origin_N`` for column N, from 1, where its value is not in the record.

    Args:
        dataset: the contract.
        body: the records.
        on_wrong: what is read where a level is not `Level.sound`: `ABORT` or `NOTHING`.
    """
    rows = f"SELECT node AS element, series FROM ({read_objects(dataset, body)})"
    if body.layout is Layout.WRAPPED:
        rows, _ = _descend(dataset, body, on_wrong)
    return f"(SELECT row_number() OVER () AS record, * FROM ({rows}))"


def levels(dataset: Dataset, body: Body) -> list[Level]:
    """Compile each step into a wrapper, to find the first that is wrong."""
    return _descend(dataset, body, NOTHING)[1]


def _descend(dataset: Dataset, body: Body, on_wrong: str) -> tuple[str, list[Level]]:
    rows, found = read_objects(dataset, body), []
    if on_wrong == ABORT:  # values after the first of a part would be lost in silence
        alone = f"CASE WHEN row_number() OVER () <= {len(body.parts)} THEN node ELSE {ABORT} END"
        rows = f"SELECT {alone} AS node, series FROM ({rows})"
    carried = ["series"]
    passed: Path = ()
    *outer, last = _segments(dataset.records)
    for depth, segment in enumerate(outer):
        rows = _with_origins(dataset, depth, rows, carried)
        passed = (*passed, *segment)
        level = _level(
            passed, rows, segment, "an array or an object of records", ("ARRAY", "OBJECT")
        )
        found.append(level)
        names = [name for name, column in _numbered(dataset, Origin.KEY, depth + 1)]
        rows = _unnest_members(level, carried, names, on_wrong)
        carried += names
        passed = (*passed, EVERY)
    rows = _with_origins(dataset, len(outer), rows, carried)
    if outer and not last and not dataset.columnar:
        return f"SELECT {_listed(carried)}, node AS element FROM ({rows})", found
    passed = (*passed, *last)
    if dataset.columnar:
        level = _columnar_level(dataset, passed, rows, last)
        found.append(level)
        return _unnest_columns(dataset, level, carried, on_wrong), found
    level = _level(passed, rows, last, "an array of records", ("ARRAY",))
    found.append(level)
    items = (
        f"CASE WHEN {level.sound} THEN json_extract({level.container}, '$[*]') ELSE {on_wrong} END"
    )
    return f"SELECT {_listed(carried)}, unnest({items}) AS element FROM ({rows})", found


def _segments(path: Path) -> list[Path]:
    """Cut a path at the steps that stand for every element."""
    segments: list[Path] = [()]
    for step in path:
        if step is EVERY:
            segments.append(())
        else:
            segments[-1] = (*segments[-1], step)
    return segments


def _numbered(dataset: Dataset, origin: Origin, depth: int) -> list[tuple[str, Column]]:
    """The columns of an origin whose paths go through so many steps for every element."""
    return [
        (f"origin_{number}", column)
        for number, column in enumerate(dataset.columns, 1)
        if column.origin is origin and column.path.count(EVERY) == depth
    ]


def _with_origins(dataset: Dataset, depth: int, rows: str, carried: list[str]) -> str:
    """Add what columns take at this depth, once for all records below it."""
    taken = []
    for name, column in _numbered(dataset, Origin.ROOT, depth):
        path = _segments(column.path)[-1]
        value = f"CASE WHEN {leads('node', path)} THEN {member('node', path)} ELSE {ABORT} END"
        taken.append(f"{value} AS {name}")
        carried.append(name)
    return f"SELECT *, {', '.join(taken)} FROM ({rows})" if taken else rows


def _level(passed: Path, rows: str, segment: Path, expected: str, kinds: tuple[str, ...]) -> Level:
    container = f"json_extract(node, {pointer(segment)})" if segment else "node"
    wanted = ", ".join(literal(kind) for kind in kinds)
    return Level(
        path=write_path(passed) or "$",
        rows=rows,
        container=container,
        sound=f"{leads('node', segment)} AND coalesce(json_type({container}), '') IN ({wanted})",
        expected=expected,
    )


def _unnest_members(level: Level, carried: list[str], names: list[str], on_wrong: str) -> str:
    of = level.container
    is_array = f"json_type({of}) = 'ARRAY'"
    members = (
        f"CASE WHEN NOT ({level.sound}) THEN {on_wrong} WHEN {is_array}"
        f" THEN json_extract({of}, '$[*]') ELSE json_extract({of}, '$.*') END"
    )
    length = f"CAST(json_array_length({of}) AS BIGINT)"
    keys = (
        f"CASE WHEN NOT ({level.sound}) THEN {on_wrong} WHEN {is_array}"
        f" THEN list_transform(range({length}), lambda place: to_json(place))"
        f" ELSE list_transform(json_keys({of}), lambda name: to_json(name)) END"
    )
    taken = [f"unnest({members}) AS node"] + ([f"unnest({keys}) AS name"] if names else [])
    rows = f"SELECT {_listed(carried)}, {', '.join(taken)} FROM ({level.rows})"
    if not names:
        return rows
    renamed = ", ".join(f"name AS {name}" for name in names)
    return f"SELECT {_listed(carried)}, node, {renamed} FROM ({rows})"


def _columnar_level(dataset: Dataset, passed: Path, rows: str, segment: Path) -> Level:
    level = _level(passed, rows, segment, "an object of arrays of one length", ("OBJECT",))
    of = level.container
    members, is_array = f"json_extract({of}, '$.*')", "lambda one: json_type(one) = 'ARRAY'"
    lengths = (
        f"list_transform(list_filter({members}, {is_array}), lambda one: json_array_length(one))"
    )
    wanted = ", ".join(pointer((key,)) for key in _columnar_keys(dataset))
    read = f"list_filter(json_extract({of}, [{wanted}]), {is_array})"
    return Level(
        path=level.path,
        rows=rows,
        container=of,
        sound=(
            f"{level.sound} AND len(list_distinct({lengths})) <= 1"
            f" AND len({read}) = {len(_columnar_keys(dataset))}"
        ),
        expected=f"{level.expected}, with {', '.join(_columnar_keys(dataset))}",
    )


def _columnar_keys(dataset: Dataset) -> list[str]:
    """The arrays that columns read, in order."""
    read = [column.path[0] for column in dataset.columns if column.origin is Origin.RECORD]
    return list(dict.fromkeys(str(key) for key in read))


def _unnest_columns(dataset: Dataset, level: Level, carried: list[str], on_wrong: str) -> str:
    arrays, fields = [], []
    for number, key in enumerate(_columnar_keys(dataset), 1):
        values = f"json_extract(json_extract({level.container}, {pointer((key,))}), '$[*]')"
        values = f"CASE WHEN {level.sound} THEN {values} ELSE {on_wrong} END"
        arrays.append(f"unnest({values}) AS field_{number}")
        fields.append(f"{literal(key)}, field_{number}")
    rows = f"SELECT {', '.join([*carried, *arrays])} FROM ({level.rows})"
    return f"SELECT {_listed(carried)}, json_object({', '.join(fields)}) AS element FROM ({rows})"


def _listed(names: list[str]) -> str:
    return ", ".join(names)
