"""Hash a response and look at it while it is written, from the pieces that are at hand."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, BinaryIO, Self

from xxhash import xxh3_128

from micro_etl.errors import SourceError
from micro_etl.source.limits import SHA256, XXH128
from micro_etl.source.strict import StrictScan

_ALGORITHMS: dict[str, Callable[[bytes], Any]] = {XXH128: xxh3_128, SHA256: hashlib.sha256}


def hash_text(text: str, algorithm: str) -> str:
    """The hash of a text, as ``ALGORITHM:HEX``."""
    digest = _ALGORITHMS[algorithm](text.encode("utf-8", "surrogateescape"))
    return f"{algorithm}:{digest.hexdigest()}"


class Hasher:
    """Hashes a response piece by piece, and finds what shows that it is not JSON.

    Attributes:
        defect: what shows it, or none.
    """

    def __init__(self, shown: str, algorithm: str = XXH128) -> None:
        """Begin at the first byte of what messages call `shown`."""
        self._shown, self._algorithm = shown, algorithm
        self._digest = _ALGORITHMS[algorithm](b"")
        self._file: BinaryIO | None = None
        self._scan: StrictScan | None = None
        self.defect: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def follow(self, file: BinaryIO, added: int) -> None:
        """Say in which file, behind so many bytes, the next pieces are; it is closed here."""
        if self._file:
            self._file.close()
        self._file = file
        if self._scan is None:
            self._scan = StrictScan(file)
        else:
            self._scan.follow(file, added)

    def add(self, piece: bytes) -> None:
        """Take the next piece, which has been written."""
        self._digest.update(piece)
        if self._scan and not self.defect:
            self.defect = self._scan.look(piece)

    @property
    def hash(self) -> str:
        """The hash of what has come, as ``ALGORITHM:HEX``.

        Raises:
            SourceError: it is not JSON.
        """
        if self.defect:
            raise SourceError(f"{self._shown} is not JSON: it has {self.defect}")
        return f"{self._algorithm}:{self._digest.hexdigest()}"
