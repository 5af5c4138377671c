"""Read a page as JSON: its records, and the values beside them that say how to go on."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from micro_etl.dataset import EVERY, Path, Step
from micro_etl.errors import SourceError

Bindings = tuple[Step, ...]
"""What each `EVERY` of the path to the records stood for."""


class Number(str):
    """A JSON number with a fraction or an exponent, digit for digit as the source wrote it."""

    __slots__ = ()


class Repeating(dict[str, Any]):
    """A JSON object that has keys more than once; of each the last value counts.

    Attributes:
        repeated: those keys.
    """

    repeated: frozenset[str] = frozenset()


def parse_page(body: bytes, *, name: str, lines: bool = False) -> Any:
    """Parse a page; no number is rounded.

    Args:
        body: the page.
        name: what messages call it.
        lines: it has one record a line.

    Raises:
        SourceError: it is not JSON in UTF-8.
    """
    try:
        text = body.decode()
        if lines:
            return [_parse(line) for line in text.split("\n") if line.strip()]
        return _parse(text)
    except UnicodeDecodeError:
        raise SourceError(f"{name} is not UTF-8 text; it should be JSON") from None
    except ValueError as error:
        raise SourceError(f"{name} can't be read as JSON: {error}") from None
    except RecursionError:
        raise SourceError(f"{name} can't be read as JSON: it is nested too deeply") from None


def _parse(text: str) -> Any:
    return json.loads(text, parse_float=Number, object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    repeating = Repeating(members)
    counts = Counter(key for key, _ in pairs)
    repeating.repeated = frozenset(key for key, count in counts.items() if count > 1)
    return repeating


def is_repeated(value: Any, path: Path) -> bool:
    """Whether a key on a path without `EVERY` comes more than once in its object."""
    return any(
        isinstance(holder := value_at(value, path[:at]), Repeating) and step in holder.repeated
        for at, step in enumerate(path)
    )


def write_json(value: object) -> str:
    """Write a value as JSON on one line, numbers digit for digit."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, Mapping):
        members = (f"{json.dumps(key)}:{write_json(one)}" for key, one in value.items())
        return f"{{{','.join(members)}}}"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(write_json, value))}]"
    return json.dumps(value)


def value_at(value: Any, path: Path) -> Any:
    """Follow a path without `EVERY`; none where it leads nowhere, or to null."""
    for step in path:
        is_there = (isinstance(value, dict) and step in value) or (
            isinstance(value, list) and isinstance(step, int) and step < len(value)
        )
        if not is_there:
            return None
        value = value[step]
    return value


def is_same(value: object, expected: object) -> bool:
    """Whether a value of a page is one of a dataset file; numbers are compared by value."""
    if isinstance(value, Number):
        value = float(value)
    if isinstance(value, bool) or isinstance(expected, bool):
        return value is expected
    return value == expected


class Found(NamedTuple):
    """The records of a page.

    Attributes:
        records: each with what stood for the `EVERY` steps on the way to it.
        elements: how many elements the source counts: the records, or, where each element of an
            array holds several, those elements.
    """

    records: Sequence[tuple[Bindings, Any]]
    elements: int

    @property
    def last(self) -> Any:
        """The last record, or none."""
        return self.records[-1][1] if self.records else None


def find_records(page: Any, path: Path, *, columnar: bool = False) -> Found | None:
    """Find the records of a page, or none where one of the arrays that hold them is missing.

    Args:
        page: the parsed page.
        path: the path that leads to the records.
        columnar: they are an object of arrays, a record a position.
    """
    is_every_member = path[-1:] == (EVERY,) and not columnar
    holders = path[:-1] if is_every_member else path
    records: list[tuple[Bindings, Any]] = []
    for bindings, holder in _walk(page, holders):
        if is_every_member:
            members = _members(holder)
            if members is None:
                return None
            records += [((*bindings, step), one) for step, one in members]
            continue
        rows = _rows(holder) if columnar else holder
        if not isinstance(rows, list):
            return None
        records += [(bindings, one) for one in rows]
    if EVERY not in holders:
        return Found(records, len(records))
    outermost = value_at(page, holders[: holders.index(EVERY)])
    return Found(records, len(outermost))


def _walk(value: Any, path: Path, bindings: Bindings = ()) -> Iterator[tuple[Bindings, Any]]:
    """Each value that a path leads to; none for one that is not there."""
    for at, step in enumerate(path):
        if step is EVERY:
            members = _members(value)
            if members is None:
                yield bindings, None
            for key, member in members or ():
                yield from _walk(member, path[at + 1 :], (*bindings, key))
            return
        value = value_at(value, (step,))
    yield bindings, value


def _members(value: Any) -> list[tuple[Step, Any]] | None:
    """The elements of an array or the members of an object."""
    if isinstance(value, list):
        return list(enumerate(value))
    return list(value.items()) if isinstance(value, dict) else None


def _rows(value: Any) -> list[Any] | None:
    """The records of an object of arrays of one length; what is no array there is none of them."""
    if not isinstance(value, dict):
        return None
    arrays = {key: one for key, one in value.items() if isinstance(one, list)}
    if (value and not arrays) or len({len(one) for one in arrays.values()}) > 1:
        return None
    return [dict(zip(arrays, row, strict=True)) for row in zip(*arrays.values(), strict=True)]
