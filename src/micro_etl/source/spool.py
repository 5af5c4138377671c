"""Write a body to disk as it comes: decompressed, within its limits, hashed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from micro_etl.errors import SourceError, scratch_errors
from micro_etl.source.cut import Cutter
from micro_etl.source.deadline import Deadline
from micro_etl.source.hashing import Hasher
from micro_etl.source.limits import ExtractOptions
from micro_etl.source.unpack import unpack

OnProgress = Callable[[int, int | None], None]
"""Called with the bytes that have come and, where it is known, how many will."""


class Spooled(NamedTuple):
    """What was written.

    Attributes:
        size: the length of the file.
        received: how many bytes came, compressed or not.
        hasher: has hashed the file.
    """

    size: int
    received: int
    hasher: Hasher


def spool(
    chunks: Iterable[bytes],
    total: int | None,
    file: Path,
    *,
    shown: str,
    options: ExtractOptions,
    deadline: Deadline,
    on_progress: OnProgress,
    cutter: Cutter | None = None,
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
        cutter: cuts the body; without one it is a single part.
        encoding: how it is compressed, as it was announced; its first bytes say more.

    Raises:
        SourceError: the body is too large, too slow, or not what it starts as.
        MachineError: the file can't be written.
    """
    size, received = 0, 0

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

    with (
        scratch_errors(),
        Hasher(shown, options.hash_algorithm) as hasher,
        (cutter or Cutter(shown)).open(file, hasher) as written,
    ):
        for piece in unpack(counted(), shown, encoding=encoding):
            deadline.check()
            size += len(piece)
            if size > options.max_unpacked_bytes:
                raise SourceError(
                    f"{shown}: the body unpacks to more than {options.max_unpacked_bytes:,} "
                    "bytes; SOURCE_MAX_UNPACKED_BYTES allows no more"
                )
            written.write(piece)
    return Spooled(size, received, hasher)
