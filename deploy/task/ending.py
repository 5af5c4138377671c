"""Reads how a task ended from the half dozen fields in which AWS says it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FROM_OUTSIDE = {
    "SpotInterruption": "AWS took back the Spot capacity that the task ran on",
    "UserInitiated": "the task was stopped by a user",
    "ServiceSchedulerInitiated": "an ECS service stopped the task",
    "TerminationNotice": "AWS stopped the task for maintenance of its host",
    "InfrastructureHealth": "AWS stopped the task on an unhealthy host",
}
"""Stop codes that decide before the exit code does: a stopped task can still exit with 0."""


@dataclass(frozen=True, kw_only=True)
class Ending:
    """What AWS says of a task that ended, or of a call that started none."""

    stop_code: str = ""
    stopped_reason: str = ""
    exit_code: int | None = None
    container_reason: str = ""
    log: Sequence[str] = ()
    """The lines of the task's log, as far as they could be read."""
    failures: Sequence[tuple[str, str]] = ()
    """The reason and detail of each failure in an answer without a task."""
    error_code: str = ""
    error_message: str = ""
    """The error that a call ended with."""

    @property
    def reason(self) -> str:
        """All that AWS says in words."""
        parts = (self.error_message, self.stopped_reason, self.container_reason)
        return " ".join(dict.fromkeys(part.strip() for part in parts if part.strip()))

    @property
    def launched(self) -> bool:
        """Whether a container ran: a missing exit code is a failure to launch, never a zero."""
        return self.exit_code is not None or self.stop_code in FROM_OUTSIDE


@dataclass(frozen=True, kw_only=True)
class Names:
    """What the explanations refer to."""

    image: str
    execution_role: str
    task_role: str
    log_group: str
    region: str
    cpu: int
    memory: int
    architecture: str
    stop_timeout: int
    assign_public_ip: bool
    pass_role: str
    """The statement that lets a caller pass both roles, as JSON."""
    image_architecture: str = ""


def ending_of(task: Mapping[str, Any], *, container: str, log: Sequence[str] = ()) -> Ending:
    """Return the ending of a task as `DescribeTasks` shows it."""
    found: Mapping[str, Any] = next(
        (item for item in task.get("containers", []) if item.get("name") == container), {}
    )
    return Ending(
        stop_code=task.get("stopCode", ""),
        stopped_reason=task.get("stoppedReason", ""),
        exit_code=found.get("exitCode"),
        container_reason=found.get("reason", ""),
        log=log,
    )


def event_of(log: Iterable[str], *names: str) -> dict[str, Any]:
    """Return the last event of one of these names that the service logged, or an empty one."""
    found: dict[str, Any] = {}
    for line in log:
        if line.startswith("{") and '"event"' in line:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if event.get("event") in names:
                found = event
    return found
