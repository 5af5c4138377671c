"""The stores that the tests of load publish to, each seen by other means than the service's."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import obstore
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from obstore.store import MemoryStore

from micro_etl.dataset import Dataset, bundled_dataset
from micro_etl.location import Location
from micro_etl.store import Place, open_place
from micro_etl.table.parquet import describe_alone
from micro_etl.tablefile import Table
from micro_etl.target.load import load
from micro_etl.target.look import look
from micro_etl.target.outcome import Outcome, Previous
from tests.conftest import Bucket

DATASET = bundled_dataset("launches")._replace(min_rows=3, max_shrink=0.1)
KEY = "launches.parquet"


def make_table(folder: Path, rows: int, first: int = 0) -> Table:
    """A table of so many rows; another first number makes other bytes."""
    file = folder / f"table-{rows}-{first}.parquet"
    pq.write_table(pa.table({"n": pa.array(range(first, first + rows), pa.int32())}), file)
    data = file.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    return Table(file, rows, len(data), digest, "5c4e", (), (("n", "OPTIONAL", "INTEGER"),))


def opened(url: str, *, timeout: float, deadline: float) -> Place:
    """The place that a URL or path names."""
    return open_place(Location.parse(url), timeout=timeout, deadline=deadline)


def look_at(place: Place, scratch: Path) -> Previous | None:
    """Look at a target, as a run does."""
    return look(place, scratch=scratch, describe=partial(describe_alone, scratch=scratch))


@dataclass(frozen=True)
class Backend:
    """One kind of store.

    Attributes:
        place: the target in it.
        read: the bytes that stand there, by other means than the service's; none where none do.
        write: put bytes there as somebody else would.
        scratch: a folder for the service.
    """

    place: Place
    read: Callable[[], bytes | None]
    write: Callable[[bytes], Any]
    scratch: Path

    def publish(self, table: Table, run_id: str = "this-run", **options: Any) -> Outcome:
        """Look and load, as a run does."""
        return self.load(table, look_at(self.place, self.scratch), run_id, **options)

    def load(self, table: Table, previous: Any, run_id: str, **options: Any) -> Outcome:
        """Load over what a look has seen."""
        dataset: Dataset = options.pop("dataset", DATASET)
        metadata = {
            "dataset": "launches",
            "source-hash": "xxh128:50c3",
            "version": "9",
            "run-id": run_id,
        }
        return load(
            table,
            self.place,
            previous,
            dataset=dataset,
            metadata=metadata,
            scratch=self.scratch,
            describe=partial(describe_alone, scratch=self.scratch),
            **options,
        )


def on_s3(bucket: Bucket, endpoint: str, folder: Path, patch: pytest.MonkeyPatch) -> Backend:
    """The bucket, reached through an endpoint that may be a proxy of the emulator."""
    for name, value in {**bucket.environ, "AWS_ENDPOINT_URL": endpoint}.items():
        patch.setenv(name, value)
    return Backend(
        open_place(Location.parse(f"s3://{bucket.name}/{KEY}"), timeout=10, deadline=10),
        lambda: bucket.read(KEY) if bucket.list_keys() else None,
        lambda data: bucket.client.put_object(Bucket=bucket.name, Key=KEY, Body=data),
        folder,
    )


KINDS = ("memory", "local", "s3")


def open_backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    """The kind of store that a fixture is asked for, empty."""
    if request.param == "s3":
        bucket = request.getfixturevalue("bucket")
        patch = request.getfixturevalue("monkeypatch")
        return on_s3(bucket, bucket.endpoint, tmp_path, patch)
    file = tmp_path / "out" / KEY
    if request.param == "local":
        file.parent.mkdir()
        place = open_place(Location.parse(str(file)), timeout=1, deadline=1)
        return Backend(
            place, lambda: file.read_bytes() if file.exists() else None, file.write_bytes, tmp_path
        )
    store = MemoryStore()
    place = Place(Location.parse(f"memory:///{KEY}"), store, KEY)

    def read() -> bytes | None:
        return bytes(store.get(KEY).bytes()) if list(obstore.list(store).collect()) else None

    return Backend(place, read, lambda data: store.put(KEY, data), tmp_path)
