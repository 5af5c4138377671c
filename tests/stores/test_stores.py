"""Every kind of store that is promised: conditions, races, guards and verification."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest

from micro_etl.errors import DataError, RaceLostError, TargetError
from micro_etl.location import Location
from micro_etl.store import open_place
from tests.service.backends import Backend, look_at, make_table
from tests.service.command import launches, micro_etl
from tests.stores.emulators import Emulator

SAID = {
    "dataset": "launches",
    "source-hash": "xxh128:50c3",
    "schema-sha256": "5c4e",
    "version": "9",
    "run-id": "run-before",
}


@pytest.fixture
def backend(emulator: Emulator, tmp_path: Path) -> Backend:
    """The store as the service sees it, and as it is."""
    place = open_place(Location.parse(emulator.url), timeout=10, deadline=10)
    return Backend(place, emulator.read, lambda data: emulator.write(data, {}), tmp_path)


def needs_conditions(emulator: Emulator) -> None:
    """Leave out a store that does as it is asked whatever the condition is."""
    if not emulator.keeps_conditions:
        pytest.skip("it knows no conditional put: of two runs at once, the later would win")


def test_table_is_published_replaced_and_found_unchanged(backend: Backend, tmp_path: Path) -> None:
    first, second = make_table(tmp_path, 10), make_table(tmp_path, 11)
    assert backend.publish(first).result == "published"
    assert backend.read() == first.file.read_bytes()
    assert backend.publish(second).result == "published"
    assert backend.read() == second.file.read_bytes()
    assert backend.publish(second, "another-run").result == "unchanged"


def test_object_says_what_it_is(backend: Backend, tmp_path: Path) -> None:
    table = make_table(tmp_path, 10)
    outcome = backend.publish(table)
    previous = look_at(backend.place, tmp_path)
    assert previous is not None
    assert (previous.rows, previous.sha256, previous.etag) == (10, table.sha256, outcome.etag)
    assert (previous.run_id, previous.dataset) == ("this-run", "launches")


@pytest.mark.parametrize("before", [None, 5], ids=["create", "update"])
def test_newer_table_of_another_run_stays(
    backend: Backend, emulator: Emulator, tmp_path: Path, before: int | None
) -> None:
    needs_conditions(emulator)
    if before:
        backend.publish(make_table(tmp_path, before))
    seen = look_at(backend.place, tmp_path)
    other = make_table(tmp_path, 6)
    backend.publish(other, "other-run")
    with pytest.raises(RaceLostError, match="this one wrote nothing"):
        backend.load(make_table(tmp_path, 7), seen, "this-run")
    assert backend.read() == other.file.read_bytes()


def test_of_eight_runs_at_once_one_publishes(
    backend: Backend, emulator: Emulator, tmp_path: Path
) -> None:
    needs_conditions(emulator)
    backend.publish(make_table(tmp_path, 5))
    seen, ready = look_at(backend.place, tmp_path), Barrier(8)

    def race(number: int) -> str:
        table = make_table(tmp_path, 10 + number)
        ready.wait(60)
        try:
            return backend.load(table, seen, f"run-{number}").result
        except RaceLostError:
            return "lost"

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(race, range(8)))
    assert sorted(results) == ["lost"] * 7 + ["published"]
    winner = make_table(tmp_path, 10 + results.index("published"))
    assert backend.read() == winner.file.read_bytes()


def test_object_that_was_deleted_meanwhile_is_created_again(
    backend: Backend, emulator: Emulator, tmp_path: Path
) -> None:
    backend.publish(make_table(tmp_path, 5))
    seen = look_at(backend.place, tmp_path)
    emulator.delete()
    table = make_table(tmp_path, 6)
    assert backend.load(table, seen, "this-run").result == "published"
    assert backend.read() == table.file.read_bytes()


def test_guards_keep_what_stands_there(
    backend: Backend, emulator: Emulator, tmp_path: Path
) -> None:
    table, shrunk = make_table(tmp_path, 20), make_table(tmp_path, 10)
    data = table.file.read_bytes()
    said = {**SAID, "rows": "20", "content-sha256": table.sha256}
    other = make_table(tmp_path, 21)._replace(schema=(("m", "OPTIONAL", "VARCHAR"),))
    emulator.write(data, said)
    with pytest.raises(DataError, match="max_shrink"):
        backend.publish(shrunk)
    with pytest.raises(DataError, match="'n' is gone"):
        backend.publish(other._replace(schema_sha256="an0ther"))
    emulator.write(data, {**said, "dataset": "orders"})
    with pytest.raises(DataError, match="the table of dataset 'orders'"):
        backend.publish(make_table(tmp_path, 21))
    emulator.write(b"no table", {})
    with pytest.raises(DataError, match="not a Parquet file"):
        backend.publish(table)
    assert backend.read() == b"no table"
    assert backend.publish(table, force=True).result == "published"


def test_broken_object_is_published_again(
    backend: Backend, emulator: Emulator, tmp_path: Path
) -> None:
    table = make_table(tmp_path, 20)
    emulator.write(b"half a table", {**SAID, "rows": "20", "content-sha256": table.sha256})
    assert backend.publish(table).result == "published"
    assert backend.read() == table.file.read_bytes()


def test_missing_bucket_is_an_error_of_the_target(
    backend: Backend, emulator: Emulator, tmp_path: Path
) -> None:
    url = emulator.url.replace("bucket", "no-such-bucket")
    missing = replace(backend, place=open_place(Location.parse(url), timeout=10, deadline=10))
    with pytest.raises(TargetError, match="no such bucket"):
        look_at(missing.place, tmp_path)
    with pytest.raises(TargetError, match="no such bucket"):
        missing.load(make_table(tmp_path, 5), None, "this-run")


def test_command_publishes_by_variables_alone(emulator: Emulator, tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    (tmp_path / "launches.json").write_bytes(launches(5))
    environ = {**emulator.environ, "TARGET_URL": emulator.url, "SOURCE_URL": "launches.json"}
    for result in ("published", "unchanged"):
        ended = micro_etl(tmp_path, "run", **environ)
        assert (ended.code, ended.result.get("result")) == (0, result), ended
    assert (emulator.read() or b"").startswith(b"PAR1")
