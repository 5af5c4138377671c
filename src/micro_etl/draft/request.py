"""Read a request as ``curl`` takes it, and keep its secrets out of the file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

from micro_etl.dataset.section import VARIABLE
from micro_etl.errors import UsageError

_IS_SECRET_HEADER = re.compile(r"auth|token|key|secret|password|cookie|session|signature", re.I)
_IS_SECRET = re.compile(
    r"((api|app|access|auth|private|subscription|license)[_-]?)?key|app[_-]?id|passw(or)?d|secret"
    r"|((api|access|auth|bearer)[_-]?)?token|client[_-]?secret|sig(nature)?|session",
    re.IGNORECASE,
)
_SHORTEST = 6
_PASSWORD = re.compile(r"(?<=://)([^/?#@:]*):([^/?#@]*)@")


@dataclass(slots=True)
class DraftRequest:
    """A request, its secrets as ``${NAME}``.

    Attributes:
        url: where to.
        headers: by name.
        body: what is posted, or none.
        variables: the secrets that were given in it, by the names that stand for them.
    """

    url: str
    headers: dict[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    variables: dict[str, str] = field(default_factory=dict)


def read_request(url: str, headers: Iterable[str], body: str | None) -> DraftRequest:
    """Read a URL, headers such as ``Accept: text/csv``, and a body: JSON or ``@file``.

    Raises:
        UsageError: a header or the body is not one.
    """
    request = DraftRequest(url)
    request.url = _PASSWORD.sub(
        lambda found: f"{found[1]}:{_hide(request, 'API_PASSWORD', found[2])}@", request.url
    )
    base, question_mark, query = request.url.partition("?")
    if question_mark:
        pairs = [_hide_pair(request, pair) for pair in query.split("&")]
        request.url = f"{base}?{'&'.join(pairs)}"
    for line in headers:
        name, colon, value = line.partition(":")
        if not colon or not name.strip() or not value.strip():
            raise UsageError(f"-H is {name!r}; it should be like 'Accept: application/json'")
        request.headers[name.strip()] = _hide_header(request, name.strip(), value.strip())
    if body is not None:
        request.body = _hide_member(request, "", _read_body(body))
    return request


def _hide(request: DraftRequest, name: str, value: str) -> str:
    """Put a variable in the place of a secret, unless it is one."""
    if not value or VARIABLE.search(value):
        return value
    unused, number = name, 2
    while request.variables.get(unused, value) != value:
        unused, number = f"{name}_{number}", number + 1
    request.variables[unused] = value
    return f"${{{unused}}}"


def _hide_pair(request: DraftRequest, pair: str) -> str:
    name, equals, value = pair.partition("=")
    plain = unquote_plus(name)
    return f"{name}{equals}{_hide_member(request, plain, value)}"


def _hide_member(request: DraftRequest, name: str, value: Any) -> Any:
    """Hide a parameter, or what is secret in the value of a body."""
    if isinstance(value, dict):
        return {key: _hide_member(request, key, member) for key, member in value.items()}
    is_text = isinstance(value, str) and len(value) >= _SHORTEST
    if not is_text or not _IS_SECRET.fullmatch(name):
        return value
    return _hide(request, re.sub(r"\W+", "_", name).upper(), value)


def _hide_header(request: DraftRequest, name: str, value: str) -> str:
    if not _IS_SECRET_HEADER.search(name):
        return value
    if name.lower() == "authorization" and " " in value:
        scheme, _, credentials = value.partition(" ")
        return f"{scheme} {_hide(request, 'API_TOKEN', credentials)}"
    return _hide(request, re.sub(r"\W+", "_", name).upper(), value)


def _read_body(text: str) -> Mapping[str, Any]:
    try:
        if text.startswith("@"):
            text = Path(text[1:]).read_text("utf-8")
        value = json.loads(text)
    except OSError as error:
        raise UsageError(f"--body is {text}, which can't be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise UsageError("--body is not JSON; it should be an object, or @ and a file") from None
    if not isinstance(value, dict):
        raise UsageError("--body is no object; it should be JSON such as '{\"limit\": 100}'")
    if _has_null(value):
        raise UsageError("--body holds null, which a dataset file can't; leave that key out")
    return value


def _has_null(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_null, value.values()))
    if isinstance(value, list):
        return any(map(_has_null, value))
    return value is None
