"""Fetch a source into a file: complete, decompressed and hashed, or an error."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import sys
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import BinaryIO

from urllib3.response import BaseHTTPResponse

from micro_etl.errors import ConfigError, SourceError, TargetError, scratch_errors
from micro_etl.location import Location
from micro_etl.source.http_get import OnRetry, get
from micro_etl.source.limits import ExtractOptions

_CHUNK = 1 << 20
_POLL_SECONDS = 0.05
_LAST = 19  # the lowest priority, as of nice(1)
_GZIP = b"\x1f\x8b"
_GZIP_ONLY = zlib.MAX_WBITS | 16

OnProgress = Callable[[int, int | None], None]
"""Called with the bytes that have come and, where it is known, how many will."""


@dataclass(frozen=True, slots=True)
class Extract:
    """One part of a source on disk.

    Attributes:
        file: where it is, decompressed.
        size: its length in bytes.
        received: how many bytes came, compressed or not.
        hashing: gives the SHA-256 of the decompressed bytes.
        etag: of the source, where it has one.
        last_modified: of the source, as it said it.
        content_type: of the source, as it said it.
    """

    file: Path
    size: int
    received: int
    hashing: Future[str]
    etag: str | None = None
    last_modified: str | None = None
    content_type: str | None = None

    @property
    def sha256(self) -> str:
        """The SHA-256 of the decompressed bytes; waits until they are hashed."""
        return self.hashing.result()


def ignore(*_: object) -> None:
    """Do nothing; the default callback."""


def extract(
    url: Location,
    file: Path,
    *,
    options: ExtractOptions,
    on_progress: OnProgress = ignore,
    on_retry: OnRetry = ignore,
) -> Extract:
    """Fetch a source into a file; what is there at the end is all of it.

    A body that starts as gzip does is decompressed, however it was announced. Memory does not grow
    with the body.

    Args:
        url: ``https://``, ``http://``, the URL of a store (``s3://``), or a local path.
        file: where to write.
        options: limits.
        on_progress: told of each piece.
        on_retry: told of each retry.

    Raises:
        SourceError: the source can't be read, answers wrongly, or takes too long.
        AccessDeniedError: the source doesn't allow it.
        ConfigError: the URL is not one.
        MachineError: the file can't be written.
    """

    def spool(chunks: Iterable[bytes], total: int | None) -> Extract:
        return _spool(chunks, total, file, url.shown, options, on_progress)

    def consume(response: BaseHTTPResponse) -> Extract:
        length = re.fullmatch(r"[0-9]{1,18}", response.headers.get("Content-Length", ""))
        chunks = iter(lambda: response.read1(_CHUNK), b"")  # each as it comes, for the progress
        return replace(
            spool(chunks, int(length[0]) if length else None),
            etag=response.headers.get("ETag"),
            last_modified=response.headers.get("Last-Modified"),
            content_type=response.headers.get("Content-Type"),
        )

    with _deadline(options.deadline, url.shown):
        if url.is_http:
            return get(url, consume, options=options.http, on_retry=on_retry)
        if url.is_local:
            return _from_path(url.path, spool)
        return _from_store(url, spool, options)


def _from_path(path: Path, spool: Callable[[Iterable[bytes], int | None], Extract]) -> Extract:
    try:
        source = path.open("rb")
    except OSError as error:
        raise SourceError(
            f"{Location.parse(str(path)).shown} can't be read: {error.strerror}"
        ) from error
    with source:
        return spool(iter(lambda: source.read(_CHUNK), b""), path.stat().st_size)


def _from_store(
    url: Location,
    spool: Callable[[Iterable[bytes], int | None], Extract],
    options: ExtractOptions,
) -> Extract:
    import obstore

    from micro_etl.store import SCHEMES, open_place, target_errors

    if not url.is_store:
        raise ConfigError(
            f"{url.shown} can't be a source; it should be a path or a URL that starts with one "
            f"of https, http, {', '.join(SCHEMES)}"
        )
    place = open_place(url, timeout=options.http.read_timeout, deadline=options.deadline)
    try:
        with target_errors("read", url):
            found = obstore.get(place.store, place.key)
            body = spool((bytes(chunk) for chunk in found.stream()), found.meta["size"])
    except TargetError as error:
        raise SourceError(str(error)) from error
    return replace(
        body,
        etag=found.meta["e_tag"],
        last_modified=found.meta["last_modified"].isoformat(),
        content_type=found.attributes.get("Content-Type"),
    )


def _spool(
    chunks: Iterable[bytes],
    total: int | None,
    file: Path,
    shown: str,
    options: ExtractOptions,
    on_progress: OnProgress,
) -> Extract:
    size, received, complete = 0, 0, threading.Event()

    def counted() -> Iterator[bytes]:
        nonlocal received
        for chunk in chunks:
            received += len(chunk)
            if received > options.max_bytes:
                raise SourceError(
                    f"{shown}: the body has more than {options.max_bytes:,} bytes; "
                    "SOURCE_MAX_BYTES allows no more"
                )
            on_progress(received, total)
            yield chunk

    hasher = ThreadPoolExecutor(1)
    try:
        with scratch_errors(), file.open("wb") as spool:
            hashing = hasher.submit(_hash, file.open("rb"), complete)
            for piece in _unpacked(counted(), shown):
                size += len(piece)
                if size > options.max_unpacked_bytes:
                    raise SourceError(
                        f"{shown}: the body unpacks to more than {options.max_unpacked_bytes:,} "
                        "bytes; SOURCE_MAX_UNPACKED_BYTES allows no more"
                    )
                spool.write(piece)
    finally:
        complete.set()
        hasher.shutdown(wait=False)
    return Extract(file, size, received, hashing)


def _hash(file: BinaryIO, complete: threading.Event) -> str:
    """The SHA-256 of a file that grows until it is complete, also where its name is gone by then.

    It runs behind whoever writes and need not keep up: a fast source is hashed while it is parsed.
    """
    if sys.platform == "linux":  # where a thread has a priority of its own: the others go first
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LAST)
    digest = hashlib.sha256()
    with scratch_errors(), file as written:
        while True:
            last = complete.is_set()
            while piece := written.read(_CHUNK):
                digest.update(piece)
            if last:
                return digest.hexdigest()
            complete.wait(_POLL_SECONDS)


def _unpacked(chunks: Iterator[bytes], shown: str) -> Iterator[bytes]:
    """The chunks themselves, or what they hold when they start as gzip does."""
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= len(_GZIP):
            break
    if not head.startswith(_GZIP):
        yield head
        yield from chunks
        return
    member, full = zlib.decompressobj(wbits=_GZIP_ONLY), False
    try:
        for rest in _chain(head, chunks):
            while rest or (full and not member.eof):
                if member.eof:
                    member = zlib.decompressobj(wbits=_GZIP_ONLY)
                piece = member.decompress(rest, _CHUNK)
                full = len(piece) == _CHUNK
                rest = member.unused_data if member.eof else member.unconsumed_tail
                yield piece
    except zlib.error as error:
        raise SourceError(f"{shown}: the gzip stream is broken: {error}") from error
    if not member.eof:
        raise SourceError(f"{shown}: the gzip stream is cut short")


def _chain(head: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from chunks


@contextmanager
def _deadline(seconds: float, shown: str) -> Iterator[None]:
    """Raise in whatever the main thread waits for once the time is over.

    Time-outs between two pieces of data let a source trickle for ever; this does not.

    Raises:
        SourceError: the time is over.
    """

    def expire(_signum: int, _frame: FrameType | None) -> None:
        raise SourceError(f"{shown}: not complete within {seconds:g} s; SOURCE_DEADLINE says so")

    before = signal.signal(signal.SIGALRM, expire)
    timer = signal.setitimer(signal.ITIMER_REAL, seconds, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *timer)
