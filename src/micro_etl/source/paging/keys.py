"""Tell whether a key that came before comes again, which means that rows moved between pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from micro_etl.dataset import EVERY, Column, Dataset, Origin, Path
from micro_etl.source.paging.page import Bindings, Found, is_same, value_at, write_json

_NULL = hash("\0null")  # not of None: that is a number which a key may have
Read = Callable[[Any, Found], list[Any]]
"""Gives a column's value of each record."""


class SeenKeys:
    """The keys of all pages of one series.

    Of each key it keeps a hash of 8 bytes, or a whole number itself, in a set: 80 MB a million.
    Two different keys of a million have the same hash once in 37 million runs; the series is then
    read again, with nothing lost. Keys are compared as they are written. A null is a value like
    any other, except in a required column, where the table refuses it.
    """

    def __init__(self, dataset: Dataset) -> None:
        columns = _key_columns(dataset)
        self._readers = tuple((_reader(column), column.null_values) for column in columns)
        self._required = tuple(column.required for column in columns)
        self._seen: set[int] = set()

    def add(self, page: Any, found: Found) -> int:
        """Add the keys of a page, and count those that an earlier page has.

        Args:
            page: the parsed page.
            found: its records.
        """
        hashes = self._hashes(page, found)
        repeats = len(self._seen & hashes)
        self._seen |= hashes
        return repeats

    def has_all(self, page: Any, found: Found) -> bool:
        """Whether each record of a page has a key that came before; so it is without records."""
        columns = self._columns(page, found)
        are_keys = bool(columns) and not any(None in column for column in columns)
        return not found.records or (are_keys and self._hashes(page, found) <= self._seen)

    def _columns(self, page: Any, found: Found) -> list[list[Any]]:
        return [_comparable(read(page, found), nulls) for read, nulls in self._readers]

    def _hashes(self, page: Any, found: Found) -> set[int]:
        columns = self._columns(page, found)
        if len(columns) == 1:
            return {_hash(one) for one in columns[0] if self._is_compared((one,))}
        # Not of the tuple: the hashes of -1 and -2 are the same.
        keys = zip(*columns, strict=True)
        return {hash(repr(key)) for key in keys if self._is_compared(key)}

    def _is_compared(self, key: tuple[Any, ...]) -> bool:
        return None not in key or not any(
            one is None and required for one, required in zip(key, self._required, strict=True)
        )


def _hash(value: Any) -> int:
    if value is None:
        return _NULL
    return value if type(value) is int else hash(value)


def _key_columns(dataset: Dataset) -> tuple[Column, ...]:
    """The columns of the key to compare; one whose values are always there is preferred."""
    columns = {column.name: column for column in dataset.columns}
    keys = [tuple(columns[name] for name in key) for key in dataset.keys]
    keys.sort(key=lambda key: not all(column.required for column in key))
    # Within a series its value is the same.
    return tuple(one for one in keys[0] if one.origin is not Origin.SERIES) if keys else ()


def _reader(column: Column) -> Read:
    path = column.path
    first = path[0] if path else ""

    def from_member(_: Any, found: Found) -> list[Any]:
        return [one.get(first) if isinstance(one, dict) else None for _, one in found.records]

    def from_record(_: Any, found: Found) -> list[Any]:
        return [value_at(record, path) for _, record in found.records]

    def from_root(page: Any, found: Found) -> list[Any]:
        return [value_at(page, _bind(path, bindings)) for bindings, _ in found.records]

    def from_key(_: Any, found: Found) -> list[Any]:
        at = path.count(EVERY) - 1
        return [bindings[at] for bindings, _ in found.records]

    if column.origin is Origin.ROOT:
        return from_root
    if column.origin is Origin.KEY:
        return from_key
    return from_member if len(path) == 1 and isinstance(first, str) else from_record


def _bind(path: Path, bindings: Bindings) -> Path:
    bound = iter(bindings)
    return tuple(next(bound, "") if step is EVERY else step for step in path)


def _comparable(values: list[Any], nulls: tuple[object, ...]) -> list[Any]:
    """Values that are equal where they are written alike; what means null is none."""
    if nulls:
        values = [None if any(is_same(one, null) for null in nulls) else one for one in values]
    return [one if isinstance(one, str | int | None) else write_json(one) for one in values]
