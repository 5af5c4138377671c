"""Generate launches in the schema of the API, and the table that must come of them.

The same seed and count give the same bytes on any day. What no column reads is realistic filler of
the size that the API sends, about 2.2 kB a record.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pyarrow as pa

_TEMPLATES = 997
_BLOCK = 500
_WORDY = 140
_FIRST = datetime(2006, 3, 24, 22, 30, tzinfo=UTC)
_STEP = timedelta(seconds=61)
_SLOTS = {"flight_number": "%d", "name": "%b", "date_utc": "%b"}
_NAMES = (
    "Starlink",
    "TürkmenÄlem 52°E",
    "Arabsat-6A é",
    "CRS",
    "GPS III",
    "Galaxy",
    "O3b \\ mPOWER",
)
_WORDS = (
    "launch",
    "orbit",
    "booster",
    "landing",
    "stage",
    "mission",
    "satellite",
    "droneship",
    "fairing",
    "recovery",
    "payload",
    "pad",
    "polar",
    "weather",
    "engine",
    "window",
    "static",
    "fire",
    "reused",
    "core",
    "capsule",
    "crew",
    "station",
)

SCHEMA = pa.schema(
    [
        ("flight_number", pa.int32()),
        ("mission_name", pa.string()),
        ("launch_date", pa.timestamp("us", "UTC")),
        ("mission_successful", pa.bool_()),
        ("webcast_url", pa.string()),
    ]
)
"""The columns of the job, as readers see them."""


@dataclass(frozen=True)
class _Template:
    text: bytes
    success: bool | None
    webcast: str | None


def body(seed: int, count: int) -> Iterator[bytes]:
    """A JSON array of so many launches, in pieces of about a megabyte."""
    records = launches(seed, count)
    yield b"["
    for start in range(0, count, _BLOCK):
        yield (b"," if start else b"") + b",".join(islice(records, _BLOCK))
    yield b"]"


def launches(seed: int, count: int) -> Iterator[bytes]:
    """So many launches, each a JSON object without line breaks."""
    templates = _templates(seed)
    for number in range(1, count + 1):
        name = json.dumps(_name(number), ensure_ascii=False).encode()
        yield templates[number % _TEMPLATES].text % (number, name, _date(number))


def lines(seed: int, start: int, stop: int) -> Iterator[bytes]:
    """The launches of these numbers, a record a line, without the fields that no column reads.

    Some words are left of those: 0.3 kB a record.
    """
    templates = [
        json.dumps(
            {"success": template.success, "links": {"webcast": template.webcast}}
            | {"details": (json.loads(template.text % (0, b'""', b'""'))["details"] or "")[:_WORDY]}
        ).encode()
        for template in _templates(seed)
    ]
    for number in range(start, stop):
        name = json.dumps(_name(number), ensure_ascii=False).encode()
        head = b'{"flight_number": %d, "name": %b, "date_utc": %b, '
        yield head % (number, name, _date(number)) + templates[number % _TEMPLATES][1:] + b"\n"


def table(seed: int, count: int) -> pa.Table:
    """What must come of `body`."""
    templates, numbers = _templates(seed), range(1, count + 1)
    columns = [
        list(numbers),
        [_name(number) for number in numbers],
        [_FIRST + number * _STEP for number in numbers],
        [templates[number % _TEMPLATES].success for number in numbers],
        [templates[number % _TEMPLATES].webcast for number in numbers],
    ]
    return pa.Table.from_arrays(
        [pa.array(values, kind.type) for values, kind in zip(columns, SCHEMA, strict=True)],
        schema=SCHEMA,
    )


def _name(number: int) -> str:
    return f"{_NAMES[number % len(_NAMES)]} {number}"


def _date(number: int) -> bytes:
    moment = (_FIRST + number * _STEP).isoformat(timespec="milliseconds")
    return f'"{moment.removesuffix("+00:00")}Z"'.encode()


def _templates(seed: int) -> list[_Template]:
    chance = random.Random(seed)  # noqa: S311 - the same records each time is the point
    return [_template(chance) for _ in range(_TEMPLATES)]


def _template(chance: random.Random) -> _Template:
    def key() -> str:
        return f"{chance.getrandbits(96):024x}"

    def keys(most: int) -> list[str]:
        return [key() for _ in range(chance.randint(0, most))]

    def maybe(value: Any, share: float = 0.8) -> Any:
        return value if chance.random() < share else None

    def text(words: int) -> str:
        return " ".join(chance.choices(_WORDS, k=words)).capitalize() + "."

    video = key()[:11]
    launch = {
        "fairings": maybe(
            {"reused": True, "recovery_attempt": True, "recovered": maybe(True), "ships": keys(2)}
        ),
        "links": {
            "patch": {
                "small": maybe(f"https://images2.example.com/{key()}_o.png"),
                "large": maybe(f"https://images2.example.com/{key()}_o.png"),
            },
            "reddit": {
                name: maybe(f"https://www.reddit.com/r/spacex/comments/{key()}/{text(5)}", 0.5)
                for name in ("campaign", "launch", "media", "recovery")
            },
            "flickr": {
                "small": [],
                "original": [f"https://live.example.com/65535/{one}_o.jpg" for one in keys(8)],
            },
            "presskit": maybe(f"https://www.example.com/sites/{key()}/presskit.pdf"),
            "webcast": maybe(f"https://www.youtube.com/watch?v={video}", 0.95),
            "youtube_id": video,
            "article": maybe(f"https://spaceflightnow.example.com/2020/08/31/{key()}/"),
            "wikipedia": f"https://en.wikipedia.org/wiki/{key()}",
        },
        "static_fire_date_utc": maybe("2006-03-17T00:00:00.000Z"),
        "static_fire_date_unix": maybe(1142553600),
        "net": False,
        "window": maybe(chance.randint(0, 7200)),
        "rocket": key(),
        "success": chance.choices((True, False, None), (90, 5, 5))[0],
        "failures": [{"time": 33, "altitude": None, "reason": text(4)} for _ in keys(1)],
        "details": maybe(text(48) + '\r\nIt was called "nominal": ' + text(14)),
        "crew": [],
        "ships": keys(3),
        "capsules": keys(1),
        "payloads": keys(3),
        "launchpad": key(),
        **_SLOTS,
        "date_unix": chance.randint(1_100_000_000, 1_700_000_000),
        "date_local": "2020-08-30T19:18:00-04:00",
        "date_precision": "hour",
        "upcoming": False,
        "cores": [
            {
                "core": core,
                "flight": chance.randint(1, 15),
                "gridfins": True,
                "legs": True,
                "reused": chance.random() < 0.5,
                "landing_attempt": True,
                "landing_success": maybe(True),
                "landing_type": "RTLS",
                "landpad": key(),
            }
            for core in [key(), *keys(1)]
        ],
        "auto_update": True,
        "tbd": False,
        "launch_library_id": None,
        "id": key(),
    }
    rendered = json.dumps(launch, separators=(",", ":"), ensure_ascii=False).replace("%", "%%")
    for slot in _SLOTS.values():
        rendered = rendered.replace(f'"%{slot}"', slot)
    return _Template(rendered.encode(), launch["success"], launch["links"]["webcast"])
