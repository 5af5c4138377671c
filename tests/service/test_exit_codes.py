"""Each way to fail is one line, and has an exit code that a scheduler can act on."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dev.loopback import free_port
from tests.service.command import COMMAND, environment, launches, made, micro_etl
from tests.service.servers import Answer, Request, s3_error, serve

S3 = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "s3cret", "TARGET_DEADLINE": "0.5"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The current folder of the command, with the records of five launches in it."""
    (tmp_path / "launches.json").write_bytes(launches(5))
    return tmp_path


WRONG_SETTINGS = {
    "SOURCE_ATTEMPTS": ("many", "SOURCE_ATTEMPTS is 'many'; it should be a whole number from 1"),
    "SOURCE_DEADLINE": ("0", "SOURCE_DEADLINE is '0'; it should be a number of seconds above 0"),
    "SOURCE_MAX_BYTES": ("1 apple", "SOURCE_MAX_BYTES is '1 apple'; it should be a size in bytes"),
    "LOG_FORMAT": ("xml", "LOG_FORMAT is 'xml'; it should be one of auto, text, json"),
    "S3_BUCKET": ("a/b", "S3_BUCKET is 'a/b'; it should be the name of a bucket, without s3://"),
}


@pytest.mark.parametrize(("name", "value", "message"), [(k, *v) for k, v in WRONG_SETTINGS.items()])
def test_wrong_variable_ends_with_78_and_wrong_flag_with_64(
    folder: Path, name: str, value: str, message: str
) -> None:
    flag = "--" + name.lower().replace("_", "-")
    by_variable = micro_etl(folder, "run", **{name: value})
    assert by_variable.code == 78
    assert by_variable.failure.startswith(message)
    by_flag = micro_etl(folder, "run", flag, value)
    assert (by_flag.code, by_flag.out) == (64, "")
    assert by_flag.failure.startswith(message.replace(name, flag))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--no-such-flag"], "No such option"),
        (["run", "extra"], "unexpected extra argument"),
        (["fly"], "No such command 'fly'"),
        (["show"], "Missing argument 'URL'"),
        (["show", "x", "--rows", "0"], "--rows is '0'; it should be a whole number from 1 to 1000"),
        (["run", "--target-url", "a", "--s3-bucket", "b"], "only one of them should be given"),
        (["run", "--s3-key", "k"], "--s3-key is k, but --s3-bucket is missing"),
    ],
)
def test_wrong_command_line_is_one_line_and_64(
    folder: Path, arguments: list[str], message: str
) -> None:
    ended = micro_etl(folder, *arguments)
    assert (ended.code, ended.out) == (64, "")
    assert message in ended.failure


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"TARGET_URL": "a", "S3_BUCKET": "b"}, "TARGET_URL is a and S3_BUCKET is b; only one of"),
        ({"S3_KEY": "k"}, "S3_KEY is k, but S3_BUCKET is missing"),
        ({"S3_BUCKET": "b", "S3_KEY": "a//b"}, "'s3://b/a//b' has the key 'a//b'; it should be"),
        ({"TARGET_URL": "s3://b"}, "has the key ''; it should be a name"),
        ({"TARGET_URL": "https://me:s3cret@h/x?t=s3cret"}, "https://h/x?t=… names no object"),
        ({"TARGET_URL": "."}, ". is a folder; it should be a file's path"),
        ({"SOURCE_URL": "https://me:s3cret@h:x/?t=s3cret"}, "https://h:x/?t=… is not a URL"),
        ({"SOURCE_URL": "ftp://h/x"}, "ftp://h/x can't be a source; it should be a path or a URL"),
        ({"SOURCE_URL": "launches.json", "RAW_URL": "s3://"}, "RAW_URL is s3://; it should name"),
        ({"DATASET": "rockets"}, "DATASET is 'rockets'; it should be a bundled name (launches)"),
        ({"DATASET": "no.toml"}, "DATASET is no.toml, which can't be read"),
    ],
)
def test_wrong_setting_is_one_line_and_78(
    folder: Path, environ: dict[str, str], message: str
) -> None:
    ended = micro_etl(folder, "run", **environ)
    assert (ended.code, ended.err) == (78, "")
    assert message in ended.failure
    assert "s3cret" not in ended.out
    assert made(folder) == set()


