"""Write a drafted dataset as a file, each guess with a comment that says why."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from micro_etl.dataset import Origin, Path, write_path, write_records
from micro_etl.dataset.toml import write_key, write_value
from micro_etl.errors import UsageError

_FILL_IN = (
    "Fill in the kind, and what it needs, before this file runs: this page may be a part.\n"
    'kind = "none" says that this page is all.'
)


@dataclass(frozen=True, slots=True)
class DraftColumn:
    """A column, and what is not certain of it.

    Attributes:
        name: in the file.
        path: to the value.
        type: as the file writes it.
        origin: what the path starts at.
        options: the other keys, such as ``format``.
        why: what is not certain, and why it was chosen.
        is_full: it was null in no record of the page.
    """

    name: str
    path: Path
    type: str
    origin: Origin = Origin.RECORD
    options: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""
    is_full: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """All that is written.

    Attributes:
        name: of the dataset.
        notes: comments at the top of the file.
        source: the simple keys of ``[source]``, in order.
        body: what is posted, or none.
        pagination: the keys of ``[source.pagination]``; empty where there is none.
        is_open: there are, or may be, other pages, and how they follow has to be filled in: the
            kind is a question mark, which no run accepts.
        why_pages: why it is so.
        columns: in order.
        key: the names of the columns that make the key.
        why_key: why they do.
    """

    name: str
    notes: Sequence[str]
    source: Mapping[str, Any]
    body: Mapping[str, Any] | None
    pagination: Mapping[str, Any]
    is_open: bool = False
    why_pages: str
    columns: Sequence[DraftColumn]
    key: Sequence[str]
    why_key: str


def write_dataset(draft: Draft) -> str:
    """Write the dataset file."""
    parts = [
        "".join(f"# {note}\n" for note in draft.notes) + f"name = {write_value(draft.name)}",
        "[source]\n" + _lines(draft.source),
    ]
    if draft.body is not None:
        parts.append("[source.body]\n" + _lines(draft.body))
    pagination = {"kind": "?"} if draft.is_open else draft.pagination
    if pagination:
        why = f"{draft.why_pages}\n{_FILL_IN}" if draft.is_open else draft.why_pages
        parts.append(f"{_comment(why)}[source.pagination]\n{_lines(pagination)}")
    parts.append("[columns]\n" + _columns(draft))
    if len(draft.key) > 1:
        unique = f"unique = {write_value(list(draft.key))}"
        parts.append(f"{_comment(draft.why_key)}[publish]\n{unique}")
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def check_new(file: FilePath) -> None:
    """Refuse a file that is there already.

    Raises:
        UsageError: it is there.
    """
    if file.exists():
        raise UsageError(f"{file} already exists; choose another file for -o")


def write_new(file: FilePath, text: str) -> None:
    """Write a file that is not there yet; its folder is made.

    Raises:
        UsageError: it is there, or can't be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except OSError as error:
        raise UsageError(f"-o is {file}, which can't be written: {error.strerror}") from None


def name_columns(paths: Sequence[Path]) -> list[str]:
    """Name columns after their paths; no two names differ by case alone."""
    names: list[str] = []
    taken: set[str] = set()
    for path in paths:
        if len(path) == 1 and isinstance(path[0], str) and re.fullmatch(r"\w+", path[0]):
            base = path[0]
        else:
            words = [f"item_{step + 1}" if isinstance(step, int) else str(step) for step in path]
            base = re.sub(r"\W+", "_", "_".join(words)).strip("_") or "value"
        name, number = base, 2
        while name.casefold() in taken:
            name, number = f"{base}_{number}", number + 1
        taken.add(name.casefold())
        names.append(name)
    return names


def write_from(column: DraftColumn) -> dict[str, str]:
    """Write where a column comes from; nothing where that is the key of its name."""
    if column.origin is Origin.KEY:
        return {"from_key": write_path(column.path, Origin.KEY)}
    if (column.path, column.origin) == ((column.name,), Origin.RECORD):
        return {}
    return {"from": write_path(column.path, column.origin)}


def records_key(path: Path) -> dict[str, str]:
    """Write ``records``, which is left out where the page itself is the array."""
    return {"records": write_records(path)} if path else {}


def _columns(draft: Draft) -> str:
    width = max(len(write_key(column.name)) for column in draft.columns)
    lines = []
    for column in draft.columns:
        keys = {**write_from(column), "type": column.type, **column.options}
        why = column.why
        if column.name in draft.key:
            keys |= {"required": True}
            if len(draft.key) == 1:
                keys |= {"unique": True}
                why = "; ".join(filter(None, (draft.why_key, why)))
        comment = f"  # {why}" if why else ""
        lines.append(f"{write_key(column.name):<{width}} = {write_value(keys)}{comment}\n")
    return "".join(lines)


def _lines(values: Mapping[str, Any]) -> str:
    return "".join(f"{write_key(key)} = {write_value(value)}\n" for key, value in values.items())


def _comment(text: str) -> str:
    return "".join(f"# {line}\n" for line in text.splitlines())
