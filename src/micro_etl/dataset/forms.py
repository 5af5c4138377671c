"""Read how the values of a column are written: type, format, time zone, nulls, map."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime

from micro_etl.column_types import ColumnType, column_type, type_names
from micro_etl.dataset.section import Section, did_you_mean, is_json, show

_OTHER_NAMES = {
    "int": "int64",
    "integer": "int64",
    "long": "int64",
    "bigint": "int64",
    "number": "float64",
    "float": "float64",
    "double": "float64",
    "text": "string",
    "str": "string",
    "varchar": "string",
    "datetime": "timestamp",
    "object": "json",
    "decimal": "decimal(12,2)",
    "numeric": "decimal(12,2)",
    "array": "string[]",
    "list": "string[]",
}
_DECIMAL = r"decimal\((\d+),(\d+)\)"
_OFFSET = r"UTC|[+-](?:0[0-9]|1[0-4]):[0-5][0-9]"


def can_be_key(kind: str) -> bool:
    """Whether values of a type can be compared: not lists, nor the text of JSON."""
    return _known(kind).is_key


def read_type(section: Section) -> str:
    """Read ``type``."""
    text = section.string("type") or ""
    kind = column_type(text)
    if kind is None:
        raise section.wrong(
            "type",
            f"one of {', '.join(type_names())}, decimal(12,2) of at most 38 digits, "
            f"or one of these with [] for a list{_suggest(text)}",
        )
    return kind.name


def read_format(section: Section, kind: str) -> str | None:
    """Read ``format``, which has to fit the type."""
    if "format" not in section.values:
        return None
    types = [_known(name) for name in (*type_names(), "decimal(38,0)")]
    known = dict.fromkeys(name for one in types for name in one.formats)
    text = section.choice("format", tuple(known))
    if text not in _known(kind).formats:
        fitting = [one.name.partition("(")[0] for one in types if text in one.formats]
        raise section.clash("format", f"type = {kind!r}", f"{text!r} is for {', '.join(fitting)}")
    return text


def read_timezone(section: Section, kind: str) -> str | None:
    """Read ``timezone``, a fixed offset."""
    text = section.string("timezone")
    if text is None:
        return None
    if not re.fullmatch(_OFFSET, text):
        raise section.wrong(
            "timezone",
            'UTC or an offset such as "-05:00"; a zone with summer time makes some hours ambiguous',
        )
    _check_is_written_time(section, "timezone", kind)
    return text


def read_truncate(section: Section, kind: str) -> bool:
    """Read ``truncate``."""
    truncate = section.boolean("truncate")
    if truncate:
        _check_is_written_time(section, "truncate", kind)
    return truncate


def read_null_values(section: Section) -> tuple[object, ...]:
    """Read ``null_values``."""
    should = 'an array of strings, numbers, false, [] or {}, such as ["", "."]'
    values = section.array("null_values", should) or []
    for value in values:
        is_empty = value in ([], {}) and isinstance(value, list | dict)
        is_simple = is_json(value) and not isinstance(value, list | dict) and value is not True
        if not (is_empty or is_simple):
            raise section.wrong("null_values", should)
    return tuple(values)


def read_map(section: Section, kind: str) -> dict[str, object] | None:
    """Read ``map``, whose values have to fit the type."""
    if "map" not in section.values:
        return None
    for key in ("format", "timezone", "truncate"):
        if key in section.values:
            raise section.clash("map", key, "it says of each value what it stands for")
    values = section.table("map")
    if not values:
        raise section.wrong("map", "a table such as { 0 = false, 1 = true }")
    base = _base(kind)
    mapping = {}
    for key, value in values.items():
        mapping[key] = _FITTING.get(base.partition("(")[0], _fit_text)(value, kind)
        if mapping[key] is None:
            raise section.error(
                f"{section.full('map')} maps {show(key)} to {show(value)}; "
                f"it should be a value of type {kind.removesuffix('[]')}"
            )
    return mapping


def _known(kind: str) -> ColumnType:
    """The type of a name that `read_type` gave."""
    known = column_type(kind)
    if known is None:
        raise ValueError(f"{kind} is not a type")
    return known


def _base(kind: str) -> str:
    """The name of a type without its parameters and, of a list, the name of its elements' type."""
    return kind.removesuffix("[]").partition("(")[0]


def _suggest(kind: str) -> str:
    element = kind.removesuffix("[]")
    other = _OTHER_NAMES.get(element.lower())
    if other:
        return f"; did you mean {other}{'[]' if kind.endswith('[]') and '[' not in other else ''}?"
    return did_you_mean(element, type_names()) if element else ""


def _check_is_written_time(section: Section, key: str, kind: str) -> None:
    if _base(kind) != "timestamp":
        raise section.clash(key, f"type = {kind!r}", "it is for timestamps")
    if str(section.values.get("format", "")).startswith("epoch"):
        raise section.clash(
            key, f"format = {section.values['format']!r}", "that counts from 1970 in UTC"
        )


def _whole(bits: int) -> Callable[[object, str], object]:
    def fit(value: object, _: str) -> object:
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        return value if is_whole and -(2 ** (bits - 1)) <= value < 2 ** (bits - 1) else None

    return fit


def _fit_float(value: object, _: str) -> object:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and is_json(value) else None


def _fit_decimal(value: object, kind: str) -> object:
    """The value as a number, where both it and the type hold it exactly."""
    from decimal import Context, Decimal, InvalidOperation  # only for a map: 2 ms

    found = re.match(_DECIMAL, kind)
    if isinstance(value, bool) or not isinstance(value, int | float | str) or not found:
        return None
    precision, scale = int(found[1]), int(found[2])
    try:
        number = Decimal(str(value))
        scaled = number.quantize(Decimal(1).scaleb(-scale), context=Context(prec=precision))
    except (InvalidOperation, ValueError):  # the second: a number of thousands of digits
        return None
    if scaled != number:
        return None
    if number == number.to_integral_value():
        return int(number)
    return float(number) if Decimal(repr(float(number))) == number else None


def _fit_timestamp(value: object, _: str) -> object:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return None
    return moment.isoformat() if isinstance(moment, datetime) and moment.tzinfo else None


def _fit_date(value: object, _: str) -> object:
    try:
        day = date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return None
    return day.isoformat() if isinstance(day, date) and not isinstance(day, datetime) else None


def _fit_text(value: object, _: str) -> object:
    return value if isinstance(value, str) else None


_FITTING: dict[str, Callable[[object, str], object]] = {
    "int32": _whole(32),
    "int64": _whole(64),
    "float64": _fit_float,
    "decimal": _fit_decimal,
    "string": _fit_text,
    "boolean": lambda value, _: value if isinstance(value, bool) else None,
    "timestamp": _fit_timestamp,
    "date": _fit_date,
    "json": lambda value, _: value if is_json(value) else None,
}
"""What makes of a value in a map what the column gets, or none where it does not fit the type."""
