"""What a store refuses is one line that a user can act on."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

from pathlib import Path

import pytest
from obstore.exceptions import GenericError

from dev.loopback import free_port
from micro_etl.errors import AccessDeniedError, MicroEtlError, TargetError
from micro_etl.location import Location
from micro_etl.store_errors import reason, target_errors
from tests.conftest import Bucket
from tests.service.backends import look_at, opened
from tests.service.servers import Answer, s3_error, serve


def ask(folder: Path, endpoint: str, patch: pytest.MonkeyPatch) -> MicroEtlError:
    """The error of a look at an object behind an endpoint."""
    patch.setenv("AWS_ENDPOINT_URL", endpoint)
    patch.setenv("AWS_ACCESS_KEY_ID", "key")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    place = opened("s3://bucket/table.parquet", timeout=1, deadline=0.5)
    with pytest.raises(MicroEtlError) as caught:
        look_at(place, folder)
    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        (s3_error(403, "AccessDenied", "no"), AccessDeniedError, "AccessDenied: no; s3:GetObject"),
        (s3_error(403, "SignatureDoesNotMatch"), AccessDeniedError, "SignatureDoesNotMatch"),
        (s3_error(400, "ExpiredToken"), AccessDeniedError, "the credentials have expired"),
        (s3_error(403, "ExpiredToken"), AccessDeniedError, "the credentials have expired"),
        (s3_error(401, "Unauthorized"), AccessDeniedError, "Unauthorized: said the stub"),
        (s3_error(404, "NoSuchBucket"), TargetError, "there is no such bucket"),
        (s3_error(400, "BadThing", "why"), TargetError, "BadThing: why"),
        (s3_error(301, "PermanentRedirect"), TargetError, "region"),
        (Answer(status=503), TargetError, "503 Service Unavailable"),
        (Answer(reset=True), TargetError, "error sending request"),
        (Answer(stall=True), TargetError, "HTTP error"),
    ],
)
def test_refusal_of_s3_is_one_line_with_its_cause(
    tmp_path: Path,
    no_aws: pytest.MonkeyPatch,
    answer: Answer,
    kind: type[MicroEtlError],
    message: str,
) -> None:
    with serve(answer) as server:
        error = ask(tmp_path, server.url, no_aws)
    assert type(error) is kind
    assert str(error).startswith("can't read s3://bucket/table.parquet: ")
    assert message in str(error)


def test_store_that_is_down_is_an_error_of_the_target(
    tmp_path: Path, no_aws: pytest.MonkeyPatch
) -> None:
    error = ask(tmp_path, f"http://127.0.0.1:{free_port()}", no_aws)
    assert type(error) is TargetError


def test_missing_object_is_none_and_missing_bucket_an_error(
    bucket: Bucket, tmp_path: Path, no_aws: pytest.MonkeyPatch
) -> None:
    for name, value in bucket.environ.items():
        no_aws.setenv(name, value)
    place = opened(f"s3://{bucket.name}/x.parquet", timeout=5, deadline=5)
    assert look_at(place, tmp_path) is None
    error = ask(tmp_path, bucket.endpoint, no_aws)
    assert type(error) is TargetError
    assert "there is no such bucket" in str(error)


@pytest.mark.parametrize("error", [NotADirectoryError(20, "Not a directory"), GenericError("odd")])
def test_every_error_of_a_store_is_one_of_ours(error: Exception) -> None:
    with (
        pytest.raises(TargetError, match="can't write x: "),
        target_errors("write", Location.parse("x")),
    ):
        raise error


def test_reason_is_one_line_without_the_stores_own_words_for_debugging() -> None:
    text = "Generic S3 error: Error after\n 2 retries\n\nDebug source:\nRetryError { .. }"
    assert reason(GenericError(text)) == "Error after 2 retries"


def test_store_that_knows_no_head_is_asked_for_the_content(
    tmp_path: Path, no_aws: pytest.MonkeyPatch
) -> None:
    with serve(
        lambda request: (
            Answer(status=405) if request.method == "HEAD" else s3_error(404, "NoSuchKey")
        )
    ) as server:
        no_aws.setenv("AWS_ENDPOINT_URL", server.url)
        no_aws.setenv("AWS_ACCESS_KEY_ID", "key")
        no_aws.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
        place = opened("s3://bucket/table.parquet", timeout=1, deadline=0.5)
        assert look_at(place, tmp_path) is None
