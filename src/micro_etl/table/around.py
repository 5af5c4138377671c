"""Read what is around the records of a body, which may say that there are more of them."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from micro_etl.body import Body
from micro_etl.dataset import EVERY, Dataset, Path
from micro_etl.table.engine import Connection
from micro_etl.table.records import read_objects
from micro_etl.table.sql import literal, pointer

_LARGEST = 10_000  # characters of a member that says something of pages


class Around(NamedTuple):
    """What is around the records.

    Attributes:
        page: the body without its records, and without what is large.
        elements: how many elements the source counts, where they are not the records: of an array
            whose elements each hold several.
    """

    page: Any
    elements: int | None


def read_around(connection: Connection, dataset: Dataset, body: Body) -> Around:
    """Read what is around the records of a body of one part.

    Raises:
        Error: it can't be read.
    """
    records = dataset.records
    first = records.index(EVERY) if EVERY in records else len(records)
    rows = f"({read_objects(dataset, body)})"
    page: Any = None
    for depth in range(max(first, 1)):
        query = _members(rows, records[:depth], records[depth : depth + 1])
        inner = _assemble(connection.execute(query).fetchall())
        if depth == 0:
            page = inner
        else:
            _put(page, records[:depth], inner)
    if first >= len(records) - 1:
        return Around(page, None)
    count = connection.execute(_count(rows, records[:first])).fetchone()
    return Around(page, count[0] if count else None)


def _members(rows: str, path: Path, onward: Path) -> str:
    """Compile the members of what is at a path: key or index, and the value where it is small.

    Args:
        rows: the bodies.
        path: the path.
        onward: the step that leads on to the records, whose value is left out.
    """
    at = _at(path)
    length = f"CAST(json_array_length({at}) AS BIGINT)"
    is_object = f"json_type({at}) = 'OBJECT'"
    listed = (
        f"SELECT json_type({at}) AS kind, unnest(CASE WHEN {is_object} THEN json_keys({at})"
        f" ELSE CAST(range({length}) AS VARCHAR[]) END) AS key,"
        f" unnest(CASE WHEN {is_object} THEN json_extract({at}, '$.*')"
        f" ELSE json_extract({at}, '$[*]') END) AS value FROM {rows}"
    )
    steps = ", ".join(literal(str(step)) for step in onward) or "''"
    is_left_out = f"key IN ({steps}) OR length(CAST(value AS VARCHAR)) > {_LARGEST}"
    value = f"CASE WHEN {is_left_out} THEN '[]' ELSE CAST(value AS VARCHAR) END"
    return f"SELECT kind, key, {value} FROM ({listed})"


def _count(rows: str, path: Path) -> str:
    """Compile the number of elements or members of what is at a path."""
    at = _at(path)
    return (
        f"SELECT CASE json_type({at}) WHEN 'ARRAY' THEN json_array_length({at})"
        f" ELSE len(json_keys({at})) END FROM {rows}"
    )


def _at(path: Path) -> str:
    return f"json_extract(node, {pointer(path)})" if path else "node"


def _assemble(members: list[tuple[str, str, str]]) -> Any:
    """Put members together; of a key that comes twice, the last."""
    if any(kind == "ARRAY" for kind, _, _ in members):
        return [json.loads(value) for _, _, value in members]
    return {key: json.loads(value) for _, key, value in members}


def _put(page: Any, path: Path, value: Any) -> None:
    for step in path[:-1]:
        page = page[step]
    page[path[-1]] = value
