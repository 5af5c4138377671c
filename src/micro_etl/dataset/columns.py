"""Read ``[columns]``: the name of each, where its values come from, and what they are."""

from __future__ import annotations

from collections.abc import Mapping

from micro_etl.dataset.forms import (
    can_be_key,
    read_format,
    read_map,
    read_null_values,
    read_timezone,
    read_truncate,
    read_type,
)
from micro_etl.dataset.model import EVERY, Column, Each, Origin, Path
from micro_etl.dataset.paths import is_placeholder, placeholder, write_path, write_records
from micro_etl.dataset.section import Section, is_single, shorten, show
from micro_etl.errors import ConfigError

_KEYS = (
    "from",
    "type",
    "required",
    "unique",
    "from_key",
    "format",
    "timezone",
    "null_values",
    "truncate",
    "map",
)


def read_columns(
    label: str,
    values: Mapping[str, object],
    *,
    records: Path,
    each: Each | None,
    columnar: bool,
) -> tuple[Column, ...]:
    """Read the columns, in the order of the file.

    Args:
        label: what messages call the file.
        values: the table ``[columns]``.
        records: the path that leads to the records.
        each: the series of requests, where there are several.
        columnar: the records are an object of arrays.

    Raises:
        ConfigError: with the key, what it holds and what is allowed.
    """
    if not values:
        raise ConfigError(f"{label}: columns is empty; it should name at least one column")
    columns = tuple(
        _read_column(label, name, value, records, each) for name, value in values.items()
    )
    _check_names(label, columns)
    for column in columns if columnar else ():
        if column.origin is Origin.RECORD and not isinstance(column.path[0], str):
            raise ConfigError(
                f"{label}: columns.{column.name} reads {write_path(column.path)}; with "
                "source.columnar a path begins with the key of an array"
            )
    return columns


def _read_column(label: str, name: str, value: object, records: Path, each: Each | None) -> Column:
    if not name.strip():
        raise ConfigError(f"{label}: columns has a column without a name")
    full = f"columns.{shorten(name if name.isprintable() else ascii(name))}"
    if not isinstance(value, dict):
        raise ConfigError(
            f'{label}: {full} is {show(value)}; it should be a table such as {{ type = "string" }}'
        )
    section = Section(label, full, value, _KEYS)
    kind = read_type(section)
    unique = section.boolean("unique")
    if unique and not can_be_key(kind):
        what = "json column, whose text" if kind == "json" else "list, which"
        raise section.wrong("unique", f"false for a {what} is not compared")
    path, origin = _read_source(section, name, records, each)
    _check_reach(section, kind, path, origin)
    return Column(
        name=name,
        path=path,
        type=kind,
        required=section.boolean("required"),
        unique=unique,
        origin=origin,
        format=read_format(section, kind),
        timezone=read_timezone(section, kind),
        null_values=read_null_values(section),
        truncate=read_truncate(section, kind),
        mapping=read_map(section, kind),
    )


def _read_source(
    section: Section, name: str, records: Path, each: Each | None
) -> tuple[Path, Origin]:
    """Read ``from`` or ``from_key``; without them, the column's name is the key."""
    if "from_key" in section.values:
        if "from" in section.values:
            raise section.clash("from_key", "from", "a column has one source")
        return _read_key(section, records), Origin.KEY
    if "from" not in section.values:
        return (name,), Origin.RECORD
    text = section.string("from") or ""
    if each is not None and is_placeholder(text):
        if text != placeholder(each.name):
            raise section.wrong("from", f"{placeholder(each.name)}, which source.each gives")
        return (), Origin.SERIES
    parsed = section.required_path("from")
    if parsed.from_root:
        _check_wildcards(section, "from", parsed.steps, records)
        return parsed.steps, Origin.ROOT
    if parsed.has_members:
        raise section.wrong(
            "from",
            "keys joined by dots, such as links.webcast, with [*] for every element of an array; "
            "* stands in source.records, and in paths that begin with $.",
        )
    return parsed.steps, Origin.RECORD


def _read_key(section: Section, records: Path) -> Path:
    parsed = section.required_path("from_key")
    if is_single(records):
        raise section.wrong("from_key", 'left out: source.records has no *, such as "rates.*"')
    if not parsed.from_root or parsed.steps[-1] is not EVERY:
        last = max(at for at, step in enumerate(records) if step is EVERY)
        raise section.wrong(
            "from_key", f"a path that ends with *: {write_path(records[: last + 1], Origin.KEY)}"
        )
    _check_wildcards(section, "from_key", parsed.steps, records)
    return parsed.steps


def _check_wildcards(section: Section, key: str, path: Path, records: Path) -> None:
    """Refuse a ``*`` that is not one on the way to the record: it would mean several values."""
    ends = [at for at, step in enumerate(path, 1) if step is EVERY]
    if ends and path[: ends[-1]] != records[: ends[-1]]:
        way = f"only the * of source.records, {write_records(records)!r}, on the same way"
        raise section.wrong(key, "a path without *" if is_single(records) else f"a path with {way}")


def _check_reach(section: Section, kind: str, path: Path, origin: Origin) -> None:
    """Refuse types that what the path leads to can never have."""
    is_list = kind.endswith("[]")
    if origin is Origin.RECORD and not is_single(path) and not is_list:
        raise section.clash(
            "type", f"from = {show(section.values['from'])}", f"[*] makes a list: {kind}[]"
        )
    if origin in (Origin.KEY, Origin.SERIES) and not can_be_key(kind):
        raise section.wrong("type", "a type of one value: it is a key, or a value of source.each")
    is_bare = not {"format", "map"} & section.values.keys()
    if origin is Origin.SERIES and is_bare and kind not in ("string", "date", "timestamp"):
        raise section.clash(
            "type", f"from = {section.values['from']!r}", 'that is text; add format = "text"'
        )


def _check_names(label: str, columns: tuple[Column, ...]) -> None:
    """Refuse names that differ by case alone: many readers of Parquet, and SQL, fold case."""
    names: dict[str, str] = {}
    for column in columns:
        other = names.setdefault(column.name.casefold(), column.name)
        if other != column.name:
            path = write_path(column.path, column.origin)
            raise ConfigError(
                f"{label}: columns.{column.name} and columns.{other} are one name for readers "
                "that fold case; each column should have a name of its own, such as "
                f"{column.name}_2 = {{ from = {path!r}, … }}"
            )
