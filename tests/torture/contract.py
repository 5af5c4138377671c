"""What a dataset's contract says of a list of records, in plain Python: the second opinion."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, date, datetime
from typing import Any

from micro_etl.dataset import Column, Dataset, Path


class Refused(Exception):  # noqa: N818 - an answer, not a mistake
    """The contract does not allow these records."""


class _Object(list[tuple[str, Any]]):
    """A JSON object with the keys that come twice."""


_DAY = r"\d{4}-\d\d-\d\d"
_TIMESTAMP = re.compile(
    rf"({_DAY})[Tt ](\d\d:\d\d:[0-5]\d)(?:\.(\d{{1,6}})0*)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


def read(text: str, dataset: Dataset) -> list[dict[str, Any]]:
    """The rows of a body.

    Raises:
        Refused: it is not JSON, or breaks the contract.
    """
    try:
        records = json.loads(text, object_pairs_hook=_Object, parse_constant=_no_constant)
        text.encode()
        json.dumps(records, ensure_ascii=False).encode()  # no half of a surrogate pair
    except (ValueError, RecursionError) as error:
        raise Refused from error
    if isinstance(records, _Object) or not isinstance(records, list) or not records:
        raise Refused
    rows = [_row(record, dataset.columns) for record in records]
    for column in dataset.columns:
        if not any(_has(record, column.path) for record in records):
            raise Refused
        values = [row[column.name] for row in rows if row[column.name] is not None]
        if column.unique and len(set(values)) < len(values):
            raise Refused
    return rows


def _no_constant(name: str) -> Any:
    raise Refused(name)


def _row(record: Any, columns: tuple[Column, ...]) -> dict[str, Any]:
    if not isinstance(record, _Object):
        raise Refused
    return {column.name: _value(_find(record, column.path, columns), column) for column in columns}


def _find(value: Any, path: Path, columns: tuple[Column, ...]) -> Any:
    for depth, key in enumerate(path):
        if value is None:
            return None
        if not isinstance(value, _Object):
            raise Refused
        read_here = {
            column.path[depth]
            for column in columns
            if column.path[:depth] == path[:depth] and len(column.path) > depth
        }
        names = [name for name, _ in value if name in read_here]
        if len(set(names)) < len(names):
            raise Refused
        value = dict(value).get(str(key))
    return value


def _has(record: Any, path: Path) -> bool:
    for key in path:
        if not isinstance(record, _Object) or key not in dict(record):
            return False
        record = dict(record)[key]
    return True


def _value(value: Any, column: Column) -> Any:
    if value is None:
        if column.required:
            raise Refused
        return None
    converted = _CONVERT[column.type](value)
    if converted is None:
        raise Refused
    return converted


def _whole(most: int) -> Any:
    def convert(value: Any) -> int | None:
        fits = type(value) is int and -most <= value < most
        return value if fits else None

    return convert


def _float(value: Any) -> float | None:
    if type(value) not in (int, float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _timestamp(value: Any) -> datetime | None:
    found = _TIMESTAMP.fullmatch(value) if type(value) is str else None
    if not found:
        return None
    day, time, fraction, zone = found.groups()
    try:
        moment = datetime.fromisoformat(
            f"{day}T{time}.{(fraction or '').ljust(6, '0')}{zone.upper()}"
        )
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _date(value: Any) -> date | None:
    if type(value) is not str or not re.fullmatch(_DAY, value, re.ASCII):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


_CONVERT = {
    "int32": _whole(2**31),
    "int64": _whole(2**63),
    "float64": _float,
    "string": lambda value: value if type(value) is str else None,
    "boolean": lambda value: value if type(value) is bool else None,
    "timestamp": _timestamp,
    "date": _date,
}
