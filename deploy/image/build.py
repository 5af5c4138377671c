"""Builds the image for the task's architecture, and runs it once before anything is pushed."""

from __future__ import annotations

import json
from pathlib import Path

from deploy.environment import ARCHITECTURES, Environment
from deploy.image.engine import lockdown_flags, run_program
from deploy.image.source_tree import Source
from deploy.outcome import Refused

QUICK_SECONDS = 120
PLAIN = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
"""One plain manifest: with a provenance document beside it, the tag would name an index, and its
digest would not be the one of the image that runs."""


def build_command(
    engine: str, environment: Environment, source: Source, *, context: Path, image: str
) -> list[str]:
    """The command that builds the image from a folder."""
    arguments = {
        "REVISION": source.revision,
        "SOURCE": source.url,
        "BASE_IMAGE": environment.base_image,
    }
    given = [f"--build-arg={name}={value}" for name, value in arguments.items() if value]
    return [
        *(engine, "build", "--platform", _platform(environment), *given, *environment.build_flags),
        *("--tag", image, str(context)),
    ]


def build(
    engine: str, environment: Environment, source: Source, *, context: Path, timeout: float
) -> str:
    """Build the image and return what the engine calls it, if a task can run it.

    Args:
        engine: builds it; its own output is shown only when it fails.
        environment: says for which architecture, on which base, and with which flags.
        source: what the image is named after.
        context: a folder that holds the source.
        timeout: in seconds; --build-timeout gives it longer.
    """
    image = f"micro-etl:{source.tag(environment.architecture)}"
    command = build_command(engine, environment, source, context=context, image=image)
    run_program(*command, timeout=timeout, shown=20, variables=PLAIN)
    found = json.loads(run_program(engine, "image", "inspect", image, timeout=QUICK_SECONDS))[0]
    wanted = ARCHITECTURES[environment.architecture]
    if found["Architecture"] != wanted:
        raise Refused(
            f"build: the image is for {found['Architecture']}, the task definition for {wanted}",
            advice=f"set architecture in the environment, or a base image that exists for {wanted}",
        )
    if found["Config"].get("User", "").partition(":")[0] in {"", "0", "root"}:
        raise Refused("build: the image runs as root", advice="add a USER line to the Dockerfile")
    return image


def smoke_run(engine: str, environment: Environment, image: str) -> None:
    """Run the image once, so that an image that can't start is never pushed.

    It is as locked down as a task is, and has no network.
    """
    run = (engine, "run", "--rm", "--platform", _platform(environment), "--network", "none")
    try:
        run_program(*run, *lockdown_flags(), image, "datasets", timeout=QUICK_SECONDS, shown=5)
    except Refused as error:
        foreign = "exec format error" in str(error).lower()
        how = "this machine can't run the architecture: install its QEMU handler (binfmt)"
        raise Refused(f"smoke run: {error}", advice=how if foreign else "") from None


def _platform(environment: Environment) -> str:
    return f"linux/{ARCHITECTURES[environment.architecture]}"
