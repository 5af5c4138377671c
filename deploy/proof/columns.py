"""Compares the columns of the published table with those of the dataset file."""

import pyarrow as pa
import pyarrow.parquet as pq

from deploy.aws import ERRORS
from deploy.task.definition import changes
from deploy.work import Work

FOOTER = f"bytes=-{1 << 20}"
"""As much of the object's end as is read: the schema is in it."""


def columns_step(work: Work) -> None:
    """Say in a plan when the run will need `--force`: the published table has other columns."""
    lines = new_columns(work)
    if lines:
        needed = "this run has --force" if work.force else "the run will need --force"
        work.console.step("columns", f"differ from {work.target.object_url}; {needed}:")
        work.console.more("\n".join(lines))
    work.verdict.facts["columns"] = lines


def new_columns(work: Work) -> list[str]:
    """How the dataset file's columns differ from the published ones, a line a change.

    Nothing is returned where either of the two can't be read: then the run itself decides.
    """
    # The integration test knows both, and what it expects is what it will find.
    from tests.integration.published_dataset import columns_of_dataset, columns_of_file

    environment = work.environment
    try:
        wanted = _by_name(columns_of_dataset(environment.read_dataset()))
        answer = work.clients.s3.get_object(
            Bucket=environment.bucket, Key=environment.key, Range=FOOTER
        )
        schema = pq.read_schema(pa.BufferReader(answer["Body"].read()))
    except (*ERRORS, pa.ArrowException, OSError, LookupError, TypeError, AttributeError):
        return []
    published = _by_name(columns_of_file(schema))
    if published == wanted and list(published) != list(wanted):
        return [f"~ order: {', '.join(published)} → {', '.join(wanted)}"]
    return changes(published, wanted)


def _by_name(columns: list[tuple[str, str, bool]]) -> dict[str, str]:
    return {name: kind + ("" if nullable else " required") for name, kind, nullable in columns}
