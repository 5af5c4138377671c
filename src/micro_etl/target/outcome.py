"""What stands at a target, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Previous:
    """The object that stands at the target.

    Attributes:
        etag: the store's name for its content.
        version: the store's version of it, where it has versions.
        rows: how many rows it has; none where it is not a Parquet file.
        sha256: of its bytes.
        run_id: the run that wrote it, where it says so.
    """

    etag: str | None
    version: str | None
    rows: int | None
    sha256: str
    run_id: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the target.

    Attributes:
        result: ``published``, ``unchanged``, or ``would publish`` in a dry run.
        etag: the ETag of the object that stands there now.
        superseded: another run has published since.
    """

    result: str
    etag: str | None
    superseded: bool = False
