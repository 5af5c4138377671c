"""Read a dataset file: TOML text becomes a `Dataset`, or one line says which key is wrong."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from micro_etl.column_types import type_names
from micro_etl.dataset.columns import read_columns
from micro_etl.dataset.forms import can_be_key
from micro_etl.dataset.model import Column, Dataset
from micro_etl.dataset.section import Section, did_you_mean, shorten
from micro_etl.dataset.source import KEYS as SOURCE_KEYS
from micro_etl.dataset.source import read_source
from micro_etl.errors import ConfigError

TYPES = type_names()
"""The column types without parameters. ``timestamp`` is an instant in UTC with microseconds."""

_LONGEST_NAME = 240  # a file is named after the dataset, and 255 bytes are the most of its name
_SOURCE_LINE = r"\s*(\[\s*)?source\b"


def parse_dataset(text: str, *, label: str) -> Dataset:
    """Read a dataset file's text.

    Args:
        text: TOML.
        label: what messages call the file.

    Raises:
        ConfigError: with the file, the key, what it holds and what is allowed.
    """
    root = _read_toml(text, label)
    try:
        return _read_dataset(root, label)
    except RecursionError:
        raise ConfigError(f"{label} is nested too deeply") from None


def _read_toml(text: str, label: str) -> dict[str, Any]:
    try:
        return tomllib.loads(f"{text}\n")  # at its very end, tomllib would not name the line
    except (ValueError, RecursionError) as error:  # the first: a number of thousands of digits too
        line = re.search(r"at line (\d+)", str(error))
        lines = f"{text}\n".split("\n")  # as tomllib counts them
        shown = _show_line(lines, int(line[1])) if line else ""
        once = "; a key may stand once" if "overwrite" in str(error) else ""
        raise ConfigError(f"{label} is not TOML: {error}{shown}{once}") from None


def _show_line(lines: list[str], number: int) -> str:
    """Show a line of the file, unless it is about the source, where secrets may stand."""
    above = [line for line in lines[:number] if line.lstrip().startswith("[")]
    if any(re.match(_SOURCE_LINE, line) for line in [*above[-1:], lines[number - 1]]):
        return ""
    return f": {shorten(lines[number - 1].strip())}"


def _read_dataset(root: dict[str, Any], label: str) -> Dataset:
    top = Section(label, "", root, ("name", "description", "source", "publish", "columns"))
    source = top.section("source", SOURCE_KEYS)
    publish = top.section("publish", ("min_rows", "max_shrink", "unique"))
    name = top.string("name")
    if name is None or not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
        raise top.wrong("name", "lower-case letters, digits, - and _")
    if len(name) > _LONGEST_NAME:
        raise top.wrong("name", f"at most {_LONGEST_NAME} characters")
    read = read_source(source)
    columns = read_columns(
        label,
        top.table("columns"),
        records=read["records"],
        each=read["each"],
        columnar=read["columnar"],
    )
    dataset = Dataset(
        name=name,
        description=top.string("description") or "",
        min_rows=publish.integer("min_rows", default=1),
        max_shrink=publish.fraction("max_shrink", default=0.1),
        columns=columns,
        unique=_read_unique(publish, columns),
        **read,
    )
    if dataset.pagination and dataset.pagination.kind != "none" and not dataset.keys:
        raise source.error(
            "source.pagination needs a key, since rows that move between two pages show by it: "
            'unique = true in a column, or [publish] unique = ["…"]'
        )
    return dataset


def _read_unique(publish: Section, columns: tuple[Column, ...]) -> tuple[str, ...]:
    should = 'an array of names of columns, such as ["id"]'
    names = publish.array("unique", should)
    if names is None:
        return ()
    if not names or not all(isinstance(name, str) for name in names):
        raise publish.wrong("unique", should)
    if len(set(names)) < len(names):
        raise publish.wrong("unique", "an array that names each column once")
    types = {column.name: column.type for column in columns}
    for name in names:
        if name not in types:
            raise publish.wrong(
                "unique", f"an array of names of columns{did_you_mean(name, types)}"
            )
        if not can_be_key(types[name]):
            raise publish.wrong(
                "unique", f"columns whose values are compared; {name} is {types[name]}"
            )
    return tuple(names)
