"""Refuse to write where the source is read: the next run would read what this one wrote."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from micro_etl.errors import ConfigError
from micro_etl.location import Location
from micro_etl.source.pattern import parse_pattern


def check_apart(source: Location, written: Mapping[str, Location]) -> None:
    """Check that what a run writes is not part of its source.

    Args:
        source: where the records come from.
        written: what messages call each place that is written, and the place: a file, or a folder
            for files of any name.

    Raises:
        ConfigError: a place is the source, or in its folder under a name that is read.
    """
    for what, place in written.items():
        if place.scheme == source.scheme and _is_part(place, source):
            raise ConfigError(
                f"{what} is {place.shown}, which is part of the source {source.shown}; "
                "it should be elsewhere"
            )


def _is_part(place: Location, source: Location) -> bool:
    if not source.is_folder:
        return _plain(place) == _plain(source)
    base, wanted = parse_pattern(source)
    folder = _plain(Location(base, source.scheme))
    path = _plain(place)
    if path != folder and not path.startswith(f"{folder.rstrip('/')}/"):
        return False
    name = path[len(folder) :].strip("/")
    return any(wanted(f"{name}{below}".lstrip("/")) for below in ("", "/x", "/x/x.json.gz"))


def _plain(location: Location) -> str:
    """The place without links and needless slashes."""
    if location.is_local:
        return os.path.realpath(Path(location.local_text or "/"))
    return location.text.rstrip("/")
