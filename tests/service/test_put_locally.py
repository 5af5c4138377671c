"""A local target: mode and owner stay, nothing that is planted beside it is followed."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import fcntl
import os
import stat
import time
from pathlib import Path

import pytest

from micro_etl.errors import RaceLostError, TargetError
from micro_etl.location import Location
from micro_etl.store import open_place
from tests.service.backends import KEY, Backend, look_at, make_table


@pytest.fixture
def backend(tmp_path: Path) -> Backend:
    """A folder of its own."""
    file = tmp_path / "out" / KEY
    file.parent.mkdir()
    place = open_place(Location.parse(str(file)), timeout=0.3, deadline=1)
    return Backend(place, file.read_bytes, file.write_bytes, tmp_path)


def local(backend: Backend) -> Path:
    assert backend.place.local is not None
    return backend.place.local


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o444])
def test_mode_stays(backend: Backend, tmp_path: Path, mode: int) -> None:
    backend.publish(make_table(tmp_path, 5))
    local(backend).chmod(mode)
    backend.publish(make_table(tmp_path, 6))
    assert stat.S_IMODE(local(backend).stat().st_mode) == mode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_owner_stays(backend: Backend, tmp_path: Path) -> None:
    backend.publish(make_table(tmp_path, 5))
    os.chown(local(backend), 1234, 2345)
    backend.publish(make_table(tmp_path, 6))
    made = local(backend).stat()
    assert (made.st_uid, made.st_gid) == (1234, 2345)


@pytest.mark.parametrize("planted", ["link", "link to nothing", "pipe", "file"])
def test_what_is_planted_beside_the_target_is_not_followed(
    backend: Backend, tmp_path: Path, planted: str
) -> None:
    victim, part = tmp_path / "victim", local(backend).with_name(f".{KEY}.part")
    victim.write_bytes(b"precious")
    if planted == "pipe":
        os.mkfifo(part)
    elif planted == "file":
        part.write_bytes(b"what a killed run left")
    else:
        part.symlink_to(victim if planted == "link" else tmp_path / "not-there")
    table = make_table(tmp_path, 5)
    assert backend.publish(table).result == "published"
    assert backend.read() == table.file.read_bytes()
    assert victim.read_bytes() == b"precious"
    assert not (tmp_path / "not-there").exists()
    assert [path.name for path in local(backend).parent.iterdir()] == [KEY]


def test_target_that_became_a_pipe_is_refused(backend: Backend, tmp_path: Path) -> None:
    os.mkfifo(local(backend))
    with pytest.raises((TargetError, RaceLostError)):
        backend.load(make_table(tmp_path, 5), None, "this-run")
    assert local(backend).is_fifo()


def test_locked_folder_is_waited_for_until_the_time_is_over(
    backend: Backend, tmp_path: Path
) -> None:
    folder = os.open(local(backend).parent, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    began = time.monotonic()
    with pytest.raises(TargetError, match=r"locked its folder for 0\.3 s; TARGET_TIMEOUT says"):
        backend.publish(make_table(tmp_path, 5))
    assert 0.3 <= time.monotonic() - began < 5
    os.close(folder)
    assert backend.publish(make_table(tmp_path, 5)).result == "published"


def test_file_that_is_broken_is_published_again(backend: Backend, tmp_path: Path) -> None:
    """Its bytes changed after the run had looked, though neither its length nor its times did."""
    table = make_table(tmp_path, 5)
    backend.publish(table)
    seen, before = look_at(backend.place, tmp_path), local(backend).stat()
    with local(backend).open("r+b") as file:
        file.write(b"P4R1")
    os.utime(local(backend), ns=(before.st_atime_ns, before.st_mtime_ns))
    assert backend.load(table, seen, "this-run").result == "published"
    assert backend.read() == table.file.read_bytes()
