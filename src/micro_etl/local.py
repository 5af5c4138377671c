"""The engine for one machine: DuckDB, between a source and a target of any kind."""

from __future__ import annotations

import os
import threading
from functools import partial
from typing import TYPE_CHECKING

from micro_etl import __version__
from micro_etl.body import Body, Part
from micro_etl.engine import Fetched, Made, Task
from micro_etl.events import SourceRetry
from micro_etl.location import Location
from micro_etl.publication import State
from micro_etl.table.engine import start
from micro_etl.table.parquet import count_rows
from micro_etl.table.show import head
from micro_etl.table.transform import transform
from micro_etl.target.outcome import Outcome, Previous

if TYPE_CHECKING:
    from micro_etl.source.fetch import Extract
    from micro_etl.tablefile import Table

# HTTP and the stores are imported where they are first used: by then the engine starts in the
# background, which leaves the interpreter to others. A run takes a tenth less for it.


class LocalEngine:
    """Does the steps of one run on this machine."""

    def __init__(self, task: Task) -> None:
        self._task, self._duckdb = task, start(task.scratch)
        self._parts: dict[str, Extract] = {}
        self._table: Table
        self._source_sha256 = ""

    def look(self) -> Previous | None:
        """Look at what is published at the target."""
        from micro_etl.store import open_place
        from micro_etl.target.load import look

        task, settings = self._task, self._task.settings
        self._place = open_place(
            task.target, timeout=settings.target_timeout, deadline=settings.target_deadline
        )
        return look(
            self._place,
            scratch=task.scratch,
            count_rows=partial(count_rows, scratch=task.scratch),
        )

    def extract(self) -> Fetched:
        """Fetch all of the source."""
        from micro_etl.source.fetch import extract
        from micro_etl.source.files import extract_files

        task, report = self._task, self._task.report

        def on_retry(attempt: int, reason: str) -> None:
            report.event(SourceRetry(attempt=attempt, reason=reason))

        folder, options = task.scratch / "body", task.settings.extract_options
        if task.source.is_folder:
            self._parts = extract_files(
                task.source,
                task.dataset,
                folder,
                options=options,
                on_progress=report.progress,
                on_retry=on_retry,
            )
            one = None
        else:
            one = extract(
                task.source,
                folder,
                options=options,
                on_progress=report.progress,
                on_retry=on_retry,
            )
            self._parts = {task.source.shown: one}
        return Fetched(
            size=sum(part.size for part in self._parts.values()),
            received=sum(part.received for part in self._parts.values()),
            etag=one.etag if one else None,
            last_modified=one.last_modified if one else None,
        )

    def keep_raw(self) -> None:
        """Keep each part."""
        from micro_etl.source.keep_raw import keep_raw

        task, settings = self._task, self._task.settings
        for part in self._parts.values():
            keep_raw(
                part,
                settings.raw,
                task.dataset.name,
                scratch=task.scratch,
                timeout=settings.target_timeout,
                deadline=settings.target_deadline,
            )

    def transform(self) -> Made:
        """Check every record and write the table."""
        from micro_etl.source.files import combine_hashes

        task = self._task
        self._table = table = transform(
            self._body(),
            task.dataset,
            scratch=task.scratch,
            engine=self._duckdb,
            on_read=self._release,
        )
        hashes = {name: part.sha256 for name, part in self._parts.items()}
        one = None if task.source.is_folder else next(iter(hashes.values()))
        self._source_sha256 = one or combine_hashes(hashes)
        return Made(
            source_sha256=self._source_sha256,
            rows=table.rows,
            size=table.size,
            sha256=table.sha256,
            columns=table.columns,
            preview=partial(head, table.file, scratch=task.scratch),
        )

    def load(self, previous: Previous | None) -> Outcome:
        """Publish the table, and only over what `look` has seen."""
        from micro_etl.target.load import load

        task = self._task
        task.publication.state = State.UNDER_WAY
        outcome = load(
            self._table,
            self._place,
            previous,
            dataset=task.dataset,
            metadata={
                "dataset": task.dataset.name,
                "source-sha256": self._source_sha256,
                "version": __version__,
                "run-id": task.run_id,
            },
            scratch=task.scratch,
            force=task.force,
            dry_run=task.dry_run,
        )
        published = outcome.result == "published"
        task.publication.state = State.DONE if published else State.NOT_BEGUN
        return outcome

    def _body(self) -> Body:
        from micro_etl.source.layout import find_layout, largest_record, one_layout

        task = self._task
        single = None if task.source.is_folder else task.source
        layout = one_layout(
            {
                name: find_layout(
                    part.file,
                    wrapped=bool(task.dataset.records),
                    one_line=(single or Location.parse(name)).names_lines(part.content_type),
                    source=name,
                )
                for name, part in self._parts.items()
            }
        )
        size = max(part.size for part in self._parts.values())
        return Body(
            parts=tuple(Part(part.file, name) for name, part in self._parts.items()),
            layout=layout,
            max_record=largest_record(layout, task.settings.source_max_record_bytes, size=size),
        )

    def _release(self) -> None:
        """Free the parts, which may be large, in the background.

        To free a gigabyte takes the system a tenth of a second, once no file of it is open.
        """
        files = [part.file for part in self._parts.values()]
        held = os.open(files[0], os.O_RDONLY)
        for file in files:
            file.unlink()
        threading.Thread(target=os.close, args=(held,)).start()
