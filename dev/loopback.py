"""A source and an emulator of AWS on loopback, each for as long as a block runs."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import urlopen

HOST = "127.0.0.1"
_START_SECONDS = 60
_STOP_SECONDS = 20
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
}
"""What a client of the emulator signs with; it is not checked."""


class EmulatorError(RuntimeError):
    """The emulator of AWS did not start."""


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
    """Run MiniStack, an emulator of AWS, on a free port of loopback; it leaves nothing behind.

    Args:
        variables: more of its environment.

    Yields:
        The endpoint, for ``AWS_ENDPOINT_URL``.

    Raises:
        EmulatorError: it ended, or did not answer in time.
    """
    port = free_port()
    endpoint = f"http://{HOST}:{port}"
    with tempfile.TemporaryDirectory(prefix="ministack-") as folder:
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": folder,
            "TMPDIR": folder,
            "BIND_HOST": HOST,
            "GATEWAY_PORT": str(port),
            "LOG_LEVEL": "WARNING",
            **variables,
        }
        module, log = "ministack", Path(folder, "log")
        with run_emulator(module, endpoint, environment, folder=Path(folder), log=log):
            yield endpoint


@contextmanager
def run_emulator(
    module: str,
    endpoint: str,
    environment: Mapping[str, str],
    *,
    folder: Path,
    log: Path,
    own_session: bool = False,
) -> Iterator[None]:
    """Run an emulator from before the block begins, when it answers, until the block ends.

    Args:
        module: the Python module that is the emulator.
        endpoint: where it answers.
        environment: all of its variables.
        folder: its working folder.
        log: the file for its output.
        own_session: keeps the terminal's Ctrl-C from it.

    Raises:
        EmulatorError: it ended, or did not answer in time; shows the end of its log.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=own_session,
        )
    try:
        _wait_until_healthy(process, endpoint, log)
        yield
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """A TCP port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_healthy(process: subprocess.Popen[bytes], endpoint: str, log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            with urlopen(f"{endpoint}/_ministack/health", timeout=1):  # noqa: S310 - our own URL
                return
        except OSError:
            time.sleep(0.05)
    output = log.read_text(errors="replace")[-2000:]
    raise EmulatorError(f"MiniStack does not answer at {endpoint}; its log ends with:\n{output}")
