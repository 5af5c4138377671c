"""The launches API as a server on this machine, which can also fail in the ways that APIs do."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from dev.rehearsal.engine import Engine

PATH = "/v4/launches"
TOKEN = "a-token-of-the-rehearsal"  # noqa: S105 - of a server on this machine
PAGES, ORDERS_A_PAGE = 3, 40
READINGS = 500_000
"""More than one part's worth of bytes."""

Records = list[dict[str, Any]]


@dataclass
class Source:
    """A running server and how it answers now."""

    url: str
    records: Records
    status: int = 200
    gate: threading.Event = field(default_factory=threading.Event)
    """Requests are answered while it is set, and wait while it is not."""
    waiting: threading.Event = field(default_factory=threading.Event)
    """Set as soon as a request waits."""

    def __post_init__(self) -> None:
        self.gate.set()

    def answer(self) -> tuple[int, bytes]:
        """The status and the body of the next answer."""
        if not self.gate.is_set():
            self.waiting.set()
            self.gate.wait()
        if self.status != 200:
            return self.status, b'{"error": "out of order"}'
        return 200, json.dumps(self.records, ensure_ascii=False).encode()

    @contextmanager
    def down(self) -> Iterator[None]:
        """Answer every request with 503."""
        self.status = 503
        try:
            yield
        finally:
            self.status = 200

    @contextmanager
    def stalling(self) -> Iterator[None]:
        """Leave every request waiting."""
        self.gate.clear()
        self.waiting.clear()
        try:
            yield
        finally:
            self.gate.set()

    @contextmanager
    def serving(self, records: Records) -> Iterator[None]:
        """Serve other records."""
        usual, self.records = self.records, records
        try:
            yield
        finally:
            self.records = usual


@cache
def readings() -> bytes:
    """The body of the large source, which is the same each time."""
    records = [
        {
            "id": number,
            "station": f"station-{number % 97}",
            "at": f"2026-01-{number % 28 + 1:02}T{number % 24:02}:00:00Z",
            "value": None if number % 13 == 0 else number / 8,
        }
        for number in range(READINGS)
    ]
    return json.dumps(records).encode()


def orders(base: str, path: str, authorization: str) -> tuple[int, Any]:
    """The status and the content of an answer of the source that is paged."""
    if not path.startswith("/orders?page="):
        return 404, {"error": "no such path"}
    if authorization != f"Bearer {TOKEN}":
        return 401, {"error": "no token"}
    page = int(path.rpartition("=")[2])
    first = (page - 1) * ORDERS_A_PAGE
    items = [{"id": first + n, "total": (first + n) / 4} for n in range(ORDERS_A_PAGE)]
    following = f"{base}/orders?page={page + 1}" if page < PAGES else None
    return 200, {"items": items, "next": following}


def with_broken_contract(records: Records) -> Records:
    """Records of which the third has its flight number as a string."""
    broken = copy.deepcopy(records)
    broken[2]["flight_number"] = str(broken[2]["flight_number"])
    return broken


def with_new_launch(records: Records) -> Records:
    """Records with one more launch at their end."""
    last = max(records, key=lambda record: int(record["flight_number"]))
    new = {
        **copy.deepcopy(last),
        "id": "0" * 24,
        "flight_number": last["flight_number"] + 1,
        "name": "Rehearsal",
    }
    return [*records, new]


class Server(ThreadingHTTPServer):
    """An HTTP server that knows its source."""

    source: Source


class Handler(BaseHTTPRequestHandler):
    """Answers each request as the server's source says."""

    server: Server

    def do_GET(self) -> None:
        """Answer one request."""
        if self.path == PATH:
            status, body = self.server.source.answer()
        elif self.path == "/readings":
            status, body = 200, readings()
        else:
            base = self.server.source.url.removesuffix(PATH)
            status, content = orders(base, self.path, self.headers.get("Authorization", ""))
            body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
        """Say nothing: the rehearsal's lines are for its steps."""


@contextmanager
def serving(engine: Engine, records: Records) -> Iterator[Source]:
    """Serve records where containers and programs on this machine both reach them."""
    server = Server((engine.address, 0), Handler)
    port = server.server_address[1]
    server.source = Source(url=f"http://{engine.address}:{port}{PATH}", records=records)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.source
    finally:
        server.source.gate.set()
        server.shutdown()
        server.server_close()
        thread.join()
