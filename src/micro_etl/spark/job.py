"""What the tasks of a run have in common."""

from __future__ import annotations

from dataclasses import dataclass, field

from micro_etl.dataset import Dataset
from micro_etl.location import Location
from micro_etl.source.limits import ExtractOptions
from micro_etl.spark.plan import Split


@dataclass(frozen=True, slots=True)
class Job:
    """What the tasks of a run have in common.

    Attributes:
        dataset: the contract.
        splits: all of them; a task is told the number of its own.
        options: limits of an extract.
        max_record: the largest record that is read, in bytes.
        parts: the folder that takes the Parquet files, or none in a dry run.
        timeout: seconds for one request to its store.
        deadline: seconds for a request with its retries.
        environ: variables that tell a task's machine what the driver's knows of its stores.
        is_folder: whether the source is one, in whose files a single object is a record.
    """

    dataset: Dataset
    splits: list[Split]
    options: ExtractOptions
    max_record: int
    parts: Location | None
    timeout: float
    deadline: float
    environ: dict[str, str] = field(default_factory=dict)
    is_folder: bool = False

    @property
    def has_several_files(self) -> bool:
        """Whether messages name the file."""
        return len({split.name for split in self.splits}) > 1
