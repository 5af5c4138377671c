"""What Spark needs and is not here is said in one line; these tests need none but the last."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from micro_etl.spark.session import missing
from tests.service.command import launches, made, micro_etl

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The modules that look as if they were installed, and no others."""
    names = {"pyspark", "pyarrow", "pandas"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name in names or None)
    return names


@pytest.mark.parametrize("module", ["pyspark", "pyarrow", "pandas"])
def test_a_missing_module_is_named_with_how_to_get_it(installed: set[str], module: str) -> None:
    installed.remove(module)
    assert missing({}) == f"{module}: pip install '.[spark]' in a clone"


@pytest.mark.usefixtures("installed")
def test_java_is_looked_for_where_spark_looks(tmp_path: Path) -> None:
    java = tmp_path / "bin" / "java"
    assert missing({"PATH": str(tmp_path)}) == "Java 17 or later: there is no java in PATH"
    home = {"PATH": str(java.parent), "JAVA_HOME": str(tmp_path)}
    assert missing(home) == f"Java 17 or later: JAVA_HOME is {tmp_path}, which has no bin/java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\n")
    java.chmod(0o755)
    assert missing(home) is None
    assert missing({"PATH": str(java.parent)}) is None


@pytest.mark.usefixtures("installed")
def test_spark_that_runs_already_needs_no_java_here() -> None:
    assert missing({"PATH": "", "PYSPARK_GATEWAY_PORT": "1"}) is None


FLAGS = ("--engine", "spark", "--source-url", "launches.json")


def test_without_it_a_run_ends_with_78_and_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "launches.json").write_bytes(launches(5))
    ended = micro_etl(tmp_path, "run", *FLAGS, JAVA_HOME="/nowhere")
    assert ended.code == 78
    assert ended.failure.startswith("ENGINE is spark, which needs ")
    assert made(tmp_path) == set()


@pytest.mark.parametrize("modules", [("pyspark", "pyarrow", "pandas"), ("pyarrow",), ("pandas",)])
def test_without_the_extra_a_run_ends_with_78_and_says_what_to_install(
    tmp_path: Path, modules: tuple[str, ...]
) -> None:
    """Python imports `sitecustomize` at its start: here it makes these modules look missing."""
    hidden = f"import sys\nsys.modules |= dict.fromkeys({modules})\n"
    (tmp_path / "scratch").mkdir()
    (tmp_path / "scratch" / "sitecustomize.py").write_text(hidden)
    (tmp_path / "launches.json").write_bytes(launches(5))
    ended = micro_etl(tmp_path, "run", *FLAGS, PYTHONPATH=str(tmp_path / "scratch"))
    assert (ended.code, ended.err) == (78, "")
    assert re.fullmatch(
        r"ENGINE is spark, which needs \w+: pip install '\.\[spark\]' in a clone", ended.failure
    )
    assert made(tmp_path) == set()


def test_the_end_of_sparks_machine_is_no_traceback(
    spark: SparkSession, capfd: pytest.CaptureFixture[str]
) -> None:
    """The thread that takes Spark's counts meets it where a run is stopped."""
    server = spark.sparkContext._accumulatorServer
    try:
        raise EOFError
    except EOFError:
        server.handle_error(None, None)
    assert capfd.readouterr().err == ""
