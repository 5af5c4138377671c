"""Send an HTTP request, with every retry that may help and none that can't."""

from __future__ import annotations

import random
import re
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from itertools import count
from types import MappingProxyType
from typing import NamedTuple, TypeVar
from urllib.parse import unquote_to_bytes

from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.response import BaseHTTPResponse
from urllib3.util import Url

from micro_etl.errors import (
    AccessDeniedError,
    ConfigError,
    MicroEtlError,
    SourceError,
    SourceMissingError,
)
from micro_etl.location import Location
from micro_etl.source.deadline import Deadline
from micro_etl.source.http.connect import Connections, parse_or_none
from micro_etl.source.http.head import BadHeadError
from micro_etl.source.http.rate_limit import wait_asked_for
from micro_etl.source.http.redirects import Route
from micro_etl.source.limits import HttpOptions
from micro_etl.text import printable, show_bytes

T = TypeVar("T")

MAY_PASS = frozenset({408, 425, 429, *range(500, 600)})
"""The statuses that are worth another try."""

OnRetry = Callable[[int, str], None]
"""Called before each retry with its number, from 1, and the reason."""

_ERRORS: Mapping[int, type[MicroEtlError]] = {
    401: AccessDeniedError,
    403: AccessDeniedError,
    404: SourceMissingError,
    410: SourceMissingError,
}
_LIMITS = frozenset({403, 429})
_HEADER = r"(?a)[\w!#$%&'*+.^`|~-]+"
_CONTROL = r"[\x00-\x08\x0a-\x1f\x7f]"
_UNREADABLE = frozenset({"br", "dcb"})  # nothing in a body's first bytes gives them away


class Request(NamedTuple):
    """What is asked of a server.

    Attributes:
        location: an ``http://`` or ``https://`` URL; its user and password are sent as basic
            authentication.
        method: ``GET`` or ``POST``.
        headers: sent to the URL's own origin alone, as is that authentication.
        body: what is posted, with its media type among the headers.
    """

    location: Location
    method: str = "GET"
    headers: Mapping[str, str] = MappingProxyType({})
    body: bytes | None = None


class _PassingError(Exception):
    """A failure that may pass.

    Attributes:
        reason: in short.
        said: in full, for an error that is final.
        wait: the seconds that the source asks for, or none.
    """

    def __init__(self, reason: str, said: str, wait: float | None = None) -> None:
        super().__init__(said)
        self.reason, self.said, self.wait = reason, said, wait


def send(
    request: Request,
    consume: Callable[[BaseHTTPResponse], T],
    *,
    options: HttpOptions,
    deadline: Deadline,
    on_retry: OnRetry,
    connections: Connections | None = None,
) -> T:
    """Give the answer to a request to `consume`, again from the start when it breaks off.

    Connection errors, a body that breaks off, the statuses of `MAY_PASS`, and a 403 that says that
    it is a rate limit are tried again, after an exponential wait or the one that the server asks
    for. The body is not decoded. Redirects are followed by `Route`'s rules.

    Args:
        request: what to ask.
        consume: takes the response and reads its body; called once an attempt.
        options: time-outs and limits.
        deadline: when to stop waiting.
        on_retry: told of each retry.
        connections: are used, and kept for the next request; closed at the end by default.

    Raises:
        SourceError: no good answer after all attempts, or within the deadline.
        SourceMissingError: 404 or 410.
        AccessDeniedError: 401 or 403.
        ConfigError: the URL is not one, or a header can't be sent.
    """
    url = _parse(request.location)
    headers = _own_headers(request, url)

    def work() -> T:
        with nullcontext(connections) if connections else Connections() as kept:
            return _ask_until_good(
                request, url, headers, consume, options, deadline, on_retry, kept
            )

    return deadline.run(work)


def _ask_until_good(
    request: Request,
    url: Url,
    headers: Mapping[str, str],
    consume: Callable[[BaseHTTPResponse], T],
    options: HttpOptions,
    deadline: Deadline,
    on_retry: OnRetry,
    connections: Connections,
) -> T:
    shown = request.location.shown
    route = Route(url, headers, shown=shown, on_connect=deadline.watch)
    pool = connections.pool(url, options=options, on_connect=route.check_peer)
    for attempt in count(1):
        try:
            with route.open(
                pool, request.method, request.body, max_redirects=options.max_redirects
            ) as response:
                _check_status(response, shown, signed=bool(headers), options=options)
                return consume(response)
        except (_PassingError, HTTPError, BadHeadError) as error:
            deadline.check()
            passing = _passing(error, shown)
            if attempt >= options.attempts:
                raise SourceError(f"{passing.said}, after all retries") from error
        on_retry(attempt, passing.reason)
        deadline.sleep(passing.wait or _backoff(attempt, options))
    raise AssertionError("counting does not end")


