"""The flags that lock a container down as a task on Fargate is."""

from __future__ import annotations


def lockdown_flags(*, tmpfs: bool = True) -> list[str]:
    """Return the flags of `docker run` for a read-only root, no capabilities, no new privileges.

    Args:
        tmpfs: Whether /tmp is in memory; otherwise it is the volume that the image declares.
    """
    scratch = ("--tmpfs", "/tmp") if tmpfs else ()  # noqa: S108 - a path inside the container
    no_privileges = ("--cap-drop", "ALL", "--security-opt", "no-new-privileges")
    return ["--read-only", *scratch, *no_privileges]
