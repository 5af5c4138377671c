"""micro-etl as a library: from any thread, without signals, exits or output of its own."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import asyncio
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import micro_etl
from micro_etl.events import Event
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


@pytest.mark.parametrize(
    ("name", "value", "should"),
    [
        ("source_attempts", "three", "a whole number from 1 to 20"),
        ("source_attempts", 0, "a whole number from 1 to 20"),
        ("source_attempts", True, "a whole number from 1 to 20"),
        ("source_backoff", "x", "a number of seconds above 0"),
        ("source_max_bytes", 1.5, "a size in bytes such as 500000, 64MiB or 2GB"),
        ("engine", "pandas", "one of duckdb, spark"),
        ("s3_key", 5, "text"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: Any, should: str) -> None:
    with pytest.raises(micro_etl.ConfigError, match=f"^{name} is {value!r}; it should be {should}"):
        micro_etl.run(source_url="x.json", target_url="x.parquet", **{name: value})


def test_settings_are_read_as_on_the_command_line(tmp_path: Path, source: Path) -> None:
    target = tmp_path / "x.parquet"
    sizes: dict[str, Any] = {
        "source_max_bytes": "1MiB",
        "source_read_timeout": "30",
        "source_max_pages": "2",
    }
    assert micro_etl.run(source_url=source, target_url=target, **sizes).rows == 5
    assert micro_etl.check(target) == 5
    with pytest.raises(micro_etl.SourceError, match="SOURCE_MAX_BYTES allows no more"):
        micro_etl.run(source_url=source, target_url=target, source_max_bytes="1 B")


def test_a_report_overrides_what_it_needs(tmp_path: Path, source: Path) -> None:
    told = []

    class Told(micro_etl.Report):
        def event(self, event: Event) -> None:
            told.append(event.name)

    micro_etl.run(source_url=source, target_url=tmp_path / "x.parquet", report=Told())
    assert told == ["run_started", "extracted", "transformed"]  # the last is returned


def test_a_dataset_file_may_be_a_path(tmp_path: Path) -> None:
    file = tmp_path / "d.toml"
    file.write_text('name = "d"\n[columns]\na = { type = "int32" }\n')
    assert micro_etl.load_dataset(file).name == "d"


def test_what_is_public_is_there() -> None:
    assert all(getattr(micro_etl, name).__doc__ for name in micro_etl.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = micro_etl.nothing
