"""A small HTTP server on loopback that answers, or misbehaves, as a test tells it to."""

from __future__ import annotations

import gzip
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from urllib.parse import urlsplit

from dev.loopback import HOST

_PATIENCE = 30


@dataclass(frozen=True)
class Request:
    """What a client asked for; the names of headers are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the server sends, and how it breaks off.

    Attributes:
        status: of the response.
        body: all of it.
        headers: on top of Content-Length, which tells the truth about the body.
        sent: how many bytes of the body are sent before the connection is closed; all, if none.
        chunked: send the body in chunks of 1,000 bytes, without Content-Length.
        begun: how many bytes of the answer, headers included, come before it is reset or stalls.
        reset: break the connection instead of answering.
        stall: send nothing for as long as the server runs.
        trickle: seconds between two bytes, of the headers too.
        trickle_body: seconds between two bytes of the body.
        raw: what is sent instead of all of this, byte for byte.
    """

    status: int = 200
    body: bytes = b"[]"
    headers: dict[str, str] = field(default_factory=dict)
    sent: int | None = None
    chunked: bool = False
    begun: int = 0
    reset: bool = False
    stall: bool = False
    trickle: float = 0
    trickle_body: float = 0
    raw: bytes | None = None


Respond = Callable[[Request], Answer]


class Server:
    """A running server; it keeps every request.

    Attributes:
        url: its address, without a slash at the end.
        requests: what it was asked so far.
    """

    def __init__(self, respond: Respond, tls: ssl.SSLContext | None) -> None:
        self.requests: list[Request] = []
        self._respond, self._tls = respond, tls
        self._listener = socket.create_server((HOST, 0))
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://{HOST}:{self._listener.getsockname()[1]}"

    def start(self) -> None:
        """Begin to answer."""
        self._threads[0].start()

    def stop(self) -> None:
        """Close every connection and wait for every thread."""
        self._stopping.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(_PATIENCE)
        self._listener.close()

    def count(self, method: str = "GET") -> int:
        """How many requests of a method there were."""
        return sum(request.method == method for request in self.requests)

    def wait_for(self, method: str) -> None:
        """Wait until a request of a method has come."""
        end = time.monotonic() + _PATIENCE
        while not self.count(method):
            if time.monotonic() > end:
                raise TimeoutError(f"no {method} came within {_PATIENCE} s")
            time.sleep(0.01)

    def _accept(self) -> None:
        while not self._stopping.is_set():
            with suppress(OSError):
                connection, _ = self._listener.accept()
                thread = threading.Thread(target=self._serve, args=(connection,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.settimeout(_PATIENCE)
            plain = connection
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection:
                request = _read(connection)
                if request:
                    self.requests.append(request)
                    self._send(connection, plain, request, self._respond(request))

    def _send(
        self, connection: socket.socket, plain: socket.socket, request: Request, answer: Answer
    ) -> None:
        if answer.begun:
            connection.sendall(b"".join(_encode(answer))[: answer.begun])
        if answer.stall:
            self._stopping.wait()
        elif answer.reset:
            linger = struct.pack("ii", 1, 0)  # close with RST
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        else:
            head, body = _encode(answer)
            body = b"" if request.method == "HEAD" else body[: answer.sent]
            self._trickle(connection, head, answer.trickle)
            self._trickle(connection, body, answer.trickle or answer.trickle_body)

    def _trickle(self, connection: socket.socket, data: bytes, pause: float) -> None:
        if not pause:
            connection.sendall(data)
            return
        for byte in data:
            connection.sendall(bytes([byte]))
            if self._stopping.wait(pause):
                return


@contextmanager
def serve(*answers: Answer | Respond, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server that gives these answers in turn, the last one for ever, while the block lasts."""
    turn = iter(range(len(answers) - 1))

    def respond(request: Request) -> Answer:
        answer = answers[next(turn, -1)]
        return answer if isinstance(answer, Answer) else answer(request)

    server = Server(respond, tls)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def redirect(location: str, status: int = 302) -> Answer:
    """An answer that sends the client elsewhere."""
    return Answer(status=status, headers={"Location": location}, body=b"")


def headed(*lines: bytes, body: bytes, sent: int | None = None) -> Answer:
    """An answer with these header lines before its length, of whose body so much is sent."""
    head = [b"HTTP/1.1 200 OK", *lines, b"Content-Length: %d" % len(body), b"Connection: close"]
    return Answer(raw=b"\r\n".join([*head, b"", body[:sent]]))


def gzipped(body: bytes, **headers: str) -> Answer:
    """A compressed body, announced as such."""
    return Answer(body=gzip.compress(body), headers={"Content-Encoding": "gzip", **headers})


def s3_error(status: int, code: str, message: str = "said the stub") -> Answer:
    """An error in S3's words."""
    text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Answer(status=status, body=text.encode(), headers={"Content-Type": "application/xml"})


def forward(request: Request, endpoint: str) -> Answer:
    """What another server answers to the same request."""
    connection = HTTPConnection(urlsplit(endpoint).netloc, timeout=_PATIENCE)
    try:
        connection.request(request.method, request.path, request.body, request.headers)
        response = connection.getresponse()
        body = response.read()
        named = dict(response.getheaders())
    finally:
        connection.close()
    if request.method == "HEAD":  # the length is the object's
        body = bytes(int(named.get("Content-Length", 0)))
    kept = {key: value for key, value in named.items() if key.lower() not in _HOP_BY_HOP}
    return Answer(status=response.status, body=body, headers=kept)


_HOP_BY_HOP = ("content-length", "connection", "transfer-encoding", "keep-alive", "date", "server")


def _read(connection: socket.socket) -> Request | None:
    with connection.makefile("rb") as stream:
        start = stream.readline().decode("latin-1").split()
        if len(start) != 3:
            return None
        headers = {}
        for line in iter(stream.readline, b"\r\n"):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        body = stream.read(int(headers.get("content-length", 0)))
        return Request(start[0], start[1], headers, body)


def _encode(answer: Answer) -> tuple[bytes, bytes]:
    if answer.raw is not None:
        return answer.raw, b""
    headers = {"Connection": "close"}
    body = answer.body
    if answer.chunked:
        headers["Transfer-Encoding"] = "chunked"
        pieces = [body[start : start + 1000] for start in range(0, len(body), 1000)]
        body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in [*pieces, b""])
    else:
        headers["Content-Length"] = str(len(body))
    headers |= answer.headers
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {answer.status} Status\r\n{lines}\r\n".encode("latin-1"), body
