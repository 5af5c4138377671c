"""Compile the records of a body whole, as JSON, with what columns take from around them."""

from __future__ import annotations

from micro_etl.body import Body, Layout
from micro_etl.dataset import Column, Dataset, Origin, Path
from micro_etl.table.sql import keep_digits, literal, pointer, restore_digits
from micro_etl.table.values import head, nulled, type_of

FORMATS = {
    Layout.ARRAY: "array",
    Layout.LINES: "newline_delimited",
    Layout.OBJECTS: "unstructured",
    Layout.WRAPPED: "unstructured",
}
"""Layout to the engine's name for it."""


def is_exact(dataset: Dataset) -> bool:
    """Whether a column needs numbers digit for digit, so that they are marked by `keep_digits`."""
    return any(type_of(column).needs_digits for column in dataset.columns)


def read_objects(dataset: Dataset, body: Body) -> str:
    """Compile the JSON values of a body, each as ``node``, with the ``series`` of its part."""
    files = ", ".join(literal(part.file) for part in body.parts)
    named = any(part.series is not None for part in body.parts)
    series = "CAST(NULL AS VARCHAR)"
    if named:
        listed = ", ".join(
            f"{literal(part.file)}: {literal(part.series or '')}" for part in body.parts
        )
        series = f"map_extract_value(MAP {{{listed}}}, filename)"
    node = f"CAST({keep_digits('CAST(json AS VARCHAR)')} AS JSON)" if is_exact(dataset) else "json"
    return (
        f"SELECT {node} AS node, {series} AS series FROM read_json_objects([{files}],"
        f" format = '{FORMATS[body.layout]}', maximum_object_size = {body.max_record},"
        f" filename = {str(named).lower()})"
    )


class Reader:
    """Compiles what is read of records; every path of all columns in one go."""

    def __init__(self, dataset: Dataset) -> None:
        self._exact = is_exact(dataset)
        self._values: list[Path] = []
        self._kinds: list[Path] = []
        self._keys: list[Path] = []

    def value(self, path: Path) -> str:
        """What is at a path of a record, as JSON; NULL where it is missing."""
        return f"found[{_place(self._values, path)}]"

    def kind(self, path: Path) -> str:
        """The type of that value; NULL where it is missing."""
        return f"kinds[{_place(self._kinds, path)}]"

    def keys(self, path: Path) -> str:
        """The keys of that value, where it is an object."""
        return f"keys[{_place(self._keys, path)}]"

    def leaf(self, column: Column, number: int) -> str:
        """What a column takes of a record, as JSON; NULL where it is null or missing."""
        if column.origin is Origin.SERIES:
            return nulled(column, "to_json(series)")
        value = f"origin_{number}"
        if column.origin is Origin.RECORD:
            value = f"NULLIF({self.value(head(column.path))}, 'null')"
        is_list = type_of(column).element is not None
        return nulled(column, restore_digits(value) if self._exact and not is_list else value)

    def shown(self, value: str) -> str:
        """A JSON value as text for a person, at most 100 characters of it."""
        return f"left(CAST({restore_digits(value) if self._exact else value} AS VARCHAR), 100)"

    def rows(self, records: str) -> str:
        """The records with all that was asked for; to be called last.

        Args:
            records: as of `micro_etl.table.wrapper.whole_records`.
        """
        return (
            f"(SELECT *, {_extract('json_extract', self._values)} AS found,"
            f" {_extract('json_type', self._kinds)} AS kinds,"
            f" {_extract('json_keys', self._keys)} AS keys FROM {records})"
        )


def _place(paths: list[Path], path: Path) -> int:
    if path not in paths:
        paths.append(path)
    return paths.index(path) + 1


def _extract(function: str, paths: list[Path]) -> str:
    listed = ", ".join(pointer(path) for path in paths)
    return f"{function}(element, [{listed}])" if paths else "NULL"
