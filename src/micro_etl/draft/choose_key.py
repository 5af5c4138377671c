"""Choose the columns that tell one row from another."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations

from micro_etl.draft.flatten import Leaf
from micro_etl.source.paging.page import write_json
from micro_etl.source.paging.page_fields import plain

_IS_ID = re.compile(r"id|key|uuid|guid|uniquekey|uniqueid|objectid|number|flightnumber|isbn|slug")
_MAY_BE_ID = re.compile(r".*(id|key|code|number|name|url|uri|time|date|at|day|value)")
# The only names that will do where one record can't show what differs.
_IS_SURELY_ID = re.compile(
    r"(?i:(.*[_-])?(id|uuid|guid|key|code))|.*[a-z0-9](Id|ID|Uuid|UUID|Guid|GUID|Key|Code)"
)
_SIMPLE = ("int64", "string", "timestamp", "date")
_MOST_TRIED = 12


def choose_key(
    leaves: Sequence[Leaf], types: Sequence[str], *, needed: bool
) -> tuple[tuple[int, ...], bool]:
    """Choose the leaves that make a key, by their place in the list.

    Args:
        leaves: the leaves of the records.
        types: their types.
        needed: a key has to be found, so that one which is no id will do.

    Returns:
        The places, empty where there is no key, and whether it is an id by its name.
    """
    full = [
        (at, list(map(write_json, leaf.values)))
        for at, (leaf, kind) in enumerate(zip(leaves, types, strict=True))
        if not leaf.missing and leaf.values and kind in _SIMPLE
    ]
    unique = [at for at, texts in full if len(set(texts)) == len(texts)]
    ids = [at for at in unique if len(leaves[at].path) == 1 and _IS_ID.fullmatch(_name(leaves[at]))]
    if ids:
        return (min(ids, key=lambda at: _rank(leaves[at])),), True
    if not needed:
        return (), False
    if full and len(full[0][1]) == 1:
        unique = [at for at in unique if _IS_SURELY_ID.fullmatch(str(leaves[at].path[-1]))]
        full = []
    if unique:
        return (min(unique, key=lambda at: _rank(leaves[at])),), False
    for one, other in combinations(full[:_MOST_TRIED], 2):
        pairs = list(zip(one[1], other[1], strict=True))
        if len(set(pairs)) == len(pairs):
            return (one[0], other[0]), False
    return (), False


def _name(leaf: Leaf) -> str:
    return plain(str(leaf.path[-1]))


def _rank(leaf: Leaf) -> tuple[int, bool, bool, bool]:
    """The better one first: nearer to the record, named as an id."""
    name = _name(leaf)
    return (
        len(leaf.path),
        name not in ("id", "uuid", "guid"),
        not _IS_ID.fullmatch(name),
        not _MAY_BE_ID.fullmatch(name),
    )
