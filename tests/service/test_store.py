"""A store is opened by its URL, or a line says what is wrong with it."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import importlib.util
from pathlib import Path

import obstore
import pytest

from micro_etl.errors import AccessDeniedError, ConfigError
from micro_etl.location import Location
from tests.conftest import Bucket
from tests.service.backends import look_at, opened

KEYS = [
    "plain.parquet",
    "in/a/folder.parquet",
    "with space.parquet",
    "ünï/cödé 🚀.parquet",
    "100%.parquet",
    "a%20b.parquet",
    "a#b?c=d&e.parquet",
    "a+b~c'd\"e.parquet",
    "[x]{y}|^`<>\\*.parquet",
]
BAD_KEYS = ["", "/lead", "a//b", "a/", "a/./b", "../b", "tab\tkey", "new\nline", "\udcff"]


@pytest.mark.parametrize("key", KEYS)
def test_s3_key_is_kept_as_it_is(bucket: Bucket, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    for name, value in bucket.environ.items():
        monkeypatch.setenv(name, value)
    place = opened(f"s3://{bucket.name}/{key}", timeout=5, deadline=5)
    obstore.put(place.store, place.key, b"here")
    assert bucket.list_keys() == [key]
    assert bucket.read(key) == b"here"


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("as_url", [False, True])
def test_local_path_is_kept_as_it_is(tmp_path: Path, key: str, as_url: bool) -> None:
    path = tmp_path / key
    place = opened(path.as_uri() if as_url else str(path), timeout=1, deadline=1)
    obstore.put(place.store, place.key, b"here")
    assert (tmp_path / key).read_bytes() == b"here"
    assert place.local == tmp_path / key


def test_relative_path_starts_at_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    place = opened("out/../table.parquet", timeout=1, deadline=1)
    assert place.local == tmp_path / "table.parquet"
    assert place.location.shown == "out/../table.parquet"


@pytest.mark.parametrize("key", BAD_KEYS)
def test_key_that_would_not_be_kept_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match="it should be a name, or names joined by single slashes"):
        opened(f"s3://bucket/{key}", timeout=1, deadline=1)


@pytest.mark.parametrize("name", ["tab\tname", "new\nline", "table#12", "\udcff"])
def test_local_name_that_the_store_can_not_write_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="can't be a file's name here"):
        opened(str(tmp_path / name), timeout=1, deadline=1)


@pytest.mark.parametrize(
    "url",
    ["s3://", "s3:///key", "ftp://host/x", "https://me:s3cret@host/x?t=s3cret"],
)
def test_url_that_names_no_object_says_what_it_should_be(url: str) -> None:
    with pytest.raises(ConfigError, match="names no object; it should be s3://, gs://") as caught:
        opened(url, timeout=1, deadline=1)
    assert "s3cret" not in str(caught.value)


def test_secret_in_front_of_a_bucket_is_not_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        opened("s3://key:s3cret@bucket/x", timeout=1, deadline=1)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("url", [".", "./", "new-folder/"])
def test_folder_is_not_a_target(url: str) -> None:
    with pytest.raises(ConfigError, match="is a folder; it should be a file's path"):
        opened(url, timeout=1, deadline=1)


@pytest.mark.parametrize(
    ("url", "expected"),
    [("s3://b/k", True), ("gs://b/k", True), ("a/s3", False), ("s3", False), ("http://h", False)],
)
def test_store_urls_are_told_from_others(url: str, expected: bool) -> None:
    assert Location.parse(url).is_store is expected


def test_no_credentials_at_all_are_asked_for(tmp_path: Path, no_aws: pytest.MonkeyPatch) -> None:
    del no_aws
    place = opened("s3://bucket/table.parquet", timeout=1, deadline=0.3)
    with pytest.raises(AccessDeniedError, match="no AWS credentials; AWS_ACCESS_KEY_ID and"):
        look_at(place, tmp_path)


def test_profile_is_read_by_boto3(
    bucket: Bucket, tmp_path: Path, no_aws: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "credentials"
    file.write_text("[work]\naws_access_key_id = test\naws_secret_access_key = test\n")
    no_aws.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    no_aws.setenv("AWS_PROFILE", "work")
    no_aws.setenv("AWS_ENDPOINT_URL", bucket.endpoint)
    place = opened(f"s3://{bucket.name}/x.parquet", timeout=5, deadline=5)
    obstore.put(place.store, place.key, b"here")
    assert bucket.list_keys() == ["x.parquet"]


@pytest.mark.parametrize("configured", ["variable", "file"])
def test_profile_without_boto3_says_what_to_install(
    tmp_path: Path, no_aws: pytest.MonkeyPatch, configured: str
) -> None:
    if configured == "variable":
        no_aws.setenv("AWS_PROFILE", "work")
    else:
        (tmp_path / ".aws").mkdir()
        (tmp_path / ".aws" / "config").write_text("[default]\nregion = eu-west-1\n")
    no_aws.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(
        AccessDeniedError, match=r"need boto3: pip install '\.\[boto3\]' in a clone"
    ):
        opened("s3://bucket/x", timeout=1, deadline=1)


def test_profile_that_does_not_exist_is_named(no_aws: pytest.MonkeyPatch) -> None:
    no_aws.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(AccessDeniedError, match="nobody"):
        opened("s3://bucket/x", timeout=1, deadline=1)


def test_profile_whose_session_has_expired_is_access_denied(
    bucket: Bucket, tmp_path: Path, no_aws: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("[default]\ncredential_process = false\n")
    no_aws.setenv("AWS_ENDPOINT_URL", bucket.endpoint)
    with pytest.raises(AccessDeniedError, match="AWS credentials: Error when retrieving"):
        look_at(opened(f"s3://{bucket.name}/x", timeout=1, deadline=1), tmp_path)


def test_profile_without_credentials_is_access_denied(
    tmp_path: Path, no_aws: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("[default]\nregion = eu-west-1\n")
    no_aws.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(AccessDeniedError, match="AWS credentials"):
        look_at(opened("s3://bucket/x", timeout=1, deadline=0.3), tmp_path)


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
@pytest.mark.parametrize("scheme", ["http", "HTTP"])
def test_endpoint_may_be_plain_http(
    bucket: Bucket, no_aws: pytest.MonkeyPatch, name: str, scheme: str
) -> None:
    for variable, value in bucket.environ.items():
        no_aws.setenv(variable, value)
    no_aws.delenv("AWS_ENDPOINT_URL")
    no_aws.setenv(name, bucket.endpoint.replace("http", scheme))
    place = opened(f"s3://{bucket.name}/x", timeout=5, deadline=1)
    obstore.put(place.store, place.key, b"here")
    assert bucket.list_keys() == ["x"]


@pytest.mark.parametrize(
    "value", ["localhost:4566", "http://", "http://[", "ftp://h", "http://h p"]
)
def test_endpoint_that_is_no_url_is_named(no_aws: pytest.MonkeyPatch, value: str) -> None:
    no_aws.setenv("AWS_ENDPOINT_URL", value)
    with pytest.raises(ConfigError, match=r"AWS_ENDPOINT_URL is .*; it should be like https://"):
        opened("s3://bucket/x", timeout=1, deadline=1)


@pytest.mark.parametrize(
    "name", ["AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_REGION"]
)
def test_empty_aws_variable_counts_as_unset(
    bucket: Bucket, no_aws: pytest.MonkeyPatch, name: str
) -> None:
    for variable, value in bucket.environ.items():
        no_aws.setenv(variable, value)
    no_aws.setenv("AWS_ENDPOINT_URL_S3", bucket.endpoint)
    no_aws.setenv(name, "")
    place = opened(f"s3://{bucket.name}/x", timeout=5, deadline=0.5)
    obstore.put(place.store, place.key, b"here")
    assert bucket.list_keys() == ["x"]
