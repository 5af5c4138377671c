"""Read a dataset file and pages of JSON by plain Python: the rows that a table of them must hold.

It follows the documentation of the dataset file, word by word, and shares no code with the
application. Speed is no aim; a reader should see at a glance that it is right.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tests.integration.exact_json import Broken, Json, Number, from_python, read_values
from tests.integration.paths import (
    Every,
    Path,
    Place,
    bind,
    find,
    find_places,
    parse_path,
    read_member,
    write_path,
)
from tests.integration.values import Column, read_value


class Page(NamedTuple):
    """One answer of a source.

    Attributes:
        body: its bytes, or the value that they hold.
        each: the value of the dataset's ``each`` that it was asked for.
    """

    body: Json
    each: str | int | float | bool | None = None


class Record(NamedTuple):
    """One record of a page.

    Attributes:
        value: the record.
        root: the body that holds it.
        places: what each ``*`` of the path of records stood for on the way to it.
    """

    value: Json
    root: Json
    places: tuple[Place, ...] = ()


def expected_rows(dataset: Mapping[str, Any] | str, pages: Iterable[Page]) -> list[dict[str, Any]]:
    """The rows of a table in order, their values as pyarrow gives them.

    Args:
        dataset: the dataset file: its text, or what TOML makes of it.
        pages: everything that the source holds.

    Raises:
        Broken: a value breaks the contract; says which page, record, path and value.
    """
    if isinstance(dataset, str):
        dataset = tomllib.loads(dataset)
    source, columns = dataset.get("source", {}), dataset["columns"]
    rows: list[dict[str, Any]] = []
    present: set[str] = set()
    for number, page in enumerate(pages, 1):
        records = _number(records_of(source, page.body, columns), page=number)
        for position, record in records:
            try:
                row, there = _read_row(record, source, columns, page.each)
            except Broken as broken:
                broken.page, broken.record = number, position
                raise
            rows.append(row)
            present |= there
    for name in columns:
        if rows and name not in present:
            raise Broken("a path that at least one record has", path=_path_of(name, columns[name]))
    for key in _unique_keys(dataset):
        _refuse_repeated(rows, key)
    return rows


def _number(records: Iterator[Record], *, page: int) -> Iterator[tuple[int, Record]]:
    try:
        yield from enumerate(records, 1)
    except Broken as broken:
        broken.page = page
        raise


def records_of(
    source: Mapping[str, Any], body: Json, columns: Mapping[str, Column]
) -> Iterator[Record]:
    """Yield the records of one page.

    Args:
        source: the section ``source`` of the dataset file.
        body: the page's bytes, or the value that they hold.
        columns: the section ``columns``, which says what is read of arrays that are columns.

    Raises:
        Broken: the page is not JSON, or there are no records where they should be.
    """
    values = read_values(body) if isinstance(body, bytes) else [from_python(body)]
    path, columnar = source.get("records"), source.get("columnar", False)
    if path is None and not columnar:
        yield from _top_level(values)
        return
    if len(values) != 1:
        raise Broken("one JSON value", f"{len(values)} values")
    (root,) = values
    steps = parse_path(path).steps if path else ()
    try:
        for found, places in find_places(root, steps):
            if columnar:
                members = _positions(found, columns)
            elif isinstance(steps[-1], Every):
                members = [found]
            elif isinstance(found, list):
                members = found
            else:
                raise Broken("an array of records", found)
            for member in members:
                yield Record(member, root, places)
    except Broken as broken:
        broken.path = broken.path or write_path(steps)
        raise


def _top_level(values: list[Json]) -> Iterator[Record]:
    """Yield the elements of one array, or one object after the other."""
    if len(values) == 1 and isinstance(values[0], list):
        for record in values[0]:
            yield Record(record, values[0])
        return
    for value in values:
        if not isinstance(value, dict):
            raise Broken("one array of records, or one record after the other", value)
        yield Record(value, value)


def _positions(arrays: Json, columns: Mapping[str, Column]) -> list[Json]:
    """The records of an object of arrays: one a position, with the keys that are read."""
    keys = {path.steps[0] for path in _record_paths(columns)}
    members = {key: read_member(arrays, key) for key in keys if isinstance(key, str)}
    read = {key: member for key, member in members.items() if key in arrays}
    for key, member in read.items():
        if not isinstance(member, list | None):
            raise Broken(f"an array as {key}", member)
    lengths = {len(member) for member in read.values() if member is not None}
    if len(lengths) > 1 or (arrays and not lengths):
        raise Broken("arrays of one length", arrays)
    return [
        {key: None if member is None else member[position] for key, member in read.items()}
        for position in range(max(lengths, default=0))
    ]


def _path_of(name: str, column: Column) -> str:
    """The path of a column as text; without one, it is the column's name."""
    return str(column.get("from") or column.get("from_key") or write_path([name]))


