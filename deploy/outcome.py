"""How a command can end: exit codes, the error that carries one, and the verdict for programs."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Self


class Exit(IntEnum):
    """The tool's own exit codes, clear of the service's: a task that failed passes its code on."""

    meaning: str

    def __new__(cls, code: int, meaning: str) -> Self:
        """A code with its meaning, as `--help` prints it."""
        member = int.__new__(cls, code)
        member._value_, member.meaning = code, meaning
        return member

    OK = 0, "done, and where something was published, proven"
    DEFECT = 1, "a defect in this tool"
    USAGE = 2, "wrong flags"
    REFUSED = 10, "refused before anything in AWS was changed"
    NOT_LAUNCHED = 11, "no container ran: push, registration or launch failed"
    RUN_FAILED = 12, "timed out, stopped from outside, not followed, or a code not the service's"
    TEST_FAILED = 13, "the task succeeded, but what it published failed the test"
    NOT_MOVED = 14, "what is published is proven, but the schedule could not be moved"
    HUNG_UP = 129, "SIGHUP, as a closed terminal sends it; a task has been told to stop"
    INTERRUPTED = 130, "Ctrl-C; a task that was running has been told to stop"
    TERMINATED = 143, "the same, by SIGTERM"


PASSED_ON = (*range(64, 79), 137)
"""The container's codes that the command ends with: the service's own, and that of a kill."""
INTERRUPTIONS = {Exit.HUNG_UP, Exit.INTERRUPTED, Exit.TERMINATED}
MILD = [Exit.OK, Exit.NOT_MOVED, Exit.REFUSED, Exit.NOT_LAUNCHED, Exit.RUN_FAILED]
"""From the mildest on; a container's own code is worse, wrong data are the worst."""


def outcome_of(code: int) -> str:
    """The word for an exit code in a verdict."""
    if code in INTERRUPTIONS:
        return "interrupted"
    return next((item.name for item in Exit if item == code), Exit.RUN_FAILED.name).lower()


def worst(codes: Iterable[int]) -> int:
    """The worst of several exit codes."""
    order: list[int] = [*MILD, *PASSED_ON, Exit.TEST_FAILED]
    return max(codes, key=order.index)


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


@dataclass
class Verdict:
    """What `--json` prints: how the command ended and why, and what the steps found and did.

    `stage` is what an unforeseen error means, given how far the command has come.
    """

    command: str
    facts: dict[str, Any] = field(default_factory=dict)
    stage: Exit = Exit.REFUSED


def ending_facts(exit_code: int, error: DeployError | None) -> dict[str, Any]:
    """How a command ended, or its part for one dataset."""
    facts: dict[str, Any] = {"outcome": outcome_of(exit_code), "exit_code": int(exit_code)}
    return facts if error is None else facts | {"cause": str(error), "advice": error.advice}
