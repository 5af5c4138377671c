"""Send single requests to a source, with its headers and its token, and no trust in redirects."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from email.message import Message
from http.client import HTTPException
from typing import IO, Any, NamedTuple
from urllib.error import HTTPError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, build_opener
from urllib.request import Request as UrlRequest

from tests.integration.exact_json import Json, unpack, write_json

_SECONDS = 60
_ATTEMPTS = 5
_LONGEST_WAIT = 60
_BUSY = {429, 500, 502, 503, 504}


class Refused(Exception):  # noqa: N818 - an answer, not a mistake
    """The source does not give all of its data."""


class Request(NamedTuple):
    """A request; one with a body is a POST."""

    url: str
    body: Json = None


class Answer(NamedTuple):
    """What came: the body, decompressed, and the URL of the ``Link`` header's ``rel="next"``."""

    body: bytes
    next_link: str | None = None


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port of a URL."""
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, port


def fill(
    value: Any, environ: Mapping[str, str], each: Mapping[str, Any], *, in_url: bool = False
) -> Any:
    """A value with ``${NAME}`` and ``{series}`` replaced by what they stand for.

    Args:
        value: text, or a table that holds some.
        environ: the variables.
        each: the value of ``each``, by its name.
        in_url: the value of ``each`` is encoded.

    Raises:
        Refused: a variable is missing.
    """
    if isinstance(value, dict):
        return {key: fill(member, environ, each, in_url=in_url) for key, member in value.items()}
    if isinstance(value, list):
        return [fill(member, environ, each, in_url=in_url) for member in value]
    if not isinstance(value, str):
        return value

    def replace(found: re.Match[str]) -> str:
        variable, name = found.groups()
        if variable is None and name not in each:
            return found[0]
        if variable is None:
            return quote(str(each[name]), safe="") if in_url else str(each[name])
        if variable not in environ:
            raise Refused(f"the variable {variable} is not set")
        return environ[variable]

    return re.sub(r"\$\{(\w+)\}|\{([^{}]+)\}", replace, value)


class _KeepHeadersHome(HTTPRedirectHandler):
    """Follows redirects; to another origin, without the headers that are meant for the first."""

    def redirect_request(
        self, req: UrlRequest, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> UrlRequest | None:
        following = super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]
        if following and origin(newurl) != origin(req.full_url):
            following.headers = {"Accept": "application/json"}
        return following


class Source:
    """Where requests go, with what they all need.

    Args:
        section: the section ``source`` of the dataset file.
        environ: the variables that it names.
    """

    def __init__(self, section: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        self._headers = fill(section.get("headers", {}), environ, {})
        self._oauth2 = fill(section.get("oauth2", {}), environ, {})
        self._opener = build_opener(_KeepHeadersHome)
        self._authorization: dict[str, str] = {}

    def ask(self, request: Request) -> Answer:
        """The answer to a request; a source that is busy is asked again.

        Raises:
            Refused: there is none.
        """
        renewed = False
        for attempt in range(1, _ATTEMPTS + 1):
            if self._oauth2 and not self._authorization:
                self._authorization = {"Authorization": f"Bearer {self._fetch_token()}"}
            try:
                return self._send(request)
            except HTTPError as error:
                error.close()
                if error.code == 401 and self._oauth2 and not renewed:
                    self._authorization, renewed = {}, True
                elif attempt == _ATTEMPTS or not _is_busy(error):
                    raise Refused(f"the source answered with status {error.code}") from None
                else:
                    time.sleep(_wait_of(error, attempt))
            except (OSError, HTTPException) as error:  # its text can hold the URL, and so a secret
                raise Refused(f"the source can't be read: {type(error).__name__}") from None
        raise Refused("the source does not take the token")

    def _send(self, request: Request) -> Answer:
        headers = {"Accept": "application/json", **self._headers, **self._authorization}
        data = None
        if request.body is not None:
            data = write_json(request.body).encode()
            headers = {"Content-Type": "application/json", **headers}
        url = quote(request.url, safe="%/:?#[]@!$&'()*+,;=~-._")
        asked = UrlRequest(url, data, headers)  # noqa: S310 - the dataset's own URL
        with self._opener.open(asked, timeout=_SECONDS) as answer:
            links = answer.headers.get_all("Link") or []
            return Answer(unpack(answer.read()), _next_of(", ".join(links)))

    def _fetch_token(self) -> str:
        """A new token of the client."""
        form = {"grant_type": "client_credentials", **self._oauth2}
        url = form.pop("token_url")
        asked = UrlRequest(url, urlencode(form).encode())  # noqa: S310 - the dataset's own URL
        try:
            with self._opener.open(asked, timeout=_SECONDS) as answer:
                return str(json.load(answer)["access_token"])
        except (OSError, HTTPException, ValueError, KeyError) as error:
            raise Refused(f"there is no token: {type(error).__name__}") from None


def _is_busy(error: HTTPError) -> bool:
    limited = error.headers.get("Retry-After") or error.headers.get("X-RateLimit-Remaining") == "0"
    return error.code in _BUSY or (error.code == 403 and bool(limited))


def _wait_of(error: HTTPError, attempt: int) -> float:
    """How many seconds to wait before the next attempt."""
    after = error.headers.get("Retry-After", "")
    return min(int(after) if after.isdecimal() else 2**attempt / 4, _LONGEST_WAIT)


def _next_of(links: str) -> str | None:
    """The target of the link whose relation is ``next`` (RFC 8288)."""
    for target, parameters in re.findall(
        r"<([^>]*)>((?:\s*;\s*[^\s=;,]+\s*=\s*(?:\"[^\"]*\"|[^\",;\s]+))*)", links
    ):
        relation = re.search(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\",;\s]+))", parameters, re.I)
        if relation and "next" in (relation[1] or relation[2]).lower().split():
            return str(target)
    return None