def test_data_that_breaks_the_contract_ends_with_65(folder: Path) -> None:
    (folder / "launches.json").write_bytes(launches(5).replace(b'"flight_number": 3', b'"fn": 3'))
    ended = micro_etl(folder, "run", SOURCE_URL="launches.json")
    assert ended.code == 65
    assert "record 3: flight_number is missing" in ended.failure
    assert ended.result["totals"] == {"flight_number": 1}
    assert ended.result["violations"]
    assert made(folder) == set()


def test_table_that_a_guard_refuses_ends_with_65_and_is_published_by_force(folder: Path) -> None:
    settings = {"SOURCE_URL": "launches.json", "TARGET_URL": "x"}
    micro_etl(folder, "run", **settings)
    before = (folder / "x").read_bytes()
    (folder / "launches.json").write_bytes(launches(2))
    ended = micro_etl(folder, "run", **settings)
    assert ended.code == 65
    assert "at most 10% may be lost (max_shrink); --force publishes anyway" in ended.failure
    assert (folder / "x").read_bytes() == before
    assert micro_etl(folder, "run", "--force", **settings).result["result"] == "published"


def test_source_that_is_not_there_ends_with_66(folder: Path) -> None:
    assert micro_etl(folder, "run", SOURCE_URL="nowhere.json").code == 66
    assert micro_etl(folder, "run", SOURCE_URL="nowhere/*.json").code == 66
    with serve(Answer(status=404)) as server:
        assert micro_etl(folder, "run", SOURCE_URL=server.url).code == 66


def test_source_url_with_a_line_break_ends_with_78(folder: Path) -> None:
    for url in ("https://example.com/\n", "nowhere.json\r\n", "s3://bucket/key\n"):
        ended = micro_etl(folder, "run", SOURCE_URL=url)
        assert (ended.code, "\n" in ended.failure) == (78, False)


def test_scratch_folder_that_is_not_utf8_ends_with_78(folder: Path) -> None:
    (folder / "\udcff").mkdir()
    ended = micro_etl(folder, "run", TMPDIR=str(folder / "\udcff"))
    assert ended.code == 78
    assert ended.failure.startswith("TMPDIR is ")


@pytest.mark.parametrize("line", ["SOURCE URL=x", "=x", "SOURCE_URL='x", 'SOURCE_URL="s3cret'])
def test_line_of_dotenv_that_can_not_be_read_ends_with_78(folder: Path, line: str) -> None:
    (folder / ".env").write_text(f"SOURCE_URL=launches.json\n# a comment\n\n{line}\n")
    ended = micro_etl(folder, "run")
    assert ended.code == 78
    assert ended.failure == "line 4 of .env can't be read; it should be NAME=value"


def test_source_that_is_down_ends_with_69(folder: Path) -> None:
    source = f"http://me:s3cret@127.0.0.1:{free_port()}/?token=s3cret"
    environ = {"SOURCE_URL": source, "SOURCE_BACKOFF": "0.001", "SOURCE_ATTEMPTS": "3"}
    ended = micro_etl(folder, "run", **environ)
    assert ended.code == 69
    assert "Connection refused" in ended.failure
    retries = [event for event in ended.events if event["event"] == "source_retry"]
    assert [event["attempt"] for event in retries] == [1, 2]
    assert "s3cret" not in ended.out + ended.err


def test_defect_ends_with_70_and_alone_shows_a_traceback(folder: Path) -> None:
    (folder / "sitecustomize.py").write_text(
        "import micro_etl.pipeline\ndef broken(*_, **__): raise KeyError('oops')\n"
        "micro_etl.pipeline.run = broken\n"
    )
    ended = micro_etl(folder, "run", PYTHONPATH=str(folder))
    assert ended.code == 70
    assert ended.failure == "a defect in micro-etl: KeyError: 'oops'"
    assert "Traceback" in ended.err
    assert not list((folder / "scratch").iterdir())


