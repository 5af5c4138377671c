"""A run on Spark that is stopped, or whose machine gives out, ends at once and leaves no half."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from micro_etl.errors import MachineError
from micro_etl.spark.session import spark_errors
from micro_etl.spark.target import MANIFEST
from tests.conftest import Bucket
from tests.service.command import COMMAND, Ended, environment, finish, launches, micro_etl
from tests.service.servers import Answer, Request, Server, forward

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
    pytest.mark.usefixtures("spark"),  # skipped where Spark is not; a run has its own
]

SECRET = "wJalrXUtnFEMI-K7MDENG"
_PATIENCE = 60


@pytest.fixture
def store(bucket: Bucket) -> Iterator[Server]:
    """A store that holds three files of five launches in raw/, and never gives out the third."""
    lines = [json.dumps(record) for record in json.loads(launches(15))]
    for number, name in enumerate(("a", "b", "c")):
        body = "\n".join(lines[5 * number : 5 * number + 5]).encode()
        bucket.client.put_object(Bucket=bucket.name, Key=f"raw/{name}.ndjson", Body=body)

    def respond(request: Request) -> Answer:
        if "c.ndjson" in request.path:
            return Answer(stall=True)
        return forward(request, bucket.endpoint)

    server = Server(respond, None)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which a table of three launches is published."""
    (tmp_path / "launches.json").write_bytes(launches(3))
    ended = run_to_its_end(tmp_path, SOURCE_URL="launches.json", TARGET_URL="table")
    assert (ended.code, ended.err) == (0, "")
    return tmp_path


def test_the_scratch_folder_may_have_any_name(tmp_path: Path) -> None:
    """It goes to Java as one of several options in one text."""
    (tmp_path / "launches.json").write_bytes(launches(3))
    scratch = tmp_path / "a 'b' \\c"
    scratch.mkdir()
    source = {"SOURCE_URL": "launches.json", "TARGET_URL": "table"}
    ended = run_to_its_end(tmp_path, **source, TMPDIR=str(scratch))
    assert (ended.code, ended.err, ended.result["rows"]) == (0, "", 3)
    assert list(scratch.iterdir()) == []


def run_to_its_end(folder: Path, **environ: str) -> Ended:
    """A run on Spark."""
    return finish(begin(folder, **environ), seconds=_PATIENCE)


