"""Faults of the source and of the network."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from pathlib import Path

from dev.loopback import HOST, free_port
from tests.service.command import launches
from tests.service.servers import Answer, gzipped, redirect
from tests.torture.faults import NEW, OLD, Fault
from tests.torture.odd_answers import NDJSON, ODD

_BOMB = gzip.compress(bytes(300 << 20))

_source = partial(Fault, group="source")


def _soon(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@contextmanager
def _refused(_: Path) -> Iterator[str]:
    yield f"http://{HOST}:{free_port()}/"


@contextmanager
def _unknown_host(_: Path) -> Iterator[str]:
    yield "http://source.invalid/"


@contextmanager
def _full_backlog(_: Path) -> Iterator[str]:
    """A port whose queue of connections is full: whoever connects waits."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((HOST, 0))
        listener.listen(0)
        for _number in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield f"http://{HOST}:{listener.getsockname()[1]}/"


def _one_large_record(size: int) -> bytes:
    return NEW[:-1] + b', {"details": "' + b"x" * size + b'"}]'


_CONNECTION = [
    _source(
        name="connection refused", code=69, says="refused", source=_refused, gets=None, fast=True
    ),
    _source(
        name="name that does not resolve",
        code=69,
        says="resolve",
        source=_unknown_host,
        environ={"RES_OPTIONS": "timeout:1 attempts:1"},  # where no resolver answers
        gets=None,
    ),
    _source(
        name="connection stalls",
        code=69,
        says="no connection within the connect time-out",
        source=_full_backlog,
        gets=None,
    ),
    _source(
        name="reset before the headers", code=69, says="reset", answers=[Answer(reset=True)], gets=3
    ),
    _source(
        name="reset within the headers",
        code=69,
        says="after all retries",
        answers=[Answer(body=NEW, begun=30, reset=True)],
        gets=3,
    ),
    _source(
        name="reset after the headers",
        code=69,
        says="after all retries",
        answers=[Answer(body=NEW, begun=300, reset=True)],
        gets=3,
        fast=True,
    ),
    _source(
        name="reset twice, then sound",
        code=0,
        answers=[Answer(body=NEW, begun=300, reset=True)] * 2 + [Answer(body=NEW)],
        gets=3,
        published=True,
        fast=True,
    ),
    _source(name="no answer", code=69, says="read time-out", answers=[Answer(stall=True)], gets=3),
    _source(
        name="headers stall",
        code=69,
        says="read time-out",
        answers=[Answer(begun=30, stall=True)],
        gets=3,
    ),
    _source(
        name="body stalls",
        code=69,
        says="read time-out",
        answers=[Answer(body=NEW, begun=300, stall=True)],
        gets=3,
    ),
    _source(
        name="trickle within the read time-out, beyond the deadline",
        code=69,
        says="SOURCE_DEADLINE",
        answers=[Answer(body=NEW, trickle_body=0.05)],
        environ={"SOURCE_DEADLINE": "1"},
        fast=True,
    ),
    _source(
        name="headers trickle beyond the deadline",
        code=69,
        says="SOURCE_DEADLINE",
        answers=[Answer(body=NEW, trickle=0.1)],
        environ={"SOURCE_DEADLINE": "1"},
    ),
    *(
        _source(
            name=f"TLS: certificate {tls}",
            code=69,
            says="TLS",
            tls=tls,
            gets=0,
            fast=tls == "expired",
        )
        for tls in ("expired", "of another host", "of an unknown authority")
    ),
]

_STATUS = [
    _source(
        name="status 103 and no other",
        code=69,
        says="closed within the headers",
        answers=[Answer(status=103, body=b"no")],
        gets=3,
    ),
    *(
        _source(
            name=f"status {status}",
            code=code,
            says=f"status {status}",
            answers=[Answer(status=status, body=b"no")],
            gets=gets,
        )
        for status, code, gets in [
            (101, 69, 1),
            (201, 69, 1),
            (202, 69, 1),
            (203, 69, 1),
            (204, 69, 1),
            (206, 69, 1),
            (300, 69, 1),
            (304, 69, 1),
            (400, 69, 1),
            (401, 77, 1),
            (402, 69, 1),
            (403, 77, 1),
            (404, 66, 1),
            (405, 69, 1),
            (406, 69, 1),
            (407, 69, 1),
            (410, 66, 1),
            (418, 69, 1),
            (422, 69, 1),
            (451, 69, 1),
            (408, 69, 3),
            (425, 69, 3),
            (429, 69, 3),
            (500, 69, 3),
            (501, 69, 3),
            (502, 69, 3),
            (503, 69, 3),
            (504, 69, 3),
            (522, 69, 3),
            (599, 69, 3),
            (600, 69, 1),
            (999, 69, 1),
        ]
    ),
    *(
        _source(
            name=f"{status}, Retry-After in {form}, then sound",
            code=0,
            answers=[Answer(status=status, headers={"Retry-After": wait}), Answer(body=NEW)],
            gets=2,
            published=True,
        )
        for status in (429, 503)
        for form, wait in [("seconds", "1"), ("a date", _soon(1))]
    ),
    _source(
        name="Retry-After of a year is capped",
        code=0,
        answers=[Answer(status=503, headers={"Retry-After": "31536000"}), Answer(body=NEW)],
        gets=2,
        published=True,
    ),
    _source(
        name="Retry-After of 5,000 digits",
        code=69,
        says="status 503",
        answers=[Answer(status=503, headers={"Retry-After": "9" * 5000})],
        gets=3,
        fast=True,
    ),
    _source(
        name="Retry-After in the year 99999999",
        code=69,
        says="status 503",
        answers=[Answer(status=503, headers={"Retry-After": "Mon, 01 Jan 99999999 00:00:00 GMT"})],
        gets=3,
    ),
    _source(
        name="redirect loop",
        code=69,
        says="too many redirects",
        answers=[redirect("/v4/launches")],
        gets=4,
        fast=True,
    ),
    _source(
        name="redirect from https to http",
        code=69,
        says="not secure",
        tls="good",
        answers=[redirect("http://127.0.0.1:1/")],
    ),
    _source(
        name="redirect to what is not a URL",
        code=69,
        says="not a URL",
        answers=[redirect("http://[::1")],
    ),
]

