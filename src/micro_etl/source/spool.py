"""Write a body to disk as it comes: decompressed, within its limits, hashed behind the writer."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, NamedTuple

from micro_etl.errors import SourceError, scratch_errors
from micro_etl.source.deadline import Deadline
from micro_etl.source.limits import ExtractOptions
from micro_etl.source.strict import StrictScan
from micro_etl.source.unpack import unpack

_CHUNK = 1 << 20
_POLL_SECONDS = 0.05
_LAST = 19  # the lowest priority, as of nice(1)

OnProgress = Callable[[int, int | None], None]
"""Called with the bytes that have come and, where it is known, how many will."""


class Spooled(NamedTuple):
    """What was written.

    Attributes:
        size: the length of the file.
        received: how many bytes came, compressed or not.
        hashing: gives the SHA-256 of the file.
    """

    size: int
    received: int
    hashing: Future[str]


def spool(
    chunks: Iterable[bytes],
    total: int | None,
    file: Path,
    *,
    shown: str,
    options: ExtractOptions,
    deadline: Deadline,
    on_progress: OnProgress,
    encoding: str = "",
) -> Spooled:
    """Write a body into a file.

    Args:
        chunks: the body as it comes.
        total: its length, where that is known.
        file: where to write.
        shown: what messages call the body.
        options: the largest sizes.
        deadline: when to stop.
        on_progress: told of each chunk.
        encoding: how it is compressed, as it was announced; its first bytes say more.

    Raises:
        SourceError: the body is too large, too slow, or not what it starts as.
        MachineError: the file can't be written.
    """
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
        with scratch_errors(), file.open("wb") as written:
            hashing = hasher.submit(_hash, file.open("rb"), complete, shown)
            for piece in unpack(counted(), shown, encoding=encoding):
                deadline.check()
                size += len(piece)
                if size > options.max_unpacked_bytes:
                    raise SourceError(
                        f"{shown}: the body unpacks to more than {options.max_unpacked_bytes:,} "
                        "bytes; SOURCE_MAX_UNPACKED_BYTES allows no more"
                    )
                written.write(piece)
    finally:
        complete.set()
        hasher.shutdown(wait=False)
    return Spooled(size, received, hashing)


def _hash(file: BinaryIO, complete: threading.Event, shown: str) -> str:
    """The SHA-256 of a file that grows until it is complete, also where its name is gone by then.

    It runs behind the writer and need not keep up: a fast source is hashed while it is parsed.
    """
    if sys.platform == "linux":  # where a thread has a priority of its own: the others go first
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LAST)
    digest = hashlib.sha256()
    with scratch_errors(), file as written:
        scan = StrictScan(written)
        while True:
            last = complete.is_set()
            while piece := written.read(_CHUNK):
                digest.update(piece)
                defect = scan.look(piece)
                if defect:
                    raise SourceError(f"{shown} is not JSON: it has {defect}")
            if last:
                return digest.hexdigest()
            complete.wait(_POLL_SECONDS)
