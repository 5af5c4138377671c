"""Get a URL over HTTP, with every retry that may help and none that can't."""

from __future__ import annotations

import os
import re
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self, TypeVar
from urllib.parse import unquote, unquote_to_bytes

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    InvalidHeader,
    LocationParseError,
    MaxRetryError,
    ProtocolError,
    ReadTimeoutError,
    ResponseError,
    SSLError,
)
from urllib3.response import BaseHTTPResponse
from urllib3.util import Retry, Timeout, Url, make_headers, parse_url

from micro_etl import __version__
from micro_etl.errors import AccessDeniedError, ConfigError, SourceError
from micro_etl.location import Location
from micro_etl.source.limits import HttpOptions
from micro_etl.text import show_bytes

T = TypeVar("T")

MAY_PASS = frozenset({408, 425, 429, *range(500, 600)})
"""The statuses that are worth another try."""

OnRetry = Callable[[int, str], None]
"""Called before each retry with its number, from 1, and the reason."""


def get(
    url: Location,
    consume: Callable[[BaseHTTPResponse], T],
    *,
    options: HttpOptions,
    on_retry: OnRetry,
) -> T:
    """Give the answer to a GET to `consume`, again from the start when it breaks off.

    Connection errors, a body that breaks off, and the statuses of `MAY_PASS` are tried again, after
    an exponential wait or the one that the server asks for. The body is not decoded. User and
    password of the URL are sent as basic authentication, to its own host only.

    Args:
        url: ``http://`` or ``https://``; a redirect from the second to the first is refused.
        consume: takes the response and reads its body; called once an attempt.
        options: time-outs and limits.
        on_retry: told of each retry.

    Raises:
        SourceError: no good answer after all attempts.
        AccessDeniedError: 401 or 403.
        ConfigError: the URL is not one.
    """
    shown = url.shown
    try:
        with _pool(url, options) as pool:
            return _ask_until_good(pool, url, consume, _retry(options, on_retry))
    except MaxRetryError as error:
        tried = not isinstance(error.reason, SSLError | ResponseError)
        retried = ", after all retries" if tried else ""
        raise SourceError(f"{shown}: {_reason(error.reason)}{retried}") from error
    except HTTPError as error:
        raise SourceError(f"{shown}: {_reason(error)}") from error


def _ask_until_good(
    pool: _Pool, url: Location, consume: Callable[[BaseHTTPResponse], T], retries: Retry
) -> T:
    redirects = retries.redirect
    while True:
        pool.secure = False
        response = pool.request(
            "GET", url.text, retries=retries, preload_content=False, decode_content=False
        )
        try:
            _check_status(response, url.shown)
            return consume(response)
        except (ProtocolError, ReadTimeoutError) as error:
            assert response.retries is not None  # noqa: S101 - the request had some
            retries = response.retries.increment("GET", url.text, error=error).new(
                redirect=redirects
            )
            retries.sleep()
        finally:
            response.close()


def _retry(options: HttpOptions, on_retry: OnRetry) -> Retry:
    failures = 0

    class CountedRetry(Retry):
        """Counts failures of every kind together, which the history loses at a redirect."""

        def increment(self, *args: Any, **kwargs: Any) -> Self:
            nonlocal failures
            following = super().increment(*args, **kwargs)
            last = following.history[-1]
            if last.redirect_location is None:
                failures += 1
                if failures >= options.attempts:
                    cause = last.error or ResponseError(f"status {last.status}")
                    raise MaxRetryError(kwargs.get("_pool"), last.url or "", cause)  # type: ignore[arg-type]
                on_retry(failures, f"status {last.status}" if last.status else _reason(last.error))
            return following

        def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
            try:
                return super().get_retry_after(response)
            except (InvalidHeader, ValueError, OverflowError):  # no time that can be waited for
                return None

    return CountedRetry(
        total=None,
        other=0,
        redirect=options.max_redirects,
        status_forcelist=MAY_PASS,
        raise_on_status=False,
        backoff_factor=options.backoff,
        backoff_jitter=options.backoff,
        backoff_max=options.backoff_max,
        retry_after_max=options.retry_after_max,  # type: ignore[arg-type] # compared, no more
    )


