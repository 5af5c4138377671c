"""Builds the image for the task's architecture, and runs it once before anything is pushed."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass

from deploy.engine import Engine
from deploy.environment import ARCHITECTURES, Environment
from deploy.image.lockdown_flags import lockdown_flags
from deploy.outcome import Refused
from deploy.source_tree import Source

SMOKE_SECONDS = 120


@dataclass(frozen=True)
class Image:
    """An image in the engine's own store."""

    reference: str
    user: str


def build_command(
    engine: Engine, *, environment: Environment, source: Source, reference: str
) -> list[str]:
    """Return the command that builds the image."""
    arguments = {
        "REVISION": source.revision,
        "VERSION": source.version,
        "SOURCE": source.url,
        "BASE_IMAGE": environment.base_image,
    }
    command = [engine.command, *(["buildx"] if engine.buildx else []), "build"]
    if engine.buildx:
        # One plain manifest: with a provenance document beside it, the tag would name an index,
        # and its digest would not be the one of the image that runs.
        command += ["--load", "--provenance=false"]
    command += ["--platform", f"linux/{ARCHITECTURES[environment.architecture]}"]
    for name, value in arguments.items():
        if value:
            command += ["--build-arg", f"{name}={value}"]
    return [*command, *environment.build_flags, "--tag", reference, str(source.root)]


def build(engine: Engine, *, environment: Environment, source: Source, timeout: float) -> Image:
    """Build the image; the engine's own output is shown only when it fails.

    Raises:
        Refused: The build failed, or made an image for another architecture or one that is root's.
    """
    reference = f"micro-etl:{source.tag(environment.architecture)}"
    command = build_command(engine, environment=environment, source=source, reference=reference)
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout,
            env=os.environ | {"DOCKER_BUILDKIT": "1"},
        )
    except subprocess.TimeoutExpired:
        raise Refused(
            f"build: not done after {timeout:.0f} s", advice="--build-timeout gives it longer"
        ) from None
    if done.returncode != 0:
        end = "\n".join(done.stdout.strip().splitlines()[-20:])
        raise Refused(f"build: {engine.name} failed:\n{end}")
    return inspect_image(engine, environment=environment, reference=reference)


def inspect_image(engine: Engine, *, environment: Environment, reference: str) -> Image:
    """Return what was built, once it is known to be what a task can run.

    Raises:
        Refused: It is for another architecture, or its user is root.
    """
    done = subprocess.run(
        [engine.command, "image", "inspect", reference],
        capture_output=True,
        text=True,
        timeout=60,
    )
    if done.returncode != 0:
        raise Refused(
            f"build: {engine.name} does not have what it built: {done.stderr.strip()}",
            advice="a builder of its own needs --load: see build_flags",
        )
    found = json.loads(done.stdout)[0]
    wanted = ARCHITECTURES[environment.architecture]
    if found["Architecture"] != wanted:
        raise Refused(
            f"build: the image is for {found['Architecture']}, the task definition for {wanted}",
            advice=f"set architecture in the environment, or a base image that exists for {wanted}",
        )
    user = found["Config"].get("User", "")
    if user.partition(":")[0] in {"", "0", "root"}:
        raise Refused("build: the image runs as root", advice="add a USER line to the Dockerfile")
    return Image(reference=reference, user=user)


def smoke_command(engine: Engine, image: Image) -> list[str]:
    """Return the command that runs the image as locked down as a task is, with no network."""
    return [
        *(engine.command, "run", "--rm", "--network", "none", *lockdown_flags()),
        *(image.reference, "datasets"),
    ]


def smoke_run(engine: Engine, image: Image) -> None:
    """Run the image once, so that one that can't start is never pushed.

    Raises:
        Refused: It did not start, or failed.
    """
    try:
        done = subprocess.run(
            smoke_command(engine, image),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=SMOKE_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise Refused(f"smoke run: `datasets` not done after {SMOKE_SECONDS} s") from None
    if done.returncode != 0:
        end = "\n".join(done.stdout.strip().splitlines()[-5:])
        advice = (
            "the machine can't run this architecture: install its QEMU handler (binfmt)"
            if "exec format error" in end.lower()
            else ""
        )
        raise Refused(f"smoke run: `datasets` ended with {done.returncode}:\n{end}", advice=advice)
