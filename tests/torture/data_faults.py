"""Faults of the data: what breaks the contract anywhere in a large body is found and refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache, partial

from tests.service.command import launches
from tests.service.servers import Answer, Request
from tests.torture.faults import NEW, Fault

RECORDS = 200_000

_data = partial(Fault, group="data", code=65)


@cache
def _many() -> tuple[bytes, ...]:
    """The records of a large body, each as JSON."""
    return tuple(json.dumps(record).encode() for record in json.loads(launches(RECORDS)))


def _spoilt(number: int, old: bytes, new: bytes) -> Callable[[Request], Answer]:
    """A source of many records, in one of which a part is replaced."""

    def respond(_: Request) -> Answer:
        records = list(_many())
        spoilt = records[number - 1].replace(old % number if b"%" in old else old, new)
        if spoilt == records[number - 1]:
            raise AssertionError("nothing was spoilt")
        records[number - 1] = spoilt
        return Answer(body=b"[" + b",".join(records) + b"]")

    return respond


_KINDS = {
    "a fraction for an int32": (
        b'"flight_number": %d',
        b'"flight_number": 1.5',
        "flight_number is 1.5",
    ),
    "a number as text for an int32": (
        b'"flight_number": %d',
        b'"flight_number": "7"',
        'flight_number is "7"',
    ),
    "true for an int32": (
        b'"flight_number": %d',
        b'"flight_number": true',
        "flight_number is true",
    ),
    "2^40 for an int32": (
        b'"flight_number": %d',
        b'"flight_number": 1099511627776',
        "flight_number is 1099511627776",
    ),
    "a number for a string": (b'"name": "Flight %d \\u00fc"', b'"name": 5', "name is 5"),
    "an object for a string": (b'"name": ', b'"name": {"en": "x"}, "was": ', 'name is {"en":"x"}'),
    "a time without a zone": (b'.000Z"', b'"', 'date_utc is "2020-01-01T00:00:'),
    "a date for a time": (
        b'"date_utc": ',
        b'"date_utc": "2020-01-01", "was": ',
        'date_utc is "2020-01-01"',
    ),
    "a number for a time": (
        b'"date_utc": ',
        b'"date_utc": 1143239400, "was": ',
        "date_utc is 1143239400",
    ),
    "24/03/2006 for a time": (
        b'"date_utc": ',
        b'"date_utc": "24/03/2006", "was": ',
        'date_utc is "24/03/2006"',
    ),
    "yes for a boolean": (b'"success": ', b'"success": "yes", "was": ', 'success is "yes"'),
    "true as text for a boolean": (
        b'"success": ',
        b'"success": "true", "was": ',
        'success is "true"',
    ),
    "1 for a boolean": (b'"success": ', b'"success": 1, "was": ', "success is 1"),
    "an array for an object": (b'"links": {', b'"links": [], "was": {', "links is []"),
    "a string for an object": (b'"links": {', b'"links": "x", "was": {', 'links is "x"'),
    "null where required": (b'"name": ', b'"name": null, "was": ', "name is null"),
    "missing where required": (b'"name": ', b'"was": ', "name is missing"),
    "a key that comes twice": (b'"name": ', b'"name": "", "name": ', '$ is {"flight_number":'),
    "a number for a record": (b'{"flight_number"', b'7, {"flight_number"', "$ is 7"),
}
"""What is replaced in a record, by what, and what is said of it."""

_PLACES = [
    _data(
        name=f"{kind}, record {number:,} of {RECORDS:,}",
        says=f"record {number}: {says}",
        answers=[_spoilt(number, old, new)],
        environ={"SOURCE_READ_TIMEOUT": "30"},
    )
    for kind, (old, new, says) in _KINDS.items()
    for number in (1, RECORDS // 2, RECORDS)
] + [
    _data(
        name=f"a value that must be unique repeated, record {number:,} of {RECORDS:,}",
        says=f"record {number}: flight_number is 2, expected a value that no other record has"
        if number > 2
        else "record 2: flight_number is 2, expected a value that no other record has",
        answers=[_spoilt(number, b'"flight_number": %d,', b'"flight_number": 2,')],
        environ={"SOURCE_READ_TIMEOUT": "30"},
    )
    for number in (1, RECORDS // 2, RECORDS)
]


def _renamed(old: bytes, new: bytes) -> list[Answer]:
    return [Answer(body=NEW.replace(old, new))]


DATA = [
    _data(
        name="field renamed in every record",
        says="every record: success is missing",
        answers=_renamed(b'"success"', b'"outcome"'),
        fast=True,
    ),
    _data(
        name="required field renamed in every record",
        says="every record: name is missing",
        answers=_renamed(b'"name"', b'"title"'),
    ),
    _data(
        name="nested object gone from every record",
        says="every record: links.webcast is missing",
        answers=_renamed(b'"links"', b'"urls"'),
        fast=True,
    ),
    _data(
        name="every key repeated",
        says="without a repeated key",
        answers=_renamed(b'"name"', b'"name": "", "name"'),
        fast=True,
    ),
    _data(
        name="half of the rows gone",
        says="max_shrink",
        answers=[Answer(body=launches(2))],
        fast=True,
    ),
    _data(name="all rows gone", says="the table is empty", answers=[Answer(body=b"[]")]),
    _data(
        name="null in a required column, every record",
        says="name is null",
        answers=[
            Answer(
                body=json.dumps([{**record, "name": None} for record in json.loads(NEW)]).encode()
            )
        ],
    ),
    Fault(
        group="data",
        name="null in an optional column, every record",
        code=0,
        answers=[
            Answer(
                body=json.dumps(
                    [{**record, "success": None} for record in json.loads(NEW)]
                ).encode()
            )
        ],
        published=True,
    ),
    *_PLACES,
]
