"""The workflows: what they may do, what they are pinned to, and that their commands work."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from deploy.work import Limits
from dev.ci.all_succeeded import not_succeeded
from dev.ci.pin_base_image import pin_base_image
from dev.rehearsal.pipeline import PLAYED
from dev.rehearsal.workflows import FILES, FOLDER, ON_GITHUB_ALONE, read, run_steps

ROOT = Path(__file__).parents[2]
TOOLS = Path(sys.executable).parent
GIT = ("git", "-c", "user.name=test", "-c", "user.email=test@localhost")
BASH = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")
"""How GitHub runs a command."""

RUN_BY_THE_GATE = {
    *("make check", "make stores", "make test", "make spark", "make wheel", "make rehearse"),
}
"""What `.ci/run` runs, of which these tests are a part."""

RUN_BELOW = {
    "python3 dev/ci/all_succeeded.py",
    "make lock LOCK_OPTIONS=--upgrade",
    "python3 dev/ci/pin_base_image.py",
    'dev/ci/open_pull_request.sh update-pins "Update pins"',
}


def test_every_command_is_run_somewhere_or_has_a_reason() -> None:
    """No command of a workflow is new to GitHub, unless it can't be run here."""
    commands = {step.command for step in run_steps()}
    tables = [RUN_BY_THE_GATE, PLAYED, RUN_BELOW, set(ON_GITHUB_ALONE)]
    assert commands == set().union(*tables)
    gate = (ROOT / ".ci" / "run").read_text("utf-8")
    for command in RUN_BY_THE_GATE:
        assert command in gate


def test_a_workflow_only_calls() -> None:
    """Each command is one line that names a script, a make target or deploy.sh."""
    for step in run_steps():
        assert re.fullmatch(r"(make|\./deploy\.sh|dev/ci/|python3 dev/ci/)[^\n;&|]*", step.command)


def test_the_schema_of_github_has_nothing_to_say() -> None:
    """Each workflow is what GitHub's own schema asks for."""
    done = _tool(
        "check-jsonschema", "--builtin-schema", "vendor.github-workflows", *map(str, FILES)
    )
    assert done.returncode == 0, done.stdout


def test_dependabot_proposes_newer_actions_each_week() -> None:
    """It may change workflows; the token of a workflow may not, so that ours leaves them alone."""
    file = FOLDER.parent / "dependabot.yml"
    done = _tool("check-jsonschema", "--builtin-schema", "vendor.dependabot", str(file))
    assert done.returncode == 0, done.stdout
    (update,) = read(file)["updates"]
    assert (update["package-ecosystem"], update["directory"]) == ("github-actions", "/")
    assert update["schedule"] == {"interval": "weekly"}


def test_zizmor_has_nothing_to_say_and_nothing_is_ignored_without_a_reason() -> None:
    """Each workflow, and Dependabot's file, passes every audit of the pedantic persona."""
    done = _tool("zizmor", "--offline", "--persona", "pedantic", str(FOLDER.parent))
    assert done.returncode == 0, done.stdout
    assert not list(FOLDER.parent.glob("zizmor.y*ml"))
    for file in FILES:
        ignores = re.findall(r"zizmor: ignore\[[^]]+\](.*)", file.read_text("utf-8"))
        assert all(reason.strip() for reason in ignores)


def test_no_job_may_do_anything_by_default() -> None:
    """Permissions are given to a job, none to a workflow; nothing is kept as a secret."""
    for file in FILES:
        workflow = read(file)
        assert workflow["permissions"] == {}
        assert "secrets." not in file.read_text("utf-8")
        assert all("permissions" in job for job in workflow["jobs"].values())


def test_an_action_has_one_commit_everywhere() -> None:
    """The same action is the same commit in each workflow, and the comment says which release."""
    pins: dict[str, set[tuple[str, str]]] = {}
    for file in FILES:
        for line in re.findall(r"uses: (.*)", file.read_text("utf-8")):
            if line.startswith("$/"):
                continue
            match = re.fullmatch(r"([\w./-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)", line)
            assert match, line
            pins.setdefault(match[1], set()).add((match[2], match[3]))
    assert pins
    assert {name: len(found) for name, found in pins.items()} == dict.fromkeys(pins, 1)


def test_the_required_job_needs_all_others() -> None:
    """A job that is added to CI is required, too."""
    jobs = read(FOLDER / "ci.yml")["jobs"]
    assert set(jobs["required"]["needs"]) == set(jobs) - {"required"}
    assert jobs["required"]["if"] == "always()"


