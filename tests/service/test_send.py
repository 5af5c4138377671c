"""HTTP: every retry that may help, and none that can't."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import email.utils
import gc
import socket
import ssl
import sys
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme

from dev.loopback import free_port
from micro_etl.errors import AccessDeniedError, ConfigError, SourceError, SourceMissingError
from micro_etl.location import Location
from micro_etl.source.deadline import Deadline
from micro_etl.source.http.send import Request, send
from micro_etl.source.limits import HttpOptions
from tests.service.servers import Answer, gzipped, redirect, serve

FAST = {"backoff": 0.001, "backoff_max": 0.01, "retry_after_max": 0.2, "read_timeout": 0.2}
GOOD = Answer(body=b'[{"a": 1}]')
BODY = bytes(range(256)) * 40


def fetch(url: str, **options: Any) -> tuple[bytes, list[tuple[int, str]]]:
    """The body at a URL, and the retries that were reported on the way."""
    retries: list[tuple[int, str]] = []
    body = ask(
        url,
        HttpOptions(**{**FAST, **options}),
        on_retry=lambda number, reason: retries.append((number, reason)),
    )
    return body, retries


def ask(
    url: str,
    options: HttpOptions,
    on_retry: Callable[[int, str], None] = lambda *_: None,
    **parts: Any,
) -> bytes:
    """The body that answers a request; `parts` are the request's."""
    return send(
        Request(Location.parse(url), **parts),
        lambda response: b"".join(response.stream()),
        options=options,
        deadline=Deadline(900, "the source"),
        on_retry=on_retry,
    )


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_status_that_may_pass_is_tried_again(status: int) -> None:
    with serve(Answer(status=status), Answer(status=status), GOOD) as server:
        body, retries = fetch(server.url)
    assert body == GOOD.body
    assert retries == [(1, f"status {status}"), (2, f"status {status}")]
    assert len(server.requests) == 3


@pytest.mark.parametrize("status", [400, 404, 405, 410, 413, 422, 451])
def test_status_that_will_not_pass_is_not_tried_again(status: int) -> None:
    headers = {"Retry-After": "0"}
    with serve(Answer(status=status, body=b"no such\n thing", headers=headers)) as server:
        with pytest.raises(SourceError, match=rf"status {status} .*'no such thing'"):
            fetch(server.url)
        assert len(server.requests) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_denied_access_is_told_apart_and_not_tried_again(status: int) -> None:
    with serve(Answer(status=status)) as server:
        with pytest.raises(AccessDeniedError, match=f"status {status}"):
            fetch(server.url)
        assert len(server.requests) == 1


@pytest.mark.parametrize("status", [201, 204, 206, 304])
def test_success_that_is_not_a_whole_body_is_an_error(status: int) -> None:
    with (
        serve(Answer(status=status, body=b"")) as server,
        pytest.raises(SourceError, match=f"status {status}"),
    ):
        fetch(server.url)


@pytest.mark.parametrize("attempts", [1, 2, 4])
@pytest.mark.parametrize(
    "failure",
    [
        Answer(status=503),
        Answer(reset=True),
        Answer(stall=True),
        Answer(body=BODY, sent=5000),
        Answer(body=BODY, sent=5000, chunked=True),
    ],
    ids=["status", "reset", "stall", "short", "chunked-cut"],
)
def test_attempts_are_counted(failure: Answer, attempts: int) -> None:
    with serve(failure) as server:
        with pytest.raises(SourceError, match="after all retries"):
            fetch(server.url, attempts=attempts, read_timeout=0.05)
        assert len(server.requests) == attempts


def test_attempts_are_counted_over_failures_of_every_kind() -> None:
    failures = [
        Answer(status=503),
        Answer(reset=True),
        redirect("/elsewhere"),
        Answer(status=500),
        Answer(body=BODY, sent=9),
    ]
    with serve(*failures, GOOD) as server:
        with pytest.raises(SourceError, match="after all retries"):
            fetch(server.url, attempts=4)
        assert len(server.requests) == 5


def test_refused_connection_is_tried_again() -> None:
    retries: list[int] = []
    with pytest.raises(SourceError, match=r"Connection refused.*after all retries"):
        ask(
            f"http://127.0.0.1:{free_port()}/",
            HttpOptions(attempts=3, backoff=0.001),
            on_retry=lambda number, _: retries.append(number),
        )
    assert retries == [1, 2]


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (Answer(body=BODY, sent=5000), "5000 bytes read, 5240 more expected"),
        (Answer(body=BODY, sent=5000, chunked=True), "Connection broken"),
        (Answer(reset=True), "reset by peer"),
        (Answer(stall=True), "no data within the read time-out"),
        (Answer(headers={"Content-Length": "999"}), "2 bytes read, 997 more expected"),
    ],
    ids=["short", "chunked-cut", "reset", "stall", "announced-longer"],
)
def test_answer_that_breaks_off_is_asked_for_again(failure: Answer, reason: str) -> None:
    with serve(failure, Answer(body=BODY)) as server:
        body, retries = fetch(server.url)
    assert body == BODY
    assert [number for number, _ in retries] == [1]
    assert reason in retries[0][1]


