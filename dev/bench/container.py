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

_ENVIRONMENT = (
    *("SOURCE_URL", "S3_BUCKET", "S3_KEY", "AWS_ENDPOINT_URL", "AWS_REGION"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
)


@dataclass(frozen=True)
class Contained:
    """A run in a container.

    Attributes:
        size: of the image with its base, unpacked, in bytes.
        run: its wall time has the start of the container in it; the rest is the client's.
    """

    size: int
    run: Run


def run_contained(image: str, source: str, store: Store, expected: pa.Table) -> Contained:
    """Run the job in a container with little memory; its table is compared like any other.

    Args:
        image: a built image.
        source: the URL of the records, on loopback.
        store: where the table goes, on loopback.
        expected: what must be in it.

    Raises:
        RuntimeError: it failed, or its table is not the expected one.
    """
    engine = shutil.which(os.environ.get("CONTAINER_ENGINE", "docker"))
    if engine is None:
        raise RuntimeError("--image needs a container engine")
    inspect = [engine, "image", "inspect", "--format", "{{.Size}}", image]
    size = int(subprocess.run(inspect, capture_output=True, text=True, check=True).stdout)
    command = [
        *(engine, "run", "--rm", "--network", "host", *lockdown_flags(tmpfs=False)),
        *("--memory", MEMORY, "--memory-swap", MEMORY),
        *(flag for name in _ENVIRONMENT for flag in ("--env", name)),
        *(image, "run"),
    ]
    return Contained(size, run_job(command, source, store, expected))
