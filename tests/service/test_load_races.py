"""Load, when runs overtake each other and answers get lost: a newer table is never replaced."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import obstore
import pytest

from micro_etl.errors import RaceLostError, TargetError
from micro_etl.location import Location
from micro_etl.store import open_place
from tests.conftest import Bucket
from tests.service.backends import (
    KEY,
    KINDS,
    Backend,
    look_at,
    make_table,
    on_s3,
    open_backend,
)
from tests.service.servers import Answer, Request, forward, serve


@pytest.fixture(params=KINDS)
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    """Each kind of store in turn, empty."""
    return open_backend(request, tmp_path)


def test_race_on_create_is_lost(backend: Backend, tmp_path: Path) -> None:
    other = make_table(tmp_path, 5, first=3)
    backend.publish(other, "other-run")
    with pytest.raises(RaceLostError, match=r"another run published .* this one wrote nothing"):
        backend.load(make_table(tmp_path, 5), None, "this-run")
    assert backend.read() == other.file.read_bytes()


def test_race_is_lost_to_the_same_table_of_another_run_as_well(
    backend: Backend, tmp_path: Path
) -> None:
    table = make_table(tmp_path, 5)
    backend.publish(table, "other-run")
    with pytest.raises(RaceLostError):
        backend.load(table, None, "this-run")


def test_race_on_update_is_lost(backend: Backend, tmp_path: Path) -> None:
    backend.publish(make_table(tmp_path, 5))
    seen = look_at(backend.place, tmp_path)
    other = make_table(tmp_path, 6)
    backend.publish(other, "other-run")
    with pytest.raises(RaceLostError):
        backend.load(make_table(tmp_path, 7), seen, "this-run")
    assert backend.read() == other.file.read_bytes()


def test_object_that_was_deleted_meanwhile_is_created_again(
    backend: Backend, tmp_path: Path
) -> None:
    backend.publish(make_table(tmp_path, 5))
    seen = look_at(backend.place, tmp_path)
    obstore.delete(backend.place.store, backend.place.key)
    table = make_table(tmp_path, 6)
    assert backend.load(table, seen, "this-run").result == "published"
    assert backend.read() == table.file.read_bytes()


@pytest.mark.parametrize("before", [None, 5], ids=["create", "update"])
@pytest.mark.parametrize("stored", [True, False], ids=["answer-lost", "request-lost"])
def test_put_without_an_answer_is_repeated_and_knows_its_own_object(
    bucket: Bucket,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    before: int | None,
    stored: bool,
) -> None:
    if before:
        on_s3(bucket, bucket.endpoint, tmp_path, monkeypatch).publish(make_table(tmp_path, before))

    def lose(request: Request) -> Answer:
        if request.method == "PUT" and server.count("PUT") == 1:
            if stored:
                forward(request, bucket.endpoint)
            return Answer(reset=True)
        return forward(request, bucket.endpoint)

    table = make_table(tmp_path, 6)
    with serve(lose) as server:
        outcome = on_s3(bucket, server.url, tmp_path, monkeypatch).publish(table)
    assert outcome.result == "published"
    assert server.count("PUT") == 2
    assert outcome.etag == bucket.client.head_object(Bucket=bucket.name, Key=KEY)["ETag"]
    assert bucket.read(KEY) == table.file.read_bytes()


def test_object_that_reads_back_differently_is_an_error(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(request: Request) -> Answer:
        answer = forward(request, bucket.endpoint)
        spoilt = request.method == "GET" and answer.status == 200
        return replace(answer, body=answer.body[::-1]) if spoilt else answer

    with serve(spoil) as server, pytest.raises(TargetError, match=r"holds \w{64} where \w{64} was"):
        on_s3(bucket, server.url, tmp_path, monkeypatch).publish(make_table(tmp_path, 5))


@pytest.mark.parametrize("newer", ["a run's table", "a table"])
def test_nothing_is_published_where_another_replaced_it_before_it_was_read_back(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, newer: str
) -> None:
    other = make_table(tmp_path, 7).file.read_bytes()
    said = {"run-id": "other-run"} if newer == "a run's table" else {}

    def overtake(request: Request) -> Answer:
        answer = forward(request, bucket.endpoint)
        if request.method == "PUT":
            bucket.client.put_object(Bucket=bucket.name, Key=KEY, Body=other, Metadata=said)
        return answer

    lost = pytest.raises(RaceLostError, match=r"another run published .* its table stays")
    with serve(overtake) as server, lost:
        on_s3(bucket, server.url, tmp_path, monkeypatch).publish(make_table(tmp_path, 5))
    assert bucket.read(KEY) == other


def _race(url: str, folder: Path, number: int, ready: Any) -> str:
    place = open_place(Location.parse(url), timeout=20, deadline=20)
    table = make_table(folder, 5 + number)
    (folder / str(number)).mkdir()
    backend = Backend(place, lambda: None, lambda _: None, folder / str(number))
    previous = look_at(place, backend.scratch)
    ready.wait(60)
    try:
        return backend.load(table, previous, f"run-{number}").result
    except RaceLostError:
        return "lost"


@pytest.mark.parametrize("kind", ["local", "s3"])
def test_of_twenty_runs_at_once_one_publishes(
    kind: str, tmp_path: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in bucket.environ.items():
        monkeypatch.setenv(name, value)
    url = f"s3://{bucket.name}/{KEY}" if kind == "s3" else str(tmp_path / "new" / KEY)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", __name__])
    with context.Manager() as manager, ProcessPoolExecutor(20, mp_context=context) as pool:
        ready = manager.Barrier(20)
        runs = [pool.submit(_race, url, tmp_path, number, ready) for number in range(20)]
        results = [run.result() for run in runs]
    assert sorted(results) == ["lost"] * 19 + ["published"]
    published = make_table(tmp_path, 5 + results.index("published")).file.read_bytes()
    if kind == "s3":
        assert bucket.read(KEY) == published
    else:
        assert Path(url).read_bytes() == published
        assert os.listdir(tmp_path / "new") == [KEY]  # noqa: PTH208 - hidden files as well
