"""Build the image for this machine's architecture and run it once, locked down as a task is.

usage: python3 -m dev.ci.build_image IMAGE

CONTAINER_ENGINE names another command than docker, BASE_IMAGE another base than the Dockerfile's.
"""

from __future__ import annotations

import os
import subprocess
import sys

from deploy.image.engine import lockdown_flags


def main(image: str) -> None:
    """Build the image, check its user, and run it."""
    engine = os.environ.get("CONTAINER_ENGINE") or "docker"
    revision = _output("git", "rev-parse", "HEAD")
    arguments = [f"REVISION={revision}"]
    if base := os.environ.get("BASE_IMAGE"):
        arguments.append(f"BASE_IMAGE={base}")
    flags = [f"--build-arg={argument}" for argument in arguments]
    subprocess.run([engine, "build", "--quiet", *flags, "--tag", image, "."], check=True)
    user = _output(engine, "image", "inspect", "--format", "{{.Config.User}}", image)
    if user.partition(":")[0] in {"", "0", "root"}:
        sys.exit(f"the image {image} runs as root: add a USER line to the Dockerfile")
    run = (engine, "run", "--rm", "--network", "none", *lockdown_flags())
    subprocess.run([*run, image, "datasets"], check=True)


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except subprocess.CalledProcessError as error:
        sys.exit(f"{error.cmd[0]} {error.cmd[1]} ended with {error.returncode}")
