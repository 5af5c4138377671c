"""micro-etl as a library: the same runs and checks, without signals, exits or output."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from micro_etl.dataset import Dataset
from micro_etl.errors import MachineError
from micro_etl.events import RunFinished
from micro_etl.location import Location
from micro_etl.log import Report
from micro_etl.settings import Settings, parse_settings
from micro_etl.source.limits import ExtractOptions
from micro_etl.source.read_dataset import read_dataset

Reference: TypeAlias = str | os.PathLike[str]
"""The name, path or URL of a file."""


def run(
    dataset: Reference | Dataset = "launches",
    *,
    force: bool = False,
    dry_run: bool = False,
    report: Report | None = None,
    **settings: Any,
) -> RunFinished:
    """Fetch the records of a dataset and publish their table.

    It may run in any thread, and in several at once.

    Args:
        dataset: a dataset, or a name, path or URL of a dataset file.
        force: publish what the guards refuse.
        dry_run: do everything but write.
        report: told of each step; by default nothing is.
        **settings: fields of `Settings`, such as ``target_url="orders.parquet"``; each has a
            default, and none is read from the environment. The store's credentials are.

    Returns:
        What the event ``run_finished`` says: the result, rows, hashes, seconds.

    Raises:
        MicroEtlError: the base of all errors; each has the exit code that the command ends with.
        UsageError: there is no such setting.
        ConfigError: a setting is not what it should be.
    """
    from micro_etl.pipeline import run as run_pipeline

    name = dataset.name if isinstance(dataset, Dataset) else os.fspath(dataset)
    chosen = Settings(dataset=name, **parse_settings(settings))
    report = report or Report()
    with scratch_folder() as scratch:
        if not isinstance(dataset, Dataset):
            dataset = read_dataset(name, scratch=scratch, options=chosen.extract_options)
        return run_pipeline(
            dataset,
            chosen,
            run_id=chosen.run_id or os.urandom(16).hex(),
            scratch=scratch,
            report=report,
            force=force,
            dry_run=dry_run,
        )


def check(
    url: Reference,
    dataset: Reference | Dataset = "launches",
    *,
    timeout: float = 60,
    deadline: float = 180,
) -> int:
    """Count the rows of a published Parquet file that keeps the contract of a dataset.

    Args:
        url: a path or the URL of a store.
        dataset: a dataset, or a name, path or URL of a dataset file.
        timeout: seconds for one request to the store.
        deadline: seconds for a request with its retries.

    Raises:
        DataError: the file breaks the contract; says every way in which it does.
        MicroEtlError: the base of all errors.
    """
    from micro_etl.store import open_place
    from micro_etl.table.check import check as check_file
    from micro_etl.target.look import download

    with scratch_folder() as scratch:
        if not isinstance(dataset, Dataset):
            dataset = read_dataset(os.fspath(dataset), scratch=scratch, options=ExtractOptions())
        place = open_place(Location.parse(os.fspath(url)), timeout=timeout, deadline=deadline)
        return check_file(download(place, scratch / "fetched.parquet"), dataset, scratch=scratch)


def load_dataset(reference: Reference) -> Dataset:
    """Read a dataset file.

    Args:
        reference: the name of a file in ``./datasets`` or of a bundled dataset, or a path or URL.

    Raises:
        ConfigError: there is no such dataset, or its file is wrong.
    """
    with scratch_folder() as scratch:
        return read_dataset(os.fspath(reference), scratch=scratch, options=ExtractOptions())


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Make a folder in the temporary folder, and remove it with all that is in it.

    Raises:
        MachineError: it can't be made.
    """
    try:
        folder = tempfile.TemporaryDirectory(prefix="micro-etl-", ignore_cleanup_errors=True)
    except OSError as error:
        raise MachineError(
            f"no scratch folder: {error.strerror}; TMPDIR should name a folder that can be written"
        ) from error
    with folder as name:
        yield Path(name)