class _Pool(urllib3.PoolManager):
    """A pool that leaves https for nothing else."""

    secure = False

    def urlopen(  # type: ignore[override]
        self, method: str, url: str, redirect: bool = True, **kw: Any
    ) -> BaseHTTPResponse:
        before, self.secure = self.secure, url.lower().startswith("https:")
        if before and not self.secure:
            raise SourceError(
                f"redirected from https to {Location.parse(url).shown}, which is not secure"
            )
        try:
            return super().urlopen(method, url, redirect, **kw)
        except ValueError as error:
            raise SourceError(
                f"{Location.parse(url).shown}: redirected to what is not a URL"
            ) from error


class _ProxyPool(_Pool, urllib3.ProxyManager):
    """Such a pool behind a proxy."""


def _pool(url: Location, options: HttpOptions) -> _Pool:
    try:
        parsed = parse_url(url.text)
    except LocationParseError:
        parsed = Url()
    if not parsed.host:
        raise ConfigError(f"{url.shown} is not a URL; it should be like https://host/path")
    headers = {
        "Accept": "application/json, application/x-ndjson;q=0.9, */*;q=0.1",
        "Accept-Encoding": "gzip",
        "User-Agent": f"micro-etl/{__version__}",
    }
    if parsed.auth:
        headers["Authorization"] = f"Basic {b64encode(unquote_to_bytes(parsed.auth)).decode()}"
    timeout = Timeout(connect=options.connect_timeout, read=options.read_timeout)
    proxy = _proxy(parsed)
    if proxy:
        return _proxy_pool(proxy, timeout=timeout, headers=headers)
    return _Pool(timeout=timeout, headers=headers)


def _proxy_pool(proxy: str, **options: Any) -> _ProxyPool:
    try:
        parsed = parse_url(proxy)
    except LocationParseError:
        parsed = Url()
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ConfigError(
            f"the proxy is {Location.parse(proxy).shown}; it should be like http://host:port"
        )
    said = {"proxy_basic_auth": unquote(parsed.auth)} if parsed.auth else {}
    return _ProxyPool(proxy, proxy_headers=make_headers(**said), **options)  # type: ignore[arg-type]


def _proxy(url: Url) -> str | None:
    """The proxy for a URL, as HTTP_PROXY, HTTPS_PROXY and NO_PROXY name it."""
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    from urllib.request import getproxies, proxy_bypass

    if proxy_bypass(url.netloc or ""):
        return None
    return getproxies().get(url.scheme or "")


def _check_status(response: BaseHTTPResponse, shown: str) -> None:
    encoding = response.headers.get("Content-Encoding", "identity")
    if response.status == 200 and encoding in ("identity", "gzip", "x-gzip"):
        return
    if response.status == 200:
        raise SourceError(f"{shown}: content encoding {encoding}; it should be gzip or none")
    said = f"{shown}: status {response.status} {response.reason or ''}".rstrip()
    with suppress(HTTPError):  # the status says enough
        body = response.read(200, decode_content=True)
        said += f", {show_bytes(body)}" if body else ""
    if response.status in (401, 403):
        raise AccessDeniedError(said)
    retried = ", after all retries" if response.status in MAY_PASS else ""
    raise SourceError(f"{said}{retried}")


def _reason(error: Exception | None) -> str:
    """What went wrong, in one line, without the addresses of objects."""
    if isinstance(error, SSLError):
        said = re.sub(r"^\[SSL: \w+\] | \(_ssl\.c:\d+\)$", "", str(error))
        return f"TLS: {said}"
    if type(error) is ConnectTimeoutError:  # what is refused, or not found, is a kind of it
        return "no connection within the connect time-out"
    if isinstance(error, ReadTimeoutError):
        return "no data within the read time-out"
    return re.sub(r"^\w+\(host=.*?\): ", "", str(error))
