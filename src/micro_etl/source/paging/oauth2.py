"""Fetch an access token with client credentials (RFC 6749, section 4.4)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import urlencode

from urllib3.response import BaseHTTPResponse

from micro_etl.dataset import OAuth2
from micro_etl.errors import AccessDeniedError, SourceError
from micro_etl.location import Location
from micro_etl.source.deadline import Deadline
from micro_etl.source.fill_variables import basic_credentials, fill_oauth2
from micro_etl.source.http.connect import Connections
from micro_etl.source.http.send import OnRetry, Request, send
from micro_etl.source.limits import HttpOptions

_LONGEST = 1 << 20  # bytes of an answer
_FORM = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}


def fetch_token(
    oauth2: OAuth2,
    environ: Mapping[str, str],
    *,
    options: HttpOptions,
    deadline: Deadline,
    on_retry: OnRetry,
    connections: Connections,
) -> str:
    """Ask for a token: with the credentials in the form, or else as basic authentication.

    Servers know one of the two ways, or both; a request may use only one of them.

    Args:
        oauth2: the credentials, ``${NAME}`` in them.
        environ: the variables.
        options: time-outs and limits.
        deadline: when to stop waiting.
        on_retry: told of each retry.
        connections: are used, and kept.

    Raises:
        AccessDeniedError: the server refuses the credentials.
        SourceError: the server doesn't answer, or not with a token.
        ConfigError: a variable is missing.
    """
    filled = fill_oauth2(oauth2, environ)
    location = Location.parse(filled.token_url)

    def ask(request: Request) -> str:
        body = send(
            request,
            lambda response: _read(response, location.shown),
            options=options,
            deadline=deadline,
            on_retry=on_retry,
            connections=connections,
        )
        return read_token(body, name=location.shown)

    try:
        return ask(in_form(filled))
    except (AccessDeniedError, SourceError) as error:
        if not any(f"status {status}" in str(error) for status in (400, 401)):
            raise
    try:
        return ask(in_header(filled))
    except SourceError as error:
        if "status 400" in str(error):  # as the RFC answers what it does not grant
            raise AccessDeniedError(str(error)) from error
        raise


def in_form(oauth2: OAuth2) -> Request:
    """The request with the credentials in its form."""
    return _request(oauth2, _FORM, client_id=oauth2.client_id, client_secret=oauth2.client_secret)


def in_header(oauth2: OAuth2) -> Request:
    """The request with the credentials as basic authentication."""
    return _request(oauth2, {**_FORM, "Authorization": f"Basic {basic_credentials(oauth2)}"})


def _request(oauth2: OAuth2, headers: Mapping[str, str], **credentials: str) -> Request:
    form = {"grant_type": "client_credentials", **credentials}
    if oauth2.scope:
        form["scope"] = oauth2.scope
    return Request(Location.parse(oauth2.token_url), "POST", headers, urlencode(form).encode())


def read_token(body: bytes, *, name: str) -> str:
    """Read the token of an answer, none of which is ever shown.

    Raises:
        SourceError: there is none.
    """
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    token = answer.get("access_token") if isinstance(answer, dict) else None
    if not isinstance(token, str) or not token.isprintable() or not token:
        raise SourceError(f"{name} answered without an access_token; it should be JSON with one")
    return token


def _read(response: BaseHTTPResponse, name: str) -> bytes:
    body: bytes = response.read(_LONGEST + 1, decode_content=True)
    if len(body) > _LONGEST:
        raise SourceError(f"{name} answered with more than {_LONGEST:,} bytes instead of a token")
    return body