def test_two_deploys_never_cross_and_none_is_cut_short() -> None:
    """A deploy waits for the one before it; production gets what staging has tested."""
    workflow = read(FOLDER / "deploy.yml")
    assert workflow["concurrency"] == {"group": "deploy", "cancel-in-progress": "false"}
    # A run of CI on main cancels another one of its group, but not the one within a deploy.
    assert "${{ github.workflow }}" in read(FOLDER / "ci.yml")["concurrency"]["group"]
    jobs = workflow["jobs"]
    assert jobs["build"]["needs"] == "ci"
    assert jobs["staging"]["needs"] == "build"
    assert set(jobs["production"]["needs"]) == {"build", "staging"}
    for name in ("staging", "production"):
        assert jobs[name]["environment"] == name
        deploy = jobs[name]["steps"][-1]
        assert deploy["env"] == {"DIGEST": "${{ needs.build.outputs.digest }}"}


def test_only_what_was_pushed_is_attested_and_only_what_is_attested_is_promoted() -> None:
    """An image that was there already is not vouched for, and is verified like any other."""
    jobs = read(FOLDER / "deploy.yml")["jobs"]
    (attest,) = (
        step for step in jobs["build"]["steps"] if "attest-build-provenance" in step.get("uses", "")
    )
    assert attest["if"] == "${{ steps.ship.outputs.pushed == 'true' }}"
    commands = [step["run"] for step in jobs["staging"]["steps"] if "run" in step]
    assert commands[0].startswith("dev/ci/verify_provenance.sh")
    assert commands[1].startswith("./deploy.sh")
    assert jobs["staging"]["permissions"]["attestations"] == "read"


def test_what_ships_is_what_is_scanned() -> None:
    """By its digest; an advisory without a fix stops no deploy."""
    steps = read(FOLDER / "deploy.yml")["jobs"]["build"]["steps"]
    (sbom,) = (step["with"] for step in steps if "sbom-action" in step.get("uses", ""))
    assert sbom["image"] == "${{ steps.ship.outputs.name }}@${{ steps.ship.outputs.digest }}"
    (scan,) = (step["with"] for step in steps if "scan-action" in step.get("uses", ""))
    assert (scan["sbom"], scan["only-fixed"]) == (sbom["output-file"], "true")
    assert "audit" not in read(FOLDER / "ci.yml")["jobs"]


def test_only_main_is_deployed_and_each_change_is_judged_once() -> None:
    """A dispatch from another branch does nothing; a push to a pull request starts one CI."""
    deploy, ci = read(FOLDER / "deploy.yml"), read(FOLDER / "ci.yml")
    assert deploy["jobs"]["ci"]["if"] == "${{ github.ref == 'refs/heads/main' }}"
    assert deploy["jobs"]["build"]["needs"] == "ci"
    assert "push" not in ci["on"]
    assert "pull_request" in ci["on"]


def test_a_job_may_take_as_long_as_what_it_runs() -> None:
    """A run, its test, and those of a rollback, each to its limit, after a build."""
    limits = Limits()
    jobs = read(FOLDER / "deploy.yml")["jobs"]
    for name in ("staging", "production"):
        assert int(jobs[name]["timeout-minutes"]) * 60 > 2 * (limits.run + limits.test) + 1800
    assert int(jobs["build"]["timeout-minutes"]) * 60 >= limits.build


