"""No secret comes out, nothing in an input is executed, and TLS is always verified."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.conftest import Bucket
from tests.service.command import launches, micro_etl
from tests.service.servers import Answer, Request, redirect, s3_error, serve
from tests.torture.faults import KEY, NEW

SECRETS = {
    "user": "planted-password-1",
    "query": "planted-token-2",
    "AWS_SECRET_ACCESS_KEY": "planted-key-3",
    "AWS_SESSION_TOKEN": "planted-session-4",
    "proxy": "planted-proxy-5",
    "redirect": "planted-redirect-6",
    "dotenv": "planted-dotenv-7",
}
_FORMS = {
    *SECRETS.values(),
    *(b64encode(f"me:{secret}".encode()).decode() for secret in SECRETS.values()),
}


def slow(value: Any) -> Any:
    """A case for `make torture`."""
    return pytest.param(value, marks=pytest.mark.torture)


def leaks(*texts: str) -> set[str]:
    """The secrets that texts hold, in any form."""
    return {form for form in _FORMS if any(form in text for text in texts)}


def _echo(status: int) -> Any:
    """A source that repeats what it was asked, headers included."""
    return lambda request: Answer(
        status=status, body=f"no {request.path} for {request.headers}".encode()
    )


def _source(url: str) -> str:
    """A URL with a password and a token in it."""
    return url.replace("://", f"://me:{SECRETS['user']}@") + f"/x?token={SECRETS['query']}"


_AWS = {name: SECRETS[name] for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")}
SOURCES = {
    "sound": Answer(body=NEW),
    "echo with 404": _echo(404),
    "echo with 401": _echo(401),
    "echo with 200": _echo(200),
    "status 503": Answer(status=503),
    "reset": Answer(reset=True),
    "cut": Answer(body=NEW, sent=100),
    "redirect with a secret": redirect(f"https://me:{SECRETS['redirect']}@127.0.0.1:1/"),
    "redirect to no URL": redirect(f"http://me:{SECRETS['redirect']}@[/?t={SECRETS['redirect']}"),
}


@pytest.mark.parametrize("log_format", ["json", slow("text")])
@pytest.mark.parametrize(
    "answer", [SOURCES["echo with 200"], *(slow(one) for one in SOURCES.values())]
)
def test_no_secret_in_what_is_printed_or_published(
    published: Bucket, folder: Path, answer: Any, log_format: str
) -> None:
    """Planted in the URL, the variables and a redirect; the source may repeat what it gets."""
    with serve(answer) as source:
        environ = {
            **published.environ,
            **_AWS,
            "S3_BUCKET": published.name,
            "SOURCE_URL": _source(source.url),
            "SOURCE_ATTEMPTS": "2",
            "SOURCE_BACKOFF": "0.001",
            "RAW_URL": "raw",
            "LOG_FORMAT": log_format,
        }
        ended = micro_etl(folder, "run", **environ)
        sent = [request.headers.get("authorization", "") for request in source.requests]
    assert leaks(*sent), "the source was not told the password"
    head = published.client.head_object(Bucket=published.name, Key=KEY)
    assert leaks(ended.out, ended.err, json.dumps(head["Metadata"]), head["ContentType"]) == set()
    assert leaks(published.read(KEY).decode("latin-1")) == set()


BROKEN = {
    "https forgotten": {"SOURCE_URL": f"me:{SECRETS['user']}@host/x"},
    "one slash": {"SOURCE_URL": f"https:/me:{SECRETS['user']}@host/x"},
    "no such scheme": {"SOURCE_URL": f"ftp://me:{SECRETS['user']}@host/x?t={SECRETS['query']}"},
    "no port": {"SOURCE_URL": f"http://me:{SECRETS['user']}@h:x/?t={SECRETS['query']}"},
    "in the target": {"TARGET_URL": f"https://me:{SECRETS['user']}@host/x?t={SECRETS['query']}"},
    "in the bucket": {"TARGET_URL": f"s3://me:{SECRETS['user']}@host/x"},
    "in RAW_URL": {"RAW_URL": f"https://me:{SECRETS['user']}@host/"},
    "in DATASET": {"DATASET": f"http://me:{SECRETS['user']}@127.0.0.1:1/?t={SECRETS['query']}"},
    "in the endpoint": {"AWS_ENDPOINT_URL": f"http://me:{SECRETS['user']}@h", "S3_BUCKET": "b"},
    "in a proxy": {"http_proxy": f"socks5://me:{SECRETS['proxy']}@h", "SOURCE_URL": "http://h/"},
    "secret key with a line break": {
        "S3_BUCKET": "b",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": f"{SECRETS['AWS_SECRET_ACCESS_KEY']}\n",
    },
}


@pytest.mark.parametrize("environ", [slow(one) for one in BROKEN.values()], ids=BROKEN)
def test_no_secret_in_what_a_wrong_setting_is_told(
    folder: Path, environ: Mapping[str, str]
) -> None:
    (folder / "x.json").write_bytes(NEW)
    settings = {"SOURCE_URL": "x.json", "SOURCE_ATTEMPTS": "1", **environ}
    ended = micro_etl(folder, "run", **settings)
    assert ended.code in (66, 69, 78)
    assert leaks(ended.out, ended.err) == set()


def test_no_secret_in_what_a_store_says(folder: Path) -> None:
    """Its error names the string that was signed, and the token."""
    (folder / "x.json").write_bytes(NEW)

    def denied(request: Request) -> Answer:
        return s3_error(403, "SignatureDoesNotMatch", f"we got {request.headers}")

    with serve(denied) as store:
        environ = {**_AWS, "AWS_ACCESS_KEY_ID": "key", "AWS_ENDPOINT_URL": store.url}
        ended = micro_etl(folder, "run", SOURCE_URL="x.json", S3_BUCKET="b", **environ)
    assert ended.code == 77
    assert leaks(ended.out, ended.err) == set()


def test_proxy_is_told_its_password_and_nobody_else(folder: Path) -> None:
    with serve(Answer(body=NEW)) as proxy:
        url = proxy.url.replace("://", f"://me:{SECRETS['proxy']}@")
        ended = micro_etl(folder, "run", SOURCE_URL="http://source.invalid/x", http_proxy=url)
        asked = proxy.requests[0].headers
    assert ended.code == 0
    assert leaks(asked["proxy-authorization"])
    assert "authorization" not in asked
    assert leaks(ended.out, ended.err) == set()


HOSTILE = [
    "x'; COPY (SELECT 1) TO 'pwned'; --",
    "x\"; ATTACH 'pwned'; --",
    "x\"] FROM read_text('/etc/passwd'); --",
    "$(touch pwned)",
    "`touch pwned`",
    "{0.__class__} %s %n %(a)s",
    "../../pwned",
    "\\u0027); DROP TABLE x; --",
    "\x1b]0;pwned\x07\x1b[31m",
    "a\nb\r\nc",
]


@pytest.mark.parametrize("text", [HOSTILE[0], *(slow(one) for one in HOSTILE[1:])])
def test_nothing_in_a_name_path_or_value_is_executed(folder: Path, text: str) -> None:
    """As the name of a column, as its path, as a key and as a value."""
    quoted = json.dumps(text)
    path = json.dumps('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"')
    (folder / "d.toml").write_text(
        f'name = "d"\n[columns]\n{quoted} = {{ from = {path}, type = "string", unique = true }}\n'
    )
    (folder / "x.json").write_text(json.dumps([{text: text}]))
    ended = micro_etl(
        folder, "run", SOURCE_URL="x.json", DATASET="d.toml", TARGET_URL="out.parquet"
    )
    assert ended.code == 0, ended.out
    assert pq.read_table(folder / "out.parquet").to_pylist() == [{text: text}]
    (folder / "x.json").write_text(json.dumps([{text: 5}, {text: text}, {text: text}]))
    for log_format in ("json", "text"):
        settings = {"DATASET": "d.toml", "TARGET_URL": "out.parquet", "LOG_FORMAT": log_format}
        refused = micro_etl(folder, "run", SOURCE_URL="x.json", **settings)
        assert refused.code == 65
        assert not set(refused.out + refused.err) & {"\x1b", "\x07", "\r"}
    assert {path.name for path in folder.rglob("*")} == {
        "d.toml", "x.json", "out.parquet", "scratch",
    }  # fmt: skip


@pytest.mark.parametrize("text", [HOSTILE[0], *(slow(one) for one in HOSTILE[1:])])
def test_nothing_in_a_url_is_executed_and_no_path_leaves_its_place(folder: Path, text: str) -> None:
    """As a source, a dataset, a target's name and a key."""
    for name, said in [("SOURCE_URL", (66, 69, 78)), ("DATASET", (78,)), ("S3_KEY", (74, 77, 78))]:
        bucket = {
            "S3_BUCKET": "b",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
            "AWS_ACCESS_KEY_ID": "k",
        }
        bucket |= {"AWS_SECRET_ACCESS_KEY": "s", "TARGET_DEADLINE": "0.1"}
        environ = {**(bucket if name == "S3_KEY" else {}), name: text, "LOG_FORMAT": "text"}
        ended = micro_etl(folder, "run", **environ)
        assert ended.code in said
        assert len(ended.err.splitlines()) == 1
        assert not set(ended.out + ended.err) & {"\x1b", "\x07"}
    assert {path.name for path in folder.rglob("*")} <= {"scratch"}
    assert not (folder.parent / "pwned").exists()


