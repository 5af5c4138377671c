"""Serve one recorded case on loopback: its routes.json says which request gets which page.

``python -m tests.cases.replay tests/cases/apis/github-issues`` prints the address, and each request
until it is stopped.

Of the routes that match a request, the last wins. A route may hold ``method`` (GET), ``path``,
``query`` and ``body`` (subsets of what must be asked), ``no_query`` and ``no_body`` (keys that must
not be there), ``answer`` (the file that is sent), ``status``, ``send`` (headers of the answer), and
``fail_first``, ``fail_status``, ``fail_send``: how often it fails before it answers, and how.
``need_headers`` of the case: without them the answer is 401, except on the paths in ``open``.
``{base}`` in pages, headers and dataset.toml stands for the server's address. After 60 requests
every answer is 508, so that a loop ends.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

_HOST = "127.0.0.1"
_MOST_REQUESTS = 60


class Asked(NamedTuple):
    """A request that came; `headers` finds its names in any case."""

    method: str
    path: str
    body: Any
    headers: Message


class _Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    text: str


@dataclass
class Replay:
    """A case that is being served.

    Attributes:
        case: its folder.
        base: the server's address.
        asked: the requests that came, in order.
    """

    case: Path
    base: str = ""
    asked: list[Asked] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._spec = json.loads((self.case / "routes.json").read_text("utf-8"))
        self._times = [0] * len(self._spec["routes"])

    def dataset(self) -> str:
        """The text of the dataset file, with this server's address."""
        return (self.case / "dataset.toml").read_text("utf-8").replace("{base}", self.base)

    def variables(self) -> dict[str, str]:
        """The variables that the dataset file reads."""
        found: dict[str, str] = json.loads((self.case / "env.json").read_text("utf-8"))
        return found

    def expected(self, name: str = "expected.json") -> Any:
        """What the case expects; none where that file is not there."""
        file = self.case / name
        return json.loads(file.read_text("utf-8")) if file.exists() else None

    def reply(self, asked: Asked) -> _Reply:
        """What the case answers."""
        self.asked.append(asked)
        path = urlsplit(asked.path).path
        needed = self._spec.get("need_headers", {})
        lacking = [name for name, value in needed.items() if asked.headers.get(name) != value]
        if len(self.asked) > _MOST_REQUESTS:
            return _Reply(508, {}, '{"error": "too many requests"}')
        if lacking and path not in self._spec.get("open", []):
            return _Reply(401, {}, json.dumps({"message": f"{lacking[0]} is missing or wrong"}))
        for number, route in reversed([*enumerate(self._spec["routes"])]):
            if _matches(route, asked):
                self._times[number] += 1
                return self._reply_of(route, self._times[number])
        return _Reply(404, {}, '{"error": "no such route"}')

    def _reply_of(self, route: dict[str, Any], times: int) -> _Reply:
        if times <= route.get("fail_first", 0):
            failure = '{"message": "slow down"}'
            return _Reply(route.get("fail_status", 429), route.get("fail_send", {}), failure)
        text = (self.case / route["answer"]).read_text("utf-8")
        return _Reply(route.get("status", 200), route.get("send", {}), text)


def _matches(route: dict[str, Any], asked: Asked) -> bool:
    url = urlsplit(asked.path)
    query = dict(parse_qsl(url.query, keep_blank_values=True))
    return (
        route.get("method", "GET" if asked.body is None else asked.method) == asked.method
        and route["path"] == url.path
        and all(query.get(key) == value for key, value in route.get("query", {}).items())
        and not any(key in query for key in route.get("no_query", []))
        and ("body" not in route or _is_subset(route["body"], asked.body))
        and not any(key in (asked.body or {}) for key in route.get("no_body", []))
    )


def _is_subset(wanted: Any, given: Any) -> bool:
    if isinstance(wanted, dict):
        return isinstance(given, dict) and all(
            key in given and _is_subset(value, given[key]) for key, value in wanted.items()
        )
    return bool(wanted == given)


@contextmanager
def serve_case(case: Path, *, port: int = 0) -> Iterator[Replay]:
    """Serve a folder of ``apis/`` or ``paging/``.

    Args:
        case: the folder.
        port: of loopback; any free one unless told.

    Yields:
        The case, with its address and the requests that come.
    """
    replay = Replay(case)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = Asked(self.command, self.path, _body_of(raw), self.headers)
            status, headers, text = replay.reply(asked)
            data = text.replace("{base}", replay.base).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value.replace("{base}", replay.base))
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_GET  # noqa: N815 - the base class looks for this name

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    with ThreadingHTTPServer((_HOST, port), Handler) as server:
        server.daemon_threads = True
        replay.base = f"http://{_HOST}:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield replay
        finally:
            server.shutdown()


def _body_of(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return dict(parse_qsl(raw.decode()))


@contextmanager
def serve_bytes(answer: bytes) -> Iterator[str]:
    """Answer each connection with the same bytes, such as a ``.http`` file's; yields the URL."""
    with socket.create_server((_HOST, 0)) as server:
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                with suppress(OSError):
                    connection, _ = server.accept()
                    with connection:
                        connection.settimeout(10)
                        connection.recv(65536)
                        connection.sendall(answer)

        server.settimeout(0.1)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://{_HOST}:{server.getsockname()[1]}/"
        finally:
            ended.set()
            thread.join()


def _main() -> None:
    with serve_case(Path(sys.argv[1])) as replay:
        print(replay.base, flush=True)  # noqa: T201 - a tool for the command line
        shown = 0
        while True:
            for asked in replay.asked[shown:]:
                print(*asked[:3], flush=True)  # noqa: T201
                shown += 1
            threading.Event().wait(0.1)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        _main()
