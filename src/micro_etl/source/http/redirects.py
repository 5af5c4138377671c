"""Follow redirects: what may be sent where, and where a source may not lead."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from urllib3.response import BaseHTTPResponse
from urllib3.util import Url

from micro_etl import __version__
from micro_etl.errors import SourceError
from micro_etl.location import Location
from micro_etl.source.http.connect import OnConnect, Pool, is_link_local, parse_or_none

if TYPE_CHECKING:
    from http.cookiejar import CookieJar

_PORTS = {"http": 80, "https": 443}
_KEEP_METHOD = frozenset({307, 308})
_EVERYWHERE = {
    "accept": "application/json, application/x-ndjson;q=0.9, */*;q=0.1",
    "accept-encoding": "gzip",
    "user-agent": f"micro-etl/{__version__}",
}
"""The headers that any server gets."""


class Route:
    """The way from a URL through its redirects.

    Headers and a body go to the URL's own origin alone, cookies to where they belong. A redirect
    from https to http is refused, and one to a link-local address, where clouds keep credentials.
    """

    def __init__(
        self, start: Url, headers: Mapping[str, str], *, shown: str, on_connect: OnConnect
    ) -> None:
        """Start at a URL.

        Args:
            start: the URL.
            headers: for its own origin, names in lower case.
            shown: what messages call it.
            on_connect: shown each connection.
        """
        self._start, self._headers, self._shown = start._replace(auth=None), headers, shown
        self._on_connect = on_connect
        self._redirected, self._first_peer = False, ""

    def check_peer(self, connection: socket.socket) -> None:
        """Refuse a connection that a redirect has led to a link-local address.

        Raises:
            SourceError: it has.
        """
        self._on_connect(connection)
        peer = connection.getpeername()[0]
        if self._redirected:
            self._refuse_link_local(peer)
        else:
            self._first_peer = peer

    @contextmanager
    def open(
        self, pool: Pool, method: str, body: bytes | None, *, max_redirects: int
    ) -> Iterator[BaseHTTPResponse]:
        """Send a request and give the answer that is no redirect; it is closed afterwards.

        Raises:
            SourceError: a redirect leads where it may not, or there are too many.
            HTTPError: no answer.
        """
        here, cookies, self._redirected = self._start, None, False
        for _ in range(max_redirects + 1):
            response = pool.urlopen(
                method,
                here.url,
                body=body,
                headers=self._headers_for(here, cookies, body),
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
            try:
                location = response.get_redirect_location()
                if not location:
                    yield response
                    return
                cookies = _take_cookies(cookies, response, here)
            finally:
                response.close()
            if response.status not in _KEEP_METHOD:
                method, body = "GET", None
            here = self._next(here, location, body)
        raise SourceError(f"{self._shown}: too many redirects")

    def _next(self, here: Url, location: str, body: bytes | None) -> Url:
        """Where a redirect leads."""
        with suppress(UnicodeDecodeError):  # bytes beyond ASCII came as Latin-1
            location = location.encode("latin-1").decode()
        try:
            to = parse_or_none(urljoin(here.url, location.strip()))
        except ValueError:
            to = None
        if to is None or to.scheme not in _PORTS:
            raise SourceError(f"{self._shown}: redirected to what is not a URL")
        shown = Location.parse(to.url).shown
        if here.scheme == "https" and to.scheme == "http":
            raise SourceError(f"redirected from https to {shown}, which is not secure")
        self._refuse_link_local(to.host or "")
        if body is not None and _origin(to) != _origin(self._start):
            raise SourceError(
                f"{self._shown}: redirected to {shown}; the request's body is for its own server"
            )
        self._redirected = True
        return to._replace(auth=None, fragment=None)

    def _headers_for(
        self, url: Url, cookies: CookieJar | None, body: bytes | None
    ) -> dict[str, str]:
        headers = dict(_EVERYWHERE)
        if _origin(url) == _origin(self._start):
            headers |= self._headers
        if body is None:
            headers.pop("content-type", None)
        if cookies is not None:
            ours = _cookies_for(cookies, url)
            headers["cookie"] = "; ".join(filter(None, [headers.get("cookie"), ours]))
        return {name: value for name, value in headers.items() if value}

    def _refuse_link_local(self, host: str) -> None:
        """Refuse an address that is link-local, unless the source itself is."""
        own = self._start.host or "", self._first_peer
        if is_link_local(host) and not any(map(is_link_local, own)):
            raise SourceError(
                f"{self._shown}: redirected to a link-local address, which is never a source's"
            )


def _origin(url: Url) -> tuple[str | None, str | None, int | None]:
    return url.scheme, url.host, url.port or _PORTS.get(url.scheme or "")


def _take_cookies(
    cookies: CookieJar | None, response: BaseHTTPResponse, url: Url
) -> CookieJar | None:
    """The cookies so far and those that a redirect sets."""
    if "set-cookie" not in response.headers:
        return cookies
    from http.cookiejar import CookieJar  # rarely needed, and 20 ms to import
    from urllib.request import Request

    cookies = CookieJar() if cookies is None else cookies
    answer = SimpleNamespace(info=lambda: response.headers)
    cookies.extract_cookies(answer, Request(url.url))  # type: ignore[arg-type]  # noqa: S310
    return cookies


def _cookies_for(cookies: CookieJar, url: Url) -> str | None:
    from urllib.request import Request

    request = Request(url.url)  # noqa: S310 - opens nothing
    cookies.add_cookie_header(request)
    return request.get_header("Cookie")
