"""A run that is stopped ends at once with the right code, and leaves everything as it was."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from micro_etl.publication import State
from tests.service.command import Ended, finish, launches, start
from tests.service.servers import Answer, Request, Server, s3_error, serve

SIGNALS = [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]
S3 = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "S3_BUCKET": "b"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with five launches, and something that stands at the target x."""
    (tmp_path / "launches.json").write_bytes(launches(5))
    (tmp_path / "x").write_bytes(b"the old table")
    return tmp_path


@pytest.fixture(autouse=True)
def no_nohup() -> Iterator[None]:
    """These tests run as from a terminal, also where they are started by `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@contextmanager
def untouched(folder: Path) -> Iterator[None]:
    """Nothing in the folder is another after the block, and no scratch folder is left."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    yield
    after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert after == before
    assert not list((folder / "scratch").iterdir())


def stop(process: subprocess.Popen[str], number: signal.Signals) -> Ended:
    """Send a signal to a process and wait for its end, which must come at once."""
    sent = time.monotonic()
    process.send_signal(number)
    ended = finish(process)
    assert time.monotonic() - sent < 5
    return ended


STALLS = {
    "source-silent": Answer(stall=True),
    "source-trickles": Answer(body=launches(500), trickle_body=0.01),
    "between-attempts": Answer(status=503, headers={"Retry-After": "30"}),
}


@pytest.mark.parametrize(("number", "code"), SIGNALS)
@pytest.mark.parametrize("answer", STALLS.values(), ids=STALLS)
def test_stopped_while_it_waits_for_the_source(
    folder: Path, answer: Answer, number: signal.Signals, code: int
) -> None:
    with untouched(folder), serve(answer) as server:
        process = start(folder, "run", SOURCE_URL=server.url, TARGET_URL="x")
        server.wait_for("GET")
        ended = stop(process, number)
    assert (ended.code, ended.err) == (code, "")
    assert ended.result["event"] == "run_failed"
    assert ended.result["exit_code"] == code
    assert ended.result["error"] == f"stopped by {number.name}; the target is untouched"


def stalling_store(method: str) -> Server:
    """A store without the object, that never answers one method."""

    def respond(request: Request) -> Answer:
        stalls = request.method == method
        return Answer(stall=True) if stalls else s3_error(404, "NoSuchKey")

    return Server(respond, None)


@pytest.mark.parametrize(("number", "code"), SIGNALS)
@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("HEAD", "the target is untouched"),
        ("PUT", "the target holds the old table or the new one, whole"),
    ],
)
def test_stopped_while_it_waits_for_the_store(
    folder: Path, method: str, said: str, number: signal.Signals, code: int
) -> None:
    store = stalling_store(method)
    store.start()
    try:
        environ = {**S3, "AWS_ENDPOINT_URL": store.url, "SOURCE_URL": "launches.json"}
        with untouched(folder):
            process = start(folder, "run", **environ)
            store.wait_for(method)
            ended = stop(process, number)
    finally:
        store.stop()
    assert (ended.code, ended.err) == (code, "")
    assert ended.result["error"] == f"stopped by {number.name}; {said}"


def wait_until_blocked(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """Wait until a process holds a signal back, which is the first thing that the command does."""
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        blocked = int(status.read_text().split("SigBlk:")[1].split()[0], 16)
        if blocked & 1 << number - 1:
            return
        time.sleep(0.001)


@pytest.mark.skipif(sys.platform != "linux", reason="looks at the signal mask in /proc")
@pytest.mark.parametrize("delay", [0, 0.03, 0.06])
@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_stopped_while_it_starts(
    folder: Path, number: signal.Signals, code: int, delay: float
) -> None:
    with untouched(folder), serve(Answer(stall=True)) as server:
        process = start(folder, "run", SOURCE_URL=server.url, TARGET_URL="x")
        wait_until_blocked(process, number)
        time.sleep(delay)  # the moment is the point: whatever it does by then
        assert stop(process, number).code == code


def test_a_run_by_nohup_goes_on_when_its_terminal_is_closed(folder: Path) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    answers = Answer(status=503, headers={"Retry-After": "1"}), Answer(body=launches(5))
    with serve(*answers) as server:
        process = start(folder, "run", SOURCE_URL=server.url, TARGET_URL="new.parquet")
        server.wait_for("GET")
        process.send_signal(signal.SIGHUP)
        ended = finish(process)
    assert (ended.code, ended.result["result"]) == (0, "published")


def test_stopped_twice_ends_once(folder: Path) -> None:
    with untouched(folder), serve(Answer(stall=True)) as server:
        process = start(folder, "run", SOURCE_URL=server.url, TARGET_URL="x")
        server.wait_for("GET")
        process.send_signal(signal.SIGINT)
        ended = stop(process, signal.SIGTERM)
    assert ended.code in (130, 143)
    assert [event["event"] for event in ended.events].count("run_failed") == 1


def test_text_says_that_it_was_stopped(folder: Path) -> None:
    with untouched(folder), serve(Answer(stall=True)) as server:
        process = start(folder, "run", SOURCE_URL=server.url, TARGET_URL="x", LOG_FORMAT="text")
        server.wait_for("GET")
        ended = stop(process, signal.SIGINT)
    assert ended.err == "error     stopped by SIGINT; the target is untouched\n"


@pytest.mark.parametrize("command", ["show", "check"])
def test_look_at_a_file_can_be_stopped(folder: Path, command: str) -> None:
    with untouched(folder), serve(Answer(stall=True)) as server:
        environ = {**S3, "AWS_ENDPOINT_URL": server.url}
        process = start(folder, command, "s3://b/x", **environ)
        server.wait_for("GET")
        assert stop(process, signal.SIGTERM).code == 143


_STOPPED = """
import os, signal, sys, time
from micro_etl.process import block_stop_signals, workspace
from micro_etl.publication import Publication, State
from micro_etl.log import JsonReport
block_stop_signals()
publication = Publication()
with workspace(JsonReport(level="info", run_id=None), publication):
    publication.state = State[sys.argv[1]]
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)
"""


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (State.NOT_BEGUN, "the target is untouched"),
        (State.UNDER_WAY, "the target holds the old table or the new one, whole"),
        (State.DONE, "the target holds the new table"),
    ],
)
def test_what_a_stopped_run_says_of_the_target_is_the_state_of_its_publication(
    state: State, said: str
) -> None:
    command = [sys.executable, "-c", _STOPPED, state.name]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (143, "")
    assert json.loads(ended.stdout)["error"] == f"stopped by SIGTERM; {said}"
