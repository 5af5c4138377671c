"""Settings: what is wrong is named with its value and with what it should be."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from micro_etl.dataset import bundled_dataset
from micro_etl.errors import ConfigError, UsageError
from micro_etl.option_types import Value
from micro_etl.options import prefer_flags, run_options
from micro_etl.setting_types import BucketName, ByteSize, OneOf, Seconds, SettingType, Whole
from micro_etl.settings import TYPES, Settings, read_environment
from tests.service.command import environment, launches, micro_etl

DATASET = bundled_dataset("launches")
BOTH = {"s3_bucket": "b", "s3_key": "k", "target_url": "u", "raw_url": "r"}


def read(*flags: str, **environ: str) -> Settings:
    """The settings that some flags and an environment give."""
    found: list[Settings] = []

    @click.command()
    @run_options
    def command(**values: Any) -> None:
        found.append(Settings(**values))

    with pytest.MonkeyPatch.context() as patch:
        for option in command.params:
            patch.delenv(str(option.envvar), raising=False)
        result = CliRunner().invoke(command, flags, env=environ)
    assert result.exit_code == 0, result.output
    return found[0]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Whole(1, 20), "1", 1),
        (Whole(0, 20), " 20 ", 20),
        (Seconds(), "0.5", 0.5),
        (Seconds(), "86400", 86400.0),
        (ByteSize(), "500000", 500000),
        (ByteSize(), "64MiB", 64 << 20),
        (ByteSize(), "2GB", 2_000_000_000),
        (ByteSize(), "1 kib", 1024),
        (ByteSize(), "3k", 3000),
        (OneOf("auto", "text"), "TEXT", "text"),
        (BucketName(), "my.bucket-1", "my.bucket-1"),
        (BucketName(), "arn:aws:s3:eu-west-1:1:x", "arn:aws:s3:eu-west-1:1:x"),
    ],
)
def test_value_is_read(kind: SettingType, text: str, value: object) -> None:
    assert Value(kind).convert(text, None, None) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *((Whole(1, 20), text) for text in ("0", "21", "1.5", "many", "")),
        *((Seconds(), text) for text in ("0", "-1", "86401", "nan", "inf", "1m")),
        *((ByteSize(), text) for text in ("0", "-1", "1.5GB", "5 apples", "MiB", "1TB")),
        *((OneOf("auto", "text"), text) for text in ("xml", "tex")),
        *((BucketName(), text) for text in ("a/b", "s3://a", "a b", "me@a", "a?b")),
    ],
)
def test_wrong_value_is_shown_with_what_it_should_be(kind: SettingType, text: str) -> None:
    with pytest.raises(click.BadParameter) as caught:
        Value(kind).convert(text, None, None)
    assert caught.value.message == f"is {text!r}; it should be {kind.should}"
    assert kind.should


def test_every_setting_has_a_flag_and_a_variable_of_the_same_name() -> None:
    @click.command()
    @run_options
    def command(**_: Any) -> None: ...

    names = {option.name for option in command.params}
    assert names == set(Settings._fields)
    for option in command.params:
        assert option.envvar == str(option.name).upper()
        assert option.opts == ["--" + str(option.name).replace("_", "-")]


def test_flag_wins_over_variable_and_empty_variable_is_unset() -> None:
    settings = read("--source-attempts", "2", SOURCE_ATTEMPTS="3", SOURCE_BACKOFF="", S3_BUCKET="")
    assert settings.source_attempts == 2
    assert settings.source_backoff == 0.5
    assert settings.s3_bucket is None


VARIABLES = {
    "DATASET": "orders",
    "SOURCE_URL": "https://h/x ",
    "ENGINE": "Spark",
    "S3_BUCKET": " my-bucket ",
    "S3_KEY": " a b",
    "SOURCE_ATTEMPTS": "7",
    "SOURCE_BACKOFF": "0.25",
    "SOURCE_MAX_BYTES": "1GiB",
    "LOG_FORMAT": "JSON",
    "RUN_ID": "",
}


def test_variables_are_read_alike_without_the_parser_of_flags() -> None:
    assert read_environment(VARIABLES) == read(**VARIABLES)
    assert read_environment({}) == read() == Settings()
    assert set(TYPES) == set(Settings._fields)


@pytest.mark.parametrize("flags", [(), ("--dry-run",)])
def test_wrong_variable_is_said_alike_without_the_parser_of_flags(
    flags: tuple[str, ...], tmp_path: Path
) -> None:
    ended = micro_etl(tmp_path, "run", *flags, SOURCE_MAX_BYTES="many", LOG_FORMAT="json")
    assert ended.code == 78
    should = "a size in bytes such as 500000, 64MiB or 2GB"
    assert ended.events[-1]["error"] == f"SOURCE_MAX_BYTES is 'many'; it should be {should}"


def test_task_imports_no_parser_of_flags(tmp_path: Path) -> None:
    """Nor what is for people: on a quarter of a CPU, each would be a part of the start."""
    script = (
        "import os, sys\n"
        "end = os._exit\n"
        "def told(code):\n"
        "    print({'click', 'dataclasses', 'inspect', 'micro_etl.cli'} & sys.modules.keys())\n"
        "    sys.stdout.flush()\n"
        "    end(code)\n"
        "os._exit = told\n"
        "sys.argv[1:] = ['run']\n"
        "import micro_etl.__main__ as entry\n"
        "entry.main()"
    )
    (tmp_path / "records.json").write_bytes(launches(3))
    environ = environment(tmp_path, {"SOURCE_URL": "records.json", "TARGET_URL": "x.parquet"})
    ended = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ended.stdout.splitlines()[-1] == "set()"


def test_limits_reach_the_extract() -> None:
    settings = read(
        SOURCE_ATTEMPTS="2",
        SOURCE_CONNECT_TIMEOUT="3",
        SOURCE_READ_TIMEOUT="4",
        SOURCE_DEADLINE="5",
        SOURCE_BACKOFF="6",
        SOURCE_BACKOFF_MAX="7",
        SOURCE_RETRY_AFTER_MAX="8",
        SOURCE_MAX_REDIRECTS="9",
        SOURCE_MAX_BYTES="10",
        SOURCE_MAX_UNPACKED_BYTES="11",
    )
    options = settings.extract_options
    http = options.http
    assert (http.attempts, http.connect_timeout, http.read_timeout) == (2, 3, 4)
    assert (http.backoff, http.backoff_max, http.retry_after_max) == (6, 7, 8)
    assert (http.max_redirects, options.deadline) == (9, 5)
    assert (options.max_bytes, options.max_unpacked_bytes) == (10, 11)


@pytest.mark.parametrize(
    ("environ", "target"),
    [
        ({}, "out/launches.parquet"),
        ({"S3_BUCKET": "b"}, "s3://b/launches.parquet"),
        ({"S3_BUCKET": "b", "S3_KEY": "a/x y.parquet"}, "s3://b/a/x y.parquet"),
        ({"TARGET_URL": "gs://b/x"}, "gs://b/x"),
        ({"TARGET_URL": "x.parquet"}, "x.parquet"),
    ],
)
def test_target_comes_from_bucket_and_key_or_url(environ: dict[str, str], target: str) -> None:
    assert read(**environ).target(DATASET, attended=True).text == target


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        (
            {"TARGET_URL": "https://me:s3cret@h/x?t=s3cret", "S3_BUCKET": "b"},
            "TARGET_URL is https://h/x?t=… and S3_BUCKET is b; only one of them should be set",
        ),
        ({"S3_KEY": "k"}, "S3_KEY is k, but S3_BUCKET is missing"),
        ({"S3_KEY": "k", "TARGET_URL": "x"}, "S3_KEY is k, but S3_BUCKET is missing"),
    ],
)
def test_two_targets_or_half_of_one_are_refused(environ: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(**environ).target(DATASET, attended=True)
    assert str(caught.value) == message


def test_without_a_target_only_a_person_gets_a_folder() -> None:
    with pytest.raises(ConfigError, match="the target is missing; S3_BUCKET or TARGET_URL should"):
        read().target(DATASET, attended=False)
    assert read(TARGET_URL="x").target(DATASET, attended=False).text == "x"


def test_source_is_the_settings_or_the_datasets() -> None:
    assert read().source(DATASET).text == DATASET.source_url
    assert read(SOURCE_URL="x.json").source(DATASET).text == "x.json"
    with pytest.raises(ConfigError, match="SOURCE_URL is missing, and dataset launches has no"):
        read().source(DATASET._replace(source_url=None))


@pytest.mark.parametrize(
    ("flags", "kept"),
    [
        (set(), {"s3_bucket", "s3_key", "target_url"}),
        ({"target_url"}, {"target_url"}),
        ({"s3_bucket"}, {"s3_bucket", "s3_key"}),
        ({"s3_key"}, {"s3_bucket", "s3_key"}),
        ({"raw_url"}, {"s3_bucket", "s3_key", "target_url"}),
    ],
)
def test_target_of_a_flag_wins_over_one_of_the_environment(flags: set[str], kept: set[str]) -> None:
    values = prefer_flags(BOTH, flags)
    assert {name for name, value in values.items() if value} == kept | {"raw_url"}


def test_two_targets_or_half_of_one_by_flags_are_wrong_flags() -> None:
    with pytest.raises(UsageError, match="--target-url names a target, and so do"):
        prefer_flags(BOTH, {"target_url", "s3_key"})
    with pytest.raises(UsageError, match="--s3-key is k, but --s3-bucket is missing"):
        prefer_flags({**BOTH, "s3_bucket": None}, {"s3_key"})