def begin(folder: Path, **environ: str) -> subprocess.Popen[str]:
    """Start a run on Spark in a process group of its own, as a shell does."""
    return subprocess.Popen(
        [*COMMAND, "run", "--engine", "spark"],
        cwd=folder,
        env=environment(folder, environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def until(found: Callable[[], bool], seconds: float = _PATIENCE) -> None:
    """Wait for something; that it does not come is an error."""
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end
        time.sleep(0.01)


def running(folder: Path) -> list[str]:
    """The commands of the processes whose scratch folder is in this one."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"={folder}/".encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def published(folder: Path) -> list[int]:
    """What a reader of the manifest sees."""
    files = (folder / "table" / MANIFEST).read_text().splitlines()
    return [row for file in files for row in pq.read_table(file)["flight_number"].to_pylist()]


def versions(folder: Path) -> list[Path]:
    """The folders that hold Parquet files."""
    return sorted({file.parent for file in (folder / "table").rglob("*.parquet")})


@pytest.mark.parametrize(
    ("number", "code", "group"), [(signal.SIGTERM, 143, False), (signal.SIGINT, 130, True)]
)
def test_stopped_while_tasks_work(
    folder: Path, bucket: Bucket, store: Server, number: signal.Signals, code: int, group: bool
) -> None:
    """As by `kill`, and as by Ctrl-C, which every process of the terminal hears."""
    before = (folder / "table" / MANIFEST).read_bytes()
    environ = {**bucket.environ, "AWS_SECRET_ACCESS_KEY": SECRET}
    source = {"SOURCE_URL": f"s3://{bucket.name}/raw/", "TARGET_URL": "table"}
    process = begin(folder, **{**environ, "AWS_ENDPOINT_URL": store.url}, **source)
    # Two parts of the new table are there, and the third will never be.
    until(lambda: waits(store) and len(list(folder.glob("table/2*/part-*"))) == 1 + 2)
    sent = time.monotonic()
    os.killpg(process.pid, number) if group else process.send_signal(number)
    ended = finish(process)
    assert time.monotonic() - sent < 5
    assert (ended.code, ended.err) == (code, "")
    assert [event["event"] for event in ended.events] == ["run_started", "run_failed"]
    assert ended.result["error"] == f"stopped by {number.name}; the target is untouched"
    assert SECRET not in ended.out
    until(lambda: not running(folder), 10)
    assert list((folder / "scratch").iterdir()) == []
    assert (folder / "table" / MANIFEST).read_bytes() == before
    assert published(folder) == [1, 2, 3]
    # What it has written is removed by the next run, or at once where it sees Spark end first.
    assert len(versions(folder)) in (1, 2)

    ended = run_to_its_end(folder, **bucket.environ, **source)  # no store in between
    assert (ended.code, ended.err, ended.result["result"]) == (0, "", "published")
    assert published(folder) == list(range(1, 16))
    assert len(versions(folder)) == 2, "what the stopped run left is still there"


def waits(store: Server) -> bool:
    """Whether somebody has asked for the third file."""
    return any("c.ndjson" in request.path for request in store.requests)


@pytest.mark.parametrize("delay", [0, 1])
def test_stopped_while_spark_starts(tmp_path: Path, delay: float) -> None:
    (tmp_path / "launches.json").write_bytes(launches(3))
    process = begin(tmp_path, SOURCE_URL="launches.json", TARGET_URL="table")
    until(lambda: any("java" in command for command in running(tmp_path)))
    time.sleep(delay)  # the moment is the point: whatever it does by then
    process.send_signal(signal.SIGTERM)
    ended = finish(process)
    assert (ended.code, ended.err) == (143, "")
    until(lambda: not running(tmp_path), 10)
    assert list((tmp_path / "scratch").iterdir()) == []
    assert not (tmp_path / "table").exists()


def test_a_java_machine_that_is_killed_is_an_error_of_the_machine(
    folder: Path, bucket: Bucket, store: Server
) -> None:
    before = (folder / "table" / MANIFEST).read_bytes()
    environ = {**bucket.environ, "AWS_ENDPOINT_URL": store.url}
    source = {"SOURCE_URL": f"s3://{bucket.name}/raw/", "TARGET_URL": "table"}
    process = begin(folder, **environ, **source)
    until(lambda: waits(store))
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGKILL)
    ended = finish(process)
    assert ended.code == 71
    assert ended.result["error"].startswith("Spark gave up: its Java machine has ended; ")
    until(lambda: not running(folder), 10)
    assert list((folder / "scratch").iterdir()) == []
    assert (folder / "table" / MANIFEST).read_bytes() == before


def test_a_task_that_is_killed_is_an_error_of_the_machine(spark: SparkSession) -> None:
    """As where it takes more memory than there is."""

    def die(rows: Iterator[object]) -> Iterator[object]:
        os.kill(os.getpid(), signal.SIGKILL)
        yield from rows

    with pytest.raises(MachineError, match="Spark gave up: "), spark_errors():
        spark.range(0, 1, 1, 1).mapInArrow(die, "id long").collect()


def test_a_task_without_memory_is_an_error_of_the_machine(spark: SparkSession) -> None:
    def exhaust(rows: Iterator[object]) -> Iterator[object]:
        del rows
        raise MemoryError

    with pytest.raises(MachineError, match="a task of Spark is out of memory"), spark_errors():
        spark.range(0, 1, 1, 1).mapInArrow(exhaust, "id long").collect()


def test_a_java_machine_that_does_not_start_is_named(tmp_path: Path) -> None:
    (tmp_path / "launches.json").write_bytes(launches(3))
    java = tmp_path / "java" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text("#!/bin/sh\necho 'java: too old for that' >&2\nexit 1\n")
    java.chmod(0o755)
    flags = ("--engine", "spark", "--source-url", "launches.json", "--target-url", "table")
    ended = micro_etl(tmp_path, "run", *flags, JAVA_HOME=str(tmp_path / "java"))
    assert ended.code == 78
    assert ended.failure.startswith(
        "ENGINE is spark, which can't start; it needs Java 17 or later: java: too old for that"
    )
    assert list((tmp_path / "scratch").iterdir()) == []
