"""Builds the image for the task's architecture, and runs it once before anything is pushed."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from deploy.environment import ARCHITECTURES, Environment
from deploy.image.engine import Engine
from deploy.image.lockdown_flags import lockdown_flags
from deploy.image.source_tree import Source
from deploy.outcome import Refused

SMOKE_SECONDS = 120


@dataclass(frozen=True)
class Image:
    """An image in the engine's own store."""

    reference: str
    user: str
    platform: str = "linux/amd64"


def build_command(
    engine: Engine, *, environment: Environment, source: Source, context: Path, reference: str
) -> list[str]:
    """Return the command that builds the image from a folder."""
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
    command += ["--platform", _platform(environment)]
    for name, value in arguments.items():
        if value:
            command += ["--build-arg", f"{name}={value}"]
    return [*command, *environment.build_flags, "--tag", reference, str(context)]


def build(
    engine: Engine, *, environment: Environment, source: Source, context: Path, timeout: float
) -> Image:
    """Build the image; the engine's own output is shown only when it fails.

    Args:
        engine: Builds it.
        environment: Says for which architecture, on which base, and with which flags.
        source: What the image is named after.
        context: A folder that holds the source.
        timeout: In seconds.
    """
    reference = f"micro-etl:{source.tag(environment.architecture)}"
    command = build_command(
        engine, environment=environment, source=source, context=context, reference=reference
    )
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
    """Return what was built, if a task can run it."""
    done = subprocess.run(
        [engine.command, "image", "inspect", reference], capture_output=True, text=True, timeout=60
    )
    if done.returncode != 0:
        raise Refused(
            f"build: {engine.name} does not have what it built: {done.stderr.strip()}",
            advice="a separate builder needs --load: see build_flags",
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
    return Image(reference=reference, user=user, platform=_platform(environment))


def _platform(environment: Environment) -> str:
    return f"linux/{ARCHITECTURES[environment.architecture]}"


def smoke_command(engine: Engine, image: Image) -> list[str]:
    """Return the command that runs the image as locked down as a task is, with no network."""
    return [
        *(engine.command, "run", "--rm", "--platform", image.platform),
        *("--network", "none", *lockdown_flags()),
        *(image.reference, "datasets"),
    ]


def smoke_run(engine: Engine, image: Image) -> None:
    """Run the image once, so that an image that can't start is never pushed."""
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
