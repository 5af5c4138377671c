"""Hash a response and look at it while it is written, from the pieces that are at hand."""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import Future
from contextlib import ExitStack
from queue import Queue
from typing import BinaryIO

from micro_etl.errors import SourceError, scratch_errors
from micro_etl.source.strict import StrictScan

_WAITING = 16  # pieces, of about a megabyte
_LITTLE = 1 << 16  # bytes that take less time than a thread


class Hasher:
    """Gives the SHA-256 of a response, or what shows that it is not JSON.

    It has to be that hash: the object's metadata and the names of raw copies show it, and users
    compute it with tools of their own. A thread does it, since to decompress a response or to read
    a fast one takes a core.
    """

    def __init__(self, shown: str) -> None:
        """Begin at the first byte of what messages call `shown`."""
        self._shown = shown
        self._queue: Queue[bytes | tuple[BinaryIO, int] | None] = Queue(_WAITING)
        self._size = 0
        self._thread: threading.Thread | None = None
        self._result: Future[str] = Future()

    def follow(self, file: BinaryIO, added: int) -> None:
        """Say in which file, behind so many bytes, the next pieces are; it is closed here."""
        self._put((file, added))

    def add(self, piece: bytes) -> None:
        """Take the next piece, which has been written."""
        self._size += len(piece)
        self._put(piece)

    def finish(self) -> Future[str]:
        """Get the hash of what has come, which may take a moment to be there."""
        self._queue.put(None)
        if self._thread is None:
            self._work()
        return self._result

    def _put(self, item: bytes | tuple[BinaryIO, int]) -> None:
        if self._thread is None and (self._size > _LITTLE or self._queue.qsize() > _WAITING // 2):
            self._thread = threading.Thread(target=self._work, daemon=True)
            self._thread.start()
        self._queue.put(item)

    def _work(self) -> None:
        try:
            with scratch_errors():
                sha256 = self._hash()
        except Exception as error:
            self._result.set_exception(error)
            while self._queue.get() is not None:
                """Let the writer go on."""
        else:
            self._result.set_result(sha256)

    def _hash(self) -> str:
        digest = hashlib.sha256()
        scan: StrictScan | None = None
        with ExitStack() as opened:
            while (item := self._queue.get()) is not None:
                if isinstance(item, bytes):
                    digest.update(item)
                    defect = scan.look(item) if scan else None
                    if defect:
                        raise SourceError(f"{self._shown} is not JSON: it has {defect}")
                    continue
                opened.close()
                file, added = item
                opened.enter_context(file)
                if scan is None:
                    scan = StrictScan(file)
                else:
                    scan.follow(file, added)
        return digest.hexdigest()
