"""How long a source wants to be left alone is told from its headers."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import pytest

from micro_etl.source.http.rate_limit import wait_asked_for

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"retry-after": "30"}, 30),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "9" * 5000}, None),
        ({"retry-after": "Mon, 01 Jan 99999999 00:00:00 GMT"}, None),
        ({"retry-after": "Tue, 14 Nov 2023 22:14:20 GMT"}, 60),
        ({"retry-after": "Tue, 14 Nov 2023 22:00:00 GMT"}, 0),
        ({"retry-after": "2023-11-14T22:14:20Z"}, 60),
        (
            {
                "retry-after": "Tue, 14 Nov 2023 22:14:20 GMT",
                "date": "Tue, 14 Nov 2023 22:14:10 GMT",
            },
            10,
        ),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1700000060"}, 60),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1700000060000"}, 60),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1699999999"}, 0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "60"}, 60),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset-after": "0.5"}, 0.5),
        ({"x-rate-limit-remaining": "0", "x-rate-limit-reset": "60"}, 60),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "60"}, 60),
        ({"ratelimit-remaining": "0, 9", "ratelimit-reset": "60"}, 60),
        ({"ratelimit": "limit=100, remaining=0, reset=60"}, 60),
        ({"ratelimit": '"default";r=0;t=60'}, 60),
        ({"ratelimit": '"default";r=10;t=60'}, None),
        ({"x-ratelimit-remaining": "0"}, None),
        ({"x-ratelimit-remaining": "10", "x-ratelimit-reset": "60"}, None),
        ({"x-ratelimit-reset": "60"}, None),
        ({"retry-after": "5", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "60"}, 5),
    ],
)
def test_the_wait_that_headers_ask_for(headers: dict[str, str], wait: float | None) -> None:
    assert wait_asked_for(headers, now=NOW) == wait
