"""The command line, by real processes: what it does and what it prints."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from micro_etl.settings import Settings
from tests.conftest import Bucket
from tests.service.command import COMMAND, environment, launches, made, micro_etl
from tests.service.servers import Answer, serve

EVENT_FIELDS = {
    "run_started": {"dataset", "source", "target", "dry_run", "version"},
    "extracted": {"source", "bytes", "received", "etag", "last_modified"},
    "transformed": {"source_hash", "rows", "bytes", "sha256", "columns"},
    "run_finished": {
        *("result", "dataset", "source", "source_bytes", "source_hash", "target", "etag"),
        *("rows", "previous_rows", "nulls", "bytes", "sha256", "seconds", "version"),
    },
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The current folder of the command, with the records of five launches in it."""
    (tmp_path / "launches.json").write_bytes(launches(5))
    return tmp_path


@pytest.mark.parametrize("engine", ["duckdb", "spak"])
def test_a_run_whose_log_nobody_reads_ends_with_1_and_without_a_traceback(
    folder: Path, engine: str
) -> None:
    """Also where a setting is wrong: then there is no run yet."""
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.run(
        [*COMMAND, "run", "--source-url", "launches.json"],
        cwd=folder,
        env=environment(folder, {"ENGINE": engine}),
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=20,
        check=False,
    )
    os.close(writer)
    assert (process.returncode, process.stderr) == (1, b"")


def test_run_publishes_to_a_local_file(folder: Path) -> None:
    ended = micro_etl(folder, "run", "--source-url", "launches.json")
    assert (ended.code, ended.err) == (0, "")
    assert pq.read_table(folder / "out" / "launches.parquet").num_rows == 5
    assert made(folder) == {"out"}
    assert not list((folder / "scratch").iterdir())


def test_run_publishes_to_s3_by_the_environment_alone(folder: Path, bucket: Bucket) -> None:
    environ = {**bucket.environ, "S3_BUCKET": bucket.name, "RUN_ID": "run-7"}
    with serve(Answer(body=launches(5))) as server:
        ended = micro_etl(folder, "run", **environ, SOURCE_URL=server.url)
    assert ended.code == 0, ended
    assert bucket.list_keys() == ["launches.parquet"]
    head = bucket.client.head_object(Bucket=bucket.name, Key="launches.parquet")
    assert head["Metadata"]["run-id"] == "run-7"
    assert head["Metadata"]["rows"] == "5"
    assert ended.result["etag"] == head["ETag"]
    assert made(folder) == set()


def test_events_are_json_lines_with_fixed_fields_and_the_result_is_the_last(folder: Path) -> None:
    ended = micro_etl(folder, "run", SOURCE_URL="launches.json", RUN_ID="r1")
    common = {"time", "level", "event", "run_id"}
    found = {event["event"]: set(event) - common for event in ended.events}
    assert found == EVENT_FIELDS
    assert list(found) == list(EVENT_FIELDS)
    assert {event["run_id"] for event in ended.events} == {"r1"}
    assert ended.result["result"] == "published"
    assert ended.result["nulls"]["mission_successful"] == 4
    assert {"look", "extract", "transform", "load", "total"} == set(ended.result["seconds"])


def test_second_run_leaves_the_file_alone_and_third_replaces_it(folder: Path) -> None:
    target = folder / "x.parquet"
    settings = {"SOURCE_URL": "launches.json", "TARGET_URL": "x.parquet"}
    assert micro_etl(folder, "run", **settings).result["result"] == "published"
    before = target.stat().st_mtime_ns
    again = micro_etl(folder, "run", **settings)
    assert (again.result["result"], again.result["previous_rows"]) == ("unchanged", 5)
    assert target.stat().st_mtime_ns == before
    (folder / "launches.json").write_bytes(launches(6))
    assert micro_etl(folder, "run", **settings).result["result"] == "published"
    assert pq.read_table(target).num_rows == 6


def test_same_input_gives_the_same_bytes_wherever_and_whenever(folder: Path) -> None:
    for name, zone in (("a", "Asia/Kathmandu"), ("b", "America/New_York")):
        environ = {"TZ": zone, "RUN_ID": name, "TARGET_URL": name, "LC_ALL": "C"}
        assert micro_etl(folder, "run", "--source-url", "launches.json", **environ).code == 0
    assert (folder / "a").read_bytes() == (folder / "b").read_bytes()


