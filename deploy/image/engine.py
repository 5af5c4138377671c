"""Finds a container engine that can build, or says what is missing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.outcome import Refused

INSTALL = "install Docker with its buildx plugin, or Podman; CONTAINER_ENGINE names another command"


@dataclass(frozen=True)
class Engine:
    """A container engine's command line.

    Attributes:
        command: The program.
        kind: `docker` or `podman`.
        version: Its version.
        buildx: Whether Docker's build plugin is there.
    """

    command: str
    kind: str
    version: str
    buildx: bool = False

    @property
    def name(self) -> str:
        """The engine in words."""
        return f"{self.kind} {self.version}" + (" with buildx" if self.buildx else "")


def find_engine(environ: Mapping[str, str] = os.environ) -> Engine:
    """Return the first engine that works: `CONTAINER_ENGINE`, else any `docker`, else `podman`.

    More than one `docker` can be on the path, and the first may lack what the second has.
    """
    named = environ.get("CONTAINER_ENGINE", "")
    candidates = (
        [named]
        if named
        else [*_all("docker", environ.get("PATH", "")), *_all("podman", environ.get("PATH", ""))]
    )
    lacks = []
    for command in candidates:
        try:
            return inspect(command)
        except Refused as error:
            lacks.append(str(error))
    if not lacks:
        raise Refused("no container engine: neither docker nor podman is installed", advice=INSTALL)
    raise Refused("no container engine works: " + "; ".join(lacks), advice=INSTALL)


def inspect(command: str) -> Engine:
    """Return what kind of engine a command is."""
    if not shutil.which(command):
        raise Refused(f"{command} is not installed")
    words = _ask(command, "--version")
    version = re.search(r"\d+\.\d+[\w.+-]*", words)
    if version is None:
        raise Refused(f"{command} --version shows no version")
    if "podman" in words.lower():
        _ask(command, "info")
        return Engine(command, "podman", version[0])
    _ask(command, "info", "--format", "{{.ServerVersion}}")
    try:
        _ask(command, "buildx", "version")
    except Refused:
        # From 23 on, `docker build` itself is a front of buildx; before, BuildKit was built in.
        if int(version[0].partition(".")[0]) >= 23:
            raise Refused(f"{command} {version[0]} has no buildx plugin to build with") from None
        return Engine(command, "docker", version[0])
    return Engine(command, "docker", version[0], buildx=True)


def _all(name: str, path: str) -> Iterable[str]:
    found = [str(Path(folder) / name) for folder in path.split(os.pathsep) if folder]
    return dict.fromkeys(file for file in found if os.access(file, os.X_OK))


def _ask(command: str, *arguments: str) -> str:
    try:
        done = subprocess.run(
            [command, *arguments], check=True, capture_output=True, text=True, timeout=30
        )
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout).strip().splitlines()
        reason = said[-1] if said else f"exit code {error.returncode}"
        raise Refused(f"{command} {arguments[0]}: {reason}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Refused(f"{command} {arguments[0]}: {error}") from None
    return done.stdout
