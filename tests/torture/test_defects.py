"""Each defect that the torture found, on its own: none comes back."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from base64 import b64decode
from pathlib import Path

import pytest

from micro_etl.dataset import parse_dataset
from micro_etl.errors import ConfigError, MachineError
from micro_etl.location import Location
from micro_etl.log import JsonReport
from micro_etl.process import workspace
from micro_etl.source.fetch import Extract
from micro_etl.source.hashing import Hasher
from micro_etl.source.keep_raw import keep_raw
from micro_etl.store import open_place
from micro_etl.text import printable
from tests.service.command import COMMAND, environment, launches, made, micro_etl, start
from tests.service.servers import Answer, Request, serve
from tests.service.test_process import wait_until_blocked
from tests.torture.faults import NEW, OLD
from tests.torture.machine_faults import small_disk
from tests.torture.test_security import slow


@pytest.fixture
def source(folder: Path) -> str:
    """A file of records."""
    (folder / "launches.json").write_bytes(NEW)
    return "launches.json"


@pytest.mark.parametrize("number", ["9" * 5000, "0x" + "f" * 5000])
def test_number_of_thousands_of_digits_in_a_dataset_is_one_line(number: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_dataset(f'name = "t"\n[publish]\nmin_rows = -{number[1:]}\n', label="t.toml")
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    "text", ['a = "t\\\n', 'a = "t\\', "\x0c\u2028\na = ", "a = '" + "x" * 5000]
)
def test_dataset_that_ends_too_soon_is_one_short_line(text: str) -> None:
    """The parser counts one line more than the text has."""
    with pytest.raises(ConfigError, match="is not TOML") as refused:
        parse_dataset(text, label="t.toml")
    assert len(str(refused.value)) < 300


def test_pipe_is_no_target(folder: Path, source: str) -> None:
    os.mkfifo(folder / "pipe")
    ended = micro_etl(folder, "run", SOURCE_URL=source, TARGET_URL="pipe")
    assert ended.code == 78
    assert "pipe is a device or a pipe; it should be a file's path" in ended.failure
    assert (folder / "pipe").is_fifo()


def test_path_that_is_too_long_is_no_target() -> None:
    with pytest.raises(ConfigError, match=r"'9999.*…' is too long; it should be a path of at most"):
        open_place(Location.parse("9" * 5000), timeout=1, deadline=1)


def test_links_in_a_loop_are_no_target(folder: Path, source: str) -> None:
    (folder / "loop").symlink_to("loop")
    ended = micro_etl(folder, "run", SOURCE_URL=source, TARGET_URL="loop")
    assert (ended.code, ended.err) == (74, "")
    assert (folder / "loop").is_symlink()


def test_bucket_that_is_no_text_is_no_target() -> None:
    with pytest.raises(ConfigError, match="names no object"):
        open_place(Location.parse("s3://b\udcff/key"), timeout=1, deadline=1)


def test_url_whose_user_is_no_text_is_asked_and_its_password_hidden(folder: Path) -> None:
    def echo(request: Request) -> Answer:
        return Answer(status=404, body=request.headers["authorization"].encode())

    with serve(echo) as server:
        url = server.url.replace("//", "//\udc80user:a-password@")
        ended = micro_etl(folder, "run", SOURCE_URL=url, TARGET_URL="x")
        said = server.requests[0].headers["authorization"].removeprefix("Basic ")
    assert (ended.code, ended.err) == (66, "")
    assert b64decode(said).endswith(b"user:a-password")
    assert said not in ended.out
    assert "a-password" not in ended.out


@pytest.mark.parametrize("size", ["5GiB", slow("9000000GiB")])
def test_record_size_beyond_what_the_engine_counts_is_its_largest(
    folder: Path, source: str, size: str
) -> None:
    ended = micro_etl(folder, "run", SOURCE_URL=source, SOURCE_MAX_RECORD_BYTES=size)
    assert ended.code == 0


@pytest.mark.parametrize("proxy", ["http://", *map(slow, ["garbage", "socks5://h", "http://["])])
def test_proxy_that_is_none_is_a_wrong_setting(folder: Path, proxy: str) -> None:
    ended = micro_etl(folder, "run", SOURCE_URL="http://127.0.0.1:1/", http_proxy=proxy)
    assert ended.code == 78
    assert "it should be like http://host:port" in ended.failure


def test_response_that_can_not_be_kept_for_want_of_room_is_the_machine(folder: Path) -> None:
    """A part of a gzip file on a full disk was a traceback."""
    (folder / "body").write_bytes(os.urandom(1 << 20))
    fetched = Extract(folder / "body", 1 << 20, 1 << 20, Hasher("the source"))
    with small_disk(folder / "small", 1):
        (folder / "small" / "filler").write_bytes(bytes(500_000))
        raw = Location.parse("raw")
        with pytest.raises(MachineError, match="No space left"):
            keep_raw(fetched, raw, "d", scratch=folder / "small", timeout=1, deadline=1)


def test_panic_of_the_store_is_a_defect_with_a_code() -> None:
    """It is no Exception, and ended with 1."""

    class Panic(BaseException):
        """As the store's engine raises it."""

    with pytest.raises(SystemExit) as ended, workspace(JsonReport(level="info", run_id=None)):
        raise Panic
    assert ended.value.code == 70


