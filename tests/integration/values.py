"""Turn a JSON value into the value of a column: strictly, and only as the column says."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal, InvalidOperation
from typing import Any, TypeAlias

from tests.integration.exact_json import (
    Broken,
    Json,
    Number,
    canonical_json,
    from_python,
    read_values,
    write_json,
)

Column: TypeAlias = Mapping[str, Any]
"""The table of one column in the dataset file."""

_EXACT = Context(prec=60)
_WHOLE = re.compile(r"-?[0-9]+")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIMESTAMP = re.compile(
    r"""
    (?P<date>\d{4}-\d\d-\d\d) [Tt ] (?P<time>\d\d:\d\d(?P<seconds>:\d\d)?)
    (?:\.(?P<fraction>\d+))?
    (?P<zone>[Zz]|[+-]\d\d(?::?\d\d)?)?
    """,
    re.ASCII | re.VERBOSE,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_UNIT = {"epoch": timedelta(seconds=1), "epoch_ms": timedelta(milliseconds=1)}


def read_value(value: Json, column: Column) -> object:
    """The value of a column; none where it is null.

    Raises:
        Broken: it is not written as the column says.
    """
    if value is None or _is_null(value, column):
        return None
    kind = column["type"]
    if not kind.endswith("[]"):
        return _read_simple(value, column)
    if not isinstance(value, list):
        raise Broken("an array", value)
    return [read_value(element, {**column, "type": kind[:-2]}) for element in value]


def _is_null(value: Json, column: Column) -> bool:
    nulls = [canonical_json(from_python(null)) for null in column.get("null_values", ())]
    return bool(nulls) and canonical_json(value) in nulls


def _read_simple(value: Json, column: Column) -> object:
    kind, _, _ = column["type"].partition("(")
    if "map" in column:
        return _READ[kind](_mapped(value, column), {"type": column["type"]})
    if column.get("format") == "text":
        return _READ[kind](_from_text(value, kind), column)
    return _READ[kind](value, column)


def _mapped(value: Json, column: Column) -> Json:
    """What a value stands for: by its JSON, or by a string that is not JSON itself."""
    written = write_json(value)
    if type(value) is str and not _is_json(value):
        written = value if value in column["map"] else written
    if written not in column["map"]:
        raise Broken(f"one of {', '.join(column['map'])}", value)
    target = column["map"][written]
    is_text_of_number = column["type"].startswith("decimal") and isinstance(target, str)
    return Number(target) if is_text_of_number else from_python(target)


def _is_json(text: str) -> bool:
    try:
        read_values(text.encode())
    except (Broken, UnicodeEncodeError):
        return False
    return True


def _from_text(value: Json, kind: str) -> Json:
    """The JSON value that a string holds."""
    if type(value) is not str:
        raise Broken("a string", value)
    if kind == "boolean":
        return {"true": True, "false": False}.get(value, value)
    sign = "-" if value.startswith("-") else ""
    digits = value[1:] if value.startswith(("-", "+")) else value
    if kind == "decimal":
        digits = re.sub(r"^0+(?=[0-9])", "", digits)
    if digits.startswith("-") or not _NUMBER.fullmatch(digits):
        raise Broken("a string that holds a number", value)
    return Number(sign + digits)


def _read_whole(bits: int) -> Callable[[Json, Column], int]:
    most = 1 << (bits - 1)

    def read(value: Json, _: Column) -> int:
        # The length first: int() refuses thousands of digits in its own way.
        is_whole = isinstance(value, Number) and len(value) < 30 and _WHOLE.fullmatch(value)
        if is_whole and -most <= int(value) < most:
            return int(value)
        raise Broken(f"a whole number of {bits} bits", value)

    return read


def _read_float(value: Json, _: Column) -> float:
    if isinstance(value, Number) and math.isfinite(number := float(value)):
        return number
    raise Broken("a finite number", value)


def _read_decimal(value: Json, column: Column) -> Decimal:
    found = re.fullmatch(r"decimal\(\s*(\d+)\s*,\s*(\d+)\s*\)", column["type"])
    if not found:
        raise ValueError(f"{column['type']} is not a type")
    precision, scale = int(found[1]), int(found[2])
    try:
        if isinstance(value, Number):
            number = Decimal(value)
            scaled = number.quantize(Decimal(1).scaleb(-scale), context=_EXACT)
            if scaled == number and abs(scaled) < Decimal(10) ** (precision - scale):
                return scaled
    except InvalidOperation:
        pass  # more digits than any decimal holds
    raise Broken(f"a number that {column['type']} holds exactly", value)


def _read_string(value: Json, _: Column) -> str:
    if type(value) is str:
        return value
    raise Broken("a string", value)


def _read_boolean(value: Json, _: Column) -> bool:
    if isinstance(value, bool):
        return value
    raise Broken("true or false", value)


def _read_date(value: Json, _: Column) -> date:
    try:
        if type(value) is str and _DATE.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass  # such as 30 February
    raise Broken("a date", value)


def _read_timestamp(value: Json, column: Column) -> datetime:
    try:
        if column.get("format") in _EPOCH_UNIT:
            if isinstance(value, str) and len(value) < 30:
                whole = value if type(value) is str else re.sub(r"\.0+$", "", value)
                if _WHOLE.fullmatch(whole):
                    return _EPOCH + int(whole) * _EPOCH_UNIT[column["format"]]
        elif type(value) is str:
            return _read_moment(value, column)
    except (ValueError, OverflowError):
        pass  # there is no such moment
    raise Broken(f"a timestamp ({column.get('format', 'a date and time')})", value)


def _read_moment(text: str, column: Column) -> datetime:
    """The moment of a date and time.

    Raises:
        ValueError: it is not one, or not of the column's form.
    """
    found = _TIMESTAMP.fullmatch(text)
    if not found or bool(found["zone"]) == ("timezone" in column):
        raise ValueError(text)
    fraction = found["fraction"] or ""
    is_lost = fraction[6:].strip("0") and not column.get("truncate")
    if is_lost or (fraction and not found["seconds"]):
        raise ValueError(text)
    seconds = "" if found["seconds"] else ":00"
    local = datetime.fromisoformat(
        f"{found['date']}T{found['time']}{seconds}.{fraction[:6].ljust(6, '0')}"
    )
    offset = _offset(found["zone"] or column["timezone"])
    return local.replace(tzinfo=UTC) - offset


def _offset(zone: str) -> timedelta:
    if zone in ("Z", "z", "UTC"):
        return timedelta()
    hours, minutes = int(zone[1:3]), int(zone[3:].lstrip(":") or 0)
    if hours > 23 or minutes > 59:
        raise ValueError(zone)
    offset = timedelta(hours=hours, minutes=minutes)
    return -offset if zone[0] == "-" else offset


_READ: dict[str, Callable[[Json, Column], object]] = {
    "int32": _read_whole(32),
    "int64": _read_whole(64),
    "float64": _read_float,
    "decimal": _read_decimal,
    "string": _read_string,
    "boolean": _read_boolean,
    "timestamp": _read_timestamp,
    "date": _read_date,
    "json": lambda value, _: write_json(value),
}
