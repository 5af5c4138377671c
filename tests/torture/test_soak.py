"""Many runs on changing sources and faults: nothing leaks, and readers see whole tables."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import gc
import hashlib
import logging
import os
import random
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
import pytest

from micro_etl.dataset import bundled_dataset
from micro_etl.errors import MicroEtlError
from micro_etl.log import JsonReport
from micro_etl.pipeline import run
from micro_etl.settings import Settings
from tests.conftest import Bucket
from tests.service.command import launches
from tests.service.servers import Answer, Request, Server, s3_error, serve
from tests.torture.faults import KEY, Store
from tests.torture.reliability import SOAK_MEMORY, SOAK_RUNS, SOAK_SEED
from tests.torture.store_faults import DENIED, READ, WRITE, fails, first, lose_answer

_PAGE = os.sysconf("SC_PAGE_SIZE")
_ROWS = 20
_SOURCE_FAULTS = [
    Answer(reset=True),
    Answer(body=launches(9), begun=300, reset=True),
    Answer(status=503),
    Answer(status=404),
    Answer(body=b"<html>"),
    Answer(body=b"[]"),
    Answer(body=launches(4)[:200], chunked=True),
    Answer(body=launches(9), sent=100),
    Answer(body=launches(9).replace(b'"flight_number": 7', b'"flight_number": "7"')),
]


def store_fault(draw: random.Random) -> Store:
    """What a store may do to one run."""
    return draw.choice(
        [
            fails(DENIED, READ),
            fails(DENIED, WRITE),
            fails(s3_error(412, "PreconditionFailed"), WRITE),
            first(1, s3_error(503, "SlowDown"), READ),
            first(1, s3_error(503, "SlowDown"), WRITE),
            first(1, Answer(reset=True), WRITE),
            lose_answer,
        ]
    )


class Held(NamedTuple):
    """What this process holds.

    Attributes:
        descriptors: open files and sockets.
        threads: of every library, not only Python's.
        memory: in use, in bytes.
    """

    descriptors: int
    threads: int
    memory: int


@dataclass
class Soaked:
    """What became of the runs.

    Attributes:
        ends: how often they ended how.
        published: the SHA-256 of each table that a run said it published, in order.
        warm: what the process held after the first tenth of the runs.
        held: what it held after all of them.
    """

    ends: Counter[str] = field(default_factory=Counter)
    published: list[str] = field(default_factory=list)
    warm: Held = field(default_factory=lambda: Held(0, 0, 0))
    held: Held = field(default_factory=lambda: Held(0, 0, 0))


class Reader:
    """Polls the object, and keeps each version that it has seen as a file.

    Attributes:
        seen: the SHA-256 of each, in order.
        folder: where they are, under that name.
    """

    def __init__(self, bucket: Bucket, folder: Path) -> None:
        self.seen: list[str] = []
        self.folder = folder
        self._bucket, self._stop = bucket, threading.Event()
        self._thread = threading.Thread(target=self._poll)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Poll while the block lasts."""
        self._thread.start()
        try:
            yield
        finally:
            self._stop.set()
            self._thread.join()

    def _poll(self) -> None:
        while not self._stop.wait(0.02):
            if self._bucket.list_keys():
                data = self._bucket.read(KEY)
                version = hashlib.sha256(data).hexdigest()
                if self.seen[-1:] != [version]:
                    self.seen.append(version)
                    (self.folder / version).write_bytes(data)


def settings(**changed: Any) -> Settings:
    """The settings of a run in this process, without patience."""
    values: dict[str, Any] = dict.fromkeys(Settings._fields)
    values |= {name: 5.0 for name in values if name.endswith(("timeout", "deadline"))}
    values |= {name: 1 << 24 for name in values if name.endswith("bytes")}
    values |= {"source_attempts": 2, "source_backoff": 0.001, "source_backoff_max": 0.001}
    values |= {"source_retry_after_max": 0.01, "source_max_redirects": 2, "dataset": "launches"}
    return Settings(**{**values, **changed})


def holding() -> Held:
    """What this process holds once nothing changes any more: connections close a little later."""
    end = time.monotonic() + 20
    before = None
    while True:
        gc.collect()
        descriptors, threads = (
            len(list(Path("/proc/self", kind).iterdir())) for kind in ("fd", "task")
        )
        memory = int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
        if before == (descriptors, threads) or time.monotonic() > end:
            return Held(descriptors, threads, memory)
        before = (descriptors, threads)
        time.sleep(0.5)


