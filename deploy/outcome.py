"""How a command can end: exit codes, the error that carries one, and the verdict for programs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any


class Exit(IntEnum):
    """The tool's own exit codes, clear of the service's: a task that failed passes its code on."""

    OK = 0  # done, and where something was published, proven
    DEFECT = 1  # in this tool: the only ending that shows a traceback
    USAGE = 2  # wrong flags or arguments
    REFUSED = 10  # before anything in AWS was changed
    NOT_LAUNCHED = 11  # no container ran: push, registration or launch failed
    RUN_FAILED = 12  # timed out, stopped from outside, not followed, or a code not the service's
    TEST_FAILED = 13  # the task succeeded, but what it published failed the test
    NOT_MOVED = 14  # proven, but the schedule still runs what it ran before
    INTERRUPTED = 130  # Ctrl-C; a task that was running has been told to stop
    TERMINATED = 143  # SIGTERM; the same


OUTCOMES: dict[int, str] = {
    Exit.OK: "ok",
    Exit.DEFECT: "defect",
    Exit.USAGE: "usage",
    Exit.REFUSED: "refused",
    Exit.NOT_LAUNCHED: "not_launched",
    Exit.TEST_FAILED: "test_failed",
    Exit.NOT_MOVED: "not_moved",
    Exit.INTERRUPTED: "interrupted",
    Exit.TERMINATED: "interrupted",
}
"""The word for an exit code in a verdict; every other code is a run that failed."""

PASSED_ON = {*range(64, 79), 137}
"""The container's codes that the command ends with: the service's own, and that of a kill."""
INTERRUPTIONS = {Exit.INTERRUPTED, Exit.TERMINATED}
MILD = (Exit.NOT_MOVED, Exit.REFUSED, Exit.NOT_LAUNCHED, Exit.RUN_FAILED)
"""From the mildest on; a container's own code is worse, wrong data are the worst."""


def code_for(container: int | None) -> int:
    """Return what a command ends with whose task ran and failed with this exit code."""
    return Exit.RUN_FAILED if container is None or container not in PASSED_ON else container


def worst(codes: Iterable[int]) -> int:
    """Return the worst of several exit codes."""

    def severity(code: int) -> tuple[int, int]:
        rank = MILD.index(Exit(code)) if code in MILD else len(MILD)
        return (len(MILD) + 1 if code == Exit.TEST_FAILED else rank), code

    return max(codes, key=severity)


class DeployError(Exception):
    """The base of every error that a user can meet: what went wrong, what to do, and the code."""

    exit_code: int = Exit.REFUSED

    def __init__(self, message: str, *, advice: str = "", exit_code: int | None = None) -> None:
        super().__init__(message)
        self.advice = advice
        if exit_code is not None:
            self.exit_code = exit_code


class Refused(DeployError):  # noqa: N818 - named after the outcome, as its siblings are
    """Refused before anything in AWS was changed."""


class NotLaunched(DeployError):  # noqa: N818
    """No container ran."""

    exit_code = Exit.NOT_LAUNCHED


class RunFailed(DeployError):  # noqa: N818
    """A container ran and failed, timed out, or was stopped."""

    exit_code = Exit.RUN_FAILED


class Unproven(DeployError):  # noqa: N818
    """The task succeeded, but what it published failed the test."""

    exit_code = Exit.TEST_FAILED


class NotMoved(DeployError):  # noqa: N818
    """The schedule could not be moved to what has passed."""

    exit_code = Exit.NOT_MOVED


@dataclass
class Verdict:
    """What `--json` prints: how the command ended and why, and what the steps found and did.

    `stage` is what an unforeseen error means, given how far the command has come.
    """

    command: str
    facts: dict[str, Any] = field(default_factory=dict)
    stage: Exit = Exit.REFUSED

    def to_dict(self, exit_code: int, error: DeployError | None = None) -> dict[str, Any]:
        """Return the verdict, its fixed fields first."""
        return {"command": self.command, **ending_facts(exit_code, error), **self.facts}


def ending_facts(exit_code: int, error: DeployError | None) -> dict[str, Any]:
    """Return how a command ended, or its part for one dataset."""
    outcome = OUTCOMES.get(exit_code, "run_failed")
    facts: dict[str, Any] = {"outcome": outcome, "exit_code": exit_code}
    return facts if error is None else facts | {"cause": str(error), "advice": error.advice}
