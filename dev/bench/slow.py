"""Run the service on sources that are slower than it: what counts comes after the last byte."""

from __future__ import annotations

import gzip
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from importlib.resources import files
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from dev.bench import records
from dev.bench.job import Run, Store, run_job
from dev.bench.serve import serve

RATE = 100_000_000  # bytes a second
PAGES, PAGE_SECONDS = 500, 0.02
FORMS = ("array", "lines", "array, gzip", f"{PAGES} pages")
_PIECE = 1 << 20
_PAGED = """
records = "docs"
[source.pagination]
kind = "next_url"
next = "next"
total = "total"
"""


@dataclass(frozen=True)
class Late:
    """One run on a slow source.

    Attributes:
        run: what it took.
        after: seconds from the source's last byte to the end of the process.
    """

    run: Run
    after: float


def measure(command: list[str], form: str, store: Store, *, seed: int, count: int) -> Late:
    """Run the service once on records in a form.

    Args:
        command: runs it.
        form: one of `FORMS`.
        store: where the table goes.
        seed: of the records.
        count: how many.

    Raises:
        RuntimeError: it failed, or its table is not the expected one.
    """
    ends: list[float] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        if form == FORMS[-1]:
            served = _serve_pages(_write_pages(folder, seed, count), ends)
        else:
            served = _serve_steadily(_write(folder, form, seed, count), form, ends)
        dataset = folder / "launches.toml"
        text = (files("micro_etl") / "datasets" / "launches.toml").read_text("utf-8")
        paged = _PAGED if form == FORMS[-1] else ""
        dataset.write_text(text.replace("\n[publish]", f"{paged}\n[publish]", 1), "utf-8")
        with served as url:
            settings = {"DATASET": str(dataset)}
            run = run_job(command, url, store, records.table(seed, count), settings)
    return Late(run, run.ended - ends[-1])


def _write(folder: Path, form: str, seed: int, count: int) -> Path:
    file = folder / "body"
    with file.open("wb") as body:
        if form == "lines":
            body.writelines(record + b"\n" for record in records.launches(seed, count))
        else:
            body.writelines(records.body(seed, count))
    if "gzip" not in form:
        return file
    packed = folder / "body.gz"
    with file.open("rb") as body, gzip.open(packed, "wb", compresslevel=1) as target:
        shutil.copyfileobj(body, target, _PIECE)
    return packed


def _write_pages(folder: Path, seed: int, count: int) -> list[Path]:
    launches = records.launches(seed, count)
    pages = [folder / str(number) for number in range(PAGES)]
    for number, page in enumerate(pages):
        following = f"/v4/launches?page={number + 1}" if number + 1 < PAGES else None
        head = json.dumps({"total": count, "next": following})[:-1].encode()
        some = b",".join(next(launches) for _ in range(count // PAGES))
        page.write_bytes(head + b', "docs": [' + some + b"]}")
    return pages


@contextmanager
def _serve_steadily(file: Path, form: str, ends: list[float]) -> Iterator[str]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_header("Content-Length", str(file.stat().st_size))
        if "gzip" in form:
            handler.send_header("Content-Encoding", "gzip")
        handler.end_headers()
        began, sent = time.monotonic(), 0
        with file.open("rb") as body:
            while piece := body.read(_PIECE):
                time.sleep(max(0, began + sent / RATE - time.monotonic()))
                handler.wfile.write(piece)
                sent += len(piece)
        ends.append(time.monotonic())

    with serve(answer) as url:
        yield url


@contextmanager
def _serve_pages(pages: list[Path], ends: list[float]) -> Iterator[str]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        number = int(parse_qs(urlsplit(handler.path).query).get("page", ["0"])[0])
        time.sleep(PAGE_SECONDS)
        page = pages[number].read_bytes()
        handler.send_header("Content-Length", str(len(page)))
        handler.end_headers()
        handler.wfile.write(page)
        ends.append(time.monotonic())

    with serve(answer) as url:
        yield url
