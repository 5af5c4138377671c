"""Serve a source on loopback, so cheaply that it is never what a measurement waits for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from dev.loopback import HOST


@contextmanager
def serve_file(file: Path) -> Iterator[str]:
    """Serve a prepared file; the kernel copies it to the socket (sendfile).

    Yields:
        The URL.
    """

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_header("Content-Length", str(file.stat().st_size))
        handler.end_headers()
        with file.open("rb") as source:
            handler.connection.sendfile(source)

    with serve(answer) as url:
        yield url


@contextmanager
def serve_pieces(make: Callable[[], Iterable[bytes]]) -> Iterator[str]:
    """Serve a body that is made on the fly, in chunks; nothing of it is kept.

    Yields:
        The URL.
    """

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for piece in make():
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        handler.wfile.write(b"0\r\n\r\n")

    with serve(answer) as url:
        yield url


@contextmanager
def serve(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """Answer every request; `answer` sends what comes after the status.

    Yields:
        The URL.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # or a client that acknowledges late waits 40 ms

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            answer(self)

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://{HOST}:{server.server_port}/v4/launches"
        finally:
            server.shutdown()
