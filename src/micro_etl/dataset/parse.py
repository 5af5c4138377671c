"""Read a dataset file: TOML text becomes a `Dataset`, or one line says which key is wrong."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from micro_etl.column_types import type_names
from micro_etl.dataset.model import Column, Dataset, Path
from micro_etl.dataset.paths import BARE_KEY
from micro_etl.errors import ConfigError

TYPES = type_names()
"""The column types. ``timestamp`` is an instant in UTC with microseconds."""

_SHOWN = 100  # characters of a wrong line
_SEGMENT = re.compile(rf'"(?:[^"\\]|\\.)+"|{BARE_KEY}')


def parse_dataset(text: str, *, label: str) -> Dataset:
    """Read a dataset file's text.

    Args:
        text: TOML.
        label: what messages call the file.

    Raises:
        ConfigError: with the file, the key, what it holds and what is allowed.
    """
    try:
        root = tomllib.loads(f"{text}\n")  # at its very end, tomllib would not name the line
    except (ValueError, RecursionError) as error:  # the first: a number of thousands of digits too
        line = re.search(r"at line (\d+)", str(error))
        lines = f"{text}\n".split("\n")  # as tomllib counts them
        shown = f": {lines[int(line[1]) - 1].strip()[:_SHOWN]}" if line else ""
        once = "; a key may stand once" if "overwrite" in str(error) else ""
        raise ConfigError(f"{label} is not TOML: {error}{shown}{once}") from None
    top = _Section(label, "", root, ("name", "description", "source", "publish", "columns"))
    source = _Section(label, "source", top.table("source"), ("url", "records"))
    publish = _Section(label, "publish", top.table("publish"), ("min_rows", "max_shrink"))
    name = top.string("name")
    if name is None or not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
        raise top.wrong("name", "lower-case letters, digits, - and _")
    records = source.string("records")
    dataset = Dataset(
        name=name,
        description=top.string("description") or "",
        source_url=source.string("url"),
        records=() if records is None else _path(source, "records", records),
        min_rows=publish.integer("min_rows", default=1),
        max_shrink=publish.fraction("max_shrink", default=0.1),
        columns=tuple(_column(label, name, value) for name, value in top.table("columns").items()),
    )
    if not dataset.columns:
        raise ConfigError(f"{label}: columns is empty; it should name at least one column")
    _check_names(label, dataset.columns)
    return dataset


def _column(label: str, name: str, value: object) -> Column:
    if not isinstance(value, dict):
        raise ConfigError(
            f"{label}: columns.{name} is {value!r}; it should be a table such as "
            '{ type = "string" }'
        )
    if not name.strip():
        raise ConfigError(f"{label}: columns has a column without a name")
    section = _Section(label, f"columns.{name}", value, ("from", "type", "required", "unique"))
    column_type = section.string("type")
    if column_type not in TYPES:
        raise section.wrong("type", f"one of {', '.join(TYPES)}")
    source = section.string("from")
    unique = section.boolean("unique")
    if unique and column_type == "json":
        raise section.wrong("unique", "false for a json column, whose text is not compared")
    return Column(
        name=name,
        path=(name,) if source is None else _path(section, "from", source),
        type=column_type,
        required=section.boolean("required"),
        unique=unique,
    )


def _path(section: _Section, key: str, text: str) -> tuple[str, ...]:
    """Split ``links.webcast`` into its keys; a key with a dot in it stands in double quotes."""
    if not re.fullmatch(rf"(?:{_SEGMENT.pattern})(?:\.(?:{_SEGMENT.pattern}))*", text):
        raise section.wrong(
            key, 'keys joined by dots, such as links.webcast, or links."a.b" for the key a.b'
        )
    return tuple(
        re.sub(r"\\(.)", r"\1", part[1:-1]) if part.startswith('"') else part
        for part in _SEGMENT.findall(text)
    )


def _check_names(label: str, columns: tuple[Column, ...]) -> None:
    """Refuse names that differ by case alone: the engine, and many readers, fold case."""
    names: dict[str, str] = {}
    spellings: dict[tuple[str, ...], Path] = {}
    for column in columns:
        other = names.setdefault(column.name.casefold(), column.name)
        if other != column.name:
            raise ConfigError(
                f"{label}: columns.{column.name} and columns.{other} are one name for readers "
                "that fold case; each column should have a name of its own"
            )
        for depth in range(1, len(column.path) + 1):
            prefix = column.path[:depth]
            folded = tuple(str(key).casefold() for key in prefix)
            if spellings.setdefault(folded, prefix) != prefix:
                raise ConfigError(
                    f"{label}: columns.{column.name} reads {'.'.join(map(str, prefix))}, another "
                    f"column {'.'.join(map(str, spellings[folded]))}; paths that differ by case "
                    "alone can't be read together"
                )


@dataclass(frozen=True, slots=True)
class _Section:
    """One table of the file; its getters name the key in what they raise."""

    label: str
    name: str
    values: Mapping[str, Any]
    allowed: tuple[str, ...]

    def __post_init__(self) -> None:
        for key in self.values:
            if key not in self.allowed:
                raise ConfigError(
                    f"{self.label}: {self._full(key)} is not known; "
                    f"{self.name or 'the file'} may hold {', '.join(self.allowed)}"
                )

    def wrong(self, key: str, should: str) -> ConfigError:
        """The error for a key that holds the wrong thing."""
        was = f"is {self.values[key]!r}" if key in self.values else "is missing"
        return ConfigError(f"{self.label}: {self._full(key)} {was}; it should be {should}")

    def table(self, key: str) -> dict[str, Any]:
        value = self.values.get(key, {})
        if not isinstance(value, dict):
            raise self.wrong(key, f"a table: [{self._full(key)}]")
        return value

    def string(self, key: str) -> str | None:
        value = self.values.get(key)
        if value is not None and (not isinstance(value, str) or not value.strip()):
            raise self.wrong(key, "text in quotes")
        return value

    def boolean(self, key: str) -> bool:
        value = self.values.get(key, False)
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return value

    def integer(self, key: str, *, default: int) -> int:
        value = self.values.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self.wrong(key, "a whole number of rows, 0 or more")
        return value

    def fraction(self, key: str, *, default: float) -> float:
        value = self.values.get(key, default)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
            raise self.wrong(key, "a fraction from 0 to 1")
        return float(value)

    def _full(self, key: str) -> str:
        return f"{self.name}.{key}" if self.name else key
