"""Check and stage parts in the background, while the next ones come.

The parts are on disk, and stay there until the table is written: a value that comes twice or a path
that no record has is known only then, and to say which records are meant they are read again. So
there is no bound on how many wait, which would only slow down the source.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from enum import Enum, auto
from pathlib import Path

from micro_etl.body import Body, Part, join
from micro_etl.dataset import Dataset
from micro_etl.table import gathered
from micro_etl.table.engine import Connection, Error, machine_errors
from micro_etl.table.gathered import Gathered
from micro_etl.table.parquet import rows_of
from micro_etl.table.stage import stage

_MOST_PARTS, _MOST_BYTES = 1_000, 128 << 20  # in one pass
_LEAST_BYTES = 8 << 20  # of small parts, for which a pass of its own takes longer than reading them
_MOST_THREADS = 2  # which are faster than most sources
_MOST_JOINS = 4  # before the rest is read in one piece
_ROW_GROUP = 122_880  # rows: with no more in one file, there is nothing to gather


class _State(Enum):
    WAITING = auto()
    RUNNING = auto()
    DONE = auto()
    HELD = auto()
    """Until all parts have come."""


class _Job:
    """Parts that are staged into one file."""

    def __init__(self, body: Body, size: int, file: Path) -> None:
        self.body, self.size, self.file = body, size, file
        self.state = _State.WAITING
        self.rows = self.joins = 0
        self.error: BaseException | None = None

    @property
    def is_cut_wrong(self) -> bool:
        """Whether a part may end inside a record."""
        return isinstance(self.error, UnicodeDecodeError) or "Malformed JSON" in str(self.error)

    @property
    def has_cuts(self) -> bool:
        """Whether some of its parts were cut from one response."""
        return any(part.joint is not None for part in self.body.parts[1:])


class Staging:
    """Stages parts, several at a time, into files that are in their order.

    Parts that wait for a thread are staged in one pass, which takes the engine 4 ms to prepare.
    What is staged is gathered in one table, in the order of the parts, as far as all is well.

    A part that was cut inside a record is not valid JSON. It is joined with the next one and staged
    again; after some such cuts, the rest is staged in one piece once all of it has come. As long as
    what is before it is valid, a part begins between two records, so its own errors count. Which
    part of a pass it is shows when each is staged alone, as all are from then on.
    """

    def __init__(self, dataset: Dataset, *, scratch: Path, engine: Future[Connection]) -> None:
        self._dataset, self._scratch, self._engine = dataset, scratch, engine
        self._changed = threading.Condition()
        self._gathered = Gathered(scratch / "gathered")
        self._begin()

    def _begin(self) -> None:
        self._jobs: list[_Job] = []
        self._waiting: deque[_Job] = deque()
        self._settled = 0  # jobs at the start that need no other look
        self._added = 0
        self._is_cut_wrong = False
        self._threads: list[threading.Thread] = []
        self._is_complete = self._is_over = False

    @property
    def rows(self) -> int:
        """How many rows are staged."""
        return sum(job.rows for job in self._jobs)

    @property
    def parts(self) -> tuple[Part, ...]:
        """All parts, in order; those that were cut wrong are joined."""
        return tuple(part for job in self._jobs for part in job.body.parts)

    def connection(self) -> Connection:
        """The engine; waits until it has started."""
        return self._engine.result()

    def add(self, body: Body) -> None:
        """Stage further parts, in the background."""
        size = _size(body)
        with self._changed:
            last = self._jobs[-1] if self._jobs else None
            if last and last.state is _State.WAITING and self._fits(last, body, size):
                last.body = last.body._replace(parts=last.body.parts + body.parts)
                last.size += size
                self._wake()
                return
            job = self._new_job(body, size)
            self._jobs.append(job)
            self._waiting.append(job)
            self._settle()
            self._wake()
            if len(self._threads) < min(_MOST_THREADS, _count_cores()):
                thread = threading.Thread(target=self._run, daemon=True)
                self._threads.append(thread)
                thread.start()

    def _new_job(self, body: Body, size: int) -> _Job:
        self._added += 1
        return _Job(body, size, self._scratch / f"staged-{self._added}.parquet")

    def _fits(self, job: _Job, body: Body, size: int) -> bool:
        """Whether further parts can be staged in the pass of a job; it should not be a long one."""
        return (
            (job.body.layout, job.body.max_record) == (body.layout, body.max_record)
            and not (self._is_cut_wrong and (job.has_cuts or body.parts[0].joint is not None))
            and len(job.body.parts) + len(body.parts) <= _MOST_PARTS
            and job.size + size < _MOST_BYTES
        )

    def restart(self) -> None:
        """Forget all parts: they will come again."""
        with self._changed:
            self._end()
        for thread in self._threads:
            thread.join()
        for job in self._jobs:
            job.file.unlink(missing_ok=True)
        self._gathered.forget()
        self._begin()

    def finish(self) -> Exception | None:
        """Wait until all is staged; gives the engine's error where a part is not as it should be.

        Raises:
            MachineError: no memory or no room in the scratch folder.
        """
        with self._changed:
            self._is_complete = True
            self._settle()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        error = next((job.error for job in self._jobs if job.error), None)
        if error is None:
            return None
        self._gathered.forget()
        if isinstance(error, Error | UnicodeDecodeError):
            return error
        raise error

    @contextmanager
    def table(self) -> Iterator[tuple[Connection, str]]:
        """The rows of all parts, once all are staged: an engine, and what its SQL calls them.

        Raises:
            MachineError: no memory or no room in the scratch folder.
        """
        files = [job.file for job in self._jobs]
        if len(files) == 1 and not self._gathered.is_begun and self.rows <= _ROW_GROUP:
            yield self.connection(), rows_of(files)
            return
        try:
            yield self._gathered.finish(files), gathered.NAME
        finally:
            self._gathered.forget()

    def _run(self) -> None:
        connection: Connection | None = None
        while job := self._take():
            try:
                connection = connection or self.connection().cursor()
                self._stage(connection, job)
            except BaseException as error:  # raised by `finish`
                job.error = error
            with self._changed:
                job.state = _State.DONE
                self._settle()
                self._changed.notify_all()
                settled = [] if self._is_over else self._jobs[: self._settled]
            self._gathered.add_some([job.file for job in settled])

    def _take(self) -> _Job | None:
        """Wait for parts to stage, until all are settled."""
        with self._changed:
            while not self._waiting or self._may_grow(self._waiting[0]):
                if self._is_over or (self._is_complete and self._settled == len(self._jobs)):
                    return None
                self._changed.wait()
            job = self._waiting.popleft()
            job.state = _State.RUNNING
            return job

    def _wake(self) -> None:
        """Wake the threads where there is something to do: small pages come one by one."""
        if self._waiting and not self._may_grow(self._waiting[0]):
            self._changed.notify_all()

    def _may_grow(self, job: _Job) -> bool:
        """Whether to wait for more parts, since those of a job are few and small."""
        return job is self._jobs[-1] and job.size < _LEAST_BYTES and not self._is_complete

    def _stage(self, connection: Connection, job: _Job) -> None:
        if job.joins:
            job.error = None
            job.body = job.body._replace(parts=(join(job.body.parts, job.body.layout),))
        with machine_errors():
            query = stage(self._dataset, job.body, job.file)
            ((job.rows,),) = connection.execute(query).fetchall()

    def _settle(self) -> None:
        """See how far all is well, and join the first part that is not with the next."""
        while self._settled < len(self._jobs) and not self._is_over:
            job = self._jobs[self._settled]
            if job.state in (_State.WAITING, _State.RUNNING):
                return
            if job.state is _State.DONE and job.error is None:
                self._settled += 1
                continue
            if job.state is _State.DONE and not job.is_cut_wrong:
                self._end()
                return
            following = self._following()
            goes_on = following and following.body.parts[0].joint is not None
            if len(job.body.parts) > 1 and not job.joins and (job.has_cuts or goes_on):
                self._split(job)
            elif following and goes_on:
                if following.state is _State.RUNNING:
                    return
                if len(following.body.parts) > 1:
                    following = self._split(following)
                self._absorb(job, following)
            elif following is None and not self._is_complete:
                return
            elif job.state is _State.HELD:
                self._stage_next(job)
            else:
                self._end()

    def _following(self) -> _Job | None:
        after = self._jobs[self._settled + 1 : self._settled + 2]
        return after[0] if after else None

    def _split(self, job: _Job) -> _Job:
        """Stage each part of a job alone, and all that come; gives the first."""
        self._is_cut_wrong = True
        if job.state is _State.WAITING:
            self._waiting.remove(job)
        job.file.unlink(missing_ok=True)
        bodies = [job.body._replace(parts=(part,)) for part in job.body.parts]
        alone = [self._new_job(body, _size(body)) for body in bodies]
        at = self._jobs.index(job)
        self._jobs[at : at + 1] = alone
        self._waiting.extendleft(reversed(alone))
        return alone[0]

    def _absorb(self, job: _Job, following: _Job) -> None:
        if following.state is _State.WAITING:
            self._waiting.remove(following)
        self._jobs.remove(following)
        following.file.unlink(missing_ok=True)
        job.body = job.body._replace(parts=job.body.parts + following.body.parts)
        job.size += following.size
        job.joins += 1
        if job.joins > _MOST_JOINS:
            job.state = _State.HELD
        else:
            self._stage_next(job)

    def _stage_next(self, job: _Job) -> None:
        job.state = _State.WAITING
        self._waiting.appendleft(job)

    def _end(self) -> None:
        """Stage nothing more."""
        self._is_over = True
        self._waiting.clear()
        self._changed.notify_all()


def _size(body: Body) -> int:
    return sum(part.file.stat().st_size for part in body.parts)


def _count_cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
