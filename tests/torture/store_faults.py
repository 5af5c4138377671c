"""Faults of the store, and of a target on this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from tests.service.servers import Answer, Request, forward, s3_error
from tests.torture.faults import Fault, Store

_store = partial(Fault, group="store", code=74)
READ, WRITE = ("GET", "HEAD"), ("PUT", "POST")


def fails(answer: Answer, methods: tuple[str, ...] = READ + WRITE) -> Store:
    """A store that always gives this answer to some methods."""

    def respond(request: Request, endpoint: str) -> Answer:
        return answer if request.method in methods else forward(request, endpoint)

    return respond


def first(count: int, answer: Answer, methods: tuple[str, ...]) -> Store:
    """A store that gives this answer to the first requests of some methods; for one run."""
    seen: list[Request] = []

    def respond(request: Request, endpoint: str) -> Answer:
        if request.method in methods:
            seen.append(request)
            if len(seen) <= count:
                return answer
        return forward(request, endpoint)

    return respond


def lose_answer(request: Request, endpoint: str) -> Answer:
    """Do what is asked, and break the connection of each upload instead of saying so."""
    answer = forward(request, endpoint)
    return Answer(reset=True) if request.method == "PUT" else answer


def _spoil_reads(request: Request, endpoint: str) -> Answer:
    """Give each object back with its bytes reversed."""
    answer = forward(request, endpoint)
    spoilt = request.method == "GET" and answer.status == 200
    return replace(answer, body=answer.body[::-1]) if spoilt else answer


def _cut_upload(request: Request, endpoint: str) -> Answer:
    """Break the connection of each upload and store nothing."""
    return Answer(reset=True) if request.method == "PUT" else forward(request, endpoint)


def _retag(change: Callable[[str], str]) -> Store:
    """A gateway that answers an upload with another ETag than the object then has."""

    def respond(request: Request, endpoint: str) -> Answer:
        answer = forward(request, endpoint)
        if request.method != "PUT":
            return answer
        kept = {key: value for key, value in answer.headers.items() if key.lower() != "etag"}
        etag = next(value for key, value in answer.headers.items() if key.lower() == "etag")
        return replace(answer, headers={**kept, "ETag": change(etag)})

    return respond


def _without_etags(request: Request, endpoint: str) -> Answer:
    """Name no ETag of anything."""
    answer = forward(request, endpoint)
    kept = {key: value for key, value in answer.headers.items() if key.lower() != "etag"}
    return replace(answer, headers=kept)


def _log_in(request: Request, endpoint: str) -> Answer:
    """Send each upload to a login page, which answers with 200."""
    if request.path == "/login":
        return Answer(body=b"<html>Who are you?</html>", headers={"ETag": '"login"'})
    if request.method == "PUT":
        return Answer(status=303, body=b"", headers={"Location": "/login"})
    return forward(request, endpoint)


def _before_first_upload(act: Callable[[Request, str], object]) -> Store:
    """A store in which something happens just before the first upload; for one run."""
    seen: list[Request] = []

    def respond(request: Request, endpoint: str) -> Answer:
        if request.method == "PUT" and not seen:
            seen.append(request)
            act(request, endpoint)
        return forward(request, endpoint)

    return respond


def _delete(request: Request, endpoint: str) -> None:
    forward(Request("DELETE", request.path, {}, b""), endpoint)


def _publish_as_another_run(request: Request, endpoint: str) -> None:
    said = {"x-amz-meta-run-id": "another-run"}
    forward(Request("PUT", request.path, said, request.body), endpoint)


def _say(**said: str) -> Store:
    """A store whose objects say something else of themselves."""
    headers = {f"x-amz-meta-{name.replace('_', '-')}": value for name, value in said.items()}

    def respond(request: Request, endpoint: str) -> Answer:
        answer = forward(request, endpoint)
        if request.method not in READ:
            return answer
        kept = {key: value for key, value in answer.headers.items() if key.lower() not in headers}
        return replace(answer, headers={**kept, **headers})

    return respond


def _archived(request: Request, endpoint: str) -> Answer:
    """An object in an archive, of which only the headers can be read."""
    if request.method == "GET":
        text = (
            "<Error><Code>InvalidObjectState</Code><Message>The operation is not valid for the "
            "object's storage class</Message><StorageClass>GLACIER</StorageClass></Error>"
        )
        return Answer(status=403, body=text.encode())
    answer = forward(request, endpoint)
    said = ("x-amz-meta-", "content-length")
    kept = {key: value for key, value in answer.headers.items() if not key.lower().startswith(said)}
    return replace(answer, headers=kept)


def _strange_metadata(request: Request, endpoint: str) -> Answer:
    """Say nonsense in the object's metadata."""
    answer = forward(request, endpoint)
    if request.method in READ:
        answer = replace(answer, headers={**answer.headers, "x-amz-meta-rows": "9" * 5000})
    return answer


