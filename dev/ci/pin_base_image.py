#!/usr/bin/env python3
"""Pin the base image to what its tag stands for now.

usage: dev/ci/pin_base_image.py      needs docker, and access to the image's registry

The tag stays, and the digest that it has today comes behind it.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

DOCKERFILE = Path(__file__).parents[2] / "Dockerfile"
BASE = re.compile(r"^(ARG BASE_IMAGE=)([^\s@]+)(@sha256:[0-9a-f]{64})?$", re.MULTILINE)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def pin_base_image(dockerfile: str, digest: Callable[[str], str]) -> str:
    """A Dockerfile whose base image is pinned to the digest that its tag has."""
    pinned, count = BASE.subn(lambda match: f"{match[1]}{match[2]}@{digest(match[2])}", dockerfile)
    if count != 1:
        raise ValueError(f"the Dockerfile has {count} lines like ARG BASE_IMAGE=..., not one")
    return pinned


def digest_of(image: str) -> str:
    """The digest that an image's tag has in its registry: of all architectures together."""
    command = ("docker", "buildx", "imagetools", "inspect", image)
    done = subprocess.run(
        [*command, "--format", "{{.Manifest.Digest}}"],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    digest = done.stdout.strip()
    if not DIGEST.fullmatch(digest):
        raise ValueError(f"{digest!r} is no digest")
    return digest


if __name__ == "__main__":
    DOCKERFILE.write_text(pin_base_image(DOCKERFILE.read_text("utf-8"), digest_of), "utf-8")
