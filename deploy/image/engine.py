"""Finds a container engine that can build, and runs programs such as it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping

from deploy.outcome import DeployError, Refused

ADVICE = "install Docker with its buildx plugin, or let CONTAINER_ENGINE name another command"


def find_engine(environ: Mapping[str, str] = os.environ) -> str:
    """The command of an engine that can build: `CONTAINER_ENGINE`, else any `docker`.

    More than one `docker` can be on the path, and the first may lack what the second has: from
    version 23 on, each needs its buildx plugin to build.
    """
    named, folders = environ.get("CONTAINER_ENGINE"), environ.get("PATH", "").split(os.pathsep)
    found = [named] if named else [shutil.which("docker", path=folder) for folder in folders]
    lacks = []
    for command in dict.fromkeys(item for item in found if item):
        try:
            run_program(command, "ps", timeout=30)
            run_program(command, "build", "--help", timeout=30, shown=3)
        except Refused as error:
            lacks.append(str(error))
        else:
            return command
    reasons = "; ".join(lacks) or "there is no `docker` on the PATH"
    raise Refused(f"no container engine works: {reasons}", advice=ADVICE)


def run_program(
    *command: str,
    timeout: float,
    shown: int = 1,
    variables: Mapping[str, str] | None = None,
    failure: type[DeployError] = Refused,
) -> str:
    """Run a program and return what it printed.

    Args:
        command: the program, its command and its arguments.
        timeout: in seconds.
        shown: how many of the last lines an error repeats.
        variables: more of its environment.
        failure: is raised where it ended badly, or not in time.
    """
    name = command[0] if command[1].startswith("-") else " ".join(command[:2])
    try:
        done = subprocess.run(
            command,
            env=_inherited() | {"DOCKER_BUILDKIT": "1"} | dict(variables or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
        )
    except OSError as error:
        raise failure(f"{name}: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise failure(f"{name}: not done after {timeout:.0f} s") from None
    if done.returncode != 0:
        end = "\n".join((done.stdout + done.stderr).strip().splitlines()[-shown:])
        raise failure(f"{name} ended with {done.returncode}: {end}")
    return done.stdout


def lockdown_flags(*, tmpfs: bool = True) -> list[str]:
    """The flags of `docker run` that lock a container down as a task on Fargate is.

    Args:
        tmpfs: whether /tmp is in memory; otherwise it is the volume that the image declares.
    """
    scratch = ("--tmpfs", "/tmp") if tmpfs else ()  # noqa: S108 - a path inside the container
    no_privileges = ("--cap-drop", "ALL", "--security-opt", "no-new-privileges")
    return ["--read-only", *scratch, *no_privileges]


def _inherited() -> dict[str, str]:
    """This process's variables, but those that lead git to another repository than a folder's."""
    elsewhere = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR")
    return {name: value for name, value in os.environ.items() if name not in elsewhere}
