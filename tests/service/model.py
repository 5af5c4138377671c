"""A store in memory with S3's rules, which answers as a test tells it and lets others act.

It stands where `obstore` does. What each answer of a server becomes there is not made up:
`test_publishing_model.py` compares it with the real client.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from obstore.exceptions import (
    AlreadyExistsError,
    GenericError,
    NotModifiedError,
    PermissionDeniedError,
    PreconditionError,
)

LOGIN = b"<html>Who are you?</html>"

STATUS = {
    "202": 202,
    "303 to a login page": 303,
    "304": 304,
    "403": 403,
    "404 of the key": 404,
    "404 of the bucket": 404,
    "409": 409,
    "412": 412,
    "500": 500,
    "503": 503,
}
CODES = {
    "403": "AccessDenied",
    "404 of the key": "NoSuchKey",
    "404 of the bucket": "NoSuchBucket",
    "409": "ConditionalRequestConflict",
    "412": "PreconditionFailed",
    "500": "InternalError",
    "503": "SlowDown",
}
ANSWERS = (
    "another ETag",
    "no ETag",
    *STATUS,
    "reset before it came",
    "reset after it came",
    "other bytes",
)
"""What a store can answer to a request instead of what it should."""

WRITES = ("create", "update")


@dataclass
class Stored:
    """An object: its bytes, its metadata and its ETag."""

    data: bytes
    said: dict[str, str]
    etag: str


@dataclass
class ModelStore:
    """One key of a bucket.

    Attributes:
        stored: what stands there.
        answer: what the store answers to the request of this number, or none where it is sound.
        act: what another program does just before the request of this number.
        requests: the operations so far.
        read: the bytes that were handed out whole.
    """

    stored: Stored | None = None
    answer: Callable[[int], str | None] = lambda _: None
    act: Callable[[int], None] = lambda _: None
    requests: list[str] = field(default_factory=list)
    read: list[bytes] = field(default_factory=list)
    _etags: Iterator[int] = field(default_factory=itertools.count)

    def keep(self, data: bytes, said: dict[str, str]) -> Stored:
        """Store an object, whoever writes it."""
        self.stored = Stored(data, said, f'"{next(self._etags)}"')
        return self.stored

    def get(self, operation: str, if_match: str | None) -> Any:
        """Answer a HEAD or GET."""
        answer = self._begin(operation)
        if (answer in STATUS and answer != "202") or (answer or "").startswith("reset"):
            if answer == "303 to a login page":
                return _result(Stored(LOGIN, {}, ""), None, self)
            raise error_of(answer or "", operation)
        if self.stored is None:
            raise error_of("404 of the key", operation)
        if if_match is not None and if_match != self.stored.etag:
            raise error_of("412", operation)
        stored, etag = self.stored, self.stored.etag
        if answer == "another ETag":
            return _result(stored, '"another"', self)
        if answer == "other bytes":
            return _result(Stored(stored.data[::-1], stored.said, etag), etag, self)
        return _result(stored, None if answer == "no ETag" else etag, self)

    def put(self, data: bytes, said: dict[str, str], mode: Any) -> dict[str, str | None]:
        """Answer a PUT."""
        operation = "create" if mode == "create" else "update"
        answer = self._begin(operation)
        if answer == "202":
            return {"e_tag": '"accepted"', "version": None}
        if answer in STATUS or answer == "reset before it came":
            raise error_of(answer, operation)
        if operation == "create" and self.stored:
            raise error_of("412", operation)
        if operation == "update" and self.stored is None:
            raise error_of("404 of the key", operation)
        if operation == "update" and self.stored and self.stored.etag != mode["e_tag"]:
            raise error_of("412", operation)
        stored = self.keep(data[1:] if answer == "other bytes" else data, said)
        if answer in ("no ETag", "reset after it came"):
            raise error_of(answer, operation)
        return {"e_tag": '"another"' if answer == "another ETag" else stored.etag, "version": None}

    def _begin(self, operation: str) -> str | None:
        number = len(self.requests)
        if number > 60:
            raise AssertionError(f"it does not end: {self.requests}")
        self.act(number)
        self.requests.append(operation)
        return self.answer(number)


def error_of(answer: str, operation: str) -> Exception:
    """What the store's client raises at an answer."""
    if answer == "no ETag":
        return GenericError("Generic S3 error: ETag Header missing from response")
    if answer.startswith("reset"):
        return GenericError("Generic S3 error: HTTP error: error sending request")
    if answer == "303 to a login page":
        return GenericError("Generic S3 error: ETag Header missing from response")
    body = f"<Error><Code>{CODES[answer]}</Code></Error>" if answer in CODES else ""
    said = "" if operation == "head" else body
    text = f"Server returned non-2xx status code: {STATUS[answer]} Status: {said}"
    return _kind(answer, operation)(text)


def _kind(answer: str, operation: str) -> type[Exception]:
    if answer == "403":
        return PermissionDeniedError
    if answer == "304":
        return AlreadyExistsError if operation == "create" else NotModifiedError
    if answer.startswith("404"):
        return PreconditionError if operation == "update" else FileNotFoundError
    if answer == "409":
        return AlreadyExistsError
    if answer == "412":
        return AlreadyExistsError if operation == "create" else PreconditionError
    return GenericError


def _result(stored: Stored, etag: str | None, store: ModelStore) -> Any:
    def stream() -> Iterator[bytes]:
        store.read.append(stored.data)
        yield stored.data

    meta = {
        "e_tag": etag,
        "version": None,
        "last_modified": datetime.now(UTC),
        "size": len(stored.data),
    }
    return SimpleNamespace(meta=meta, attributes=dict(stored.said), stream=stream)