def test_full_disk_ends_with_71(folder: Path) -> None:
    with serve(Answer(body=launches(5000))) as server:
        ended = subprocess.run(
            ["sh", "-c", 'ulimit -f 100; exec "$@"', "sh", *COMMAND, "run"],  # noqa: S607
            cwd=folder,
            env=environment(folder, {"SOURCE_URL": server.url}),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.returncode == 71
    assert "the scratch folder can't be written: File too large" in ended.stdout
    assert not list((folder / "scratch").iterdir())


def test_target_that_can_not_be_written_ends_with_74(folder: Path) -> None:
    ended = micro_etl(folder, "run", SOURCE_URL="launches.json", TARGET_URL="launches.json/x")
    assert ended.code == 74
    assert "launches.json/x" in ended.failure


def test_run_that_was_overtaken_ends_with_75(folder: Path) -> None:
    def overtake(_: Request) -> Answer:
        (folder / "x").write_bytes(b"newer")
        return Answer(body=launches(5))

    with serve(overtake) as server:
        ended = micro_etl(folder, "run", SOURCE_URL=server.url, TARGET_URL="x")
    assert ended.code == 75
    assert ended.failure == "another run published x meanwhile; this one wrote nothing"
    assert (folder / "x").read_bytes() == b"newer"


def test_access_denied_ends_with_77(folder: Path) -> None:
    with serve(s3_error(403, "AccessDenied", "not you")) as server:
        environ = {**S3, "AWS_ENDPOINT_URL": server.url, "S3_BUCKET": "b"}
        ended = micro_etl(folder, "run", SOURCE_URL="launches.json", **environ)
    assert ended.code == 77
    assert ended.failure.startswith("can't read s3://b/launches.parquet: AccessDenied: not you")
    with serve(Answer(status=401)) as server:
        assert micro_etl(folder, "run", SOURCE_URL=server.url).code == 77


def test_no_credentials_end_with_77(folder: Path) -> None:
    ended = micro_etl(folder, "run", S3_BUCKET="b", TARGET_DEADLINE="0.3")
    assert ended.code == 77
    assert "no AWS credentials" in ended.failure


@pytest.mark.parametrize("command", ["show", "check"])
@pytest.mark.parametrize(
    ("url", "code", "message"),
    [
        ("nowhere.parquet", 74, "can't read nowhere.parquet: it does not exist"),
        ("launches.json", 65, "not a Parquet file"),
        ("https://h/x", 78, "https://h/x names no object"),
    ],
)
def test_file_that_can_not_be_shown_or_checked_is_one_line(
    folder: Path, command: str, url: str, code: int, message: str
) -> None:
    ended = micro_etl(folder, command, url)
    assert ended.code == code
    assert message in ended.failure


def test_name_that_is_not_utf8_is_no_defect(folder: Path) -> None:
    ended = micro_etl(folder, "run", SOURCE_URL="\udcff.json")
    assert ended.code == 66
    assert "can't be read: No such file" in ended.failure
    assert micro_etl(folder, "show", "\udcff.parquet").code == 78


def test_profile_without_boto3_ends_with_77(folder: Path) -> None:
    (folder / "sitecustomize.py").write_text(
        "from importlib import util\n"
        "find = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name == 'boto3' else find(name, *rest)\n"
    )
    environ = {"PYTHONPATH": str(folder), "AWS_PROFILE": "work", "S3_BUCKET": "b"}
    ended = micro_etl(folder, "run", **environ)
    assert ended.code == 77
    assert ended.failure.startswith(
        "AWS profiles and SSO need boto3: pip install '.[boto3]' in a clone"
    )


_SQUEEZED = """
from micro_etl.table import engine
configuration = engine.configuration
engine.configuration = lambda scratch: {{
    **configuration(scratch),
    "memory_limit": "{memory}",
    "threads": 1,
    "temp_directory": "/dev/null/spill",
}}
"""


@pytest.mark.parametrize(
    ("command", "memory", "said"),
    [
        ("check", "4MB", "out of memory: "),
        ("show", "4MB", "out of memory: "),
        ("show", "12MB", "the scratch folder can't be used: Failed to create directory"),
    ],
)
def test_look_at_a_file_without_memory_or_room_to_spill_ends_with_71(
    folder: Path, command: str, memory: str, said: str
) -> None:
    """It was called a file that is not Parquet, and ended with 65."""
    (folder / "many.json").write_bytes(launches(100_000))
    assert micro_etl(folder, "run", SOURCE_URL="many.json", TARGET_URL="x.parquet").code == 0
    (folder / "sitecustomize.py").write_text(_SQUEEZED.format(memory=memory))
    ended = micro_etl(folder, command, "x.parquet", PYTHONPATH=str(folder))
    assert (ended.code, ended.out) == (71, ""), ended
    assert ended.failure.startswith(said)
    assert not list((folder / "scratch").iterdir())


def test_no_memory_even_for_the_log_ends_with_71() -> None:
    script = (
        "import micro_etl.__main__ as entry\n"
        "def run_command():\n    raise MemoryError\n"
        "entry.run_command = run_command\nentry.main()"
    )
    ended = subprocess.run([sys.executable, "-c", script], check=False, timeout=60)
    assert ended.returncode == 71
