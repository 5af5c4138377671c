"""A shell completes commands, flags, values and names of datasets."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.service.command import environment, micro_etl

BIN = Path(sys.executable).parent
COMPLETED = [
    (["dat"], ["datasets"]),
    (["run", "--engine", ""], ["duckdb", "spark"]),
    (["run", "--log-level", "w"], ["warning"]),
    (["run", "--dataset", ""], ["orders", "launches"]),
    (["run", "--source-max-p"], ["--source-max-pages"]),
    (["datasets", "or"], ["orders"]),
    (["ddl", "launches", "--dialect", "s"], ["snowflake", "spark"]),
    (["completion", "f"], ["fish"]),
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a dataset of its own."""
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "orders.toml").write_text("")
    return tmp_path


def run(folder: Path, command: list[str], **extra: str) -> str:
    """What a command prints, with micro-etl on its path."""
    environ = environment(folder, {"PATH": f"{BIN}:{os.environ['PATH']}", **extra})
    done = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize(
    ("words", "completed"), COMPLETED, ids=[" ".join(one) for one, _ in COMPLETED]
)
def test_bash_completes(project: Path, words: list[str], completed: list[str]) -> None:
    typed = " ".join(f"'{word}'" for word in ["micro-etl", *words])
    script = f"""
        eval "$(micro-etl completion bash)"
        COMP_WORDS=({typed}); COMP_CWORD={len(words)}
        _micro_etl_completion micro-etl
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    assert run(project, ["bash", "--norc", "-c", script]).splitlines() == completed


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_own_script(project: Path, shell: str) -> None:
    script = micro_etl(project, "completion", shell)
    assert (script.code, script.err) == (0, "")
    assert f"_MICRO_ETL_COMPLETE={shell}_complete" in script.out
    here = shutil.which(shell)
    if here:
        (project / "script").write_text(script.out)
        run(project, [here, "-n", "script"])
    asked = {"COMP_WORDS": "micro-etl run --engine ", "COMP_CWORD": "3" if shell != "fish" else ""}
    answer = run(project, ["micro-etl"], **asked, _MICRO_ETL_COMPLETE=f"{shell}_complete")
    assert "duckdb" in answer


def test_a_path_is_completed_by_the_shell(project: Path) -> None:
    asked = {"COMP_WORDS": "micro-etl show dat", "COMP_CWORD": "2"}
    answer = run(project, ["micro-etl"], **asked, _MICRO_ETL_COMPLETE="bash_complete")
    assert answer == "file,dat\n"


def test_another_shell_is_refused(project: Path) -> None:
    refused = micro_etl(project, "completion", "tcsh")
    assert (refused.code, refused.out) == (64, "")
    assert "it should be one of bash, zsh, fish" in refused.err