def one_run(source: Server, bucket: Bucket, number: int) -> dict[str, Any]:
    """Run once in this process, as the command does; what became of it."""
    scratch = Path(tempfile.mkdtemp(prefix="micro-etl-soak-"))
    report = JsonReport(level="error", run_id=str(number))
    chosen = settings(source_url=source.url, s3_bucket=bucket.name)
    try:
        finished = run(
            bundled_dataset("launches"), chosen, run_id=str(number), scratch=scratch, report=report
        )
        return finished.values
    except MicroEtlError as error:
        return {"result": type(error).__name__}
    finally:
        shutil.rmtree(scratch)


def soak(runs: int, bucket: Bucket, patch: pytest.MonkeyPatch) -> Soaked:
    """Run in a row; of three runs, one has a fault of the source or of the store."""
    print(f"seed {SOAK_SEED}")  # noqa: T201 - pytest shows it where a test fails
    draw = random.Random(SOAK_SEED)
    rows, body = _ROWS, launches(_ROWS)
    spoilt: Answer | None = None
    fault: Store | None = None
    soaked = Soaked()

    def answer(_: Request) -> Answer:
        return spoilt or Answer(body=body)

    def answer_badly(request: Request) -> Answer:
        assert fault
        return fault(request, bucket.endpoint)

    with serve(answer) as source, serve(answer_badly) as bad_store:
        for number in range(runs):
            chance = draw.random()
            spoilt = draw.choice(_SOURCE_FAULTS) if chance < 0.25 else None
            fault = store_fault(draw) if chance > 0.9 else None
            endpoint = bad_store.url if fault else bucket.endpoint
            for name, value in {**bucket.environ, "AWS_ENDPOINT_URL": endpoint}.items():
                patch.setenv(name, value)
            if draw.random() < 0.7:
                rows += draw.randint(0, 3)
                body = launches(rows)
            result = one_run(source, bucket, number)
            soaked.ends[result["result"]] += 1
            if result["result"] == "published":
                soaked.published.append(result["sha256"])
            if number == runs // 10:
                soaked.warm = holding()
        soaked.held = holding()
    return soaked


def check_versions(reader: Reader, published: list[str]) -> None:
    """The reader saw published tables alone, each whole, in their order."""
    rest = iter(published)
    assert [version for version in reader.seen if version not in rest] == []
    rows = 0
    for version in reader.seen:
        numbers = pq.read_table(reader.folder / version).column("flight_number").to_pylist()
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) > max(rows, _ROWS - 1)
        rows = len(numbers)


def soak_and_check(
    runs: int,
    bucket: Bucket,
    folder: Path,
    patch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> Soaked:
    """Soak with a reader beside it; then look at what was seen, and at what is left."""
    scratch, versions = folder / "scratch", folder / "versions"
    versions.mkdir()
    patch.setattr(tempfile, "tempdir", str(scratch))
    reader = Reader(bucket, versions)
    # pytest keeps what is logged, and with an error all that its traceback leads to: a connection
    # and an engine for each request that was tried again.
    with caplog.at_level(logging.CRITICAL, logger="urllib3"), reader.reading():
        soaked = soak(runs, bucket, patch)
    seen = len(reader.seen)
    print(f"{runs} runs: {dict(soaked.ends)}; {seen} versions seen")  # noqa: T201 - figures
    print(f"{soaked.warm} after a tenth, {soaked.held} at the end")  # noqa: T201
    assert reader.seen
    check_versions(reader, soaked.published)
    assert bucket.list_keys() == [KEY]
    assert not bucket.client.list_multipart_uploads(Bucket=bucket.name).get("Uploads")
    assert list(scratch.iterdir()) == []
    assert soaked.held.descriptors <= soaked.warm.descriptors + 2
    assert soaked.held.threads <= soaked.warm.threads + 2
    return soaked


def test_a_few_runs_in_a_row_leave_nothing(
    bucket: Bucket,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    soaked = soak_and_check(40, bucket, folder, monkeypatch, caplog)
    assert soaked.ends["published"] > 10


@pytest.mark.torture
@pytest.mark.timeout(400)
def test_a_thousand_runs_in_a_row_leave_nothing(
    bucket: Bucket,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    soaked = soak_and_check(SOAK_RUNS, bucket, folder, monkeypatch, caplog)
    assert soaked.ends["published"] > SOAK_RUNS // 5
    errors = {"SourceError", "ContractError", "DataError", "AccessDeniedError", "TargetError"}
    assert {*errors, "unchanged"} <= set(soaked.ends)
    assert soaked.held.memory - soaked.warm.memory < SOAK_MEMORY
