"""The container engine of this machine, asked through its command line."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

BASE_IMAGE = "python:3.13-slim"
STAND_IN = "python-stand-in:3.13-slim"
STAND_IN_SCRIPT = Path(__file__).parents[2] / ".ci" / "stand_in_base.sh"

ADVICE = """\
The rehearsal starts real containers: install Docker, start it, and check that `docker info` works.
On Debian and Ubuntu: apt-get install docker.io; or, as root, in one step:
  .ci/with_engine.sh make rehearse"""


class Unready(Exception):  # noqa: N818 - what the machine is
    """This machine can't rehearse: why, and what to install."""


class CommandError(Exception):
    """A command of the engine's failed, with what it said."""


@dataclass(frozen=True)
class Engine:
    """A container engine that answers."""

    command: str
    version: str
    host: str
    """Where it listens for programs that speak its API, as `DOCKER_HOST` has it."""
    address: str
    """The address of this machine that containers reach it at."""

    def run(self, *arguments: str) -> str:
        """Run one of its commands and return what it printed.

        Raises:
            CommandError: it failed.
        """
        return output(self.command, *arguments)

    def has(self, image: str) -> bool:
        """Say whether it has an image."""
        return succeeds([self.command, "image", "inspect", image])

    def layers(self, image: str) -> list[str]:
        """The digests of an image's layers, uncompressed, the base's first."""
        found = json.loads(self.run("image", "inspect", image))[0]
        return list(found["RootFS"]["Layers"])

    def containers(self, label: str) -> list[str]:
        """The running containers that carry a label."""
        return self.run("ps", "--quiet", "--filter", f"label={label}").split()

    def remove_containers(self, label: str) -> None:
        """Remove the containers that carry a label, running or not, and their volumes."""
        found = self.run("ps", "--all", "--quiet", "--filter", f"label={label}").split()
        if found:
            self.run("rm", "--force", "--volumes", *found)

    @contextmanager
    def tidied(self, registry: str) -> Iterator[None]:
        """Remove afterwards the images of a registry."""
        try:
            yield
        finally:
            images = self.run("images", "--quiet", "--no-trunc", f"{registry}/*").split()
            if images:
                self.run("image", "rm", "--force", *set(images))


def find() -> Engine:
    """This machine's engine.

    Raises:
        Unready: there is none, it does not answer, or it can't reach this machine.
    """
    command = shutil.which("docker")
    if command is None:
        raise Unready(f"There is no container engine here: no `docker` on the PATH.\n{ADVICE}")
    answer = subprocess.run(
        [command, "version", "--format", "{{.Server.Version}}"], capture_output=True, text=True
    )
    if answer.returncode != 0:
        raise Unready(f"The container engine does not answer: {answer.stderr.strip()}\n{ADVICE}")
    gateway = gateway_of(json.loads(output(command, "network", "inspect", "bridge"))[0])
    if not is_own_address(gateway):
        raise Unready(
            "The container engine runs in a virtual machine, as Docker Desktop does. From there it "
            "can't push to a registry on this machine. Rehearse on Linux, where it needs none."
        )
    context = json.loads(output(command, "context", "inspect"))[0]
    return Engine(
        command=command,
        version=answer.stdout.strip(),
        host=os.environ.get("DOCKER_HOST") or context["Endpoints"]["docker"]["Host"],
        address=gateway,
    )


def gateway_of(network: dict[str, Any]) -> str:
    """The address of the engine's end of a network: by default the first of its range."""
    config = network["IPAM"]["Config"][0]
    return config.get("Gateway") or str(ip_network(config["Subnet"])[1])


def is_own_address(address: str) -> bool:
    """Say whether an address is one of this machine's."""
    try:
        socket.create_server((address, 0)).close()
    except OSError:
        return False
    return True


def base_image(engine: Engine) -> tuple[str, str]:
    """The image to build on, and a word on it: the real one, or else a stand-in.

    Raises:
        Unready: neither can be had.
    """
    if engine.has(BASE_IMAGE):
        return BASE_IMAGE, f"{BASE_IMAGE}, which is here already"
    if succeeds([engine.command, "pull", "--quiet", BASE_IMAGE]):
        return BASE_IMAGE, f"{BASE_IMAGE}, just pulled"
    if not engine.has(STAND_IN):
        made = subprocess.run([STAND_IN_SCRIPT, STAND_IN], capture_output=True, text=True)
        if made.returncode != 0:
            raise Unready(
                f"{BASE_IMAGE} can't be pulled, nor a stand-in be made:\n{made.stderr.strip()}\n"
                "A stand-in needs root on Debian, and its package mmdebstrap."
            )
    return STAND_IN, f"{BASE_IMAGE} can't be pulled: a STAND-IN made from Debian's packages"


def output(*command: str) -> str:
    """Run a command and return what it printed.

    Raises:
        CommandError: it failed.
    """
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip()
        raise CommandError(f"{command[0]} {command[1]} ended with {done.returncode}:\n{said}")
    return done.stdout.strip()


def succeeds(command: list[str]) -> bool:
    """Say whether a command ends with 0."""
    return subprocess.run(command, capture_output=True).returncode == 0
