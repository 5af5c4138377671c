"""Reads the workflows: their jobs, their steps, and the command of each step that runs one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[2] / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.yml"))


@dataclass(frozen=True)
class Step:
    """A step that runs a command.

    Attributes:
        workflow: the file's name.
        job: the job's key.
        command: the command.
        variables: what the step sets for it, with GitHub's expressions in them.
    """

    workflow: str
    job: str
    command: str
    variables: Mapping[str, str]


def read(file: Path) -> dict[str, Any]:
    """A workflow; every value is text, so that `on` is no boolean."""
    content: dict[str, Any] = yaml.load(file.read_text("utf-8"), yaml.BaseLoader)  # noqa: S506
    return content


def run_steps() -> Iterator[Step]:
    """Yield every step of every workflow that runs a command."""
    for file in FILES:
        for key, job in read(file)["jobs"].items():
            for step in job.get("steps", []):
                if "run" in step:
                    yield Step(file.name, key, step["run"].strip(), step.get("env", {}))


def command(workflow: str, job: str) -> str:
    """The only command of a job that can run elsewhere than on GitHub."""
    (found,) = (
        step.command
        for step in run_steps()
        if (step.workflow, step.job) == (workflow, job) and step.command not in ON_GITHUB_ALONE
    )
    return found


ON_GITHUB_ALONE = {
    "make audit": "asks a database of vulnerabilities on the internet",
    'dev/ci/pull_image.sh "$NAME" "$DIGEST"': "is for the scanner, which asks such a database",
    'dev/ci/verify_provenance.sh "$NAME" "$DIGEST"': "asks GitHub for what it has signed",
}
