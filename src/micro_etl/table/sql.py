"""Quote names, texts and paths, so that nothing in them is read as SQL."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path as FilePath

from micro_etl.dataset import Path

ABORT = "error('violation')"
"""A case that no record should reach: it ends a pass, and the checks find out why."""

DIGITS_MARK = "\ufdd0"
"""Stands in front of a number that is kept as text; a code point that is no character (Unicode)."""


def identifier(name: str) -> str:
    """Quote a name."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str | FilePath) -> str:
    """Quote a text."""
    return "'" + str(text).replace("'", "''") + "'"


def json_literal(value: object) -> str:
    """Write a value as JSON of the engine."""
    return f"CAST({literal(json.dumps(value, ensure_ascii=False))} AS JSON)"


def pointer(path: Path) -> str:
    """Write keys and indexes as a JSON pointer (RFC 6901)."""
    keys = (key.replace("~", "~0").replace("/", "~1") for key in map(str, path))
    return literal("".join(f"/{key}" for key in keys))


def member(value: str, path: Path) -> str:
    """Take what stands at a path in a JSON value, or NULL where it is null or missing."""
    return f"NULLIF(json_extract({value}, {pointer(path)}), 'null')" if path else value


def unrepeated(keys: str, read: Iterable[str]) -> str:
    """Test that none of the keys that are read comes twice in a list of an object's keys."""
    listed = ", ".join(literal(key) for key in read)
    found = f"list_filter({keys}, lambda key: key IN ({listed}))"
    return f"len({found}) = len(list_distinct({found}))"


def keep_digits(text: str) -> str:
    """Mark the numbers of a JSON text as strings, where the engine would write one otherwise.

    It reads numbers as doubles, and writes 1.10 as 1.1. Text by text: strings are matched first, so
    that a number inside one is left alone.
    """
    pattern = r'"(?:\\.|[^"\\])*"|-?[0-9][-+0-9.eE]*|[^"0-9-]+|-'
    is_number = "regexp_matches(token, '^-?[0-9]')"
    marked = f"""'"{DIGITS_MARK}' || token || '"'"""
    tokens = f"regexp_extract_all({text}, {literal(pattern)})"
    kept = f"lambda token: CASE WHEN {is_number} THEN {marked} ELSE token END"
    return (
        f"CASE WHEN regexp_matches({text}, {literal(_REWRITTEN)})"
        f" THEN array_to_string(list_transform({tokens}, {kept}), '') ELSE {text} END"
    )


# Numbers with an exponent, with more digits than a double surely keeps, with zeros at the end of
# their decimals, tiny ones, and minus zero. It may match inside a string, which costs time alone.
_REWRITTEN = r"[0-9][eE][-+]?[0-9]|[0-9.]{16}|\.[0-9]+0(?:[^0-9]|$)|\.0{5}|-0(?:\.0*)?(?:[^0-9.]|$)"


def restore_digits(value: str) -> str:
    """Undo `keep_digits` in a JSON value."""
    marked = rf'"{DIGITS_MARK}(-?[0-9][-+0-9.eE]*)"'
    text = f"regexp_replace(CAST({value} AS VARCHAR), {literal(marked)}, '\\1', 'g')"
    return f"CAST({text} AS JSON)"
