"""micro-etl as a library: from any thread, without signals, exits or output of its own."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import asyncio
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import micro_etl
from tests.service.command import launches


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Five launches."""
    file = tmp_path / "launches.json"
    file.write_bytes(launches(5))
    return file


def test_five_threads_run_at_once(
    tmp_path: Path, source: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGALRM)]

    def run(number: int) -> micro_etl.RunFinished:
        target = tmp_path / f"{number}.parquet"
        return micro_etl.run("launches", source_url=str(source), target_url=str(target))

    with ThreadPoolExecutor(5) as threads:
        finished = list(threads.map(run, range(5)))
    assert [(one.result, one.rows) for one in finished] == [("published", 5)] * 5
    assert len({one.sha256 for one in finished}) == 1
    assert capfd.readouterr() == ("", "")
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGALRM)] == handlers
    assert micro_etl.check(str(tmp_path / "4.parquet")) == 5


def test_an_event_loop_runs_it_in_its_executor(tmp_path: Path, source: Path) -> None:
    async def run() -> micro_etl.RunFinished:
        return await asyncio.to_thread(
            micro_etl.run,
            micro_etl.load_dataset("launches"),
            source_url=str(source),
            target_url=str(tmp_path / "x.parquet"),
        )

    assert asyncio.run(run()).result == "published"


def test_errors_are_typed_and_have_the_exit_code_of_the_command(tmp_path: Path) -> None:
    with pytest.raises(micro_etl.SourceMissingError) as missing:
        micro_etl.run(source_url=str(tmp_path / "x.json"), target_url=str(tmp_path / "x"))
    assert missing.value.exit_code == 66
    with pytest.raises(micro_etl.ConfigError, match="the target is missing"):
        micro_etl.run(source_url="x.json")
    with pytest.raises(micro_etl.UsageError, match="targeturl is not a setting"):
        micro_etl.run(targeturl="x")


def test_what_is_public_is_there() -> None:
    assert all(getattr(micro_etl, name).__doc__ for name in micro_etl.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = micro_etl.nothing
