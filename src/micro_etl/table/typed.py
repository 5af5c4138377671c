"""Compile records as typed fields: the fast way, for contracts that the engine can read so."""

from __future__ import annotations

from collections.abc import Iterable

from micro_etl.body import Body, Layout
from micro_etl.dataset import Column, Dataset, Origin, Path
from micro_etl.table.records import FORMATS, is_exact
from micro_etl.table.sql import ABORT, identifier, literal, pointer
from micro_etl.table.values import leads


def is_typed(dataset: Dataset) -> bool:
    """Whether the engine can read the records as typed fields, so that no record is read whole."""
    keys = [column.path[:1] for column in dataset.columns]
    return not (
        is_exact(dataset)
        or dataset.columnar
        or dataset.empty_arrays_as_objects
        or any(column.origin is not Origin.RECORD for column in dataset.columns)
        or not all(isinstance(step, str) and step for step in dataset.records)
        or not all(key and isinstance(key[0], str) for key in keys)
        or _any_folds(column.path for column in dataset.columns)
    )


def _any_folds(paths: Iterable[Path]) -> bool:
    """Whether a key is empty, or two differ by case alone, which are one to the engine."""
    known: dict[tuple[str, ...], Path] = {}
    for path in paths:
        steps = path[: leading_keys(path)]
        for depth in range(1, len(steps) + 1):
            prefix = steps[:depth]
            folded = tuple(str(step).casefold() for step in prefix)
            if not prefix[-1] or known.setdefault(folded, prefix) != prefix:
                return True
    return False


def leading_keys(path: Path) -> int:
    """Count the keys that a path starts with."""
    return next((at for at, step in enumerate(path) if not isinstance(step, str)), len(path))


class Node:
    """A key of a record.

    Attributes:
        whole: a column takes all that it holds.
        children: the keys in it that columns go through.
    """

    def __init__(self) -> None:
        self.whole = False
        self.children: dict[str, Node] = {}

    def type(self) -> str:
        """The engine's type of what it holds."""
        if self.whole:
            return "JSON"
        inner = ", ".join(f"{identifier(key)} {node.type()}" for key, node in self.children.items())
        return f"STRUCT({inner})"


def tree_of(columns: Iterable[Column]) -> Node:
    """Build the tree of the keys that columns go through, down to their first other step."""
    root = Node()
    for column in columns:
        node = root
        for step in column.path[: leading_keys(column.path)]:
            node = node.children.setdefault(str(step), Node())
        node.whole = True
    return root


def typed_records(dataset: Dataset, tree: Node, body: Body) -> str:
    """Compile the table of typed records, each as ``record``."""
    if body.layout is not Layout.WRAPPED:
        fields = {key: node.type() for key, node in tree.children.items()}
        return f"{read_json(body, fields)} AS record"
    outer, *inner = map(str, dataset.records)
    nested = f"{tree.type()}[]"
    for key in reversed(inner):
        nested = f"STRUCT({identifier(key)} {nested})"
    array = ".".join(identifier(key) for key in ("body", *map(str, dataset.records)))
    # One array a part: one that lacks it, or values after the first, would lose records in silence.
    alone = f"{array} IS NOT NULL AND row_number() OVER () <= {len(body.parts)}"
    one = f"CASE WHEN {alone} THEN {array} ELSE {ABORT} END"
    return f"(SELECT unnest({one}) AS record FROM {read_json(body, {outer: nested})} AS body)"


def typed_leaf(tree: Node, path: Path) -> str:
    """Compile what is at a path of ``record``: JSON, or NULL where it is null or missing.

    A key in a value that another column takes whole, an index and what follows it are taken from
    JSON.
    """
    expression, node, whole = "record", tree, False
    for step in path:
        if not whole:
            expression = f"{expression}.{identifier(str(step))}"
            node = node.children[str(step)]
            whole = node.whole
            continue
        found = f"NULLIF(json_extract({expression}, {pointer((step,))}), 'null')"
        expression = f"CASE WHEN {leads(expression, (step,))} THEN {found} ELSE {ABORT} END"
    return expression


def read_json(body: Body, fields: dict[str, str]) -> str:
    """Compile the table function that reads a body as fields.

    Args:
        body: what holds the records.
        fields: names and the engine's types.
    """
    columns = ", ".join(f"{literal(key)}: {literal(kind)}" for key, kind in fields.items())
    files = ", ".join(literal(part.file) for part in body.parts)
    return (
        f"read_json([{files}], format = '{FORMATS[body.layout]}', columns = {{{columns}}},"
        f" maximum_object_size = {body.max_record}, records = true)"
    )
