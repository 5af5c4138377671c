"""A source and an emulator of AWS on loopback, each for as long as a block runs."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

HOST = "127.0.0.1"
_START_SECONDS = 60
_STOP_SECONDS = 10
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
}
"""What a client of the emulator signs with; it is not checked."""


@contextmanager
def serve_json(body: bytes, *, path: str = "/") -> Iterator[str]:
    """Serve a JSON body over HTTP on a free port of loopback.

    Args:
        body: the answer to every GET.
        path: the path of the URL.

    Yields:
        The URL.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://{HOST}:{server.server_port}{path}"
        finally:
            server.shutdown()


@contextmanager
def serve_aws(**variables: str) -> Iterator[str]:
    """Run MiniStack, an emulator of AWS, on a free port of loopback; nothing of it stays behind.

    Args:
        variables: more of its environment.

    Yields:
        The endpoint, for ``AWS_ENDPOINT_URL``.

    Raises:
        RuntimeError: it ended, or did not answer within a minute; shows the end of its log.
    """
    port = free_port()
    endpoint = f"http://{HOST}:{port}"
    with tempfile.TemporaryDirectory(prefix="ministack-") as folder:
        log = Path(folder, "log")
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "ministack"],
                cwd=folder,
                env={
                    "PATH": os.environ.get("PATH", os.defpath),
                    "HOME": folder,
                    "TMPDIR": folder,
                    "BIND_HOST": HOST,
                    "GATEWAY_PORT": str(port),
                    "LOG_LEVEL": "WARNING",
                    **variables,
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            _wait_until_healthy(process, endpoint, log)
            yield endpoint
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def free_port() -> int:
    """A TCP port of loopback that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_healthy(process: subprocess.Popen[bytes], endpoint: str, log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            with urlopen(f"{endpoint}/_ministack/health", timeout=1):  # noqa: S310 - our own URL
                return
        except (URLError, OSError):
            time.sleep(0.05)
    said = log.read_text(errors="replace")[-2000:]
    raise RuntimeError(f"MiniStack does not answer at {endpoint}; its log ends with:\n{said}")
