"""Check and stage parts in the background, while the next ones come."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

from micro_etl.body import Body, Layout
from micro_etl.dataset import Dataset
from micro_etl.table.engine import ONE_THREAD, Connection, Error, machine_errors
from micro_etl.table.stage import stage

_MOST_PARTS = 1_000  # in one pass
_LEAST_BYTES = 8 << 20  # in one pass, but for the last: small ones cost more than they hold


class Staging:
    """Stages the parts of one body, in their order, as many at a time as have come.

    Attributes:
        files: the staged files, in the order of the records.
        rows: how many rows they have.
    """

    def __init__(self, dataset: Dataset, *, scratch: Path, engine: Future[Connection]) -> None:
        self._dataset, self._scratch, self._engine = dataset, scratch, engine
        self._waiting: list[Body] = []
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._complete = False
        self._error: BaseException | None = None
        self.files: list[Path] = []
        self.rows = 0

    def connection(self) -> Connection:
        """The engine; waits until it has started."""
        return self._engine.result()

    def add(self, body: Body) -> None:
        """Stage further parts, in the background."""
        with self._changed:
            self._waiting.append(body)
            self._changed.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def restart(self) -> None:
        """Forget all parts: they will come again."""
        self.finish()
        for file in self.files:
            file.unlink()
        self.files, self.rows, self._error = [], 0, None
        self._thread, self._complete = None, False

    def finish(self) -> Exception | None:
        """Wait until all is staged; gives the engine's error where a part is not as it should be.

        Raises:
            MachineError: no memory or no room in the scratch folder.
        """
        with self._changed:
            self._complete = True
            self._changed.notify()
        if self._thread:
            self._thread.join()
        if isinstance(self._error, Error | UnicodeDecodeError):
            return self._error
        if self._error:
            raise self._error
        return None

    def _run(self) -> None:
        try:
            while body := self._take():
                self._stage(body)
        except BaseException as error:  # to whoever waits for the end
            self._error = error

    def _take(self) -> Body | None:
        """Wait for parts and take all of one kind that have come."""
        with self._changed:
            while not self._complete and self._waiting_bytes() < _LEAST_BYTES:
                self._changed.wait()
            if not self._waiting:
                return None
            first = self._waiting.pop(0)
            parts = list(first.parts)
            while (
                self._waiting
                and self._waiting[0].layout is first.layout
                and len(parts) < _MOST_PARTS
            ):
                parts += self._waiting.pop(0).parts
            return replace(first, parts=tuple(parts))

    def _waiting_bytes(self) -> int:
        return sum(part.file.stat().st_size for body in self._waiting for part in body.parts)

    def _stage(self, body: Body) -> None:
        connection = self.connection()
        _set_threads(connection, body)
        file = self._scratch / f"staged-{len(self.files)}.parquet"
        with machine_errors():
            ((rows,),) = connection.execute(stage(self._dataset, body, file)).fetchall()
        self.files.append(file)
        self.rows += rows


def _set_threads(connection: Connection, body: Body) -> None:
    """Read one file of lines on all cores; what else there is, the engine reads on one.

    Where there is one core, lines are read by two threads all the same, since a single one would
    cut the table into other row groups: the file would depend on the machine.
    """
    if body.layout is not Layout.LINES:
        connection.execute(ONE_THREAD)
        return
    row = connection.execute("SELECT current_setting('threads')").fetchone()
    if row == (1,):
        connection.execute("SET threads = 2")