def _backoff(failures: int, options: HttpOptions) -> float:
    """The seconds to wait after so many failures; the first one may be a moment's."""
    if failures == 1:
        return 0
    jitter = random.uniform(0, options.backoff)  # noqa: S311 - no secret
    return float(min(options.backoff_max, options.backoff * 2 ** (failures - 1) + jitter))


def _passing(error: Exception, shown: str) -> _PassingError:
    """The failure that an error is, where it may pass.

    Raises:
        SourceError: it won't.
    """
    if isinstance(error, _PassingError):
        return error
    if isinstance(error, BadHeadError):
        raise SourceError(f"{shown}: {error}; headers may be hidden") from error
    reason = _reason(error)
    cause = error.original_error if isinstance(error, ProxyError) else error
    if not isinstance(cause, ConnectTimeoutError | ReadTimeoutError | ProtocolError | OSError):
        raise SourceError(f"{shown}: {reason}") from error
    return _PassingError(reason, f"{shown}: {reason}")


def _parse(location: Location) -> Url:
    parsed = parse_or_none(location.text)
    if parsed is None or re.search(r"[\x00-\x1f\x7f]", location.text):
        raise ConfigError(
            f"{printable(location.shown)} is not a URL; it should be like https://host/path"
        )
    return parsed


def _own_headers(request: Request, url: Url) -> dict[str, str]:
    """The headers for the URL's own origin, names in lower case, values as they are sent.

    Raises:
        ConfigError: one can't be sent; its value may be a secret.
    """
    headers = {}
    if url.auth:
        headers["authorization"] = f"Basic {b64encode(unquote_to_bytes(url.auth)).decode()}"
    for name, value in request.headers.items():
        if not re.fullmatch(_HEADER, name) or re.search(_CONTROL, value):
            raise ConfigError(
                f"the header {printable(name)} of {request.location.shown} can't be sent; its name "
                "should be letters and dashes, its value one line"
            )
        headers[name.lower()] = value.strip().encode("utf-8", "surrogateescape").decode("latin-1")
    return headers


def _check_status(
    response: BaseHTTPResponse, shown: str, *, signed: bool, options: HttpOptions
) -> None:
    """Raise what a status other than 200 means, or an encoding that can't be decoded."""
    status, headers = response.status, response.headers
    if status == 200:
        if not _is_readable(headers):
            encoding = headers["content-encoding"]
            raise SourceError(f"{shown}: content encoding {encoding}; it should be gzip or none")
        return
    said = f"{shown}: status {status} {response.reason or ''}".rstrip()
    if _is_readable(headers):
        with suppress(HTTPError):  # the status says enough
            body = response.read(200, decode_content=True)
            said += f", {show_bytes(body)}" if body else ""
    wait = wait_asked_for(headers, now=time.time()) if status in {403, *MAY_PASS} else None
    if status in MAY_PASS or wait is not None:
        if wait and wait > options.retry_after_max:
            if status in _LIMITS:
                raise SourceError(
                    f"{said}; it asks to wait {wait:,.0f} s, and SOURCE_RETRY_AFTER_MAX is "
                    f"{options.retry_after_max:g}"
                )
            wait = options.retry_after_max
        raise _PassingError(f"status {status}", said, wait)
    if status == 401 and not signed:
        said += (
            "; a token can be sent by the dataset file: source.headers = "
            '{ Authorization = "Bearer ${API_TOKEN}" }'
        )
    raise _ERRORS.get(status, SourceError)(said)


def _is_readable(headers: Mapping[str, str]) -> bool:
    """Whether the encoding that is announced is none whose first bytes say nothing."""
    encodings = re.split(r"[\s,]+", headers.get("content-encoding", "").lower())
    return _UNREADABLE.isdisjoint(encodings)


def _reason(error: Exception) -> str:
    """What went wrong, in one line, without the addresses of objects."""
    if isinstance(error, SSLError):
        said = re.sub(r"^\[SSL: \w+\] | \(_ssl\.c:\d+\)$", "", str(error))
        return f"TLS: {said}"
    if type(error) is ConnectTimeoutError:  # what is refused, or not found, is a kind of it
        return "no connection within the connect time-out"
    if isinstance(error, ReadTimeoutError):
        return "no data within the read time-out"
    return re.sub(r"^\w+\(host=.*?\): ", "", str(error))