def _record_paths(columns: Mapping[str, Column]) -> list[Path]:
    """The paths that start at the record."""
    paths = [
        _column_path(name, column)
        for name, column in columns.items()
        if "from_key" not in column and not _is_each(column)
    ]
    return [path for path in paths if not path.from_root]


def _column_path(name: str, column: Column) -> Path:
    return parse_path(column["from"]) if "from" in column else Path((name,))


def _is_each(column: Column) -> bool:
    return str(column.get("from", "")).startswith("{")


def _read_row(
    record: Record,
    source: Mapping[str, Any],
    columns: Mapping[str, Column],
    each: object,
) -> tuple[dict[str, Any], set[str]]:
    """The row of a record, and the columns whose path the record has."""
    if record.value is None and _record_paths(columns):
        raise Broken("a record", None)
    row, present = {}, set()
    for name, column in columns.items():
        try:
            value, there = _find_value(name, column, record, source, each)
            row[name] = read_value(value, column)
            if row[name] is None and column.get("required"):
                raise Broken("a value", None)
        except Broken as broken:
            broken.path = broken.path or _path_of(name, column)
            raise
        if there:
            present.add(name)
    return row, present


def _find_value(
    name: str, column: Column, record: Record, source: Mapping[str, Any], each: object
) -> tuple[Json, bool]:
    """What the path of a column leads to, and whether it is there."""
    on_the_way = parse_path(source.get("records", "")).steps
    if _is_each(column):
        return from_python(each), True
    if "from_key" in column:
        steps = parse_path(column["from_key"]).steps
        bound = bind(steps, on_the_way, record.places)
        place = [
            there for step, there in zip(steps, bound, strict=True) if isinstance(step, Every)
        ][-1]
        return (place if isinstance(place, str) else Number(place)), True
    path = _column_path(name, column)
    empty_arrays = source.get("empty_arrays_as_objects", False)
    if path.from_root:
        bound = bind(path.steps, on_the_way, record.places)
        return find(record.root, bound, empty_arrays=empty_arrays)
    return find(record.value, path.steps, empty_arrays=empty_arrays)


def _unique_keys(dataset: Mapping[str, Any]) -> list[Sequence[str]]:
    """The columns of each key that must not come twice."""
    single = [[name] for name, column in dataset["columns"].items() if column.get("unique")]
    composite = dataset.get("publish", {}).get("unique")
    return [*single, composite] if composite else [*single]


def _refuse_repeated(rows: list[dict[str, Any]], key: Sequence[str]) -> None:
    """Raise `Broken` where a key comes twice; one with a null in it is not compared."""
    seen = set()
    for number, row in enumerate(rows, 1):
        values = tuple(tuple(v) if isinstance(v, list) else v for v in (row[name] for name in key))
        if None in values:
            continue
        if values in seen:
            broken = Broken("a key that no other record has", repr(values), ", ".join(key))
            broken.record = number
            raise broken
        seen.add(values)


def page_value(page: Json) -> Json:
    """The one value that a page holds; none where it holds several."""
    values = read_values(page) if isinstance(page, bytes) else [from_python(page)]
    return values[0] if len(values) == 1 else None


__all__ = ["Broken", "Page", "Record", "expected_rows", "page_value", "records_of"]
