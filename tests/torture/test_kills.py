"""Runs that are killed at any moment, and runs at once, on S3 and on a local file."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import hashlib
import itertools
import json
import random
import signal
import time
from pathlib import Path

import pytest

from tests.conftest import Bucket
from tests.service.command import Ended, finish, launches, micro_etl, start
from tests.service.servers import Answer, Request, forward, serve
from tests.torture.faults import KEY, NEW
from tests.torture.reliability import KILL_SEED, KILLS, RACES

CODES = {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGKILL: -9}
PART = f".{KEY}.part"
_SLOW_TEST = [pytest.mark.torture, pytest.mark.timeout(240)]
_LONGEST = 1.2
# Slow enough that a run spends about as long in the source as in anything else.
_SLOW = Answer(body=NEW, trickle_body=0.0002)


class Target:
    """The object, seen by other means than the service's.

    Attributes:
        kind: s3 or local.
        environ: the settings that lead a run to it.
    """

    def __init__(self, kind: str, bucket: Bucket, folder: Path, old: bytes) -> None:
        self.kind, self._bucket, self._folder = kind, bucket, folder / "target"
        self._folder.mkdir()
        self._old = old
        self.environ = {
            "s3": {**bucket.environ, "S3_BUCKET": bucket.name, "TARGET_DEADLINE": "30"},
            "local": {"TARGET_URL": str(self._folder / KEY)},
        }[kind]
        self.restore()

    def restore(self) -> None:
        """Put the old table there."""
        if self.kind == "local":
            (self._folder / KEY).write_bytes(self._old)
        else:
            self._bucket.client.put_object(Bucket=self._bucket.name, Key=KEY, Body=self._old)

    def read(self) -> bytes:
        """The bytes that stand there."""
        local = self.kind == "local"
        return (self._folder / KEY).read_bytes() if local else self._bucket.read(KEY)

    def names(self) -> set[str]:
        """Everything that stands there: the object, and what else was left."""
        if self.kind == "local":
            return {path.name for path in self._folder.iterdir()}
        uploads = self._bucket.client.list_multipart_uploads(Bucket=self._bucket.name)
        return {*self._bucket.list_keys(), *(one["Key"] for one in uploads.get("Uploads", []))}


@pytest.fixture(params=["s3", "local"])
def target(
    request: pytest.FixtureRequest, bucket: Bucket, folder: Path, tables: tuple[bytes, bytes]
) -> Target:
    """The old table on S3, then in a local file."""
    return Target(request.param, bucket, folder, tables[0])


def kill_at_random(count: int, target: Target, folder: Path, tables: tuple[bytes, bytes]) -> None:
    """Kill runs at moments drawn at random, and look at what each leaves."""
    print(f"seed {KILL_SEED}")  # noqa: T201 - pytest shows it where a test fails
    draw = random.Random(f"{KILL_SEED} {target.kind}")
    killed_hard = False
    with serve(_SLOW) as source:
        for number in range(count):
            target.restore()
            killer = draw.choice(list(CODES))
            delay = draw.uniform(0, _LONGEST)
            process = start(folder, "run", SOURCE_URL=source.url, **target.environ)
            time.sleep(delay)  # the moment is the point: whatever it does by then
            process.send_signal(killer)
            ended = finish(process)
            where = f"seed {KILL_SEED}, run {number}: {killer.name} after {delay:.4f} s: {ended}"
            now = target.read()
            assert now in tables, where
            _check_end(ended, killer, is_new=now == tables[1], where=where)
            killed_hard = killed_hard or ended.code == -9
            assert target.names() <= {KEY, PART} if killed_hard else {KEY}, where
            left = list((folder / "scratch").iterdir())
            assert killed_hard or not left, where
    ended = micro_etl(folder, "run", SOURCE_URL=_saved(folder), **target.environ)
    assert ended.code == 0
    assert target.read() == tables[1]
    assert target.names() == {KEY}


def _check_end(ended: Ended, killer: signal.Signals, *, is_new: bool, where: str) -> None:
    """What it said last is true."""
    if not ended.out:  # before it could hold the signal back, or SIGKILL
        assert ended.code in (-killer, CODES[killer]), where
        assert not is_new, where
        return
    if ended.code == -9:
        return
    assert not ended.err, where
    result = ended.result
    if ended.code == 0:
        assert result["result"] in ("published", "unchanged"), where
        assert is_new, where
        return
    assert ended.code == CODES[killer], where
    assert result["event"] == "run_failed", where
    assert result["error"].startswith(f"stopped by {killer.name}; the target "), where
    if result["error"].endswith("is untouched"):
        assert not is_new, where
    ends = [event for event in ended.events if event["event"] in ("run_failed", "run_finished")]
    assert len(ends) == 1, where


def _saved(folder: Path) -> str:
    (folder / "new.json").write_bytes(NEW)
    return "new.json"


def test_killed_at_a_few_moments(target: Target, folder: Path, tables: tuple[bytes, bytes]) -> None:
    kill_at_random(2, target, folder, tables)


@pytest.mark.torture
@pytest.mark.timeout(300)
def test_killed_at_many_moments(target: Target, folder: Path, tables: tuple[bytes, bytes]) -> None:
    kill_at_random(KILLS // 2, target, folder, tables)


@pytest.mark.parametrize(
    "count",
    [RACES[0], *(pytest.param(count, marks=_SLOW_TEST) for count in RACES[1:])],
)
def test_of_runs_at_once_each_version_is_published_by_one(
    target: Target, folder: Path, count: int
) -> None:
    """Each run gets records of its own, so that each would publish another table."""
    numbers = itertools.count(6)

    def newer(_: Request) -> Answer:
        return Answer(body=launches(next(numbers)))

    with serve(newer) as source:
        environ = {"SOURCE_URL": source.url, "SOURCE_READ_TIMEOUT": "60", **target.environ}
        runs = [start(folder, "run", RUN_ID=str(run), **environ) for run in range(count)]
        ended = [finish(run) for run in runs]
    winners = [one.result for one in ended if one.code == 0]
    losers = [one for one in ended if one.code != 0]
    assert winners
    assert [one["result"] for one in winners] == ["published"] * len(winners)
    assert len({one["sha256"] for one in winners}) == len(winners)
    assert hashlib.sha256(target.read()).hexdigest() in {one["sha256"] for one in winners}
    for one in losers:
        # Who starts after a larger table was published, and got fewer records, is refused.
        assert one.code in (75, 65), one
        assert "another run published" in one.failure or "max_shrink" in one.failure
    assert target.names() == {KEY}
    assert not list((folder / "scratch").iterdir())


@pytest.mark.parametrize("count", [pytest.param(count, marks=_SLOW_TEST) for count in RACES])
def test_of_runs_at_once_on_the_same_records_one_publishes(
    target: Target, folder: Path, count: int, tables: tuple[bytes, bytes]
) -> None:
    with serve(Answer(body=NEW)) as source:
        environ = {"SOURCE_URL": source.url, "SOURCE_READ_TIMEOUT": "60", **target.environ}
        ended = [finish(run) for run in [start(folder, "run", **environ) for _ in range(count)]]
    told = [one.result.get("result", one.code) for one in ended]
    assert told.count("published") == 1
    assert set(told) <= {"published", "unchanged", 75}
    assert target.read() == tables[1]
    assert target.names() == {KEY}


def test_large_table_is_sent_in_one_request(bucket: Bucket, folder: Path) -> None:
    """Of an upload in parts, a run that is killed would leave the parts."""
    draw = random.Random(KILL_SEED)
    records = json.loads(launches(8000))
    for record in records:
        record["name"] = draw.randbytes(600).hex()
    (folder / "large.json").write_text(json.dumps(records))
    with serve(lambda request: forward(request, bucket.endpoint)) as store:
        environ = {**bucket.environ, "AWS_ENDPOINT_URL": store.url, "S3_BUCKET": bucket.name}
        assert micro_etl(folder, "run", SOURCE_URL="large.json", **environ).code == 0
    assert len(bucket.read(KEY)) > 8 << 20
    assert (store.count("PUT"), store.count("POST")) == (1, 0)
