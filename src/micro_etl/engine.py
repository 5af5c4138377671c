"""What an engine is: the steps that it can do, what it is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import quote

from micro_etl import __version__
from micro_etl.dataset import Dataset
from micro_etl.location import Location
from micro_etl.log import Report
from micro_etl.publication import Publication
from micro_etl.settings import Settings
from micro_etl.tablefile import ColumnProfile
from micro_etl.target.outcome import Outcome, Previous

_VISIBLE = "".join(map(chr, range(0x21, 0x7F)))  # two spaces in a header break S3's signature
_LONGEST_SOURCE = 500  # S3 takes 2 kB of metadata in all


class Task(NamedTuple):
    """One run.

    Attributes:
        dataset: the contract.
        settings: limits.
        source: where the records come from.
        target: where the table goes.
        run_id: names the run.
        scratch: an empty folder, which the caller removes.
        report: told of each step.
        publication: told when the target may change.
        force: publish what the guards refuse.
        dry_run: do everything but write.
    """

    dataset: Dataset
    settings: Settings
    source: Location
    target: Location
    run_id: str
    scratch: Path
    report: Report
    publication: Publication
    force: bool
    dry_run: bool

    def metadata(self, source_hash: str) -> dict[str, str]:
        """What the object says of itself; the source in ASCII, shortened and without secrets."""
        source = quote(self.report.mask.clean(self.source.shown), safe=_VISIBLE)
        return {
            "dataset": self.dataset.name,
            "source": source[:_LONGEST_SOURCE],
            "source-hash": source_hash,
            "version": __version__,
            "run-id": self.run_id,
        }


class Fetched(NamedTuple):
    """What came from the source.

    Attributes:
        size: the length of all parts in bytes, decompressed.
        received: how many bytes came, compressed or not.
        etag: of the source, where it is one file and has one.
        last_modified: as the source said it, where it is one file.
        pages: how many requests it took, where the source has pages.
    """

    size: int
    received: int
    etag: str | None = None
    last_modified: str | None = None
    pages: int | None = None


class Made(NamedTuple):
    """The table that was made of it.

    Attributes:
        source_hash: of the decompressed bytes of the source, as ``ALGORITHM:HEX``.
        rows: how many rows the table has.
        size: its length in bytes.
        sha256: of its bytes.
        columns: a profile of each column.
        files: how many files it is, where it may be several.
        preview: draws its first rows, where that is quick.
    """

    source_hash: str
    rows: int
    size: int
    sha256: str
    columns: tuple[ColumnProfile, ...]
    files: int | None = None
    preview: Callable[[], str] | None = None


class Engine(Protocol):
    """Does the steps of one run; each is called once, in this order."""

    def look(self) -> Previous | None:
        """Look at what is published at the target."""

    def extract(self) -> Fetched:
        """Fetch all of the source."""

    def keep_raw(self) -> None:
        """Keep what came from the source; called where the settings ask for it."""

    def transform(self) -> Made:
        """Check every record and write the table."""

    def load(self, previous: Previous | None) -> Outcome:
        """Publish the table, and only over what `look` has seen."""
