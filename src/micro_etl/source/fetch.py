"""Fetch a source into a file: complete, decompressed and hashed, or an error."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from urllib3.response import BaseHTTPResponse

from micro_etl.errors import ConfigError, SourceError, SourceMissingError, TargetError
from micro_etl.location import Location
from micro_etl.source.cut import Cutter
from micro_etl.source.deadline import Deadline
from micro_etl.source.hashing import Hasher
from micro_etl.source.http.connect import Connections
from micro_etl.source.http.send import OnRetry, Request, send
from micro_etl.source.limits import ExtractOptions
from micro_etl.source.spool import OnProgress, Spooled, spool
from micro_etl.text import printable

_CHUNK = 1 << 20
_NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR})


class Extract(NamedTuple):
    """One part of a source on disk.

    Attributes:
        file: where it is: decompressed, without a byte order mark.
        size: its length in bytes.
        received: how many bytes came, compressed or not.
        hasher: has hashed the file.
        etag: of the source, where it has one.
        last_modified: of the source, as it said it.
        content_type: of the source, as it said it.
        headers: of the answer, where the source is a server; names are found in any case.
    """

    file: Path
    size: int
    received: int
    hasher: Hasher
    etag: str | None = None
    last_modified: str | None = None
    content_type: str | None = None
    headers: Mapping[str, str] = MappingProxyType({})

    @property
    def hash(self) -> str:
        """The hash of the file, as ``ALGORITHM:HEX``.

        Raises:
            SourceError: it is not JSON.
        """
        return self.hasher.hash


class _Spool(Protocol):
    """`spool` with all but the body given."""

    def __call__(
        self, chunks: Iterable[bytes], total: int | None, /, *, encoding: str = ""
    ) -> Spooled: ...


def ignore(*_: object) -> None:
    """Do nothing; the default callback."""


def extract(
    source: Location | Request,
    file: Path,
    *,
    options: ExtractOptions,
    deadline: Deadline | None = None,
    cutter: Cutter | None = None,
    on_progress: OnProgress = ignore,
    on_retry: OnRetry = ignore,
    connections: Connections | None = None,
) -> Extract:
    """Fetch a source into a file; what is there at the end is all of it.

    Gzip is detected by the first bytes and decompressed. Memory does not grow with the body.

    Args:
        source: ``https://``, ``http://``, the URL of a store (``s3://``), or a local path; or a
            request to a server.
        file: where to write.
        options: limits.
        deadline: when to stop; by default after ``options.deadline``.
        cutter: cuts the source into parts; without one it is a single one.
        on_progress: told of each piece.
        on_retry: told of each retry.
        connections: to servers, which are kept for the next request.

    Raises:
        SourceError: the source can't be read, answers wrongly, or takes too long.
        SourceMissingError: it is not there.
        AccessDeniedError: the source doesn't allow it.
        ConfigError: the URL is not one.
        MachineError: the file can't be written.
    """
    request = source if isinstance(source, Request) else Request(source)
    url = request.location
    if url.text.endswith(("\n", "\r")):
        raise ConfigError(f"SOURCE_URL is {printable(url.shown)}; it ends with a line break")
    deadline = deadline or Deadline(options.deadline, url.shown)
    write = partial(
        spool,
        file=file,
        shown=url.shown,
        options=options,
        deadline=deadline,
        on_progress=on_progress,
        cutter=cutter,
    )
    if url.is_http:
        return send(
            request,
            partial(_consume, file, write),
            options=options.http,
            deadline=deadline,
            on_retry=on_retry,
            connections=connections,
        )
    if url.is_local:
        return deadline.run(partial(_from_path, url, file, write))
    return deadline.run(partial(_from_store, url, file, write, options))


def _consume(file: Path, write: _Spool, response: BaseHTTPResponse) -> Extract:
    headers = response.headers
    length = re.fullmatch(r"[0-9]{1,18}", headers.get("Content-Length", ""))
    total = int(length[0]) if length else None
    most = min(_CHUNK, total or _CHUNK)  # so much memory is taken for each piece
    chunks = iter(lambda: response.read1(most), b"")  # each as it comes, for the progress
    return Extract(
        file,
        *write(
            chunks,
            total,
            encoding=headers.get("Content-Encoding", ""),
        ),
        etag=headers.get("ETag"),
        last_modified=headers.get("Last-Modified"),
        content_type=headers.get("Content-Type"),
        headers=headers,
    )


def _from_path(url: Location, file: Path, write: _Spool) -> Extract:
    def chunks() -> Iterator[bytes]:
        try:
            while chunk := source.read(_CHUNK):
                yield chunk
        except OSError as error:
            raise _unreadable(url, error) from error

    try:
        source = url.path.open("rb")
    except OSError as error:
        raise _unreadable(url, error) from error
    with source:
        return Extract(file, *write(chunks(), url.path.stat().st_size))


def _unreadable(url: Location, error: OSError) -> SourceError:
    kind = SourceMissingError if error.errno in _NOT_THERE else SourceError
    return kind(f"{Location.parse(str(url.path)).shown} can't be read: {error.strerror}")


def _from_store(url: Location, file: Path, write: _Spool, options: ExtractOptions) -> Extract:
    import obstore

    from micro_etl.store import SCHEMES, open_place
    from micro_etl.store_errors import target_errors

    if not url.is_store:
        raise ConfigError(
            f"{url.shown} can't be a source; it should be a path or a URL that starts with one "
            f"of https, http, {', '.join(SCHEMES)}"
        )
    place = open_place(
        url,
        timeout=options.deadline,
        read_timeout=options.http.read_timeout,
        deadline=options.deadline,
    )

    def chunks(stream: Iterable[Any]) -> Iterator[bytes]:
        with target_errors("read", url):
            for chunk in stream:
                yield bytes(chunk)

    try:
        with target_errors("read", url):
            found = obstore.get(place.store, place.key)
        spooled = write(chunks(found.stream(_CHUNK)), found.meta["size"])
    except TargetError as error:
        raise source_error(error) from error
    return Extract(
        file,
        *spooled,
        etag=found.meta["e_tag"],
        last_modified=found.meta["last_modified"].isoformat(),
        content_type=found.attributes.get("Content-Type"),
    )


def source_error(error: TargetError) -> SourceError:
    """Turn a store's error into one of the source: missing, or not to be read."""
    from micro_etl.store_errors import is_missing_bucket

    cause = error.__cause__
    missing = isinstance(cause, FileNotFoundError) or (
        isinstance(cause, Exception) and is_missing_bucket(cause)
    )
    return (SourceMissingError if missing else SourceError)(str(error))
