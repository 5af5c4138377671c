"""One table of the rows of staged files, filled while further files are staged.

The engine cuts a file into groups of rows by what it is given at a time, which differs with the
files that the rows are read from. A table of its own gives them full, whatever came in.

It is in an engine of its own, which keeps little of it in memory, whatever the other one needs.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

from micro_etl.errors import MachineError, scratch_errors
from micro_etl.table.engine import IN_ORDER, Connection, connect, machine_errors
from micro_etl.table.parquet import rows_of
from micro_etl.table.sql import literal

NAME = "gathered.rows"
"""What SQL calls the table."""

_TOGETHER = 4  # files whose rows are added at once, while there may be more
_LIMITS = ("32MB", "256MB", "80%")  # of memory: the next one where values are too large for one
_AT_ONCE = {"write_buffer_row_group_count": "1"}  # full groups of rows are written to disk


class Gathered:
    """Rows of files, in their order."""

    def __init__(self, folder: Path) -> None:
        """Prepare a table in a folder, which is made with the first rows."""
        self._folder = folder
        self._files: list[Path] = []
        self._limit, *self._more = _LIMITS
        self._connection: Connection | None = None
        self._adding = threading.Lock()
        self._failure: BaseException | None = None

    @property
    def is_begun(self) -> bool:
        """Whether it has rows."""
        return bool(self._files)

    def add_some(self, files: Sequence[Path]) -> None:
        """Add the rows of those files which are new, unless they are few or another thread does."""
        if self._failure or not self._adding.acquire(blocking=False):
            return
        try:
            new = files[len(self._files) :]
            if len(new) >= _TOGETHER:
                self._add(new)
        except BaseException as error:  # raised by `finish`
            self._failure = error
        finally:
            self._adding.release()

    def _add(self, files: Sequence[Path]) -> None:
        self._files += files
        try:
            with machine_errors():
                self._append(files if self._connection else self._files)
        except MachineError:
            self._close()
            if not self._more:
                raise
            self._limit = self._more.pop(0)
            self._add([])

    def finish(self, files: Sequence[Path]) -> Connection:
        """Add what is left of all files, and remove them; gives the engine that has the table.

        Raises:
            MachineError: no memory or no room.
        """
        if self._failure:
            raise self._failure
        self._add(files[len(self._files) :])
        if self._connection is None:
            raise AssertionError("there is no file")
        with machine_errors():
            self._connection.execute("COMMIT")
        for file in files:
            file.unlink()
        return self._connection

    def forget(self) -> None:
        """Forget all rows, and close the engine."""
        self._close()
        self._files, self._failure = [], None

    def _append(self, files: Sequence[Path]) -> None:
        connection = self._connection or self._connect()
        if files:
            connection.execute(f"INSERT INTO {NAME} FROM {rows_of(files)}")

    def _connect(self) -> Connection:
        with scratch_errors():
            self._folder.mkdir()
        settings = IN_ORDER | _AT_ONCE | {"memory_limit": self._limit}
        self._connection = connection = connect(self._folder, settings)
        connection.execute(f"ATTACH {literal(self._folder / 'rows.db')} AS gathered")
        connection.execute("BEGIN")
        columns = rows_of(self._files[:1])
        connection.execute(f"CREATE TABLE {NAME} AS FROM {columns} LIMIT 0")
        return connection

    def _close(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None
        shutil.rmtree(self._folder, ignore_errors=True)