def test_wait_grows_up_to_its_limit_with_jitter() -> None:
    options = HttpOptions(attempts=9, backoff=0.5, backoff_max=3)
    with serve(Answer(status=503)) as server:
        waits = _waits(server.url, options)
    assert len(waits) == 7  # the first retry does not wait
    for number, wait in enumerate(waits, start=1):
        assert min(3, 0.5 * 2**number) <= wait <= min(3, 0.5 * 2**number + 0.5)
    assert waits[0] % 0.5  # the jitter
    assert waits[-1] == 3


def _waits(url: str, options: HttpOptions) -> list[float]:
    """How long a request would have waited, without the waiting."""
    waits: list[float] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("micro_etl.source.deadline.time.sleep", waits.append)
        with pytest.raises(SourceError):
            ask(url, options)
    return waits


def _in_seconds(seconds: float) -> str:
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


@pytest.mark.parametrize("write", [str, _in_seconds], ids=["seconds", "date"])
@pytest.mark.parametrize(("asked", "kept"), [(30, 30), (7200, 60)])
def test_wait_that_the_server_asks_for_is_kept_up_to_a_cap(
    asked: int, kept: int, write: Callable[[int], str]
) -> None:
    with serve(Answer(status=503, headers={"Retry-After": write(asked)})) as server:
        (wait,) = _waits(server.url, HttpOptions(attempts=2, retry_after_max=60))
    assert kept - 10 <= wait <= kept


@pytest.mark.parametrize("header", ["soon", "", "1.5", "-1", "0", _in_seconds(-60)])
def test_wait_that_makes_no_sense_is_none(header: str) -> None:
    with serve(Answer(status=503, headers={"Retry-After": header}), GOOD) as server:
        assert fetch(server.url)[0] == GOOD.body


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(status: int) -> None:
    with serve(redirect("/a?b=c", status), GOOD) as server:
        assert fetch(server.url + "/start") == (GOOD.body, [])
    assert [request.path for request in server.requests] == ["/start", "/a?b=c"]


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_redirects_are_limited(limit: int) -> None:
    with serve(redirect("/again")) as server:
        with pytest.raises(SourceError, match=r"too many redirects$"):
            fetch(server.url, max_redirects=limit)
        assert len(server.requests) == limit + 1


def test_redirects_are_counted_anew_for_each_attempt() -> None:
    short = Answer(body=BODY, sent=9)
    answers = [redirect("/there"), short, redirect("/there"), short, redirect("/there"), GOOD]
    with serve(*answers) as server:
        assert fetch(server.url, max_redirects=1)[0] == GOOD.body


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # urllib3 leaves the answer unread
@pytest.mark.parametrize("where", ["http://[::1", "ftp://127.0.0.1/x", "http://h:99999/?t=s3cret"])
def test_redirect_to_what_is_not_a_url_is_an_error_of_the_source(where: str) -> None:
    with serve(redirect(where)) as server, pytest.raises(SourceError) as caught:
        fetch(server.url)
    said = str(caught.value)
    assert "redirected to what is not a URL" in said
    assert "s3cret" not in said
    del caught
    gc.collect()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Whoever signs the certificates of these tests."""
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's side of TLS that clients trust for the time of the test."""
    bundle = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(bundle)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    return _server_side(authority)


def _server_side(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.mark.parametrize("scheme", ["https", "HTTPS"])
def test_https_is_read(tls: ssl.SSLContext, scheme: str) -> None:
    with serve(GOOD, tls=tls) as server:
        assert fetch(server.url.replace("https", scheme))[0] == GOOD.body


def test_redirect_from_https_to_http_is_refused(tls: ssl.SSLContext) -> None:
    with serve(GOOD) as plain, serve(redirect(f"{plain.url}/?token=s3cret"), tls=tls) as secure:
        with pytest.raises(
            SourceError, match=r"redirected from https to http:.*not secure"
        ) as caught:
            fetch(secure.url)
        assert not plain.requests
    assert "s3cret" not in str(caught.value)


def test_redirect_to_https_and_back_is_refused(tls: ssl.SSLContext) -> None:
    with (
        serve(redirect("http://127.0.0.1/"), tls=tls) as secure,
        serve(redirect(secure.url), GOOD) as plain,
    ):
        with pytest.raises(SourceError, match="redirected from https to http:"):
            fetch(plain.url)
        assert len(plain.requests) == 1


def test_attempt_that_broke_off_under_https_starts_again_from_http(tls: ssl.SSLContext) -> None:
    with (
        serve(Answer(body=BODY, sent=9), GOOD, tls=tls) as secure,
        serve(redirect(secure.url)) as plain,
    ):
        assert fetch(plain.url)[0] == GOOD.body


def test_certificate_of_an_unknown_authority_is_refused_at_once(tls: ssl.SSLContext) -> None:
    del tls
    with serve(GOOD, tls=_server_side(trustme.CA())) as server:
        with pytest.raises(SourceError, match="TLS: certificate verify failed"):
            fetch(server.url)
        assert not server.requests


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "https:///path",
        "http://[::1/?token=s3cret",
        "http://me:s3cret@host:99999/?token=s3cret",
        "http://me:s3cret@[bad]/?s3cret",
        "http://me:s3cret@ex ample/",
    ],
)
def test_what_is_not_a_url_is_named_without_its_secrets(url: str) -> None:
    with pytest.raises(ConfigError, match="is not a URL; it should be like https://") as caught:
        fetch(url)
    assert "s3cret" not in str(caught.value)