def test_what_a_source_says_does_not_steer_a_terminal(folder: Path) -> None:
    with serve(Answer(status=404, body=b"\x1b]0;title\x07\x9b31m")) as source:
        ended = micro_etl(folder, "run", SOURCE_URL=source.url, LOG_FORMAT="text")
    assert ended.code == 66
    assert ended.err.isprintable() or ended.err.rstrip("\n").isprintable()


def test_table_that_is_shown_does_not_steer_a_terminal(folder: Path) -> None:
    evil = launches(2).replace(b"Flight 1", b"\\u001b[31mFlight\\u0007 \\u009b 1")
    (folder / "x.json").write_bytes(evil)
    ended = micro_etl(folder, "run", SOURCE_URL="x.json", TARGET_URL="x", LOG_FORMAT="text")
    shown = micro_etl(folder, "show", "x")
    assert (ended.code, shown.code) == (0, 0)
    assert not set(ended.out + shown.out) & {"\x1b", "\x07", "\x9b"}


SWITCHES = {
    "PYTHONHTTPSVERIFY": "0",
    "CURL_CA_BUNDLE": "",
    "REQUESTS_CA_BUNDLE": "",
    "SSL_NO_VERIFY": "1",
    "AWS_ALLOW_INVALID_CERTIFICATES": "true",
    "ALLOW_INVALID_CERTIFICATES": "true",
    "AWS_ALLOW_HTTP": "true",
    "NODE_TLS_REJECT_UNAUTHORIZED": "0",
}


