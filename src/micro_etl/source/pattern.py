"""Which files a folder or a pattern means, before any of them is looked for."""

from __future__ import annotations

import re
from collections.abc import Callable

from micro_etl.location import Location

_HIDDEN = r"(^|/)[_.]"


def is_hidden(name: str) -> bool:
    """Whether a name, or a folder in it, starts with ``_`` or ``.`` and so holds no records."""
    return bool(re.search(_HIDDEN, name))


def parse_pattern(url: Location) -> tuple[str, Callable[[str], bool]]:
    """The folder of a source, without its last slash, and whether a name below it is meant."""
    text = url.local_text if url.is_local else url.text
    base, pattern = text.rstrip("/"), ""
    at = text.find("*")
    if at >= 0:
        base, slash, _ = text[:at].rpartition("/")
        pattern = text[len(base) + 1 :] if slash else text
        base = base if slash else "."
    meant = re.compile("[^/]*".join(map(re.escape, pattern.split("*"))) if pattern else "(?s:.+)")

    def wanted(name: str) -> bool:
        return bool(meant.fullmatch(name)) and not is_hidden(name)

    return base, wanted
