"""What a fault is, and how the command is made to suffer it: a process against real servers."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import Bucket
from tests.service.command import COMMAND, Ended, environment, finish, launches
from tests.service.servers import Answer, Request, Server, serve

KEY = "launches.parquet"
OLD, NEW = launches(5), launches(6)
"""The records of the table that stands at the target, and of the one that is to replace it."""

PATIENCE = {
    "SOURCE_ATTEMPTS": "3",
    "SOURCE_BACKOFF": "0.001",
    "SOURCE_CONNECT_TIMEOUT": "0.5",
    "SOURCE_READ_TIMEOUT": "0.5",
    "SOURCE_RETRY_AFTER_MAX": "1",
    "SOURCE_MAX_REDIRECTS": "3",
    "TARGET_TIMEOUT": "2",
    "TARGET_DEADLINE": "2",
}
"""Short time-outs, and three attempts."""

Store = Callable[[Request, str], Answer]
"""What a store answers to a request, given the endpoint of a sound one."""

Source = Callable[[Path], AbstractContextManager[str]]
"""A source that is no server of ours: given a folder, its URL for as long as a block runs."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One row of the matrix.

    Attributes:
        group: source, data, store or machine.
        name: what happens.
        code: how the command must end.
        says: what its one line must hold.
        answers: what the source answers, the last for ever; the new records, if none.
        source: a source of another kind.
        tls: the certificate that the source shows: "good", "expired", "wrong host" or "unknown".
        store: answers in the place of the sound store.
        environ: settings on top of `PATIENCE`.
        wrap: a command that runs the command.
        before: what happens to the folder before the run, and is undone after it.
        gets: how many requests the source must have seen; none where it is no server.
        puts: how many uploads the store must have seen; none where nothing stands before it.
        published: the new table must be there at the end; else the old one, byte for byte.
        fast: part of `make test`.
    """

    group: str
    name: str
    code: int
    says: str = ""
    answers: Sequence[Answer | Callable[[Request], Answer]] = (Answer(body=NEW),)
    source: Source | None = None
    tls: str | None = None
    store: Store | None = None
    environ: Mapping[str, str] = field(default_factory=dict)
    wrap: tuple[str, ...] = ()
    before: Callable[[Path], AbstractContextManager[object]] = nullcontext
    gets: int | None = 1
    puts: int | None = None
    published: bool = False
    fast: bool = False


@dataclass(frozen=True)
class Suffered:
    """How a run ended.

    Attributes:
        ended: the process.
        gets: the requests that the source saw.
        puts: the uploads that the store saw.
        message: what the user sees, without what differs from run to run.
    """

    ended: Ended
    gets: int
    puts: int
    message: str


def suffer(
    fault: Fault, bucket: Bucket, folder: Path, tls: Mapping[str, Mapping[str, Any]]
) -> Suffered:
    """Run the command once, under a fault, against a bucket that holds the old table."""
    with ExitStack() as stack:
        source, variables = _source(fault, folder, tls, stack)
        proxy = stack.enter_context(_store(fault, bucket))
        stack.enter_context(fault.before(folder))
        environ = {
            **PATIENCE,
            **bucket.environ,
            "S3_BUCKET": bucket.name,
            "SOURCE_URL": source if isinstance(source, str) else f"{source.url}/v4/launches",
            **({"AWS_ENDPOINT_URL": proxy.url} if proxy else {}),
            **variables,
            **fault.environ,
        }
        process = subprocess.Popen(
            [*fault.wrap, *COMMAND, "run"],
            cwd=folder,
            env=environment(folder, environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        ended = finish(process)
        return Suffered(
            ended,
            0 if isinstance(source, str) else source.count("GET"),
            proxy.count("PUT") if proxy else 0,
            _message(ended, bucket, folder),
        )


def _source(
    fault: Fault, folder: Path, tls: Mapping[str, Mapping[str, Any]], stack: ExitStack
) -> tuple[Server | str, Mapping[str, str]]:
    if fault.source:
        return stack.enter_context(fault.source(folder)), {}
    shown = tls[fault.tls] if fault.tls else {}
    server = stack.enter_context(serve(*fault.answers, tls=shown.get("context")))
    return server, shown.get("environ", {})


@contextmanager
def _store(fault: Fault, bucket: Bucket) -> Iterator[Server | None]:
    if fault.store is None:
        yield None
        return
    answer = fault.store
    with serve(lambda request: answer(request, bucket.endpoint)) as server:
        yield server


def _message(ended: Ended, bucket: Bucket, folder: Path) -> str:
    said = ended.result.get("error") or str(ended.result["result"])
    said = said.replace(bucket.name, "bucket").replace(str(folder), "")
    for pattern, text in _VARYING:
        said = re.sub(pattern, text, said)
    return said


# What depends on the run, on the machine, or on the libraries that came with its Python.
_VARYING = (
    (r"\[Errno -?\d+\]", "[Errno …]"),
    (r"(Error)\(\d+, ", r"\1(…, "),
    (r"(Failed to resolve '[^']*' )\(.*?\)", r"\1(…)"),
    (r"(Error -?\d+ while decompressing data): .*", r"\1: …"),
    (r"127\.0\.0\.1:\d+", "source"),
    (r"\b[0-9a-f]{64}\b", "…"),
    (r"\b[\d.]+(ms|µs|s)\b(?=,| -|:|$)", "…"),
    (r"asks to wait \d{1,3}(,\d{3}){3} s", "asks to wait … s"),  # until a moment
    (r"after \d+ retries", "after … retries"),
    (r"micro-etl-\w+", "micro-etl-…"),
    (r"\['/.*?\]", "[…]"),
)