@pytest.mark.parametrize("place", ["local", "s3"])
def test_dry_run_writes_nothing_and_says_what_it_would_do(
    folder: Path, bucket: Bucket, place: str
) -> None:
    environ = {**bucket.environ, "RAW_URL": "raw", "SOURCE_URL": "launches.json"}
    if place == "s3":
        environ |= {"S3_BUCKET": bucket.name, "RAW_URL": f"s3://{bucket.name}/raw"}
    ended = micro_etl(folder, "run", "--dry-run", **environ)
    assert (ended.code, ended.result["result"], ended.result["rows"]) == (0, "would publish", 5)
    assert made(folder) == set()
    assert bucket.list_keys() == []


def test_dry_run_finds_out_that_there_is_no_bucket(folder: Path, bucket: Bucket) -> None:
    environ = {**bucket.environ, "S3_BUCKET": "no-such-bucket"}
    ended = micro_etl(folder, "run", "--dry-run", "--source-url", "launches.json", **environ)
    assert ended.code == 74
    assert "there is no such bucket" in ended.failure


def test_raw_response_is_kept_and_can_be_replayed(folder: Path) -> None:
    micro_etl(folder, "run", SOURCE_URL="launches.json", RAW_URL="raw", TARGET_URL="a")
    (raw,) = (folder / "raw" / "launches").iterdir()
    ended = micro_etl(folder, "run", SOURCE_URL=str(raw), TARGET_URL="b")
    assert ended.code == 0
    assert (folder / "a").read_bytes() == (folder / "b").read_bytes()


def test_dotenv_is_read_and_the_environment_wins(folder: Path) -> None:
    (folder / ".env").write_text("SOURCE_URL=launches.json\nTARGET_URL=from-file\nS3_BUCKET=\n")
    assert micro_etl(folder, "run", NO_TARGET="1").result["target"] == "from-file"
    assert micro_etl(folder, "run", TARGET_URL="a").result["target"] == "a"
    assert micro_etl(folder, "run", "--target-url", "b").result["target"] == "b"
    (folder / ".env").write_bytes(b"SOURCE_URL=\xff\n")
    ended = micro_etl(folder, "run")
    assert ended.code == 78
    assert ended.failure.startswith(".env can't be read: ")


def test_target_of_a_flag_wins_over_one_of_the_environment(folder: Path) -> None:
    environ = {"SOURCE_URL": "launches.json", "S3_BUCKET": "b", "S3_KEY": "k"}
    assert micro_etl(folder, "run", "--target-url", "x", **environ).result["target"] == "x"


def test_level_hides_all_but_the_result(folder: Path) -> None:
    ended = micro_etl(folder, "run", SOURCE_URL="launches.json", LOG_LEVEL="error")
    assert [event["event"] for event in ended.events] == ["run_finished"]
    ended = micro_etl(
        folder, "run", SOURCE_URL="launches.json", LOG_LEVEL="error", LOG_FORMAT="text"
    )
    assert [line.split()[0] for line in ended.out.splitlines()] == ["target"]


