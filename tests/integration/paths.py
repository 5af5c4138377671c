"""Follow the paths of a dataset file through JSON: ``a.b``, ``"a.b"``, ``[0]``, ``[*]``, ``*``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import Enum
from functools import cache
from typing import NamedTuple, TypeAlias

from tests.integration.exact_json import Broken, Json, Repeating


class Every(Enum):
    """A step that leads to several values."""

    ELEMENT = "[*]"
    MEMBER = "*"


Step: TypeAlias = str | int | Every
"""A key, the position of an element, or every one."""

Place: TypeAlias = str | int
"""The key or position that an `Every` stood for on the way to a record."""


class Path(NamedTuple):
    """A path of the dataset file.

    Attributes:
        steps: in order.
        from_root: it starts at the root of the body, not at the record.
    """

    steps: tuple[Step, ...]
    from_root: bool = False


_STEP = re.compile(
    r"""
    \.? (?:
        "(?P<quoted>(?:[^"\\]|\\.)*)"
      | \[(?P<position>\d+)\]
      | (?P<every>\[\*\]|\*)
      | (?P<key>[^."\s\[\]*]+)
    )
    """,
    re.VERBOSE,
)


@cache
def parse_path(text: str) -> Path:
    """Read a path as the dataset file writes it.

    Raises:
        ValueError: it is not one.
    """
    from_root = text.startswith(("$.", "$["))
    rest = text[1:] if from_root else text
    steps: list[Step] = []
    at = 0
    while at < len(rest):
        found = _STEP.match(rest, at)
        if not found:
            raise ValueError(f"{text!r} is not a path")
        at = found.end()
        if found["quoted"] is not None:
            steps.append(re.sub(r"\\(.)", r"\1", found["quoted"]))
        elif found["position"]:
            steps.append(int(found["position"]))
        else:
            steps.append(Every(found["every"]) if found["every"] else found["key"])
    return Path(tuple(steps), from_root)


def write_path(steps: Sequence[Step]) -> str:
    """Steps as the dataset file writes them."""
    text = ""
    for step in steps:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step is Every.ELEMENT:
            text += "[*]"
        else:
            key = "*" if isinstance(step, Every) else step
            plain = isinstance(step, Every) or re.fullmatch(r'[^."\s\[\]*]+', key)
            text += ("." if text else "") + (key if plain else f'"{key}"')
    return text


def read_member(value: Json, key: str) -> Json:
    """The member of an object; none where it is missing.

    Raises:
        Broken: the value is no object, or has that key twice.
    """
    if not isinstance(value, dict):
        raise Broken("an object", value)
    if isinstance(value, Repeating) and value.repeats(key):
        raise Broken(f"an object without a repeated {key}", value)
    return value.get(key)


def list_places(value: Json, every: Every) -> list[tuple[Place, Json]]:
    """The elements of an array, or the members of an object, each with its place.

    Raises:
        Broken: there are no elements: it is no array, nor an object where one is allowed.
    """
    if isinstance(value, list):
        return list(enumerate(value))
    if every is Every.MEMBER and isinstance(value, dict):
        return [(key, read_member(value, key)) for key in value]
    raise Broken("an array" if every is Every.ELEMENT else "an array or an object", value)


def find(value: Json, steps: Sequence[Step], *, empty_arrays: bool = False) -> tuple[Json, bool]:
    """What steps lead to, and whether the path is there at all.

    Null and missing are alike: the value is none. An empty array says nothing of what its elements
    look like, so that a path through one counts as there.

    Args:
        value: where the path starts.
        steps: the path.
        empty_arrays: an empty array where an object is meant is null.

    Raises:
        Broken: something else stands where the path needs an object or an array.
    """
    for at, step in enumerate(steps):
        if value is None:
            return None, False
        try:
            if isinstance(step, Every):
                inner = [member for _, member in list_places(value, step)]
                return _find_all(inner, steps[at + 1 :], empty_arrays=empty_arrays)
            if isinstance(step, int):
                if not isinstance(value, list):
                    raise Broken("an array", value)
                if step >= len(value):
                    return None, not value
                value = value[step]
            elif value == [] and empty_arrays:
                return None, False
            else:
                outer, value = value, read_member(value, step)
                if step not in outer:
                    return None, False
        except Broken as broken:
            broken.path = write_path([*steps[:at]]) + broken.path
            raise
    return value, True


def _find_all(
    values: list[Json], steps: Sequence[Step], *, empty_arrays: bool
) -> tuple[list[Json], bool]:
    """What the steps lead to from each value, as one list."""
    found = [find(value, steps, empty_arrays=empty_arrays) for value in values]
    present = not values or any(there for _, there in found)
    if any(isinstance(step, Every) for step in steps):
        return [inner for several, _ in found for inner in several or []], present
    return [one for one, _ in found], present


def find_places(value: Json, steps: Sequence[Step]) -> Iterator[tuple[Json, tuple[Place, ...]]]:
    """Yield all that a path of records leads to, with what each `Every` stood for.

    Raises:
        Broken: it leads nowhere.
    """
    if not steps:
        yield value, ()
        return
    step, *rest = steps
    if isinstance(step, Every):
        for place, member in list_places(value, step):
            for found, places in find_places(member, rest):
                yield found, (place, *places)
        return
    inner, present = find(value, [step])
    if not present:
        raise Broken(f"{write_path([step])} on the way to the records", value)
    yield from find_places(inner, rest)


def bind(steps: Sequence[Step], records: Sequence[Step], places: Sequence[Place]) -> list[Step]:
    """Put into a path from the root what each `Every` stood for on the way to the record.

    An `Every` that is not on that way stays: it leads to a list.
    """
    bound: list[Step] = []
    remaining = iter(places)
    shared = True
    for at, step in enumerate(steps):
        on_the_way = records[at] if at < len(records) else None
        both = isinstance(step, Every) and isinstance(on_the_way, Every)
        shared = shared and (both or step == on_the_way)
        bound.append(next(remaining) if shared and both else step)
    return bound
