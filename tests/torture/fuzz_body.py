"""Compare the service's reading of any bytes with plain Python's."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from micro_etl.body import Body, Part
from micro_etl.dataset import Dataset, parse_dataset
from micro_etl.errors import DataError, SourceError
from micro_etl.source.layout import find_layout
from micro_etl.table.transform import transform
from tests.torture.contract import Refused, read


def published(data: bytes, dataset: Dataset) -> list[dict[str, Any]]:
    """The rows that the service would publish, read by another library.

    Raises:
        Refused: the service does not publish them.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "body")
        file.write_bytes(data)
        try:
            layout = find_layout(file, wrapped=False, one_line=False, source="the source")
            table = transform(
                Body((Part(file, "the source"),), layout, 1 << 20), dataset, scratch=Path(folder)
            )
        except (DataError, SourceError) as error:
            raise Refused(str(error)) from error
        rows: list[dict[str, Any]] = pq.ParquetFile(table.file).read().to_pylist()
        return rows


def compare(data: bytes, toml: str) -> None:
    """Fail where the service publishes an array of records that plain Python reads otherwise."""
    dataset = parse_dataset(toml, label="fuzz.toml")
    try:
        found = published(data, dataset)
    except Refused:
        return
    if data.lstrip(b" \t\r\n")[:1] != b"[" or not found:
        return  # one record a line: read by the engine alone
    expected = read(data.decode(), dataset)
    if [exact(row) for row in found] != [exact(row) for row in expected]:
        raise AssertionError(f"{found} was published, {expected} was sent")


def exact(row: dict[str, Any]) -> list[tuple[str, type, Any]]:
    """Values with names and types, so that 1 and True and 1.0 differ, and -0.0 from 0.0."""
    return [
        (name, type(value), repr(value) if type(value) is float else value)
        for name, value in row.items()
    ]
