"""Compares the columns of the published table with those of the dataset file."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from botocore.exceptions import ClientError

from deploy.target import Target

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FOOTER_BYTES = 1 << 20
"""As much of the object's end as is read: the schema is in it."""

Columns = dict[str, str]

TYPES = {
    "int32": "int32",
    "int64": "int64",
    "float64": "double",
    "boolean": "bool",
    "string": "string",
    "json": "string",
    "date": "date32[day]",
    "timestamp": "timestamp[us, tz=UTC]",
}
"""What Arrow calls the types of a dataset file."""


def new_columns(s3: S3Client, target: Target) -> list[str]:
    """Return how the dataset file's columns differ from the published ones, a line a change.

    The service replaces a table of other columns only with `--force`. Nothing is returned where
    either of the two can't be read: then the run itself decides.
    """
    file = target.environment.dataset_file
    if file is None:
        return []
    try:
        answer = s3.get_object(
            Bucket=target.environment.bucket,
            Key=target.environment.key,
            Range=f"bytes=-{FOOTER_BYTES}",
        )
        schema = pq.read_schema(pa.BufferReader(answer["Body"].read()))
    except (ClientError, pa.ArrowException, OSError):
        return []
    wanted = columns_of(tomllib.loads(file.read_text(encoding="utf-8")))
    return changes(columns_of_schema(schema), wanted)


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


def changes(published: Columns, wanted: Columns) -> list[str]:
    """Return the difference between two sets of columns: `+`, `-` and `~`, and a changed order."""
    lines = [f"+ {name}: {kind}" for name, kind in wanted.items() if name not in published]
    lines += [f"- {name}: {kind}" for name, kind in published.items() if name not in wanted]
    lines += [
        f"~ {name}: {published[name]} → {kind}"
        for name, kind in wanted.items()
        if published.get(name, kind) != kind
    ]
    if not lines and list(published) != list(wanted):
        lines = [f"~ order: {', '.join(published)} → {', '.join(wanted)}"]
    return lines
