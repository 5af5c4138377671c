"""Read pages with this service and with dlt, from the same server: what each of them publishes.

The first table has the cases of ``tests/cases/paging``, the second 500,000 records in 500 pages.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow.parquet as pq

from dev.bench.peers import PEERS, SERVICE, Peer
from dev.loopback import HOST
from tests.cases.replay import serve_case

_CASES = Path(__file__).parents[2] / "tests" / "cases" / "paging"
_SECONDS = 900
_PAGES, _RECORDS = 500, 1000
_QUIET = {
    "RUNTIME__LOG_LEVEL": "CRITICAL",
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__REQUEST_MAX_ATTEMPTS": "2",
    "LOG_FORMAT": "text",
    "SOURCE_BACKOFF": "0.1",
}
_LARGE = """name = "t"
[source]
url = "{base}/x"
records = "items"
[source.pagination]
kind = "next_url"
next = "next"
total = "total"
[columns]
id      = {{ type = "int64", required = true, unique = true }}
name    = {{ type = "string" }}
amount  = {{ type = "float64" }}
created = {{ from = "created_at", type = "timestamp" }}
"""


@dataclass(frozen=True)
class Read:
    """What came of reading a source.

    Attributes:
        ids: that were published, a number where they are many, or none where nothing was.
        seconds: it took.
        cpu: seconds of all cores.
        peak: the most memory of a process of it, in MiB.
        last_line: its last line, where it published nothing.
    """

    ids: list[int] | int | None
    seconds: float
    cpu: float
    peak: int
    last_line: str


def main() -> None:
    """Print both tables as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m dev.bench.paging", description=__doc__)
    parser.parse_args()
    peers = [peer for peer in PEERS if peer.name in (SERVICE, "dlt")]
    for peer in peers:
        peer.install()
    compare(peers)


def compare(peers: list[Peer]) -> None:
    """Read everything with each of them."""
    _row("case", *(f"{peer.name}: published | requests" for peer in peers))
    _row(*["---"] * (1 + 2 * len(peers)))
    for case in sorted(_CASES.iterdir()):
        cells = []
        for peer in peers:
            with serve_case(case) as served:
                read = read_with(peer, served.dataset(), served.variables())
                cells += [_show(read), str(len(served.asked))]
        _row(case.name, *cells)
    _row()
    _row("500,000 records in 500 pages", "seconds", "CPU seconds", "MiB", "rows")
    _row("---", "---", "---", "---", "---")
    with serve_many() as base:
        for peer in peers:
            read = read_with(peer, _LARGE.format(base=base), {})
            rows = read.ids if isinstance(read.ids, int) else _show(read)
            _row(peer.name, f"{read.seconds:.1f}", f"{read.cpu:.1f}", str(read.peak), str(rows))


def read_with(peer: Peer, dataset: str, variables: dict[str, str]) -> Read:
    """Read a source with one of them."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder, "t.parquet")
        if peer.name == SERVICE:
            Path(folder, "t.toml").write_text(dataset, "utf-8")
            command = [*peer.command, "--dataset", "t.toml", "--target-url", str(table)]
        else:
            for name, value in variables.items():
                dataset = dataset.replace(f"${{{name}}}", value)
            source = tomllib.loads(dataset)["source"]
            job = Path(peer.command[1]).with_name("paging.py")
            command = [str(peer.python), str(job), json.dumps(source)]
        began, cpu = time.perf_counter(), _cpu()
        ended = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **variables, **_QUIET},
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        seconds = time.perf_counter() - began
        # Of all children so far: the larger of two is seen where it comes second.
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10
        last = (ended.stderr.strip().splitlines() or [""])[-1].removeprefix("error     ")
        ids: Any = None
        if ended.returncode == 0 and peer.name == SERVICE:
            ids = pq.ParquetFile(table).read(["id"])["id"].to_pylist()
            ids = ids if len(ids) < 10 else len(ids)
        elif ended.returncode == 0:
            ids = json.loads(ended.stdout.splitlines()[-1])
        return Read(ids, seconds, _cpu() - cpu, peak, f"{ended.returncode}: {last}")


def _cpu() -> float:
    """The CPU seconds of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextmanager
def serve_many() -> Iterator[str]:
    """Serve the pages of many records, from a process of its own; gives the address."""
    with subprocess.Popen(
        [sys.executable, "-c", "from dev.bench.paging import serve; serve()"],
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout  # noqa: S101 - it was asked for
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def serve() -> None:
    """Serve pages until the process is ended; prints the address."""
    pages = [_page(number) for number in range(_PAGES)]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_GET(self) -> None:
            (number,) = parse_qs(urlsplit(self.path).query).get("page", ["0"])
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(pages[int(number)])))
            self.end_headers()
            self.wfile.write(pages[int(number)])

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    sys.stdout.write(f"http://{HOST}:{server.server_port}\n")
    sys.stdout.flush()
    threading.Thread(target=server.serve_forever).run()


def _page(number: int) -> bytes:
    first = number * _RECORDS
    records = [
        {
            "id": id_,
            "name": f"record {id_}",
            "amount": id_ / 7,
            "created_at": "2024-01-01T10:00:00Z",
            "user": {"login": f"u{id_ % 100}", "id": id_ % 100},
        }
        for id_ in range(first, first + _RECORDS)
    ]
    following = f"/x?page={number + 1}" if number + 1 < _PAGES else None
    page = {"items": records, "next": following, "total": _PAGES * _RECORDS}
    return json.dumps(page).encode()


def _show(read: Read) -> str:
    return f"nothing ({read.last_line[:90]})" if read.ids is None else str(read.ids)


def _row(*cells: str) -> None:
    sys.stdout.write(f"| {' | '.join(cells)} |\n" if cells else "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
