#!/usr/bin/env python3
"""Pin the base image and each GitHub Action to what their newest releases are now.

usage: scripts/update_pins.py      needs docker and gh, and access for both

The base image keeps its tag and gets the digest that the tag has today; an action gets the commit
of its newest release, with the release's name beside it. Dependencies are `make lock`'s.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCKERFILE = ROOT / "Dockerfile"
WORKFLOWS = ROOT / ".github" / "workflows"

BASE = re.compile(r"^(ARG BASE_IMAGE=)([^\s@]+)(@sha256:[0-9a-f]{64})?$", re.MULTILINE)
ACTION = re.compile(r"(uses: )([\w.-]+/[\w.-]+)((?:/[\w.-]+)*)@([0-9a-f]{40}) # (\S+)")

Digest = Callable[[str], str]
Release = Callable[[str], tuple[str, str]]


def pin_base_image(dockerfile: str, digest: Digest) -> str:
    """Return a Dockerfile whose base image is pinned to the digest that its tag has."""
    pinned, count = BASE.subn(lambda match: f"{match[1]}{match[2]}@{digest(match[2])}", dockerfile)
    if count != 1:
        raise ValueError(f"the Dockerfile has {count} lines like ARG BASE_IMAGE=..., not one")
    return pinned


def pin_actions(workflow: str, release: Release) -> str:
    """Return a workflow whose actions are pinned to their newest releases' commits."""

    def pin(match: re.Match[str]) -> str:
        tag, commit = release(match[2])
        return f"{match[1]}{match[2]}{match[3]}@{commit} # {tag}"

    return ACTION.sub(pin, workflow)


def digest_of(image: str) -> str:
    """Return the digest that an image's tag has in its registry: of all architectures together."""
    return _checked(
        r"sha256:[0-9a-f]{64}",
        _output(
            "docker", "buildx", "imagetools", "inspect", image, "--format", "{{.Manifest.Digest}}"
        ),
    )


def newest_release(repository: str) -> tuple[str, str]:
    """Return the tag of an action's newest release, and the commit that the tag stands for."""
    tag = _output("gh", "api", f"repos/{repository}/releases/latest", "--jq", ".tag_name")
    commit = _output("gh", "api", f"repos/{repository}/commits/{tag}", "--jq", ".sha")
    return _checked(r"[\w.-]+", tag), _checked(r"[0-9a-f]{40}", commit)


def main() -> None:
    """Rewrite the Dockerfile and the workflows."""
    found: dict[str, tuple[str, str]] = {}

    def release(repository: str) -> tuple[str, str]:
        if repository not in found:
            found[repository] = newest_release(repository)
        return found[repository]

    DOCKERFILE.write_text(pin_base_image(DOCKERFILE.read_text("utf-8"), digest_of), "utf-8")
    for file in sorted(WORKFLOWS.glob("*.yml")):
        file.write_text(pin_actions(file.read_text("utf-8"), release), "utf-8")


def _output(*command: str) -> str:
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    return done.stdout.strip()


def _checked(pattern: str, text: str) -> str:
    if not re.fullmatch(pattern, text):
        raise ValueError(f"{text!r} does not look like {pattern}")
    return text


if __name__ == "__main__":
    main()
