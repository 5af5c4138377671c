"""Take records apart: one leaf for each path that a column can read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from micro_etl.dataset import Path

_DEEPEST = 6
_MOST_LEAVES = 400  # columns of a table that a person can still read
_WIDE = 40  # keys of one object; with more they are data
_SHARED = 0.5  # of its keys, those that an object has at least, where they are fields
# Keys that are data: codes of currencies and languages, dates, numbers, ids.
_IS_DATA = re.compile(r"[A-Z]{2,4}|\d[\d:T.-]*|[0-9a-f-]{16,}")
_IS_LANGUAGE = re.compile(r"[a-z]{2,3}([-_][A-Za-z]{2,4})?")
_HOLDS_LANGUAGES = re.compile(r"(lang|translation|locale|i18n|native|currenc)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Leaf:
    """What the records have at one path.

    Attributes:
        path: the path.
        values: in the records that have one that is not null.
        missing: how many records have none.
        why: why it is not taken apart, where it is an object.
    """

    path: Path
    values: Sequence[Any]
    missing: int
    why: str = ""


def flatten(records: Sequence[Any]) -> list[Leaf]:
    """List the leaves of records, in the order of their keys."""
    if records and all(isinstance(one, list) for one in records):
        width = max(len(one) for one in records)
        columns = [[one[at] if at < len(one) else None for one in records] for at in range(width)]
        return [_leaf((at,), values) for at, values in enumerate(columns)]
    return list(_flatten([one for one in records if isinstance(one, dict)], ()))


def _flatten(objects: Sequence[dict[str, Any]], path: Path) -> list[Leaf]:
    leaves: list[Leaf] = []
    for key in dict.fromkeys(key for one in objects for key in one):
        here = (*path, key)
        leaf = _leaf(here, [one.get(key) for one in objects])
        if not leaf.values or not all(isinstance(value, dict) for value in leaf.values):
            leaves.append(leaf)
            continue
        why = _why_whole(key, leaf.values, depth=len(here))
        if why:
            leaves.append(Leaf(here, leaf.values, leaf.missing, why))
        else:
            inner = _flatten(leaf.values, here)
            leaves += [
                Leaf(one.path, one.values, one.missing + leaf.missing, one.why) for one in inner
            ]
    if len(leaves) > _MOST_LEAVES and path:
        return [Leaf(path, objects, 0, f"an object with {len(leaves)} values inside")]
    return leaves


def _leaf(path: Path, values: Sequence[Any]) -> Leaf:
    there = [value for value in values if value is not None]
    return Leaf(path, there, len(values) - len(there))


def _why_whole(key: str, objects: Sequence[dict[str, Any]], *, depth: int) -> str:
    """Why objects are one column, or nothing where each key is to be one."""
    keys = dict.fromkeys(key for one in objects for key in one)
    if not keys:
        return "an empty object in every record of this page"
    if all(map(_IS_DATA.fullmatch, keys)):
        return "its keys look like data"
    if _HOLDS_LANGUAGES.search(key) and all(map(_IS_LANGUAGE.fullmatch, keys)):
        return "its keys look like data"
    present = sum(len(one) for one in objects) / len(objects)
    if len(objects) > 1 and len(keys) > 3 and present < _SHARED * len(keys):
        return "its keys differ from record to record"
    if len(keys) > _WIDE:
        return f"an object with {len(keys)} keys"
    return "deeply nested" if depth >= _DEEPEST else ""