def test_user_and_password_are_sent_to_their_host_alone() -> None:
    with serve(GOOD) as other, serve(redirect(other.url), GOOD) as server:
        fetch(server.url.replace("//", "//me:p%40ss@"))
    sent = server.requests[0].headers["authorization"]
    assert sent == "Basic " + b64encode(b"me:p@ss").decode()
    assert "authorization" not in other.requests[0].headers


@pytest.mark.parametrize("answer", [Answer(status=404), Answer(status=503), Answer(stall=True)])
def test_secrets_of_the_url_are_never_shown(answer: Answer) -> None:
    with serve(answer) as server, pytest.raises(SourceError) as caught:
        fetch(server.url.replace("//", "//me:s3cret@") + "/x?token=s3cret&also", attempts=2)
    assert "s3cret" not in str(caught.value)
    assert "token=…" in str(caught.value)


def test_compressed_error_page_is_shown_readable() -> None:
    page = replace(gzipped(b"<html>gone"), status=404)
    with serve(page) as server, pytest.raises(SourceError, match="'<html>gone'"):
        fetch(server.url)


def test_error_page_that_is_cut_short_does_not_hide_the_status() -> None:
    with serve(Answer(status=404, body=b"x" * 99, sent=3)) as server:
        with pytest.raises(SourceError, match="status 404"):
            fetch(server.url)
        assert len(server.requests) == 1


def test_content_encoding_that_was_not_asked_for_is_an_error() -> None:
    answer = Answer(headers={"Content-Encoding": "br"})
    with serve(answer) as server, pytest.raises(SourceError, match="br; it should be gzip or none"):
        fetch(server.url)


def test_request_says_what_is_accepted_and_who_asks() -> None:
    with serve(GOOD) as server:
        fetch(server.url)
    headers = server.requests[0].headers
    assert headers["accept"].startswith("application/json")
    assert headers["accept-encoding"] == "gzip"
    assert headers["user-agent"].startswith("micro-etl/")


def test_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(GOOD) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        body, _ = fetch("http://source.invalid/v4/launches")
        assert (body, len(proxy.requests)) == (GOOD.body, 1)


def test_host_of_no_proxy_is_asked_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serve(GOOD) as server:
        assert fetch(server.url)[0] == GOOD.body


def test_headers_and_a_body_go_to_their_own_origin_alone() -> None:
    headers = {"Authorization": "Bearer s3cret", "X-Key": "s3cret"}
    with serve(GOOD) as other, serve(redirect("/here"), redirect(other.url)) as server:
        ask(server.url, HttpOptions(), headers=headers)
    for request in server.requests:
        assert (request.headers["authorization"], request.headers["x-key"]) == (
            "Bearer s3cret",
            "s3cret",
        )
    assert not {"authorization", "x-key"} & set(other.requests[0].headers)
    assert other.requests[0].headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize(
    ("status", "method"), [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")]
)
def test_a_body_is_posted_again_only_where_the_status_says_so(status: int, method: str) -> None:
    parts: dict[str, Any] = {"headers": {"Content-Type": "application/json"}, "body": b"{}"}
    with serve(redirect("/here", status), GOOD) as server:
        ask(server.url, HttpOptions(), method="POST", **parts)
    first, second = server.requests
    assert (first.method, first.body) == ("POST", b"{}")
    assert (second.method, second.body) == (method, b"{}" if method == "POST" else b"")
    assert ("content-type" in second.headers) is (method == "POST")


def test_a_body_is_not_posted_to_another_origin() -> None:
    with serve(GOOD) as other, serve(redirect(other.url, 307)) as server:
        with pytest.raises(SourceError, match="the request's body is for its own server"):
            ask(server.url, HttpOptions(), method="POST", body=b"s3cret")
        assert not other.requests


@pytest.mark.parametrize("value", ["a\nb", "a\r\nX-Other: b", "a\0b"])
def test_a_header_that_can_not_be_sent_is_named_without_its_value(value: str) -> None:
    with serve(GOOD) as server:
        with pytest.raises(ConfigError, match=r"the header X-Key of .* can't be sent") as caught:
            ask(server.url, HttpOptions(), headers={"X-Key": f"s3cret{value}"})
        assert not server.requests
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("/fl\u00c3\u00bcge?q=\u00e2\u0082\u00ac", "/fl%C3%BCge?q=%E2%82%AC"),
        ("/caf\u00e9", "/caf%C3%A9"),
        ("/there \t", "/there"),
        ("there?a=b%20c", "/a/there?a=b%20c"),
        ("//HOST/x#part", "/x"),
    ],
)
def test_a_redirect_is_followed_however_it_is_written(location: str, path: str) -> None:
    with serve(lambda request: GOOD if request.path == path else redirect(where)) as server:
        where = location.replace("HOST", server.url.partition("//")[2])
        assert fetch(f"{server.url}/a/start")[0] == GOOD.body


