"""The way of the data: extract, transform, load, in one place."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from micro_etl import __version__
from micro_etl.dataset import Dataset
from micro_etl.layout import Body, Layout, find_layout
from micro_etl.report import Report
from micro_etl.settings import Settings
from micro_etl.transform import start, transform
from micro_etl.urls import names_ndjson, redact

if TYPE_CHECKING:
    from micro_etl.extract import Extract

_LARGEST_RECORD = (1 << 32) - 1  # the engine counts the bytes of a record in 32 bits


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
    watch = _Watch()
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
    from micro_etl.extract import extract
    from micro_etl.load import load, look
    from micro_etl.store import open_place

    place = open_place(target, timeout=settings.target_timeout, deadline=settings.target_deadline)
    previous = look(place, scratch=scratch)
    watch.lap("look")

    fetched = extract(
        source,
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

        keep_raw(
            fetched,
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


def _body(fetched: Extract, dataset: Dataset, settings: Settings, source: str) -> Body:
    layout = find_layout(
        fetched.file,
        wrapped=bool(dataset.records),
        one_line=names_ndjson(source, fetched.content_type),
        source=redact(source),
    )
    largest = settings.source_max_record_bytes
    if layout is Layout.WRAPPED:  # the engine takes the whole body for one record
        largest = max(largest, fetched.size)
    return Body(fetched.file, layout, min(largest, _LARGEST_RECORD))


class _Watch:
    """Seconds of each step."""

    def __init__(self) -> None:
        self._started = self._last = time.perf_counter()
        self._laps: dict[str, float] = {}

    def lap(self, step: str) -> None:
        now = time.perf_counter()
        self._laps[step] = round(now - self._last, 4)
        self._last = now

    def laps(self) -> dict[str, float]:
        return {**self._laps, "total": round(self._last - self._started, 4)}
