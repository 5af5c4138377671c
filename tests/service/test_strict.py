"""What the engine reads although it is not JSON is found, wherever pieces are cut."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import io

import pytest

from micro_etl.source.strict import StrictScan


def scan(body: bytes, size: int) -> str | None:
    """What is wrong with a body that is looked at in pieces of a size."""
    file = io.BytesIO(body)
    looked = StrictScan(file)
    while piece := file.read(size):
        found = looked.look(piece)
        if found:
            return found
    return None


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100, 1 << 20])
@pytest.mark.parametrize(
    "body",
    [
        b'[{"a": 1}]',
        b'[{"a": ",]"}, {"a": "NaN"}, {"a": null}, {"a": []}]',
        rb'[{"a": "\",]"}]',
        b'[{"a": "' + b"\\" * 1000 + b', ]"}]',
        rb'[{"a": "x, NaN, y: -inf] z,\n}"}]',
        b'["]  {"]',
        b'{"a": null}\n{"a": []}\n{"nan": "inf"}',
        b'[{"info": "]"},\n {"b": [1] }\n]',
        b'{"a": 1}\n[114]\n{"a": 2}',  # a line that is no record, which a violation names
        b' \r\n{"a": 1}\n[114]\n{"a": 2}',
    ],
)
def test_json_is_left_alone(body: bytes, size: int) -> None:
    assert scan(body, size) is None


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100, 1 << 20])
@pytest.mark.parametrize(
    ("body", "found"),
    [
        (rb'[{"a": "\\",}]', "a comma with nothing behind it"),
        (b'[{"a": 1},  ]', "a comma with nothing behind it"),
        (b"[1," + b" " * 3000 + b"]", "a comma with nothing behind it"),
        (b'[{"a": NaN}]', "NaN or Infinity"),
        (b'[{"a": -infinity }]', "NaN or Infinity"),
        (b'[{"a": "NaN", "b": [ inf\n]}]', "NaN or Infinity"),
        (b'[{"a": 1}]\n{"a": 2}]', "a record behind the end of its array"),
        (b'[{"a": 1}]' + b"\r\n" * 2000 + b'{"a": 2}]', "a record behind the end of its array"),
        (b'[{"a": 1} \x0b]', "a control character"),
        (b'{"a": 1}\n\x0c\n{"a": 2}', "a control character"),
    ],
)
def test_what_is_not_json_is_named(body: bytes, found: str, size: int) -> None:
    assert scan(body, size) == found


def test_records_behind_a_large_array_are_found() -> None:
    """The others are looked for in the first bytes alone; see the module."""
    large = b"[" + b'{"a": "x"},' * (2 << 20) + b'{"a": 1}]'
    assert scan(large + b'\n{"a": 2}]', 1 << 20) == "a record behind the end of its array"
    assert scan(large[:-1] + b",]", 1 << 20) is None