_BODY = [
    _source(
        name="body shorter than announced",
        code=69,
        says="after all retries",
        answers=[Answer(body=NEW, sent=100)],
        gets=3,
        fast=True,
    ),
    _source(
        name="body longer than announced",
        code=69,
        says="cut short",
        answers=[Answer(body=NEW, headers={"Content-Length": "100"})],
    ),
    _source(
        name="announced length of 5,000 digits",
        code=69,
        says="is no number",
        answers=[Answer(body=NEW, sent=200, headers={"Content-Length": "9" * 5000})],
        fast=True,
    ),
    _source(
        name="chunks cut short",
        code=69,
        says="after all retries",
        answers=[Answer(body=NEW, chunked=True, sent=400)],
        gets=3,
    ),
    _source(
        name="array cut short, no length announced",
        code=69,
        says="cut short",
        answers=[Answer(body=NEW[:300], chunked=True)],
    ),
    _source(
        name="gzip cut short",
        code=69,
        says="gzip stream is cut short",
        answers=[Answer(body=gzip.compress(NEW)[:-20])],
    ),
    _source(
        name="gzip broken",
        code=69,
        says="gzip stream is broken",
        answers=[Answer(body=gzip.compress(NEW)[:40] + b"broken" * 20)],
    ),
    _source(
        name="gzip bomb, 300 MiB in 300 kB",
        code=69,
        says="SOURCE_MAX_UNPACKED_BYTES",
        answers=[Answer(body=_BOMB)],
        environ={"SOURCE_MAX_UNPACKED_BYTES": "1MiB"},
        fast=True,
    ),
    _source(
        name="content encoding that was not asked for",
        code=69,
        says="content encoding br",
        answers=[Answer(body=NEW, headers={"Content-Encoding": "br"})],
    ),
    _source(
        name="gzip that is not announced",
        code=0,
        answers=[Answer(body=gzip.compress(NEW))],
        published=True,
    ),
    _source(
        name="wrong content type",
        code=0,
        answers=[Answer(body=NEW, headers={"Content-Type": "image/png"})],
        published=True,
    ),
    _source(name="gzip, announced", code=0, answers=[gzipped(NEW)], published=True),
    _source(
        name="HTML page with status 200",
        code=69,
        says="<html>",
        answers=[Answer(body=b"<html><body>Down for maintenance</body></html>")],
        fast=True,
    ),
    _source(
        name="JSON error with status 200",
        code=69,
        says="not one object",
        answers=[Answer(body=b'{"error": "rate limited"}')],
    ),
    _source(name="empty body", code=69, says="empty body", answers=[Answer(body=b"")]),
    _source(
        name="only white space", code=69, says="empty body", answers=[Answer(body=b" \n\t\r\n")]
    ),
    _source(name="[]", code=65, says="the table is empty", answers=[Answer(body=b"[]")], fast=True),
    _source(name="{}", code=69, says="not one object", answers=[Answer(body=b"{}")]),
    _source(name="null", code=69, says="array of records", answers=[Answer(body=b"null")]),
    _source(name="[null]", code=65, says="record 1: $ is null", answers=[Answer(body=b"[null]")]),
    _source(name="[[]]", code=65, says="record 1: $ is []", answers=[Answer(body=b"[[]]")]),
    _source(
        name="byte order mark",
        code=0,
        answers=[Answer(body=b"\xef\xbb\xbf" + NEW)],
        published=True,
    ),
    _source(
        name="UTF-16", code=69, says="UTF-16", answers=[Answer(body=NEW.decode().encode("utf-16"))]
    ),
    _source(
        name="Latin-1",
        code=69,
        says="JSON",
        answers=[Answer(body=NEW.replace(b"\\u00fc", b"\xfc"))],
    ),
    _source(
        name="NDJSON announced as an array",
        code=0,
        answers=[Answer(body=NDJSON, headers={"Content-Type": "application/json"})],
        published=True,
    ),
    _source(
        name="array announced as NDJSON",
        code=0,
        answers=[Answer(body=NEW, headers={"Content-Type": "application/x-ndjson"})],
        published=True,
    ),
    _source(
        name="two arrays, one after the other",
        code=69,
        says="JSON",
        answers=[Answer(body=OLD + NEW)],
    ),
    _source(
        name="something after the array",
        code=69,
        says="cut short",
        answers=[Answer(body=NEW + b"!")],
    ),
    _source(
        name="nested 100,000 deep",
        code=65,
        says="record 1: $ is [[",
        answers=[Answer(body=b"[" * 100_000 + b"]" * 100_000)],
    ),
    _source(
        name="one record of 100 MB",
        code=69,
        says="SOURCE_MAX_RECORD_BYTES",
        answers=[Answer(body=_one_large_record(100_000_000))],
    ),
    _source(
        name="body over the limit",
        code=69,
        says="SOURCE_MAX_BYTES",
        answers=[Answer(body=launches(1000))],
        environ={"SOURCE_MAX_BYTES": "10kB"},
        fast=True,
    ),
]

SOURCE = [*_CONNECTION, *_STATUS, *_BODY, *ODD]
