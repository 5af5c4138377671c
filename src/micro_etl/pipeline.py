"""A run: the steps in order, whatever the engine."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from micro_etl import __version__
from micro_etl.dataset import Dataset
from micro_etl.engine import Engine, Task
from micro_etl.events import Extracted, RunFinished, RunStarted, Transformed
from micro_etl.local import LocalEngine
from micro_etl.log import Report
from micro_etl.publication import Publication
from micro_etl.settings import Settings
from micro_etl.source.apart import check_apart


def run(
    dataset: Dataset,
    settings: Settings,
    *,
    run_id: str,
    scratch: Path,
    report: Report,
    publication: Publication | None = None,
    force: bool = False,
    dry_run: bool = False,
) -> RunFinished:
    """Fetch the records of a dataset and publish their table.

    Args:
        dataset: the contract.
        settings: where from, where to, and limits.
        run_id: names this run.
        scratch: an empty folder, which the caller removes.
        report: told of each step.
        publication: told when the target may change.
        force: publish what the guards refuse.
        dry_run: do everything but write.

    Raises:
        MicroEtlError: something went wrong; the target is untouched unless the error says more.
    """
    task = Task(
        dataset=dataset,
        settings=settings,
        source=settings.source(dataset),
        target=settings.target(dataset, attended=dry_run or is_attended()),
        run_id=run_id,
        scratch=scratch,
        report=report,
        publication=publication or Publication(),
        force=force,
        dry_run=dry_run,
    )
    raw = {"RAW_URL": settings.raw} if settings.raw_url else {}
    check_apart(task.source, {"the target": task.target, **raw})
    source, target = task.source.shown, task.target.shown
    report.event(
        RunStarted(
            dataset=dataset.name,
            source=source,
            target=target,
            dry_run=dry_run,
            version=__version__,
        )
    )
    seconds = _Seconds()
    # Spark takes seconds to start; the engine for one machine starts while the store answers.
    with seconds.of("start" if settings.engine == "spark" else "look"):
        engine = _open_engine(task)
    with seconds.of("look"):
        previous = engine.look()

    report.phase("source")
    with seconds.of("extract"):
        fetched = engine.extract()
    report.event(
        Extracted(
            source=source,
            bytes=fetched.size,
            received=fetched.received,
            etag=fetched.etag,
            last_modified=fetched.last_modified,
            pages=fetched.pages,
        )
    )
    if settings.raw_url and not dry_run:
        with seconds.of("keep_raw"):
            engine.keep_raw()

    report.phase("table")
    with seconds.of("transform"):
        made = engine.transform()
    report.event(
        Transformed(
            source_hash=made.source_hash,
            rows=made.rows,
            bytes=made.size,
            sha256=made.sha256,
            columns=[column._asdict() for column in made.columns],
        )
    )
    if made.preview:
        report.preview(made.preview)

    report.phase("check" if dry_run else "upload", made.size)
    with seconds.of("load"):
        outcome = engine.load(previous)
    return RunFinished(
        result=outcome.result,
        dataset=dataset.name,
        source=source,
        source_bytes=fetched.size,
        source_hash=made.source_hash,
        target=target,
        etag=outcome.etag,
        rows=made.rows,
        previous_rows=previous.rows if previous else None,
        nulls={column.name: column.nulls for column in made.columns},
        bytes=made.size,
        sha256=made.sha256,
        files=made.files,
        seconds=seconds.all(),
        version=__version__,
    )


def is_attended() -> bool:
    """Whether a person reads what the process prints."""
    return sys.stdout is not None and sys.stdout.isatty()


def _open_engine(task: Task) -> Engine:
    if task.settings.engine == "spark":
        from micro_etl.spark.session import refuse_without_spark

        refuse_without_spark()
        from micro_etl.spark.engine import SparkEngine  # imports what the extra installs

        return SparkEngine(task)
    return LocalEngine(task)


class _Seconds:
    """The seconds of each step."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._steps: dict[str, float] = {}

    @contextmanager
    def of(self, step: str) -> Iterator[None]:
        """Measure a step, which may have several parts."""
        began = time.perf_counter()
        yield
        taken = self._steps.get(step, 0) + time.perf_counter() - began
        self._steps[step] = round(taken, 4)

    def all(self) -> dict[str, float]:
        """The seconds of each step, and in total."""
        return {**self._steps, "total": round(time.perf_counter() - self._started, 4)}
