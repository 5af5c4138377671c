"""The engine for one machine: DuckDB, between a source and a target of any kind."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from micro_etl.body import Body, uncut
from micro_etl.engine import Fetched, Made, Task
from micro_etl.errors import AccessDeniedError, DataError, SourceError
from micro_etl.events import SourceRetry
from micro_etl.publication import State
from micro_etl.table.engine import start
from micro_etl.table.parquet import describe, describe_alone
from micro_etl.table.staging import Staging
from micro_etl.table.transform import write_table
from micro_etl.target.outcome import Outcome, Previous

if TYPE_CHECKING:
    from micro_etl.source.read import Arrived
    from micro_etl.tablefile import Table

# HTTP and the stores are imported where they are first used: by then the engine starts in the
# background, which leaves the interpreter to others. A run takes a tenth less for it.

_LITTLE = 1 << 20  # bytes of a table


class LocalEngine:
    """Does the steps of one run on this machine."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._staging = Staging(task.dataset, scratch=task.scratch, engine=start(task.scratch))
        self._parts: list[Arrived] = []
        self._table: Table
        self._denied: AccessDeniedError | None = None

    def look(self) -> Previous | None:
        """Look at what is published at the target; the rest is imported while it answers."""
        looking = ThreadPoolExecutor(1).submit(self._look)
        import micro_etl.source.read
        import micro_etl.target.load  # noqa: F401 - used where they are imported by name

        return looking.result()

    def _look(self) -> Previous | None:
        from micro_etl.store import open_place
        from micro_etl.target.look import look, may_be_missing

        task, settings = self._task, self._task.settings
        self._place = open_place(
            task.target, timeout=settings.target_timeout, deadline=settings.target_deadline
        )
        try:
            return look(
                self._place,
                scratch=task.scratch,
                describe=lambda file: describe(self._staging.connection().cursor(), file),
                force=task.force,
            )
        except AccessDeniedError as error:
            if task.dry_run or not may_be_missing(error):
                raise
            self._denied = error
            return None  # the put's condition tells whether there is one

    def extract(self) -> Fetched:
        """Fetch all of the source; what has come is staged while the rest is fetched."""
        from micro_etl.source.read import Forget, is_paged, read_source

        task, report, settings = self._task, self._task.report, self._task.settings

        def on_retry(attempt: int, reason: str) -> None:
            report.event(SourceRetry(attempt=attempt, reason=reason))

        for one in read_source(
            task.dataset,
            task.source,
            task.scratch / "body",
            options=settings.extract_options,
            max_pages=settings.source_max_pages,
            max_record=settings.source_max_record_bytes,
            mask=report.mask,
            ahead=self._staging,
            on_progress=report.progress,
            on_retry=on_retry,
        ):
            if isinstance(one, Forget):
                self._forget(one.first)
            else:
                self._parts.append(one)
                self._staging.add(one.body)
                report.arrived(len(self._parts), one.records)
        single = self._parts[0].extract if self._is_single else None
        return Fetched(
            size=sum(one.extract.size for one in self._parts),
            received=sum(one.extract.received for one in self._parts),
            etag=single.etag if single else None,
            last_modified=single.last_modified if single else None,
            pages=len(self._parts) if is_paged(task.dataset, task.source) else None,
        )

    def keep_raw(self) -> None:
        """Keep each part."""
        from micro_etl.source.keep_raw import keep_raw

        task, settings = self._task, self._task.settings
        is_folder = task.source.is_folder
        for one in self._parts:
            name = f"{_hex(one.extract.hash)}.json"
            if not self._is_single and not is_folder:  # together they are one source again
                name = f"{_hex(self._source_hash)}/{one.key}"
            if one.cut:
                self._staging.finish()  # which may join parts
            keep_raw(
                one.extract,
                settings.raw,
                f"{task.dataset.name}/{name}",
                pieces=uncut(self._staging.parts, one.layout) if one.cut else None,
                scratch=task.scratch,
                timeout=settings.target_timeout,
                deadline=settings.target_deadline,
            )

    def transform(self) -> Made:
        """Check every record and write the table."""
        task, body = self._task, self._body()
        with ExitStack() as opened:
            opened.enter_context(self._staging.connection())
            self._table = table = write_table(
                body,
                task.dataset,
                self._staging,
                scratch=task.scratch,
                on_read=self._on_read,
            )
            self._closing = ThreadPoolExecutor(1).submit(opened.pop_all().close)
        if table.size > _LITTLE:  # what it frees is wanted
            self._closing.result()
        return Made(
            source_hash=self._source_hash,
            rows=table.rows,
            size=table.size,
            sha256=table.sha256,
            columns=table.columns,
            preview=self._preview,
        )

    def _preview(self) -> str:
        from micro_etl.table.show import head  # 2 ms, for a person

        return head(self._table.file, scratch=self._task.scratch)

    def load(self, previous: Previous | None) -> Outcome:
        """Publish the table, and only over what `look` has seen."""
        from micro_etl.target.load import load

        task = self._task
        try:
            outcome = load(
                self._table,
                self._place,
                previous,
                dataset=task.dataset,
                metadata=task.metadata(self._source_hash),
                scratch=task.scratch,
                describe=partial(describe_alone, scratch=task.scratch),
                force=task.force,
                dry_run=task.dry_run,
                on_write=task.publication.begin,
            )
        except AccessDeniedError as error:
            if self._denied:  # the first says more
                raise self._denied from error
            raise
        finally:
            self._closing.result()
        if outcome.result == "published":
            task.publication.state = State.DONE
        return outcome

    @property
    def _is_single(self) -> bool:
        """Whether the source is one body."""
        from micro_etl.source.read import is_paged

        return not (self._task.source.is_folder or is_paged(self._task.dataset, self._task.source))

    @property
    def _source_hash(self) -> str:
        """The hash of the source, as ``ALGORITHM:HEX``."""
        if self._is_single:
            return self._parts[0].extract.hash
        from micro_etl.source.files import combine_hashes

        return combine_hashes({one.key: one.extract.hash for one in self._parts})

    def _forget(self, first: int) -> None:
        """Forget the parts from this one on, and stage the others again."""
        self._parts = self._parts[:first]
        self._staging.restart()
        for one in self._parts:
            self._staging.add(one.body)

    def _body(self) -> Body:
        from micro_etl.source.layout import one_layout

        if not self._parts:
            raise SourceError(f"{self._task.source.shown} has no parts")
        layout = one_layout({one.part.name: one.layout for one in self._parts})
        return Body(
            parts=tuple(part for one in self._parts for part in (*one.cut, one.part)),
            layout=layout,
            max_record=max(one.max_record for one in self._parts),
        )

    def _on_read(self) -> None:
        """See whether the source says that there is more, and free the parts, which may be large.

        To free a gigabyte takes the system a tenth of a second: it is done in the background.
        """
        pagination = self._task.dataset.pagination
        if self._is_single and (pagination is None or pagination.kind != "none"):
            self._refuse_first_page()
        files = [part.file for part in self._staging.parts]
        threading.Thread(target=_remove, args=(files,), daemon=True).start()

    def _refuse_first_page(self) -> None:
        """Refuse what says of itself that it is one of several pages.

        Raises:
            DataError: it does.
        """
        from micro_etl.source.read import may_say_more

        (one,), dataset = self._parts, self._task.dataset
        if not (dataset.is_wrapped or may_say_more(one.extract.headers)):
            return
        from micro_etl.source.paging.evidence import find_evidence  # its patterns take 6 ms
        from micro_etl.table.around import Around, read_around

        around = Around({}, None)
        if dataset.is_wrapped:
            connection = self._staging.connection().cursor()
            around = read_around(connection, dataset, one.body)
        headers = one.extract.headers
        evidence = find_evidence(
            {name.lower(): headers[name] for name in headers},
            around.page,
            self._staging.rows if around.elements is None else around.elements,
            records=dataset.records,
        )
        if evidence:
            raise DataError(f"{one.part.name} {evidence.advice}")


def _hex(hashed: str) -> str:
    return hashed.partition(":")[2]


def _remove(files: Sequence[Path]) -> None:
    for file in files:
        file.unlink(missing_ok=True)  # with the scratch folder, where the run ends first