@pytest.mark.parametrize(
    ("results", "bad"),
    [
        ({"check": "success", "test": "success"}, []),
        ({"check": "failure", "test": "success"}, ["check: failure"]),
        ({"check": "success", "test": "skipped"}, ["test: skipped"]),
        ({"check": "cancelled", "test": "failure"}, ["check: cancelled", "test: failure"]),
    ],
)
def test_only_jobs_that_all_succeeded_pass(results: dict[str, str], bad: list[str]) -> None:
    """One that was skipped or cancelled keeps the required job from passing."""
    needs = {name: {"result": result} for name, result in results.items()}
    assert not_succeeded(needs) == bad
    done = _run("python3 dev/ci/all_succeeded.py", ROOT, {"NEEDS": json.dumps(needs)})
    assert done.returncode == (1 if bad else 0)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A clone of the files that the scheduled job changes, with a remote of its own."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in ("Makefile", "Dockerfile", "pyproject.toml", "requirements.txt"):
        shutil.copy(ROOT / name, folder / name)
    for name in ("requirements", "dev", ".github"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for command in (
        ["init", "--quiet", "--bare", "--initial-branch", "main", str(tmp_path / "remote")],
        ["init", "--quiet", "--initial-branch", "main", str(folder)],
    ):
        subprocess.run([*GIT, *command], check=True, timeout=60)
    for command in (
        ["remote", "add", "origin", str(tmp_path / "remote")],
        ["add", "--all"],
        ["commit", "--quiet", "--message", "As it is"],
        ["push", "--quiet", "origin", "main"],
    ):
        subprocess.run([*GIT, *command], cwd=folder, check=True, timeout=60)
    return folder


def test_the_scheduled_job_pins_what_is_new_and_opens_a_pull_request(
    checkout: Path, tmp_path: Path
) -> None:
    """Its commands, in its order: the base image gets a new pin, a branch, and a CI run.

    GitHub refuses a push of changed workflows from a workflow: they are as they were.
    """
    digest = "sha256:" + "d" * 64
    _stub(tmp_path / "bin" / "docker", f"echo {digest}")
    _stub(
        tmp_path / "bin" / "gh",
        f'echo "gh $*" >> "{tmp_path}/asked"',
        'case "$*" in',
        "  *'pr list'*) echo 0 ;;",
        "esac",
    )
    venv = tmp_path / "venv"
    _stub(
        venv / "bin" / "uv",
        f'echo "uv $*" >> "{tmp_path}/asked"',
        '[[ $* == *--format=pylock.toml* ]] && : > "${@: -1}"',  # the output file is the last word
        "exit 0",
    )
    _stub(venv / "bin" / "python", f'exec "{sys.executable}" "$@"')
    for stamp in ("quickstart.stamp", "dev.stamp"):
        (venv / stamp).touch()
    variables = {
        "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "MAKEFLAGS": f"VENV={venv}",
        "GH_TOKEN": "a-token",
    }
    commands = [step.command for step in run_steps() if step.workflow == "update-pins.yml"]
    assert set(commands) < RUN_BELOW
    for command in commands:
        done = _run(command, checkout, variables)
        assert done.returncode == 0, f"{command}: {done.stdout}"

    asked = (tmp_path / "asked").read_text()
    assert "--upgrade" in asked
    assert "gh pr create --head update-pins --title Update pins" in asked
    assert asked.rstrip().endswith("gh workflow run ci.yml --ref update-pins")
    pushed = subprocess.run(
        [*GIT, "diff", "--unified=0", "main", "update-pins"],
        cwd=tmp_path / "remote",
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout
    assert f"+ARG BASE_IMAGE=python:3.13-slim@{digest}" in pushed
    assert ".github/" not in pushed


def test_without_anything_new_no_pull_request_is_opened(checkout: Path, tmp_path: Path) -> None:
    """Where nothing has changed, it says so and asks GitHub for nothing."""
    _stub(tmp_path / "bin" / "gh", "exit 1")
    variables = {"PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    done = _run('dev/ci/open_pull_request.sh update-pins "Update pins"', checkout, variables)
    assert (done.returncode, done.stdout.strip()) == (0, "nothing has changed")


@pytest.mark.parametrize("before", ["ARG BASE_IMAGE=a:1", f"ARG BASE_IMAGE=a:1@sha256:{'0' * 64}"])
def test_a_base_image_keeps_its_tag_and_gets_its_digest(before: str) -> None:
    """Whether or not it was pinned before."""
    digest = "sha256:" + "1" * 64
    dockerfile = f"# base\n{before}\nFROM ${{BASE_IMAGE}}\n"
    expected = f"# base\nARG BASE_IMAGE=a:1@{digest}\nFROM ${{BASE_IMAGE}}\n"
    assert pin_base_image(dockerfile, {"a:1": digest}.__getitem__) == expected


def test_a_dockerfile_without_a_base_image_is_an_error() -> None:
    """Nothing is left unpinned in silence."""
    with pytest.raises(ValueError, match="0 lines"):
        pin_base_image("FROM a:1\n", lambda _: "sha256:0")


def _stub(file: Path, *lines: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(["#!/usr/bin/env bash", *lines, ""]))
    file.chmod(0o755)


def _run(
    command: str, folder: Path, variables: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a command, with both outputs in one."""
    return subprocess.run(
        [*BASH, command],
        cwd=folder,
        env=dict(os.environ) | dict(variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=100,
    )


def _tool(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(TOOLS / name), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=100,
    )
