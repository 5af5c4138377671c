"""What the tests of the service share: a bench that turns a text into a table, as a run does."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from dev.loopback import free_port
from micro_etl.body import Body, Part
from micro_etl.dataset import Dataset, parse_dataset
from micro_etl.errors import ContractError
from micro_etl.source.layout import find_layout
from micro_etl.table.transform import transform
from micro_etl.tablefile import Table

Found = list[tuple[int | None, str, str | None]]
"""Record, path and value of each violation."""


def dataset(columns: str, *, records: str | None = None) -> Dataset:
    """The dataset of some lines of the section `columns`."""
    source = (
        ""
        if records is None
        else f"[source]\nrecords = {json.dumps(records, ensure_ascii=False)}\n"
    )
    return parse_dataset(f'name = "table"\n{source}[columns]\n{columns}\n', label="table.toml")


@dataclass(frozen=True)
class Bench:
    """Transforms bodies in a folder of the test's own.

    Attributes:
        folder: where body and table are.
    """

    folder: Path

    def body(self, text: str | bytes, *, wrapped: bool = False) -> Body:
        """A body as extract leaves it."""
        file = self.folder / "body"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        layout = find_layout(file, wrapped=wrapped, one_line=False, source="the source")
        return Body((Part(file, "the source"),), layout, 1 << 24)

    def table(self, columns: str, text: str | bytes, *, records: str | None = None) -> Table:
        """The table of a body."""
        return self.table_of(dataset(columns, records=records), text)

    def table_of(self, contract: Dataset, text: str | bytes) -> Table:
        """The table of a body by a dataset."""
        body = self.body(text, wrapped=bool(contract.records))
        return transform(body, contract, scratch=self.folder)

    def rows(
        self, columns: str, text: str | bytes, *, records: str | None = None
    ) -> list[dict[str, Any]]:
        """The rows of that table, read by another library than the one that wrote them."""
        file = self.table(columns, text, records=records).file
        rows: list[dict[str, Any]] = pq.ParquetFile(file).read().to_pylist()
        return rows

    def violations(self, columns: str, text: str | bytes, *, records: str | None = None) -> Found:
        """The violations that keep a body from becoming a table."""
        with pytest.raises(ContractError) as refused:
            self.table(columns, text, records=records)
        return [(one.record, one.path, one.value) for one in refused.value.violations]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A bench in an empty folder."""
    return Bench(tmp_path)


@pytest.fixture
def no_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment that says nothing about AWS, and a metadata service that is down."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    return monkeypatch
