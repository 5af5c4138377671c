"""Read the `Link` header (RFC 8288)."""

from __future__ import annotations

import re

_TOKEN = r"[^\s\"<>=;,]+"  # noqa: S105 - a pattern
_PARAMETER = rf'\s*;\s*({_TOKEN})\s*(?:=\s*("(?:[^"\\]|\\.)*"|{_TOKEN}[^\s";,]*))?'
_LINK = re.compile(rf"<([^>]*)>((?:{_PARAMETER}|\s*;)*)")
_UNREAD_NEXT = re.compile(r"\brel\s*=\s*[\"']?[^\"';,]*\bnext\b", re.IGNORECASE)


def next_link(header: str) -> str | None:
    """The target of the link whose relation is ``next``, or none.

    Args:
        header: its value; several headers are joined with commas.

    Raises:
        ValueError: it speaks of a next page, but not as the RFC writes it.
    """
    unread = header
    for link in _LINK.finditer(header):
        unread = unread.replace(link[0], "", 1)
        relations: dict[str, str] = {}
        for name, value in re.findall(_PARAMETER, link[2]):
            relations.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", value.strip('"')))
        if "next" in relations.get("rel", "").lower().split():
            return link[1].strip()
    if _UNREAD_NEXT.search(unread):
        raise ValueError(header)
    return None
