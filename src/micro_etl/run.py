"""The way of the data: extract, transform, load, in one place."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from micro_etl import __version__
from micro_etl.dataset import Dataset
from micro_etl.layout import Body, find_layout, largest_record, one_layout
from micro_etl.report import Report
from micro_etl.settings import Settings
from micro_etl.transform import start, transform
from micro_etl.urls import means_files, names_ndjson, redact

if TYPE_CHECKING:
    from micro_etl.extract import Extract


def run(
    dataset: Dataset,
    settings: Settings,
    *,
    run_id: str,
    scratch: Path,
    report: Report,
    force: bool = False,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Fetch the records of a dataset and publish their table.

    Args:
        dataset: the contract.
        settings: where from, where to, and limits.
        run_id: names this run.
        scratch: an empty folder, which the caller removes.
        report: told of each step.
        force: publish what the guards refuse.
        dry_run: do everything but write.

    Returns:
        What the event ``run_finished`` says.

    Raises:
        MicroEtlError: something went wrong; the target is untouched.
    """
    watch = Watch()
    source, target = settings.source(dataset), settings.target(dataset)
    report.event(
        "run_started",
        dataset=dataset.name,
        source=redact(source),
        target=redact(target),
        dry_run=dry_run,
        version=__version__,
    )

    engine = start(scratch)
    # Imported while the engine starts, which leaves the interpreter to others.
    from micro_etl.load import load, look
    from micro_etl.store import open_place

    fetch = _fetcher(source, dataset)
    place = open_place(target, timeout=settings.target_timeout, deadline=settings.target_deadline)
    previous = look(place, scratch=scratch)
    watch.lap("look")

    fetched = fetch(
        scratch / "body",
        options=settings.extract_options,
        on_progress=report.progress,
        on_retry=lambda attempt, reason: report.event(
            "source_retry", level="warning", attempt=attempt, reason=reason
        ),
    )
    watch.lap("extract")
    report.event(
        "extracted",
        source=redact(source),
        bytes=fetched.size,
        received=fetched.received,
        etag=fetched.etag,
        last_modified=fetched.last_modified,
    )
    if settings.raw_url and not dry_run:
        from micro_etl.keep_raw import keep_raw

        for part in fetched.parts.values() or [fetched]:
            keep_raw(
                part,
                settings.raw_url,
                dataset.name,
                scratch=scratch,
                timeout=settings.target_timeout,
                deadline=settings.target_deadline,
            )
        watch.lap("keep_raw")

    body = _body(fetched, dataset, settings, source)
    table = transform(body, dataset, scratch=scratch, engine=engine)
    watch.lap("transform")
    report.event(
        "transformed",
        source_sha256=fetched.sha256,
        rows=table.rows,
        bytes=table.size,
        sha256=table.sha256,
        columns=[dataclasses.asdict(column) for column in table.columns],
    )
    report.table(table.file)

    outcome = load(
        table,
        place,
        previous,
        dataset=dataset,
        metadata={
            "dataset": dataset.name,
            "source-sha256": fetched.sha256,
            "version": __version__,
            "run-id": run_id,
        },
        scratch=scratch,
        force=force,
        dry_run=dry_run,
    )
    watch.lap("load")
    return {
        "result": outcome.result,
        "dataset": dataset.name,
        "source": redact(source),
        "source_bytes": fetched.size,
        "source_sha256": fetched.sha256,
        "target": redact(target),
        "etag": outcome.etag,
        "rows": table.rows,
        "previous_rows": previous.rows if previous else None,
        "nulls": {column.name: column.nulls for column in table.columns},
        "bytes": table.size,
        "sha256": table.sha256,
        "superseded": outcome.superseded,
        "seconds": watch.laps(),
        "version": __version__,
    }


def _fetcher(source: str, dataset: Dataset) -> Callable[..., Extract]:
    """What fetches the source; most runs have no use for what fetches several files."""
    if not means_files(source):
        from micro_etl.extract import extract

        return partial(extract, source)
    from micro_etl.source_files import extract_files

    return partial(extract_files, source, dataset)


def _body(fetched: Extract, dataset: Dataset, settings: Settings, source: str) -> Body:
    parts = fetched.parts or {redact(source): fetched}
    layout = one_layout(
        {
            name: find_layout(
                part.file,
                wrapped=bool(dataset.records),
                one_line=names_ndjson(name if fetched.parts else source, part.content_type),
                source=name,
            )
            for name, part in parts.items()
        }
    )
    largest = largest_record(layout, settings.source_max_record_bytes, size=fetched.size)
    file, *more = (part.file for part in parts.values())
    return Body(file, layout, largest, tuple(more), tuple(fetched.parts))


class Watch:
    """Seconds of each step."""

    def __init__(self) -> None:
        self._started = self._last = time.perf_counter()
        self._laps: dict[str, float] = {}

    def lap(self, step: str) -> None:
        """Say that a step has ended."""
        now = time.perf_counter()
        self._laps[step] = round(now - self._last, 4)
        self._last = now

    def laps(self) -> dict[str, float]:
        """The seconds of each step, and in total."""
        return {**self._laps, "total": round(self._last - self._started, 4)}