DENIED = s3_error(403, "AccessDenied", "Access Denied")

STORE = [
    _store(
        name="bucket does not exist",
        says="no such bucket",
        environ={"S3_BUCKET": "no-such-bucket"},
        gets=0,
        fast=True,
    ),
    _store(
        name="bucket in another region",
        says="region",
        store=fails(s3_error(301, "PermanentRedirect", "The bucket is in another region")),
        gets=0,
    ),
    _store(
        name="region that does not match the signature",
        says="AuthorizationHeaderMalformed",
        store=fails(
            s3_error(
                400,
                "AuthorizationHeaderMalformed",
                "the region 'us-east-1' is wrong; expecting 'eu-west-1'",
            )
        ),
        gets=0,
    ),
    _store(
        name="access denied on read",
        code=77,
        says="can't read",
        store=fails(DENIED, READ),  # as S3 says of a missing object without s3:ListBucket
        fast=True,
    ),
    _store(
        name="access denied on write",
        code=77,
        says="can't write",
        store=fails(DENIED, WRITE),
        puts=1,
        fast=True,
    ),
    _store(
        name="access denied on read and write",
        code=77,
        says="AccessDenied",
        store=fails(DENIED),
        puts=1,
    ),
    _store(
        name="credentials expired before the run",
        code=77,
        says="have expired",
        store=fails(s3_error(400, "ExpiredToken")),
        gets=0,
        fast=True,
    ),
    _store(
        name="credentials expired before the upload",
        code=77,
        says="have expired",
        store=fails(s3_error(400, "ExpiredToken"), WRITE),
    ),
    _store(
        name="unknown access key",
        code=77,
        says="InvalidAccessKeyId",
        store=fails(s3_error(403, "InvalidAccessKeyId")),
        gets=0,
    ),
    _store(
        name="clock of this machine is wrong",
        code=77,
        says="RequestTimeTooSkewed",
        store=fails(
            s3_error(
                403,
                "RequestTimeTooSkewed",
                "The difference between the request time and the server's time is too large",
            )
        ),
        gets=0,
    ),
    _store(
        name="503 SlowDown on read twice, then sound",
        code=0,
        store=first(2, s3_error(503, "SlowDown"), READ),
        published=True,
    ),
    _store(
        name="503 SlowDown on write twice, then sound",
        code=0,
        store=first(2, s3_error(503, "SlowDown"), WRITE),
        puts=3,
        published=True,
        fast=True,
    ),
    _store(
        name="500 for ever on read",
        says="can't read",
        store=fails(s3_error(500, "InternalError"), READ),
        gets=0,
    ),
    _store(
        name="500 for ever on write",
        says="can't write",
        store=fails(s3_error(500, "InternalError"), WRITE),
    ),
    _store(
        name="503 SlowDown for ever on write",
        says="can't write",
        store=fails(s3_error(503, "SlowDown"), WRITE),
    ),
    _store(
        name="store is not there",
        says="can't read",
        environ={"AWS_ENDPOINT_URL": "http://127.0.0.1:1"},
        gets=0,
    ),
    _store(
        name="store never answers a read",
        says="can't read",
        store=fails(Answer(stall=True), READ),
        environ={"TARGET_TIMEOUT": "0.5"},
        gets=0,
    ),
    _store(
        name="store never answers an upload",
        says="can't write",
        store=fails(Answer(stall=True), WRITE),
        environ={"TARGET_TIMEOUT": "0.5"},
    ),
    _store(name="reset during the upload, for ever", says="can't write", store=_cut_upload),
    _store(
        name="reset during the upload, then sound",
        code=0,
        store=first(1, Answer(reset=True), WRITE),
        published=True,
        fast=True,
    ),
    _store(
        name="uploaded, but every answer is lost",
        says="",
        code=0,
        store=lose_answer,
        published=True,
    ),
    _store(
        name="object reads back differently",
        says="was sent (SHA-256)",
        store=_spoil_reads,
        published=True,
        fast=True,
    ),
    _store(
        name="object's metadata is nonsense",
        code=0,
        store=_strange_metadata,
        published=True,
        fast=True,
    ),
    _store(
        name="another run published meanwhile",
        code=75,
        says="another run published",
        store=_before_first_upload(_publish_as_another_run),
        puts=1,
        published=True,
        fast=True,
    ),
    _store(
        name="object deleted meanwhile",
        code=0,
        store=_before_first_upload(_delete),
        published=True,
        fast=True,
    ),
    _store(
        name="412, though no other run published",
        says="no other run published, and nothing was written",
        store=fails(s3_error(412, "PreconditionFailed"), WRITE),
        fast=True,
    ),
    _store(
        name="409 once, then sound",
        code=0,
        store=first(1, s3_error(409, "ConditionalRequestConflict"), WRITE),
        puts=2,
        published=True,
        fast=True,
    ),
    _store(
        name="409 for ever, though no other run published",
        says="no other run published, and nothing was written",
        store=fails(s3_error(409, "ConditionalRequestConflict"), WRITE),
    ),
    _store(
        name="bucket is gone at the upload",
        says="no such bucket",
        store=fails(s3_error(404, "NoSuchBucket"), WRITE),
        puts=1,
    ),
    _store(
        name="upload redirected to a login page",
        says="the store took the table, but doesn't hold it",
        store=_log_in,
        fast=True,
    ),
    _store(
        name="upload answered with 202 and an ETag, and nothing stored",
        says="the store took the table, but doesn't hold it",
        store=fails(Answer(status=202, headers={"ETag": '"soon"'}), WRITE),
    ),
    _store(
        name="upload answered with another ETag than the object's",
        code=0,
        store=_retag(lambda _: '"other"'),
        puts=1,
        published=True,
        fast=True,
    ),
    _store(
        name="upload answered with the object's ETag without quotes",
        code=0,
        store=_retag(lambda etag: etag.strip('"')),
        puts=1,
        published=True,
    ),
    _store(
        name="store without ETags",
        says="names no ETag",
        store=_without_etags,
        puts=0,
        fast=True,
    ),
    _store(
        name="table too large for one upload",
        says="EntityTooLarge",
        store=fails(s3_error(400, "EntityTooLarge"), WRITE),
        puts=1,
    ),
    _store(
        name="metadata too large",
        says="MetadataTooLarge",
        store=fails(s3_error(400, "MetadataTooLarge"), WRITE),
        puts=1,
    ),
    _store(
        name="object in an archive, without our metadata",
        says="storage class GLACIER",
        store=_archived,
        gets=0,
        fast=True,
    ),
    _store(
        name="another dataset's table at the target",
        code=65,
        says="the target holds the table of dataset 'orders'",
        store=_say(dataset="orders"),
        puts=0,
        fast=True,
    ),
    _store(
        name="metadata that another program wrote, as broken as can be",
        code=0,
        store=_say(rows="5", content_sha256="x", dataset="orders"),
        published=True,
    ),
    _store(
        name="store knows no conditional upload",
        says="can't write",
        store=fails(s3_error(501, "NotImplemented"), WRITE),
    ),
    _store(
        name="uploads are answered with 404 and HTML",
        says="no other run published, and nothing was written",
        store=fails(Answer(status=404, body=b"<html>not S3</html>"), WRITE),
    ),
    _store(
        name="key that is a folder",
        code=78,
        says="should be a name",
        environ={"S3_KEY": "folder/"},
        gets=0,
    ),
    _store(
        name="key with .. in it",
        code=78,
        says="should be a name",
        environ={"S3_KEY": "a/../../b"},
        gets=0,
    ),
    _store(
        name="access key with a line break",
        code=78,
        says="AWS_ACCESS_KEY_ID holds a line break",
        environ={"AWS_ACCESS_KEY_ID": "key\n"},
        gets=0,
        fast=True,
    ),
    _store(
        name="session token with a line break",
        code=78,
        says="AWS_SESSION_TOKEN holds",
        environ={"AWS_SESSION_TOKEN": "to\r\nken"},
        gets=0,
    ),
    _store(
        name="region with a line break",
        code=78,
        says="AWS_REGION holds",
        environ={"AWS_REGION": "us\neast"},
        gets=0,
    ),
    _store(
        name="endpoint with port 99999",
        code=78,
        says="AWS_ENDPOINT_URL is",
        environ={"AWS_ENDPOINT_URL": "http://127.0.0.1:99999"},
        gets=0,
    ),
    _store(
        name="run id with a line break",
        code=78,
        says="RUN_ID is",
        environ={"RUN_ID": "a\nb"},
        gets=0,
    ),
    _store(
        name="bucket whose name is no text",
        code=78,
        says="S3_BUCKET is",
        environ={"S3_BUCKET": "b\udcff"},
        gets=0,
    ),
]
