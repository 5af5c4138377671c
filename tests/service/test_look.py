"""Look: what an object says of itself is believed where it is ours, and only then."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from micro_etl.errors import DataError, TargetError
from micro_etl.store import Place
from micro_etl.target.verify import read_back
from tests.conftest import Bucket
from tests.service.backends import KEY, Backend, look_at, make_table, on_s3, opened
from tests.service.command import launches, micro_etl
from tests.service.servers import Answer, Request, forward, s3_error, serve

ARCHIVED = Answer(
    status=403,
    body=b"<Error><Code>InvalidObjectState</Code><Message>archived</Message>"
    b"<StorageClass>DEEP_ARCHIVE</StorageClass></Error>",
)


@pytest.fixture
def backend(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Backend:
    return on_s3(bucket, bucket.endpoint, tmp_path, monkeypatch)


OURS = {
    "dataset": "launches",
    "source-hash": "xxh128:50c3",
    "schema-sha256": "5c4e",
    "version": "9",
    "run-id": "run-before",
    "rows": "7",
    "content-sha256": "a" * 64,
}


@pytest.mark.parametrize(
    ("change", "rows"),
    [
        ({}, 7),
        ({"rows": "x"}, 20),
        ({"rows": "-1"}, 20),
        ({"rows": "007"}, 20),
        ({"content-sha256": "x"}, 20),
        ({"content-sha256": "A" * 64}, 20),
        ({"run-id": ""}, 20),
        ({"dataset": ""}, 20),
    ],
)
def test_metadata_is_believed_where_it_is_ours_and_consistent(
    backend: Backend, bucket: Bucket, tmp_path: Path, change: dict[str, str], rows: int
) -> None:
    table = make_table(tmp_path, 20)
    said = {key: value for key, value in {**OURS, **change}.items() if value}
    data = table.file.read_bytes()
    bucket.client.put_object(Bucket=bucket.name, Key=KEY, Body=data, Metadata=said)
    previous = look_at(backend.place, tmp_path)
    assert previous is not None
    assert previous.rows == rows
    assert (previous.sha256 == table.sha256) == (rows == 20)


def test_another_schema_is_refused_with_the_difference(backend: Backend, tmp_path: Path) -> None:
    backend.publish(make_table(tmp_path, 20))
    schema = (("m", "OPTIONAL", "INTEGER"),)
    table = make_table(tmp_path, 21)._replace(schema=schema, schema_sha256="0ther")
    with pytest.raises(DataError, match=r"'n' is gone \(renamed to 'm'\?\); --force publishes"):
        backend.publish(table)
    assert backend.publish(table, force=True).result == "published"


def reads_archived(bucket: Bucket) -> Callable[[Request], Answer]:
    def respond(request: Request) -> Answer:
        return ARCHIVED if request.method == "GET" else forward(request, bucket.endpoint)

    return respond


def test_archived_object_of_another_program_is_named(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.client.put_object(Bucket=bucket.name, Key=KEY, Body=b"old")
    with serve(reads_archived(bucket)) as server:
        backend = on_s3(bucket, server.url, tmp_path, monkeypatch)
        with pytest.raises(TargetError, match=r"storage class DEEP_ARCHIVE.*--force"):
            backend.publish(make_table(tmp_path, 5))


def test_archived_object_is_replaced_by_force(bucket: Bucket, tmp_path: Path) -> None:
    bucket.client.put_object(Bucket=bucket.name, Key=KEY, Body=b"old")

    def respond(request: Request) -> Answer:
        archived = request.method == "GET" and bucket.read(KEY) == b"old"
        return ARCHIVED if archived else forward(request, bucket.endpoint)

    (tmp_path / "scratch").mkdir()
    (tmp_path / "launches.json").write_bytes(launches(5))
    with serve(respond) as server:
        environ = {**bucket.environ, "AWS_ENDPOINT_URL": server.url, "S3_BUCKET": bucket.name}
        ended = micro_etl(tmp_path, "run", "--force", SOURCE_URL="launches.json", **environ)
    assert (ended.code, ended.result["result"]) == (0, "published")


@pytest.mark.parametrize("message", ["Access Denied", "not authorized to perform: s3:ListBucket"])
def test_first_run_needs_no_right_to_list_the_bucket(
    bucket: Bucket, tmp_path: Path, message: str
) -> None:
    """S3 then calls a missing object forbidden; the condition of the put tells."""

    def respond(request: Request) -> Answer:
        answer = forward(request, bucket.endpoint)
        missing = answer.status == 404
        return s3_error(403, "AccessDenied", message) if missing else answer

    (tmp_path / "scratch").mkdir()
    (tmp_path / "launches.json").write_bytes(launches(5))
    with serve(respond) as server:
        environ = {**bucket.environ, "AWS_ENDPOINT_URL": server.url, "S3_BUCKET": bucket.name}
        for result in ("published", "unchanged"):
            ended = micro_etl(tmp_path, "run", SOURCE_URL="launches.json", **environ)
            assert (ended.code, ended.result.get("result")) == (0, result), ended
    assert server.requests[2].headers["if-none-match"] == "*"


def test_broken_upload_is_noticed_and_mended_by_the_next_run(
    bucket: Bucket, tmp_path: Path
) -> None:
    """It was called unchanged, for ever."""

    def spoil(request: Request) -> Answer:
        if request.method != "PUT":
            return forward(request, bucket.endpoint)
        said = {
            key.removeprefix("x-amz-meta-"): value
            for key, value in request.headers.items()
            if key.startswith("x-amz-meta-")
        }
        bucket.client.put_object(
            Bucket=bucket.name, Key=KEY, Body=request.body[::-1], Metadata=said
        )
        return Answer(body=b"", headers={"ETag": '"fine"'})

    (tmp_path / "scratch").mkdir()
    (tmp_path / "launches.json").write_bytes(launches(5))
    environ = {**bucket.environ, "S3_BUCKET": bucket.name, "SOURCE_URL": "launches.json"}
    with serve(spoil) as server:
        for _ in range(2):
            ended = micro_etl(tmp_path, "run", **{**environ, "AWS_ENDPOINT_URL": server.url})
            assert ended.code == 74
            assert "may be broken" in ended.failure
    for result in ("published", "unchanged"):
        ended = micro_etl(tmp_path, "run", **environ)
        assert (ended.code, ended.result.get("result")) == (0, result), ended


DRIP = Answer(
    body=bytes(1000),
    trickle_body=0.1,
    headers={"Last-Modified": "Tue, 01 Dec 2026 00:00:00 GMT", "ETag": '"x"'},
)


@pytest.mark.parametrize("read", [look_at, lambda place, _: read_back(place)])
def test_store_that_drips_is_not_waited_for(
    tmp_path: Path,
    no_aws: pytest.MonkeyPatch,
    read: Callable[[Place, Path], object],
) -> None:
    with serve(DRIP) as server:
        no_aws.setenv("AWS_ENDPOINT_URL", server.url)
        no_aws.setenv("AWS_ACCESS_KEY_ID", "key")
        no_aws.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
        place = opened("s3://bucket/table.parquet", timeout=1, deadline=1)
        start = time.monotonic()
        with pytest.raises(TargetError, match=r"not complete within 2(\.\d+)? s \(TARGET_DEADLINE"):
            read(place, tmp_path)
        assert time.monotonic() - start < 6