def test_thread_that_has_no_memory_to_start_ends_the_run(folder: Path, source: str) -> None:
    """Whoever started it waited for ever."""
    code = """
import sys, threading
bootstrap = threading.Thread._bootstrap
def _bootstrap(thread):
    if "Pool" in thread.name:
        raise MemoryError
    bootstrap(thread)
threading.Thread._bootstrap = _bootstrap
sys.argv = ["micro-etl", "run"]
from micro_etl.__main__ import main
main()
"""
    environ = environment(folder, {"SOURCE_URL": source, "TARGET_URL": "x"})
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (71, "")
    assert json.loads(ended.stdout.splitlines()[-1])["error"].startswith("out of memory")
    assert made(folder) == set()
    assert not list((folder / "scratch").iterdir())


def test_control_characters_are_shown_as_escapes() -> None:
    assert printable("a\x1b[31m\nb\x9b\u2028ü") == r"a\x1b[31m\nb\x9b\u2028ü"


def test_scratch_folder_is_for_its_owner_alone() -> None:
    report = JsonReport(level="error", run_id=None)
    with workspace(report) as scratch:
        assert stat.S_IMODE(scratch.stat().st_mode) == 0o700
    assert scratch.parent == Path(tempfile.gettempdir())


@pytest.mark.torture
def test_stop_while_nobody_reads_the_log_still_ends(folder: Path) -> None:
    """Its standard output is a pipe that is full."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    try:
        while True:
            os.write(write, bytes(4096))
    except BlockingIOError:
        os.set_blocking(write, True)
    with serve(Answer(stall=True)) as server:
        process = subprocess.Popen(
            [*COMMAND, "run"],
            cwd=folder,
            env=environment(folder, {"SOURCE_URL": server.url}),
            stdout=write,
            text=True,
        )
        wait_until_blocked(process, signal.SIGTERM)
        time.sleep(1)  # it waits in its first line by then
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 143
    os.close(read)
    os.close(write)


@pytest.mark.torture
def test_stop_after_the_result_was_told_adds_no_other(folder: Path, source: str) -> None:
    for delay in (0.30, 0.33, 0.36, 0.39, 0.42):
        process = start(folder, "run", SOURCE_URL=source, TARGET_URL="x", LOG_LEVEL="error")
        time.sleep(delay)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=20)
        assert out.count('"event": "run_') <= 1


@pytest.mark.parametrize("kind", ["read-only", slow("full")])
def test_local_target_that_can_not_be_written_keeps_what_it_holds(folder: Path, kind: str) -> None:
    with small_disk(folder / "small", 1):
        target = folder / "small" / "x"
        (folder / "old.json").write_bytes(OLD)
        assert micro_etl(folder, "run", SOURCE_URL="old.json", TARGET_URL=str(target)).code == 0
        before = target.read_bytes()
        (folder / "new.json").write_bytes(launches(100_000) if kind == "full" else NEW)
        if kind == "read-only":
            remount = ["mount", "-o", "remount,ro", str(folder / "small")]
            subprocess.run(remount, check=True)
        ended = micro_etl(folder, "run", SOURCE_URL="new.json", TARGET_URL=str(target))
        assert ended.code == 74
        said = "No space left" if kind == "full" else "Read-only file system"
        assert said in ended.failure
        assert target.read_bytes() == before
        assert [path.name for path in target.parent.iterdir()] == ["x"]


def test_what_a_killed_run_left_beside_a_local_target_is_gone_after_the_next(
    folder: Path, source: str
) -> None:
    (folder / ".x.part").write_bytes(b"half a table")
    assert micro_etl(folder, "run", SOURCE_URL=source, TARGET_URL="x").code == 0
    assert made(folder) == {"x"}
