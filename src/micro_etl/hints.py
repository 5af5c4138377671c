"""Hints for messages about a path: where in a JSON value is what was looked for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from micro_etl.dataset import Path, write_path

SAMPLE = 100
"""How many records are looked at to find the paths that there are."""

_MOST_ARRAYS, _MOST_SIBLINGS = 5, 10
_DEEPEST = 5


def name_arrays(value: object) -> str:
    """Name the arrays in a value that has none where its records should be; empty without any."""
    paths = list(_arrays(value, ()))[:_MOST_ARRAYS]
    listed = " or ".join(f'records = "{write_path(path)}"' for path in paths)
    return f" (there are arrays at {listed})" if paths else ""


def list_paths(records: Iterable[object]) -> set[Path]:
    """List the paths to what is in some records, through objects alone."""
    return {path for record in records for path in _members(record, ())}


def suggest_path(path: Path, known: Collection[Path]) -> str:
    """Suggest what may be meant by a path that no record has; empty where nothing is known.

    Args:
        path: the path.
        known: the paths that there are, from `list_paths`.
    """
    from difflib import get_close_matches  # only for a path that is wrong: 3 ms

    written = {write_path(one): one for one in sorted(known, key=write_path)}
    same = [text for text, one in written.items() if path and one[-1] == path[-1]]
    close = get_close_matches(write_path(path), written, n=1, cutoff=0.7)
    meant = f"; did you mean {(same or close)[0]}?" if same or close else ""
    beside = [text for text, one in written.items() if one[:-1] == path[:-1]]
    if not beside:
        return meant
    more = ", ..." if len(beside) > _MOST_SIBLINGS else ""
    return f"{meant or ';'} there is {', '.join(beside[:_MOST_SIBLINGS])}{more}"


def _arrays(value: object, at: Path) -> Iterator[Path]:
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        if isinstance(inner, list):
            yield (*at, key)
        yield from _arrays(inner, (*at, key))


def _members(value: object, at: Path) -> Iterator[Path]:
    if not isinstance(value, dict) or len(at) == _DEEPEST:
        return
    for key, inner in value.items():
        yield (*at, key)
        yield from _members(inner, (*at, key))
