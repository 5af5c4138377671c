"""A source has its time and no more, in whichever thread it is read and whatever it waits for."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from micro_etl.errors import SourceError
from micro_etl.location import Location
from micro_etl.source.deadline import Deadline
from micro_etl.source.fetch import extract
from micro_etl.source.limits import ExtractOptions, HttpOptions
from tests.conftest import Bucket
from tests.service.servers import Answer, serve

RECORDS = b'[{"a": 1}]' * 99


def fetch(url: str, folder: Path, deadline: float = 0.3) -> bytes:
    """The body of a source, within a deadline."""
    options = ExtractOptions(http=HttpOptions(read_timeout=5), deadline=deadline)
    return extract(Location.parse(url), folder / "body", options=options).file.read_bytes()


def test_a_source_can_be_read_in_any_thread(tmp_path: Path) -> None:
    with serve(Answer(body=RECORDS)) as server, ThreadPoolExecutor(1) as pool:
        assert pool.submit(fetch, server.url, tmp_path, 5).result() == RECORDS


def test_the_deadline_holds_in_any_thread(tmp_path: Path) -> None:
    with serve(Answer(trickle=0.02)) as server, ThreadPoolExecutor(1) as pool:
        started = time.monotonic()
        with pytest.raises(SourceError, match=r"not complete within 0\.3 s \(SOURCE_DEADLINE"):
            pool.submit(fetch, server.url, tmp_path).result()
        assert time.monotonic() - started < 1.5


def test_no_thread_goes_on_reading(tmp_path: Path) -> None:
    before = threading.active_count()
    with serve(Answer(trickle=0.02)) as server:
        threads = threading.active_count()
        with pytest.raises(SourceError, match="SOURCE_DEADLINE"):
            fetch(server.url, tmp_path)
        end = time.monotonic() + 5
        while threading.active_count() > threads + 1 and time.monotonic() < end:
            time.sleep(0.01)
        assert threading.active_count() <= threads + 1  # the server's own
    assert threading.active_count() <= before + 1


def test_a_pipe_that_has_no_writer_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceError, match="SOURCE_DEADLINE"):
        fetch(str(tmp_path / "pipe"), tmp_path)


def test_one_deadline_holds_for_several_sources(tmp_path: Path) -> None:
    deadline = Deadline(0.3, "all")
    options = ExtractOptions(http=HttpOptions(), deadline=60)
    with serve(Answer(body=RECORDS)) as sound, serve(Answer(stall=True)) as stalled:
        for url in (sound.url, stalled.url):
            location = Location.parse(url)
            if url == stalled.url:
                with pytest.raises(SourceError, match=r"all: not complete within 0\.3 s"):
                    extract(location, tmp_path / "b", options=options, deadline=deadline)
            else:
                extract(location, tmp_path / "a", options=options, deadline=deadline)


def test_what_work_raises_comes_out() -> None:
    def fail() -> None:
        raise TimeoutError("of a socket")

    with pytest.raises(TimeoutError, match="of a socket"):
        Deadline(5, "x").run(fail)


@pytest.mark.parametrize("stalls", ["at once", "within the body"])
def test_a_store_is_not_waited_for_beyond_the_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stalls: str
) -> None:
    headers = {"ETag": '"a"', "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}
    answer = Answer(body=RECORDS, headers=headers, stall=True)
    if stalls == "within the body":
        answer = Answer(body=RECORDS, headers=headers, trickle_body=0.05)
    with serve(answer) as server:
        for name, value in Bucket("b", server.url, None).environ.items():  # type: ignore[arg-type]
            monkeypatch.setenv(name, value)
        started = time.monotonic()
        with pytest.raises(SourceError, match="SOURCE_DEADLINE"):
            fetch("s3://b/x", tmp_path, 1)
        assert time.monotonic() - started < 2


def test_a_store_may_take_longer_than_the_time_between_two_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = {"ETag": '"a"', "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}
    with serve(
        Answer(body=b"[" + b"1," * 60 + b"1]", headers=headers, trickle_body=0.02)
    ) as server:
        for name, value in Bucket("b", server.url, None).environ.items():  # type: ignore[arg-type]
            monkeypatch.setenv(name, value)
        options = ExtractOptions(http=HttpOptions(read_timeout=1), deadline=30)
        found = extract(Location.parse("s3://b/x"), tmp_path / "body", options=options)
    assert found.size == 123