@pytest.mark.parametrize(
    "kind", ["of an unknown authority", slow("expired"), slow("of another host")]
)
def test_tls_of_a_source_is_verified_whatever_the_environment_says(
    folder: Path, tls: Mapping[str, Mapping[str, Any]], kind: str
) -> None:
    with serve(Answer(body=NEW), tls=tls[kind]["context"]) as source:
        environ = {**tls[kind]["environ"], **SWITCHES, "SOURCE_ATTEMPTS": "1"}
        ended = micro_etl(folder, "run", SOURCE_URL=source.url, **environ)
        assert source.requests == []
    assert ended.code == 69
    assert "TLS" in ended.failure


def test_tls_of_a_store_is_verified_whatever_the_environment_says(
    folder: Path, tls: Mapping[str, Mapping[str, Any]]
) -> None:
    (folder / "x.json").write_bytes(NEW)
    with serve(s3_error(404, "NoSuchKey"), tls=tls["of an unknown authority"]["context"]) as store:
        environ = {**SWITCHES, "AWS_ENDPOINT_URL": store.url, "TARGET_DEADLINE": "0.5"}
        environ |= {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
        ended = micro_etl(folder, "run", SOURCE_URL="x.json", S3_BUCKET="b", **environ)
        assert store.requests == []
    assert ended.code == 74
