"""Compares the columns of the published table with those of the dataset file."""

import re
import tomllib
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from deploy.aws import ERRORS
from deploy.work import Work

FOOTER_BYTES = 1 << 20
"""As much of the object's end as is read: the schema is in it."""
TYPES = {
    "float64": "double",
    "boolean": "bool",
    "json": "string",
    "date": "date32[day]",
    "timestamp": "timestamp[us, tz=UTC]",
}
"""What Arrow calls the types of a dataset file that have another name there."""
Columns = dict[str, str]


def columns_step(work: Work) -> None:
    """Say in a plan when the run will need `--force`: the published table has other columns."""
    lines = new_columns(work)
    if lines:
        needed = "this run has --force" if work.force else "the run will need --force"
        work.console.step("columns", f"differ from {work.target.object_url}; {needed}:")
        work.console.more("\n".join(lines))
    work.verdict.facts["columns"] = lines


def new_columns(work: Work) -> list[str]:
    """Return how the dataset file's columns differ from the published ones, a line a change.

    The service replaces a table of other columns only with `--force`. Nothing is returned where
    either of the two can't be read: then the run itself decides.
    """
    environment = work.environment
    file, end = environment.dataset_file, f"bytes=-{FOOTER_BYTES}"
    if file is None:
        return []
    try:
        answer = work.clients.s3.get_object(
            Bucket=environment.bucket, Key=environment.key, Range=end
        )
        published = columns_of_schema(pq.read_schema(pa.BufferReader(answer["Body"].read())))
    except (*ERRORS, pa.ArrowException, OSError):
        return []
    wanted = columns_of(tomllib.loads(file.read_text(encoding="utf-8")))
    lines = [f"+ {name}: {wanted[name]}" for name in wanted if name not in published]
    lines += [f"- {name}: {published[name]}" for name in published if name not in wanted]
    lines += [
        f"~ {name}: {published[name]} → {kind}"
        for name, kind in wanted.items()
        if published.get(name, kind) != kind
    ]
    if not lines and list(published) != list(wanted):
        lines = [f"~ order: {', '.join(published)} → {', '.join(wanted)}"]
    return lines


def columns_of(dataset: dict[str, Any]) -> Columns:
    """Return the columns of a dataset file, each with its type as Arrow has it."""
    found = {}
    for name, column in dataset.get("columns", {}).items():
        settings = {"type": column} if isinstance(column, str) else column
        required = " required" if settings.get("required") else ""
        found[name] = _arrow_type(settings["type"]) + required
    return found


def _arrow_type(kind: str) -> str:
    if kind.endswith("[]"):
        return f"list of {_arrow_type(kind.removesuffix('[]'))}"
    decimal = re.fullmatch(r"decimal\((\d+), ?(\d+)\)", kind)
    return f"decimal128({decimal[1]}, {decimal[2]})" if decimal else TYPES.get(kind, kind)


def columns_of_schema(schema: Any) -> Columns:
    """Return the columns of a Parquet file."""
    return {
        column.name: (
            f"list of {column.type.value_type}"
            if pa.types.is_list(column.type)
            else str(column.type)
        )
        + ("" if column.nullable else " required")
        for column in schema
    }