def test_metrics_are_printed_when_asked_for(folder: Path) -> None:
    for source, metric in (("launches.json", "Rows"), ("nowhere.json", "Failed")):
        ended = micro_etl(folder, "run", SOURCE_URL=source, METRICS_NAMESPACE="Etl")
        assert metric in ended.events[-2]
        assert ended.events[-2]["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Etl"


def test_text_can_be_asked_for(folder: Path) -> None:
    ended = micro_etl(folder, "run", "--source-url", "launches.json", LOG_FORMAT="text")
    assert ended.code == 0
    assert "\033" not in ended.out + ended.err
    assert "Flight 3 ü" in ended.out
    assert "out/launches.parquet published in" in ended.out.splitlines()[-1]


def test_a_run_without_a_target_outside_a_terminal_is_refused(folder: Path) -> None:
    """The file would vanish with the container, and the exit code be 0."""
    refused = micro_etl(folder, "run", SOURCE_URL="launches.json", NO_TARGET="1")
    assert refused.code == 78
    assert refused.failure.startswith("the target is missing; S3_BUCKET or TARGET_URL")
    tried = micro_etl(folder, "run", "--dry-run", SOURCE_URL="launches.json", NO_TARGET="1")
    assert (tried.code, tried.result["result"]) == (0, "would publish")
    assert not (folder / "out").exists()
    code, screen = on_terminal(folder, "run", SOURCE_URL="launches.json", NO_TARGET="1")
    assert code == 0, screen
    assert (folder / "out" / "launches.parquet").exists()


def on_terminal(folder: Path, *arguments: str, **extra: str) -> tuple[int, str]:
    """Exit code and screen of the command on a terminal."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environment(folder, {"TERM": "xterm", **extra}),
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    screen = b""
    with process, os.fdopen(master, "rb", buffering=0) as terminal:
        try:
            while piece := terminal.read(4096):
                screen += piece
        except OSError:  # what Linux says when the last process has closed the terminal
            pass
    return process.returncode, screen.decode()


@pytest.mark.parametrize("command", [("run",), ("show", "out/launches.parquet")])
def test_success_says_nothing_on_standard_error(folder: Path, command: tuple[str, ...]) -> None:
    """Not even what a library has to say of how the process ends."""
    source = folder / "launches.json"
    source.write_bytes(launches(3))
    made_it = micro_etl(folder, "run", SOURCE_URL=str(source), LOG_FORMAT="text")
    done = micro_etl(folder, *command, SOURCE_URL=str(source), LOG_FORMAT="text")
    assert [(made_it.code, made_it.err), (done.code, done.err)] == [(0, ""), (0, "")]


def test_log_that_can_not_be_written_ends_the_run_in_one_line(folder: Path) -> None:
    """Before anything is published; and without an output at all, the run does its work."""
    source = folder / "launches.json"
    source.write_bytes(launches(3))
    variables = environment(folder, {"SOURCE_URL": str(source), "TARGET_URL": "made.parquet"})
    line = [*COMMAND, "run"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            line, cwd=folder, env=variables, stdout=full, stderr=subprocess.PIPE, check=False
        )
    said = b"error     standard output can't be written: No space left on device\n"
    assert (done.returncode, done.stderr) == (71, said)
    assert not (folder / "made.parquet").exists()
    closed = ["sh", "-c", 'exec "$@" >&-', "sh", *line]
    done = subprocess.run(closed, cwd=folder, env=variables, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (folder / "made.parquet").exists()


@pytest.mark.parametrize(
    "command",
    [
        *("datasets", "run --help", "show made.parquet", "check made.parquet"),
        *("run --log-format text", "show made.parquet --json", "report made.parquet"),
        *("ddl launches --dialect spark", "completion bash"),
    ],
)
def test_output_that_can_not_be_written_ends_any_command_in_one_line(
    folder: Path, command: str
) -> None:
    source = folder / "launches.json"
    source.write_bytes(launches(3))
    variables = {"SOURCE_URL": str(source), "TARGET_URL": "made.parquet"}
    if "made" in command:
        assert micro_etl(folder, "run", **variables).code == 0
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, *command.split()],
            cwd=folder,
            env=environment(folder, variables),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    said = b"error     standard output can't be written: No space left on device\n"
    assert (done.returncode, done.stderr) == (71, said)


def test_empty_flag_is_refused(folder: Path) -> None:
    """An empty variable counts as unset; an empty flag is a script's mistake."""
    done = micro_etl(folder, "run", "--target-url", "")
    assert (done.code, done.failure) == (64, "--target-url is empty; it should be given a value")


def test_terminal_shows_progress_a_table_and_colors(folder: Path) -> None:
    body = launches(5)
    with serve(Answer(body=body, trickle_body=0.0005)) as server:
        code, screen = on_terminal(folder, "run", SOURCE_URL=server.url)
    assert code == 0
    assert re.search(rf"source    \d+ B of {len(body)} B \(\d+%\), [\d.]+ k?B/s", screen)
    assert "mission_name" in screen
    assert "\033[32mpublished\033[0m" in screen


def test_terminal_without_colors(folder: Path) -> None:
    for source, code in (("launches.json", 0), ("nowhere.json", 66)):
        ended = on_terminal(folder, "run", SOURCE_URL=source, NO_COLOR="1")
        assert ended[0] == code
        assert "\033[3" not in ended[1]
    code, screen = on_terminal(folder, "run", "--source-attempts", "x", NO_COLOR="1")
    assert (code, "\033[3" in screen) == (64, False)


COLUMN_FIELDS = ["name", "type", "nulls", "distinct", "least", "greatest"]


def test_a_program_gets_one_json_document_with_documented_fields(folder: Path) -> None:
    micro_etl(folder, "run", SOURCE_URL="launches.json", TARGET_URL="made.parquet")
    shown = json.loads(micro_etl(folder, "show", "made.parquet", "--json", "--rows", "2").out)
    assert list(shown) == ["url", "rows", "bytes", "columns", "first_rows"]
    assert shown["url"] == "made.parquet"
    assert (shown["rows"], shown["bytes"]) == (5, (folder / "made.parquet").stat().st_size)
    assert {tuple(column) for column in shown["columns"]} == {tuple(COLUMN_FIELDS)}
    assert [row["flight_number"] for row in shown["first_rows"]] == [1, 2]
    checked = json.loads(micro_etl(folder, "check", "made.parquet", "--json").out)
    assert list(checked) == [
        *("url", "dataset", "keeps_contract", "differences", "rows", "bytes", "columns")
    ]
    assert (checked["keeps_contract"], checked["differences"]) == (True, [])
    assert checked["columns"] == shown["columns"]
    listed = json.loads(micro_etl(folder, "datasets", "--json").out)
    (launches,) = listed["datasets"]
    assert launches == json.loads(micro_etl(folder, "datasets", "launches", "--json").out)
    assert [column["name"] for column in launches["columns"]] == [*shown["first_rows"][0]]
    documented = (Path(__file__).parents[2] / "docs" / "commands.md").read_text("utf-8")
    for field in (*shown, *checked, *listed, *launches, *launches["columns"][0], *COLUMN_FIELDS):
        assert f"`{field}`" in documented


def test_a_program_is_told_every_difference_from_the_contract(folder: Path) -> None:
    micro_etl(folder, "run", SOURCE_URL="launches.json", TARGET_URL="made.parquet")
    (folder / "few.toml").write_text(
        'name = "few"\npublish = { min_rows = 9 }\n[columns]\nflight_number = { type = "int64" }'
    )
    ended = micro_etl(folder, "check", "made.parquet", "--dataset", "few.toml", "--json")
    assert (ended.code, ended.err) == (65, "")
    document = json.loads(ended.out)
    assert not document["keeps_contract"]
    assert document["differences"][0].startswith("columns are flight_number, mission_name")
    assert document["rows"] == 5
    missing = micro_etl(folder, "check", "nowhere.parquet", "--json")
    assert (missing.code, missing.out) == (74, "")


def test_show_check_and_datasets_tell_about_tables(folder: Path, bucket: Bucket) -> None:
    environ = {**bucket.environ, "S3_BUCKET": bucket.name}
    micro_etl(folder, "run", SOURCE_URL="launches.json", **environ)
    url = f"s3://{bucket.name}/launches.parquet"
    shown = micro_etl(folder, "show", url, "--rows", "2", **environ)
    assert (shown.code, shown.err) == (0, "")
    assert "Flight 2 ü" in shown.out
    assert "Flight 3 ü" not in shown.out.split("greatest")[0]
    checked = micro_etl(folder, "check", url, **environ)
    assert checked.code == 0
    first, _, *table = checked.out.splitlines()
    assert first.startswith(f"{url} keeps the contract of launches: 5 rows, 5 columns, ")
    assert table[0].split() == ["column", "type", "nulls", "distinct", "least", "greatest"]
    listed = micro_etl(folder, "datasets")
    assert (listed.code, listed.err) == (0, "")
    assert listed.out.startswith("launches: ")
    assert "flight_number       int32      required, unique" in listed.out


def test_help_mentions_every_setting_and_exit_code(folder: Path) -> None:
    ended = micro_etl(folder, "run", "--help")
    assert ended.code == 0
    for name in Settings._fields:
        assert f"--{name.replace('_', '-')} " in ended.out
        assert name.upper() in ended.out
    for code in (0, 64, 65, 66, 69, 70, 71, 74, 75, 77, 78, 129, 130, 143):
        assert f" {code} " in ended.out


@pytest.mark.parametrize("arguments", [["datasets"], ["show", "x"], ["run", "--target-url", "y"]])
def test_reader_that_goes_away_is_no_defect(folder: Path, arguments: list[str]) -> None:
    micro_etl(folder, "run", SOURCE_URL="launches.json", TARGET_URL="x")
    ended = subprocess.run(
        ["bash", "-c", '"$@" | true', "bash", *COMMAND, *arguments],  # noqa: S607
        cwd=folder,
        env=environment(folder, {"SOURCE_URL": "launches.json"}),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ended.stderr == ""
    assert made(folder) == {"x"}
    assert not list((folder / "scratch").iterdir())
