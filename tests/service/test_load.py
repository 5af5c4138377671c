"""Load: the object is replaced by a complete and verified one, or stays byte for byte."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from micro_etl.errors import DataError, TargetError
from micro_etl.location import Location
from micro_etl.store import open_place
from micro_etl.target.load import CONTENT_TYPE
from micro_etl.target.look import download
from tests.conftest import Bucket
from tests.service.backends import (
    DATASET,
    KEY,
    KINDS,
    Backend,
    look_at,
    make_table,
    on_s3,
    open_backend,
)


@pytest.fixture(params=KINDS)
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    """Each kind of store in turn, empty."""
    return open_backend(request, tmp_path)


def test_first_table_is_published(backend: Backend, tmp_path: Path) -> None:
    table = make_table(tmp_path, 5)
    outcome = backend.publish(table)
    assert outcome.result == "published"
    assert outcome.etag
    assert backend.read() == table.file.read_bytes()


def test_next_table_replaces_it(backend: Backend, tmp_path: Path) -> None:
    first = backend.publish(make_table(tmp_path, 10))
    outcome = backend.publish(make_table(tmp_path, 11))
    assert outcome.result == "published"
    assert outcome.etag != first.etag
    assert backend.read() == make_table(tmp_path, 11).file.read_bytes()


def test_same_table_is_not_written_again(backend: Backend, tmp_path: Path) -> None:
    first = backend.publish(make_table(tmp_path, 5), "first-run")
    outcome = backend.publish(make_table(tmp_path, 5), "second-run")
    assert (outcome.result, outcome.etag) == ("unchanged", first.etag)


REFUSED = {
    "empty": (0, "the table is empty"),
    "below-min-rows": (2, "the table has 2 rows; min_rows is 3"),
    "shrunk": (
        17,
        "the table has 17 rows, the published one 20; at most 10% may be lost (max_shrink)",
    ),
}


@pytest.mark.parametrize(("rows", "why"), REFUSED.values(), ids=REFUSED)
def test_guard_refuses_and_leaves_the_object(
    backend: Backend, tmp_path: Path, rows: int, why: str
) -> None:
    backend.publish(make_table(tmp_path, 20))
    message = f"not published: {why}; --force publishes anyway"
    with pytest.raises(DataError, match=re.escape(message)):
        backend.publish(make_table(tmp_path, rows, first=7))
    assert backend.read() == make_table(tmp_path, 20).file.read_bytes()


@pytest.mark.parametrize(("rows", "why"), list(REFUSED.values())[:2], ids=list(REFUSED)[:2])
def test_guard_refuses_the_first_table_too(
    backend: Backend, tmp_path: Path, rows: int, why: str
) -> None:
    with pytest.raises(DataError, match=why):
        backend.publish(make_table(tmp_path, rows))
    assert backend.read() is None


@pytest.mark.parametrize("rows", [0, 2, 17])
def test_force_publishes_what_a_guard_refuses(backend: Backend, tmp_path: Path, rows: int) -> None:
    backend.publish(make_table(tmp_path, 20))
    assert backend.publish(make_table(tmp_path, rows), force=True).result == "published"
    assert backend.read() == make_table(tmp_path, rows).file.read_bytes()


def test_table_may_shrink_by_just_what_is_allowed(backend: Backend, tmp_path: Path) -> None:
    backend.publish(make_table(tmp_path, 20))
    assert backend.publish(make_table(tmp_path, 18)).result == "published"


def test_table_may_be_empty_where_the_dataset_allows_it_by_force_alone(
    backend: Backend, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="empty"):
        backend.publish(make_table(tmp_path, 0), dataset=DATASET._replace(min_rows=0))


def test_object_of_somebody_else_is_counted_and_hashed(backend: Backend, tmp_path: Path) -> None:
    table = make_table(tmp_path, 20)
    backend.write(table.file.read_bytes())
    previous = look_at(backend.place, tmp_path)
    assert previous is not None
    assert (previous.rows, previous.sha256, previous.run_id) == (20, table.sha256, None)
    assert backend.publish(table).result == "unchanged"
    with pytest.raises(DataError, match="the published one 20"):
        backend.publish(make_table(tmp_path, 10))


@pytest.mark.parametrize("data", [b"", b"not a table", b"PAR1 nor this PAR1"])
def test_what_is_not_parquet_is_replaced_by_force_alone(
    backend: Backend, tmp_path: Path, data: bytes
) -> None:
    backend.write(data)
    with pytest.raises(DataError, match="what stands at the target is not a Parquet file"):
        backend.publish(make_table(tmp_path, 5))
    assert backend.read() == data
    assert backend.publish(make_table(tmp_path, 5), force=True).result == "published"


def test_dry_run_writes_nothing_and_says_what_it_would_do(backend: Backend, tmp_path: Path) -> None:
    assert backend.publish(make_table(tmp_path, 5), dry_run=True).result == "would publish"
    assert backend.read() is None
    backend.publish(make_table(tmp_path, 5))
    assert backend.publish(make_table(tmp_path, 5), dry_run=True).result == "unchanged"
    with pytest.raises(DataError):
        backend.publish(make_table(tmp_path, 2), dry_run=True)


def test_object_is_downloaded_as_it_is(backend: Backend, tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"can't read .*launches.parquet: it does not exist"):
        download(backend.place, tmp_path / "copy")
    backend.write(b"content")
    assert download(backend.place, tmp_path / "copy").read_bytes() == b"content"


def test_object_says_what_it_is(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = make_table(tmp_path, 5)
    outcome = on_s3(bucket, bucket.endpoint, tmp_path, monkeypatch).publish(table)
    head = bucket.client.head_object(Bucket=bucket.name, Key=KEY)
    assert (head["ContentType"], head["ETag"]) == (CONTENT_TYPE, outcome.etag)
    assert head["Metadata"] == {
        "rows": "5",
        "content-sha256": table.sha256,
        "schema-sha256": "5c4e",
        "source-hash": "xxh128:50c3",
        "dataset": "launches",
        "version": "9",
        "run-id": "this-run",
    }


def test_local_folder_is_made_and_nothing_else_is_left_in_it(tmp_path: Path) -> None:
    place = open_place(Location.parse(str(tmp_path / "a" / "b" / KEY)), timeout=1, deadline=1)
    backend = Backend(place, lambda: None, lambda _: None, tmp_path)
    for rows in (5, 6):
        assert backend.publish(make_table(tmp_path, rows)).result == "published"
    assert [path.name for path in (tmp_path / "a").rglob("*")] == ["b", KEY]
    assert (tmp_path / "a" / "b" / KEY).stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("exists", [True, False])
def test_symbolic_link_stays_and_its_target_is_written(tmp_path: Path, exists: bool) -> None:
    real, link = tmp_path / "real" / "table.parquet", tmp_path / "link.parquet"
    link.symlink_to(real)
    if exists:
        real.parent.mkdir()
        real.write_bytes(make_table(tmp_path, 5).file.read_bytes())
    place = open_place(Location.parse(str(link)), timeout=1, deadline=1)
    Backend(place, lambda: None, lambda _: None, tmp_path).publish(make_table(tmp_path, 6))
    assert link.is_symlink()
    assert real.read_bytes() == make_table(tmp_path, 6).file.read_bytes()
