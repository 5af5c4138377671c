"""The handler for Lambda runs the real service, and ends it before Lambda would."""

from __future__ import annotations

import importlib.util
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.recipes import RECIPES, ROOT

_SAMPLE = ROOT / "src" / "micro_etl" / "datasets" / "launches.sample.json"
_STOP_SECONDS = 15


@dataclass
class Context:
    """What Lambda tells a handler.

    Attributes:
        seconds: how long it still has.
        aws_request_id: the name of the invocation.
    """

    seconds: float = 60
    aws_request_id: str = "request-1"

    def get_remaining_time_in_millis(self) -> float:
        """Say how long it still has."""
        return self.seconds * 1000


@pytest.fixture
def handle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """The handler, in an environment that leads to a local file."""
    monkeypatch.setenv("SOURCE_URL", str(_SAMPLE))
    monkeypatch.setenv("TARGET_URL", str(tmp_path / "launches.parquet"))
    spec = importlib.util.spec_from_file_location("handler", RECIPES / "lambda" / "handler.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    handler: Callable[..., dict[str, Any]] = module.handle
    return handler


def test_a_run_is_published_under_the_name_of_the_invocation(
    handle: Callable[..., dict[str, Any]], capfd: pytest.CaptureFixture[str]
) -> None:
    """Its result is returned, and its log goes to Lambda's."""
    result = handle({}, Context())
    assert (result["result"], result["run_id"]) == ("published", "request-1")
    assert '"event": "run_started"' in capfd.readouterr().out


def test_a_failed_run_fails_the_invocation(
    handle: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its code and its cause."""
    monkeypatch.setenv("SOURCE_URL", "/nowhere.json")
    with pytest.raises(RuntimeError, match=r"exit code \d+: .*nowhere"):
        handle({}, Context())


def test_a_run_without_time_is_stopped(
    handle: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before Lambda kills it: it still says what became of the object."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("SOURCE_URL", f"http://127.0.0.1:{silent.getsockname()[1]}/")
        with pytest.raises(RuntimeError, match="exit code 143"):
            handle({}, Context(seconds=_STOP_SECONDS + 2))


def test_the_image_has_the_files_of_the_service() -> None:
    """The folders that the recipe copies are those that the service's image has."""
    ours = (ROOT / "Dockerfile").read_text("utf-8")
    recipe = (RECIPES / "lambda" / "Dockerfile").read_text("utf-8")
    (path,) = (line for line in recipe.splitlines() if line.startswith("ENV PYTHONPATH="))
    assert path in ours.replace(" \\", "")
    assert "ARG BASE_IMAGE=python:3.13" in ours
    assert "lambda/python:3.13" in recipe
