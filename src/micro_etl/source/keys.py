"""Tell whether a key that came before comes again, which means that rows moved between pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from micro_etl.dataset import EVERY, Column, Dataset, Origin
from micro_etl.source.page import Bindings, Found, Number, is_same, value_at, write_json


class SeenKeys:
    """The keys of all pages of one series.

    Of each key it keeps a hash of 8 bytes, as a number in a set: a million keys take 70 to 105 MB.
    Two different keys of a million have the same hash once in 37 million runs; the series is then
    read again, with nothing lost. Keys are compared as they are written; nulls are not compared.
    """

    def __init__(self, dataset: Dataset) -> None:
        columns = _key_columns(dataset)
        self._readers = tuple(_reader(column) for column in columns)
        self._seen: set[int] = set()

    def add(self, page: Any, found: Found) -> bool:
        """Add the keys of a page, and tell whether an earlier page has one of them.

        Args:
            page: the parsed page.
            found: its records.
        """
        hashes = set(self._hashes(page, found)) if self._readers else set()
        repeats = not self._seen.isdisjoint(hashes)
        self._seen |= hashes
        return repeats

    def _hashes(self, page: Any, found: Found) -> Iterator[int]:
        if len(self._readers) == 1:
            (read,) = self._readers
            for bindings, record in found.records:
                text = read(page, bindings, record)
                if text is not None:
                    yield hash(text)
            return
        for bindings, record in found.records:
            texts = tuple(read(page, bindings, record) for read in self._readers)
            if None not in texts:
                yield hash(texts)


Reader = Callable[[Any, Bindings, Any], str | None]
"""Gives a column's value of a record as text, or none where it is null."""


def _key_columns(dataset: Dataset) -> tuple[Column, ...]:
    """The columns of the key to compare; one whose values are always there is preferred."""
    columns = {column.name: column for column in dataset.columns}
    keys = [tuple(columns[name] for name in key) for key in dataset.keys]
    keys.sort(key=lambda key: not all(column.required for column in key))
    # Within a series its value is the same.
    return tuple(one for one in keys[0] if one.origin is not Origin.SERIES) if keys else ()


def _reader(column: Column) -> Reader:
    path = column.path

    def from_record(_page: Any, _bindings: Bindings, record: Any) -> Any:
        return value_at(record, path)

    def from_member(_page: Any, _bindings: Bindings, record: Any) -> Any:
        return record.get(path[0]) if isinstance(record, dict) else None

    def from_root(page: Any, bindings: Bindings, _record: Any) -> Any:
        bound = iter(bindings)
        return value_at(page, tuple(next(bound, "") if one is EVERY else one for one in path))

    def from_key(_page: Any, bindings: Bindings, _record: Any) -> Any:
        at = path.count(EVERY) - 1
        return bindings[at] if 0 <= at < len(bindings) else None

    read = {
        Origin.ROOT: from_root,
        Origin.KEY: from_key,
    }.get(
        column.origin, from_member if len(path) == 1 and isinstance(path[0], str) else from_record
    )

    def as_text(page: Any, bindings: Bindings, record: Any) -> str | None:
        value = read(page, bindings, record)
        if value is None or any(is_same(value, null) for null in column.null_values):
            return None
        if isinstance(value, str) and not isinstance(value, Number):
            return value
        return str(value) if type(value) is int else write_json(value)

    return as_text
