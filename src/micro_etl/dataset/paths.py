"""Write paths as the dataset file does."""

from __future__ import annotations

import re

from micro_etl.dataset.model import EVERY, Origin, Path

BARE_KEY = r'[^."\s\[\]*]+'
"""A key that needs no quotes in a path, as a regular expression."""


def write_path(path: Path, origin: Origin = Origin.RECORD) -> str:
    """Write a path: ``links.webcast``, ``coordinates[0]``, ``labels[*].name``."""
    text = "$" if origin in (Origin.ROOT, Origin.KEY) else ""
    for step in path:
        if step is EVERY:
            text += "[*]"
        elif isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{_quoted(str(step))}" if text else _quoted(str(step))
    return text


def _quoted(key: str) -> str:
    if re.fullmatch(BARE_KEY, key):
        return key
    return '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'
