"""The command that publishes, without the parser of its flags, which a task has no use for."""

from __future__ import annotations

import os

from micro_etl.log import open_report
from micro_etl.mask import mask_of
from micro_etl.process import workspace
from micro_etl.publication import Publication
from micro_etl.settings import Settings
from micro_etl.source.read_dataset import read_dataset


def run_dataset(settings: Settings, *, force: bool = False, dry_run: bool = False) -> None:
    """Fetch the records of a dataset and publish their table, and tell of it.

    Args:
        settings: all that the run needs.
        force: publish what the guards refuse.
        dry_run: do everything but write.

    Raises:
        SystemExit: it failed; with the exit code.
    """
    run_id = settings.run_id or os.urandom(16).hex()
    report = open_report(
        log_format=settings.log_format,
        log_level=settings.log_level,
        run_id=run_id,
        namespace=settings.metrics_namespace,
        mask=mask_of(settings.source_url, settings.target_url, settings.raw_url, settings.dataset),
    )
    if any(name.startswith("OTEL_") for name in os.environ):
        from micro_etl.otel import MeteredReport, is_wanted

        if is_wanted(os.environ):
            report = MeteredReport(report)
    publication = Publication()
    with workspace(report, publication) as scratch:
        # Here, where it ends with 71 that there is no memory to load the engine.
        from micro_etl.pipeline import run as run_pipeline

        dataset = read_dataset(settings.dataset, scratch=scratch, options=settings.extract_options)
        report.dataset = dataset.name
        report.event(
            run_pipeline(
                dataset,
                settings,
                run_id=run_id,
                scratch=scratch,
                report=report,
                publication=publication,
                force=force,
                dry_run=dry_run,
            )
        )
