"""Run the service's image as a small task would."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass

import pyarrow as pa

from deploy.image.engine import lockdown_flags
from dev.bench.job import Run, Store, run_job

MEMORY = "512m"
"""What the container may use, page cache included; nothing is swapped."""
CPUS = "0.25"
"""What the smallest task has of a core."""

_ENVIRONMENT = (
    *("SOURCE_URL", "S3_BUCKET", "S3_KEY", "AWS_ENDPOINT_URL", "AWS_REGION"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
)


@dataclass(frozen=True)
class Contained:
    """Runs in a container, whose wall times have its start in them; the rest is the client's.

    Attributes:
        size: of the image with its base, unpacked, in bytes.
        large: with 500,000 records.
        small: with 205, on a part of a core.
    """

    size: int
    large: Run
    small: list[Run]


def image_size(image: str) -> int:
    """The bytes of a built image with its base, unpacked.

    Raises:
        RuntimeError: there is no container engine.
    """
    inspect = [_engine(), "image", "inspect", "--format", "{{.Size}}", image]
    return int(subprocess.run(inspect, capture_output=True, text=True, check=True).stdout)


def run_contained(
    image: str, source: str, store: Store, expected: pa.Table, *, cpus: str | None = None
) -> Run:
    """Run the job in a container with little memory; its table is compared like any other.

    Args:
        image: a built image.
        source: the URL of the records, on loopback.
        store: where the table goes, on loopback.
        expected: what must be in it.
        cpus: how much of the machine's cores it gets; all of them by default.

    Raises:
        RuntimeError: it failed, or its table is not the expected one.
    """
    command = [
        *(_engine(), "run", "--rm", "--network", "host", *lockdown_flags(tmpfs=False)),
        *("--memory", MEMORY, "--memory-swap", MEMORY),
        *(("--cpus", cpus) if cpus else ()),
        *(flag for name in _ENVIRONMENT for flag in ("--env", name)),
        *(image, "run"),
    ]
    return run_job(command, source, store, expected)


def _engine() -> str:
    engine = shutil.which(os.environ.get("CONTAINER_ENGINE", "docker"))
    if engine is None:
        raise RuntimeError("--image needs a container engine")
    return engine
