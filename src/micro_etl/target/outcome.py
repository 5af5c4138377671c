"""What stands at a target, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeAlias

from micro_etl.tablefile import Description, Schema

Describe: TypeAlias = Callable[[Path], Description | None]
"""Says what a Parquet file is; none where it is not one."""


class Previous(NamedTuple):
    """The object that stands at the target.

    Attributes:
        etag: the store's name for its content; none where the store has no such names.
        version: the store's version of it, where it has versions.
        rows: how many rows it has; none where it is not a Parquet file.
        sha256: of its bytes, as they were read or as a run of this service said.
        run_id: the run that wrote it, where it says so.
        dataset: the dataset that it is a table of, where it says so.
        schema: of its columns, where its content was read.
        schema_sha256: of its columns, where it says so.
    """

    etag: str | None
    version: str | None
    rows: int | None
    sha256: str
    run_id: str | None = None
    dataset: str | None = None
    schema: Schema | None = None
    schema_sha256: str | None = None


class Outcome(NamedTuple):
    """What became of the target.

    Attributes:
        result: ``published``, ``unchanged``, or ``would publish`` in a dry run.
        etag: the ETag of the object that stands there now.
    """

    result: str
    etag: str | None