def test_cookies_go_where_they_belong() -> None:
    def setting(path: str, *cookies: str) -> Answer:
        return Answer(status=302, headers={"Location": path, "Set-Cookie": ", ".join(cookies)})

    with serve(setting("/a/x", "one=1; Path=/a"), setting("/b", "two=2; Path=/"), GOOD) as server:
        fetch(server.url)
        fetch(server.url)
    sent = [request.headers.get("cookie") for request in server.requests]
    assert sent == [None, "one=1", "two=2", None]


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "169.254.1.1:8080",
        "2852039166",
        "0xa9.254.43518",
        "[fe80::1]",
        "[::ffff:a9fe:a9fe]",
        "[fd00:ec2::254]",
    ],
)
def test_a_redirect_to_a_link_local_address_is_refused(host: str) -> None:
    with serve(redirect(f"http://{host}/latest/?s3cret")) as server:
        with pytest.raises(SourceError, match="link-local") as caught:
            fetch(server.url)
        assert len(server.requests) == 1
    assert "s3cret" not in str(caught.value)


@pytest.mark.skipif(sys.platform != "linux", reason="has 127.0.0.9 from the start")
def test_a_name_that_resolves_to_a_link_local_address_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The connection is looked at, not the name, which may resolve to something else each time."""
    resolve = socket.getaddrinfo

    def as_told(host: str, *rest: Any, **options: Any) -> Any:
        return resolve("127.0.0.9" if host == "metadata.test" else host, *rest, **options)

    monkeypatch.setattr("socket.getaddrinfo", as_told)
    monkeypatch.setattr(
        "micro_etl.source.http.redirects.is_link_local", lambda host: host == "127.0.0.9"
    )
    with socket.create_server(("127.0.0.9", 0)) as inner:
        there = f"http://metadata.test:{inner.getsockname()[1]}/"
        with serve(redirect(there)) as outer, pytest.raises(SourceError, match="link-local"):
            fetch(outer.url)
        connection, _ = inner.accept()
        with connection:
            assert connection.recv(1) == b""


@pytest.mark.parametrize("status", [404, 410])
def test_what_is_not_there_is_told_apart(status: int) -> None:
    with (
        serve(Answer(status=status)) as server,
        pytest.raises(SourceMissingError, match=f"status {status}"),
    ):
        fetch(server.url)


def test_401_shows_how_a_token_is_sent_where_none_was() -> None:
    with serve(Answer(status=401)) as server:
        with pytest.raises(AccessDeniedError, match=r"source\.headers = { Authorization"):
            fetch(server.url)
        with pytest.raises(AccessDeniedError) as caught:
            ask(server.url, HttpOptions(), headers={"Authorization": "Bearer x"})
    assert "source.headers" not in str(caught.value)


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize(
    "headers",
    [
        {"Retry-After": "7"},
        {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "7"},
        {"RateLimit": '"default";r=0;t=7'},
    ],
)
def test_a_rate_limit_is_waited_for(status: int, headers: dict[str, str]) -> None:
    with serve(Answer(status=status, headers=headers)) as server:
        assert _waits(server.url, HttpOptions(attempts=3)) == [7, 7]


@pytest.mark.parametrize("status", [403, 429])
def test_a_rate_limit_beyond_the_longest_wait_ends_at_once(status: int) -> None:
    with serve(Answer(status=status, headers={"Retry-After": "7200"})) as server:
        with pytest.raises(SourceError, match=r"wait 7,200 s, and SOURCE_RETRY_AFTER_MAX is 60"):
            ask(server.url, HttpOptions())
        assert len(server.requests) == 1
