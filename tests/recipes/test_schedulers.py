"""What the recipes for schedulers say of exit codes is what the service means by them."""

from __future__ import annotations

import ast
import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from micro_etl import errors
from tests.recipes import FINAL, PASSING, RECIPES, ROOT

_BIN = Path(sys.executable).parent
_BASH, _ANALYZE = (shutil.which(name) or "" for name in ("bash", "systemd-analyze"))
_OVERTAKEN = errors.RaceLostError.exit_code


def test_airflow_skips_a_run_that_was_overtaken() -> None:
    """The DAG compiles, and its operator has the arguments that make the difference."""
    tree = ast.parse((RECIPES / "airflow_dag.py").read_text("utf-8"))
    (operator,) = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "EcsRunTaskOperator"
    ]
    arguments = {keyword.arg: ast.unparse(keyword.value) for keyword in operator.keywords}
    assert arguments["skip_on_exit_code"] == str(_OVERTAKEN)
    assert arguments["reattach"] == "True"
    assert {"cluster", "task_definition", "overrides", "retries"} <= arguments.keys()


def test_kubernetes_takes_the_cron_job() -> None:
    """Each field is one that Kubernetes has, and its value of the kind it wants."""
    recipe, schema = RECIPES / "kubernetes-cronjob.yaml", "tests/recipes/cronjob.schema.json"
    command = (_BIN / "check-jsonschema", "--schemafile", schema, recipe)
    subprocess.run(command, check=True, cwd=ROOT)


def test_kubernetes_fails_at_once_where_a_retry_cannot_help() -> None:
    """The policy fails the job on exactly those codes, in the container that is there."""
    job = _read_yaml("kubernetes-cronjob.yaml")["spec"]["jobTemplate"]["spec"]
    (rule,) = [rule for rule in job["podFailurePolicy"]["rules"] if rule["action"] == "FailJob"]
    (container,) = job["template"]["spec"]["containers"]
    assert set(rule["onExitCodes"]["values"]) == FINAL
    assert rule["onExitCodes"]["containerName"] == container["name"]


def test_systemd_restarts_only_what_may_pass() -> None:
    """The service is restarted but for the codes that would come again."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(RECIPES / "systemd" / "micro-etl@.service")
    service = unit["Service"]
    assert {int(code) for code in service["RestartPreventExitStatus"].split()} == FINAL
    assert service["SuccessExitStatus"] == str(_OVERTAKEN)
    assert service["Restart"] == "on-failure"


@pytest.mark.skipif(not _ANALYZE, reason="systemd-analyze is not here")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """Each key is one that systemd knows, and each value one that it reads."""
    for unit in (RECIPES / "systemd").iterdir():
        text = unit.read_text("utf-8").replace("/opt/micro-etl/bin/micro-etl", "/bin/true")
        (tmp_path / unit.name).write_text(text, "utf-8")
        (tmp_path / unit.name.replace("@", "@launches")).write_text(text, "utf-8")
    result = subprocess.run(
        [_ANALYZE, "verify", "--man=no", *tmp_path.glob("*@launches.*")],
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")


def test_github_takes_the_workflow() -> None:
    """It keeps GitHub's schema, and zizmor finds no weakness."""
    workflow = RECIPES / "github-actions.yml"
    schema = ("--builtin-schema", "vendor.github-workflows")
    subprocess.run((_BIN / "check-jsonschema", "--quiet", *schema, workflow), check=True)
    options = ("--quiet", "--offline", "--persona", "pedantic")
    subprocess.run((_BIN / "zizmor", *options, workflow), check=True)


@pytest.mark.parametrize(
    ("codes", "ends_with"),
    [
        ([0], 0),
        ([_OVERTAKEN], 0),
        ([69, 74, 0], 0),
        ([71, 71, 71], 71),
        *[([code], code) for code in sorted(FINAL)],
    ],
)
def test_github_retries_by_exit_code(codes: list[int], ends_with: int, tmp_path: Path) -> None:
    """The workflow's own script, with a container engine that ends as it is told."""
    script = _read_yaml("github-actions.yml")["jobs"]["publish"]["steps"][-1]["run"]
    todo = tmp_path / "codes"
    todo.write_text("".join(f"{code}\n" for code in codes))
    docker = f'code=$(head -n 1 {todo}); sed -i.old 1d {todo}; exit "$code"'
    for name, body in {"docker": docker, "sleep": "exit 0"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    result = subprocess.run(
        [_BASH, "-e", "-c", script],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        check=False,
    )
    assert (result.returncode, todo.read_text()) == (ends_with, "")


def test_the_table_of_the_recipes_names_every_code() -> None:
    """No code is left to guess what a scheduler does with it."""
    page = (RECIPES / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d+(?:, \d+)*) \|", page, re.MULTILINE)
    listed = {int(code) for row in rows for code in row.split(", ")}
    assert listed == {0, _OVERTAKEN} | FINAL | (PASSING - {129, 130, 143})


def _read_yaml(name: str) -> Any:
    return yaml.safe_load((RECIPES / name).read_text("utf-8"))
