"""A URL or path is told apart by its scheme, whatever its case, and shown without its secrets."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import json
from pathlib import Path

import pytest

from micro_etl.errors import ConfigError
from micro_etl.location import Location
from micro_etl.store import open_place
from tests.conftest import Bucket
from tests.service.command import launches, micro_etl


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://host/path", "https://host/path"),
        ("https://me:pw@host:8443/a@b", "https://host:8443/a@b"),
        ("https://me:p@w@host/", "https://host/"),
        ("https://host?token=1&b=2&flag#part", "https://host?token=…&b=…&…"),
        ("HTTPS://me@host/?", "HTTPS://host/?"),
        ("http://[::1/?t=1", "http://[::1/?t=…"),
        ("ftp://me:pw@host/?t=1", "ftp://host/?t=…"),
        ("s3://bucket/a#b?c=d@e", "s3://bucket/a#b?c=d@e"),
        ("s3://key:secret@bucket/x", "s3://bucket/x"),
        ("a path/with?odd=names", "a path/with?odd=names"),
        ("", ""),
    ],
)
def test_url_is_shown_without_user_password_and_values(url: str, shown: str) -> None:
    assert Location.parse(url).shown == shown


@pytest.mark.parametrize(
    ("url", "content_type", "expected"),
    [
        ("https://h/x.ndjson?a=b.json", None, True),
        ("https://h/x.json?a=b.ndjson", None, False),
        ("X.JSONL.GZ", None, True),
        ("s3://b/x?y.jsonl", None, True),
        ("https://h/x", "application/X-NDJSON; charset=utf-8", True),
        ("https://h/x", "application/json", False),
        ("x.json", None, False),
    ],
)
def test_one_record_a_line_is_announced_by_name_or_media_type(
    url: str, content_type: str | None, expected: bool
) -> None:
    assert Location.parse(url).names_lines(content_type) is expected


@pytest.mark.parametrize(
    "url", ["FILE://{}", "File://localhost{}", "file://LOCALHOST{}", "file:{}", "FILE:{}"]
)
def test_file_url_is_a_local_path_whatever_its_case(tmp_path: Path, url: str) -> None:
    location = Location.parse(url.format(tmp_path / "a%20b"))
    assert location.is_local
    assert location.path == tmp_path / "a b"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("file:///a%00b", "NUL"),
        ("file:/a%00b", "NUL"),
        ("a\0b", "NUL"),
        (f"/{'n' * 256}/x", "too long"),
        ("/n" * 2048, "too long"),
        (f"file:///{'%C3%A9' * 128}", "too long"),
        ("file://host/abs/path", "another host"),
        ("file://127.0.0.1/abs/path", "another host"),
        ("file://localhost.example/abs/path", "another host"),
        ("file://folder", "another host"),
    ],
)
def test_what_can_be_no_path_here_is_a_wrong_setting(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as raised:
        _ = Location.parse(url).path
    assert len(str(raised.value)) < 200


@pytest.mark.parametrize("path", ["n" * 255, "/n" * 2047, "é" * 127])
def test_longest_path_is_one(path: str) -> None:
    assert Location.parse(path).path == Path(path)


@pytest.mark.parametrize("value", ["file:///a%00b.toml", "n" * 5000, "file://host/x.toml"])
@pytest.mark.parametrize("flag", ["--source-url", "--target-url", "--raw-url", "--dataset"])
def test_setting_that_can_be_no_path_ends_a_run_without_a_traceback(
    tmp_path: Path, flag: str, value: str
) -> None:
    (tmp_path / "launches.json").write_bytes(launches(5))
    flags = {"--source-url": "launches.json", "--target-url": "x.parquet"} | {flag: value}
    ended = micro_etl(tmp_path, "run", *(word for pair in flags.items() for word in pair))
    assert ended.code == 78, ended
    assert "n" * 100 not in str(ended)


@pytest.mark.parametrize("url", ["S3://bucket/Key", "Gs://bucket/Key", "AZ://bucket/Key"])
def test_scheme_of_a_store_may_have_any_case(url: str) -> None:
    location = Location.parse(url)
    assert (location.is_store, location.bucket, location.key) == (True, "bucket", "Key")
    assert location.scheme == url[:2].lower()
    assert location.shown == url


def test_place_in_s3_is_the_same_whatever_the_case_of_its_scheme() -> None:
    environ = {"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}
    upper, lower = (
        open_place(Location.parse(url), timeout=1, deadline=1, environ=environ)
        for url in ("S3://bucket/a/Key", "s3://bucket/a/Key")
    )
    assert upper.key == lower.key == "a/Key"
    assert upper.local is lower.local is None


@pytest.mark.parametrize("scheme", ["FILE", "File"])
@pytest.mark.parametrize("source", ["launches.json", "raw/", "raw/*.ndjson"])
def test_file_in_any_case_is_a_source_and_a_target(
    tmp_path: Path, scheme: str, source: str
) -> None:
    (tmp_path / "launches.json").write_bytes(launches(5))
    write_lines(tmp_path / "raw" / "a.ndjson")
    url = f"{scheme}://{tmp_path}"
    flags = ("--source-url", f"{url}/{source}", "--target-url", f"{url}/x.parquet")
    ended = micro_etl(tmp_path, "run", *flags, "--raw-url", f"{url}/kept")
    assert (ended.code, ended.result["rows"]) == (0, 5), ended
    assert ended.result["target"] == f"{url}/x.parquet"
    assert len(list((tmp_path / "kept" / "launches").iterdir())) == 1
    assert micro_etl(tmp_path, "check", f"{url}/x.parquet").code == 0
    assert micro_etl(tmp_path, "show", f"{url}/x.parquet").code == 0


@pytest.mark.parametrize("source", ["launches.json", "raw/", "raw/*.ndjson"])
def test_s3_in_capitals_is_a_source_and_a_target(
    tmp_path: Path, bucket: Bucket, source: str
) -> None:
    write_lines(tmp_path / "a.ndjson")
    lines = (tmp_path / "a.ndjson").read_bytes()
    for key, body in {"launches.json": launches(5), "raw/a.ndjson": lines}.items():
        bucket.client.put_object(Bucket=bucket.name, Key=key, Body=body)
    url = f"S3://{bucket.name}"
    flags = ("--source-url", f"{url}/{source}", "--target-url", f"{url}/x.parquet")
    ended = micro_etl(tmp_path, "run", *flags, **bucket.environ)
    assert (ended.code, ended.result["rows"]) == (0, 5), ended
    assert bucket.read("x.parquet").startswith(b"PAR1")
    assert micro_etl(tmp_path, "check", f"{url}/x.parquet", **bucket.environ).code == 0


@pytest.mark.parametrize("scheme", ["FILE", "File"])
def test_dataset_file_may_be_a_file_url_in_any_case(tmp_path: Path, scheme: str) -> None:
    (tmp_path / "d.toml").write_text('name = "d"\n[columns]\nname = { type = "string" }\n')
    (tmp_path / "launches.json").write_bytes(launches(5))
    flags = ("--dataset", f"{scheme}://{tmp_path}/d.toml", "--source-url", "launches.json")
    ended = micro_etl(tmp_path, "run", *flags, "--target-url", "d.parquet")
    assert (ended.code, ended.result["rows"]) == (0, 5), ended


def write_lines(file: Path) -> None:
    """Write five launches, one a line."""
    file.parent.mkdir(exist_ok=True)
    records = json.loads(launches(5))
    file.write_text("".join(f"{json.dumps(record)}\n" for record in records))
