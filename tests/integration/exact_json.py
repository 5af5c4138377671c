"""Read JSON exactly: numbers as they are written, and objects with the keys that come twice."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from decimal import Decimal
from typing import Any, TypeAlias

Json: TypeAlias = Any
"""None, True, False, text, a `Number`, a list, or a dict."""

_SPACE = re.compile(r"[ \t\r\n]*")


class Broken(Exception):  # noqa: N818 - the name that the tests read best with
    """The body breaks the contract.

    Attributes:
        expected: what should be there.
        path: where it should be.
        value: what is there.
        page: the number of the page, from 1, where one value is wrong.
        record: the number of the record on its page, from 1.
    """

    def __init__(self, expected: str, value: Json = None, path: str = "") -> None:
        super().__init__(expected)
        self.expected = expected
        self.value = value
        self.path = path
        self.page: int | None = None
        self.record: int | None = None

    def __str__(self) -> str:
        place = [
            f"page {self.page}" if self.page else "",
            f"record {self.record}" if self.record else "",
            self.path,
        ]
        value = self.value if isinstance(self.value, str) else write_json(self.value)
        return f"{', '.join(filter(None, place))}: {self.expected} expected, found {value:.200}"


class Number(str):
    """A JSON number, digit for digit as it was written."""

    __slots__ = ()


class Repeating(dict[str, Json]):
    """An object in which a key comes twice.

    Attributes:
        pairs: all keys and values, in order.
    """

    def __init__(self, pairs: list[tuple[str, Json]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs

    def repeats(self, key: str) -> bool:
        """Whether this key is one of those that come twice."""
        return sum(name == key for name, _ in self.pairs) > 1


def read_values(body: bytes) -> list[Json]:
    """The JSON values of a body: one, one a line, or one after the other.

    Raises:
        Broken: the body is empty, cut short, not UTF-8, or not JSON.
    """
    try:
        text = unpack(body).decode("utf-8-sig")
        values = _decode(text)
        if re.search(r"\\u[dD][89a-fA-F]", text):  # perhaps half of a surrogate pair
            write_json(values).encode()
    except (ValueError, RecursionError, EOFError, OSError, zlib.error) as error:
        raise Broken("JSON in UTF-8", str(error)) from None
    if not values:
        raise Broken("JSON", "an empty body")
    return values


def unpack(body: bytes) -> bytes:
    """A body without the gzip around it, if there is one."""
    return gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body


def _decode(text: str) -> list[Json]:
    values = []
    at = _space(text, 0)
    while at < len(text):
        value, at = _DECODER.raw_decode(text, at)
        values.append(value)
        at = _space(text, at)
    return values


def _space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    return members if len(members) == len(pairs) else Repeating(pairs)


def _refuse_constant(name: str) -> Json:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_float=Number,
    parse_int=Number,
    parse_constant=_refuse_constant,
)


def write_json(value: Json) -> str:
    """A value as JSON without spaces, its numbers and the order of its keys kept."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        pairs = value.pairs if isinstance(value, Repeating) else value.items()
        inner = ",".join(f"{write_json(key)}:{write_json(member)}" for key, member in pairs)
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{','.join(map(write_json, value))}]"
    return json.dumps(value, ensure_ascii=False)


def canonical_json(value: Json) -> str:
    """A text that is equal for equal values: keys sorted, numbers by their exact value."""
    if isinstance(value, Number):
        return _canonical_number(value)
    if isinstance(value, dict):
        pairs = value.pairs if isinstance(value, Repeating) else value.items()
        ordered = sorted(pairs, key=lambda pair: pair[0])
        inner = ",".join(f"{write_json(key)}:{canonical_json(member)}" for key, member in ordered)
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{','.join(map(canonical_json, value))}]"
    return json.dumps(value, ensure_ascii=False)


def _canonical_number(text: str) -> str:
    sign, digits, exponent = Decimal(text).as_tuple()
    significant = "".join(map(str, digits)).rstrip("0")
    if not significant:
        return "0"
    return f"{'-' * sign}{significant}e{int(exponent) + len(digits) - len(significant)}"


def from_python(value: object) -> Json:
    """A value of TOML or of plain Python as the JSON that would say the same."""
    if isinstance(value, str | bool | None):
        return value
    if isinstance(value, int | Decimal):
        return Number(value)
    if isinstance(value, float):
        return Number(repr(value))
    if isinstance(value, dict):
        return {key: from_python(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [from_python(member) for member in value]
    return str(value)  # a date or time of TOML
