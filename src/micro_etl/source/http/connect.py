"""Open connections to HTTP servers, through the environment's proxy where it names one."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias
from urllib.parse import unquote

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import LocationParseError
from urllib3.util import Timeout, Url, make_headers, parse_url

from micro_etl.errors import ConfigError
from micro_etl.location import Location
from micro_etl.source.http.head import Response
from micro_etl.source.limits import HttpOptions

OnConnect: TypeAlias = Callable[[socket.socket], None]
"""Called with each new connection, before anything is sent."""

_METADATA = "fd00:ec2::/32"  # of AWS, in no range that is link-local


class _Hooked(HTTPConnection):
    """A connection that is shown to a callback, and whose answers are read by `Response`."""

    response_class = Response

    def __init__(self, *args: Any, on_connect: OnConnect, **options: Any) -> None:
        super().__init__(*args, **options)
        self._on_connect = on_connect

    def _new_conn(self) -> socket.socket:
        opened = super()._new_conn()
        try:
            self._on_connect(opened)
        except BaseException:
            opened.close()
            raise
        return opened

    def connect(self) -> None:
        """Connect, and show what TLS has put around the connection as well."""
        super().connect()
        if self.sock:
            self._on_connect(self.sock)


class _HookedSecure(_Hooked, HTTPSConnection):
    """Such a connection with TLS."""


class Pool(urllib3.PoolManager):
    """Connections that call back when they are made."""

    def __init__(self, *args: Any, on_connect: OnConnect, **options: Any) -> None:
        super().__init__(*args, **options)
        self._on_connect = on_connect

    def _new_pool(self, scheme: str, *args: Any, **options: Any) -> HTTPConnectionPool:
        pool = super()._new_pool(scheme, *args, **options)
        connection = _HookedSecure if scheme == "https" else _Hooked
        pool.ConnectionCls = partial(connection, on_connect=self._on_connect)  # type: ignore[assignment]
        return pool


class _ProxyPool(Pool, urllib3.ProxyManager):
    """Such connections through a proxy."""


def open_pool(url: Url, *, options: HttpOptions, on_connect: OnConnect) -> Pool:
    """Connections for a URL and where it redirects to.

    Raises:
        ConfigError: the environment's proxy is not a URL.
    """
    timeout = Timeout(connect=options.connect_timeout, read=options.read_timeout)
    proxy = _proxy(url)
    if not proxy:
        return Pool(timeout=timeout, on_connect=on_connect)
    parsed = parse_or_none(proxy)
    if parsed is None or parsed.scheme not in ("http", "https"):
        raise ConfigError(
            f"the proxy is {Location.parse(proxy).shown}; it should be like http://host:port"
        )
    said = {"proxy_basic_auth": unquote(parsed.auth)} if parsed.auth else {}
    return _ProxyPool(
        proxy,
        proxy_headers=make_headers(**said),  # type: ignore[arg-type]
        timeout=timeout,
        on_connect=on_connect,
    )


class Connections:
    """Connections that stay open from one request to the next, for one thread at a time."""

    def __init__(self) -> None:
        self._pools: dict[tuple[str | None, str | None, int | None], Pool] = {}
        self._on_connect: OnConnect

    def __enter__(self) -> Connections:
        return self

    def __exit__(self, *_: object) -> None:
        for pool in self._pools.values():
            pool.clear()

    def pool(self, url: Url, *, options: HttpOptions, on_connect: OnConnect) -> Pool:
        """Give the connections for a URL and where it redirects to.

        Args:
            url: the start of a request.
            options: time-outs.
            on_connect: is shown each connection that this request makes.

        Raises:
            ConfigError: the environment's proxy is not a URL.
        """
        self._on_connect = on_connect
        origin = url.scheme, url.host, url.port
        if origin not in self._pools:
            self._pools[origin] = open_pool(
                url, options=options, on_connect=lambda opened: self._on_connect(opened)
            )
        return self._pools[origin]


def parse_or_none(url: str) -> Url | None:
    """A URL that names a host in its parts, or none where it does not."""
    try:
        parsed = parse_url(url)
    except LocationParseError:
        return None
    return parsed if parsed.host else None


def is_link_local(host: str) -> bool:
    """Whether an address reaches this machine's own link, where clouds answer with credentials.

    Args:
        host: a name or an address, in any form that a resolver takes; a name is not resolved.
    """
    from ipaddress import IPv6Address, IPv6Network, ip_address  # 2 ms, for redirects alone

    try:
        address = ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        if not re.fullmatch(r"[\da-fx.]+", host.lower()):
            return False
        try:
            address = ip_address(socket.inet_aton(host))  # 2852039166, 0xa9.254.43518
        except (OSError, ValueError):
            return False
    if isinstance(address, IPv6Address):
        return (address.ipv4_mapped or address).is_link_local or address in IPv6Network(_METADATA)
    return address.is_link_local


def _proxy(url: Url) -> str | None:
    """The proxy for a URL, as HTTP_PROXY, HTTPS_PROXY and NO_PROXY name it."""
    named = {name.lower() for name in os.environ if name.lower().endswith("_proxy")}
    if not named - {"no_proxy"}:
        return None
    from urllib.request import getproxies, proxy_bypass  # 5 ms, for proxies alone

    if proxy_bypass(url.netloc or ""):
        return None
    return getproxies().get(url.scheme or "")
