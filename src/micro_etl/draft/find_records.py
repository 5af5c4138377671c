"""Find where the records of a page are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from micro_etl.dataset import EVERY, Path, write_records
from micro_etl.errors import DataError
from micro_etl.source.paging.page import Found, find_records, value_at
from micro_etl.source.paging.page_fields import is_url, plain

_DEEPEST = 5
_USUAL = re.compile(
    r"(data|items?|results?|records?|docs|documents|hits|features|rows|entries|elements|objects"
    r"|list|values?|bindings|members?|content|payload)"
)
# Keys that are data: dates, codes of currencies and languages, numbers, ids.
_IS_DATA = re.compile(r"\d[\d:TZ .+-]*|[A-Z]{2,5}|[A-Z0-9_-]*\d[A-Z0-9_-]*|[0-9a-f-]{16,}")
_ALIKE = 0.6  # of the keys of all members, those that each of them has


@dataclass(frozen=True, slots=True)
class Candidate:
    """Where records may be.

    Attributes:
        path: what ``source.records`` would say.
        shape: in words.
        count: how many records there are.
        columnar: they are an object of arrays.
        are_values: a record is no object, but one value.
    """

    path: Path
    shape: str
    count: int
    columnar: bool = False
    are_values: bool = False

    @property
    def shown(self) -> str:
        """The path and what is there, for a message."""
        return f"{write_records(self.path) or 'the page itself'} ({self.count:,} {self.shape})"


_SHAPES = ("objects", "members", "arrays of one length", "arrays", "values", "numbers by key")


def find_candidates(page: Any) -> list[Candidate]:
    """List where the records of a page may be, the likeliest first."""
    return sorted(_candidates(page, ()), key=_rank)


def choose_records(page: Any, *, shown: str) -> tuple[Candidate, list[Candidate]]:
    """Choose where the records are.

    Args:
        page: the parsed page.
        shown: what messages call it.

    Returns:
        The likeliest place, and the others that could be meant.

    Raises:
        DataError: there is none; says what was seen.
    """
    found = find_candidates(page)
    if found and found[0].count:
        return found[0], [other for other in found[1:] if other.count and other.shape == "objects"]
    seen = f"; {', '.join(one.shown for one in found[:5])}" if found else ""
    if isinstance(page, list):
        what = f"an array of {len(page):,} elements"
    elif isinstance(page, dict):
        keys = ", ".join(list(page)[:8])
        what = f"an object with {keys}" if page else "an empty object"
    else:
        what = f"{page!r:.60}"
    raise DataError(
        f"{shown} has no array of records: it is {what}{seen}; source.records would have to lead "
        "to an array of objects that is not empty"
    )


def records_of(page: Any, chosen: Candidate) -> Found | None:
    """Find the records of a page; of parallel arrays, without the values that are beside them."""
    holder = value_at(page, chosen.path) if chosen.columnar else None
    if isinstance(holder, dict):
        arrays = {key: one for key, one in holder.items() if isinstance(one, list)}
        return find_records(arrays, (), columnar=True)
    return find_records(page, chosen.path)


def _rank(one: Candidate) -> tuple[bool, int, bool, int, int]:
    last = next((step for step in reversed(one.path) if isinstance(step, str)), "")
    usual = not one.path or _is_usual(last)
    depth = sum(step is not EVERY for step in one.path)
    return one.count == 0, _SHAPES.index(one.shape), not usual, depth, -one.count


def _candidates(value: Any, path: Path) -> Iterator[Candidate]:
    if isinstance(value, list):
        yield from _of_array(value, path)
    elif isinstance(value, dict) and len(path) < _DEEPEST:
        yield from _of_object(value, path)
        inner = _by_key if _are_keys_data(value) else _by_member
        yield from inner(value, path)


def _by_member(value: dict[str, Any], path: Path) -> Iterator[Candidate]:
    for key, member in value.items():
        yield from _candidates(member, (*path, key))


def _by_key(value: dict[str, Any], path: Path) -> Iterator[Candidate]:
    """Records under keys that are data: those of one key would be a part of them."""
    here = (*path, EVERY)
    fields = [
        one for member in value.values() if isinstance(member, dict) for one in member.values()
    ]
    if any(isinstance(field, str) for field in fields):
        return  # the members are the records
    inner = [{one.path: one for one in _candidates(member, here)} for member in value.values()]
    for found in inner[0]:
        same = [other[found] for other in inner if found in other]
        shapes = {one.shape for one in same if one.count}
        if (
            len(same) == len(inner)
            and len(shapes) == 1
            and shapes <= {"objects", "arrays", "values"}
        ):
            whole = (*found, EVERY) if found == here else found
            count, (shape,) = sum(one.count for one in same), shapes
            yield Candidate(whole, shape, count, are_values=shape == "values")


def _are_keys_data(value: dict[str, Any]) -> bool:
    """Whether the keys of an object are data: by what they are, or as their members are alike."""
    kinds = {type(one) for one in value.values()}
    members = [one for one in value.values() if one]
    if kinds not in ({dict}, {list}) or not members or any(map(_is_usual, value)):
        return False
    if all(map(_is_number_or_date, value)):
        return True
    fields = [_fields([one] if isinstance(one, dict) else one) for one in members]
    are_codes = all(map(_is_data, value))
    return len(value) > 1 and (are_codes or len(members) == len(value)) and _are_alike(fields)


def _fields(objects: list[Any]) -> set[str]:
    keys = {key for one in objects if isinstance(one, dict) for key in one}
    return {key for key in keys if not _is_number_or_date(key)}


def _are_alike(fields: list[set[str]]) -> bool:
    return len(set.intersection(*fields)) >= _ALIKE * len(set.union(*fields))


def _of_array(value: list[Any], path: Path) -> Iterator[Candidate]:
    if path and value and all(map(_is_link, value)):
        return  # the links of FHIR and STAC are never the records
    kinds = {type(one) for one in value if one is not None}
    if not value or kinds == {dict}:
        yield Candidate(path, "objects", len(value))
    elif kinds == {list} and len({len(one) for one in value if one is not None}) == 1:
        yield Candidate(path, "arrays", len(value))
    elif dict in kinds and list in kinds:  # the World Bank's [about, records]
        for at, one in enumerate(value):
            if isinstance(one, list):
                yield from _of_array(one, (*path, at))
    elif not kinds & {dict, list}:
        yield Candidate((*path, EVERY), "values", len(value), are_values=True)


def _of_object(value: dict[str, Any], path: Path) -> Iterator[Candidate]:
    members = list(value.values())
    if len(members) > 1 and all(isinstance(one, dict) and one for one in members):
        if _are_alike([set(one) for one in members]) or all(map(_is_data, value)):
            yield Candidate((*path, EVERY), "members", len(members))
    elif len(members) == 1 and isinstance(members[0], dict) and _is_data(next(iter(value))):
        yield Candidate((*path, EVERY), "members", 1)
    elif length := _columnar_length(members):
        yield Candidate(path, "arrays of one length", length, columnar=True)
    elif len(members) > 1 and all(map(_is_data, value)) and all(map(_is_number, members)):
        yield Candidate((*path, EVERY), "numbers by key", len(members), are_values=True)


def _columnar_length(members: list[Any]) -> int:
    """The length of parallel arrays, which other values may be beside; 0 where there are none."""
    arrays = [one for one in members if isinstance(one, list)]
    lengths = {len(one) for one in arrays}
    kinds = {type(one[0]) for one in arrays if one}
    is_mixed = len(arrays) < len(members) and list in kinds and len(kinds) > 1
    are_parallel = len(arrays) > 1 and len(lengths) == 1 and dict not in kinds
    return lengths.pop() if are_parallel and not is_mixed else 0


def _is_link(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    return any(isinstance(value.get(key), str) for key in ("rel", "relation")) and is_url(value)


def _is_data(key: str) -> bool:
    return _IS_DATA.fullmatch(key) is not None


def _is_number_or_date(key: str) -> bool:
    return _is_data(key) and any(map(str.isdigit, key))


def _is_usual(key: str) -> bool:
    return _USUAL.fullmatch(plain(key)) is not None


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool) and not isinstance(value, dict | list) and value is not None
