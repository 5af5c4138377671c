"""Faults of the machine: no disk, no memory, no scratch folder."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.service.command import launches
from tests.service.servers import Answer
from tests.torture.faults import Fault

_machine = partial(Fault, group="machine", code=71)
_BIG = [Answer(body=launches(20_000))]  # 3.5 MB


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[None]:
    """A file system of so many megabytes on a folder."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a small file system")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)  # noqa: S607


@contextmanager
def _scratch_of(folder: Path, megabytes: int) -> Iterator[None]:
    with small_disk(folder / "scratch", megabytes):
        yield


@contextmanager
def _as_root(_: Path) -> Iterator[None]:
    if os.geteuid() != 0:
        pytest.skip("only root may make every file system read-only for a process")
    yield


_LITTLE_MEMORY = ("sh", "-c", 'ulimit -v 100000; exec "$@"', "sh")
_READ_ONLY = ("unshare", "-m", "sh", "-c", 'mount -o remount,ro,bind /; exec "$@"', "sh")

MACHINE = [
    _machine(
        name="scratch disk full while the source is spooled",
        says="No space left",
        answers=_BIG,
        before=partial(_scratch_of, megabytes=1),
        fast=True,
    ),
    _machine(
        name="scratch disk full while the table is written",
        says="the scratch folder can't be used: Could not write: No space left on device",
        answers=_BIG,
        before=partial(_scratch_of, megabytes=4),
    ),
    _machine(
        name="scratch disk full while the response is kept",
        says="No space left",
        answers=[Answer(body=b"[" + os.urandom(900_000).hex().encode() + b"]")],
        environ={"RAW_URL": "raw"},
        before=partial(_scratch_of, megabytes=2),
    ),
    _machine(
        name="nothing that can be written, not even /tmp",
        says="no scratch folder",
        wrap=_READ_ONLY,
        before=_as_root,
        gets=0,
        fast=True,
    ),
    _machine(
        name="no memory to load the engine (100 MB of address space)",
        says="out of memory",
        wrap=_LITTLE_MEMORY,
        gets=0,
    ),
]
