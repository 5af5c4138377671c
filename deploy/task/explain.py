"""Explains how a task ended, or why none began: the cause, and what to do, by endings.toml."""

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.account.policies import pass_role_statement
from deploy.aws import DENIED
from deploy.environment import ARCHITECTURES, CONTAINER
from deploy.target import Target

TABLE = tomllib.loads((Path(__file__).parent / "endings.toml").read_text(encoding="utf-8"))
LARGEST_MEMORY = 122_880
"""The most MiB that Fargate sells."""


@dataclass(frozen=True, kw_only=True)
class Ending:
    """What AWS says of a task that ended, or of a call that started none.

    Attributes:
        reason: all that it says in words.
        no_task: it answered without a task, and without an error.
        error_code: the error that a call ended with.
        log: the lines of the task's log, as far as they could be read.
    """

    reason: str = ""
    stop_code: str = ""
    exit_code: int | None = None
    no_task: bool = False
    error_code: str = ""
    log: Sequence[str] = ()

    @property
    def from_outside(self) -> bool:
        """Whether the task was stopped from outside, whatever its exit code says."""
        return self.stop_code in TABLE["outside"]

    @property
    def good(self) -> bool:
        """Whether the container ended by itself and well."""
        return self.exit_code == 0 and not self.from_outside


@dataclass(frozen=True)
class Explanation:
    """A cause and what to do about it; and whether the same call may start a task in a moment."""

    cause: str
    advice: str
    passes: bool


def container_of(task: Mapping[str, Any]) -> Mapping[str, Any]:
    """What `DescribeTasks` says of the service's container."""
    return next((item for item in task.get("containers", ()) if item["name"] == CONTAINER), {})


def ending_of(task: Mapping[str, Any], *, log: Sequence[str] = ()) -> Ending:
    """The ending of a task as `DescribeTasks` shows it."""
    found = container_of(task)
    reasons = (found.get("reason", ""), task.get("stoppedReason", ""))
    return Ending(
        reason="; ".join(dict.fromkeys(reason.strip() for reason in reasons if reason.strip())),
        stop_code=task.get("stopCode", ""),
        exit_code=found.get("exitCode"),
        log=log,
    )


def event_of(log: Iterable[str], *names: str) -> dict[str, Any]:
    """The last event of one of these names that the service logged, or an empty one."""
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


def _says(ending: Ending, pattern: str) -> bool:
    return bool(re.search(TABLE["patterns"].get(pattern, pattern), ending.reason, re.IGNORECASE))


CONDITIONS: dict[str, Callable[[Ending, Any], bool]] = {
    # A missing exit code is a failure to launch, never a zero.
    "ran": lambda ending, ran: (ending.exit_code is not None) == ran,
    "says": lambda ending, patterns: all(_says(ending, pattern) for pattern in patterns),
    "says_or_logs": lambda ending, pattern: (
        _says(ending, pattern)
        or bool(ending.exit_code and re.search(pattern, "\n".join(ending.log), re.IGNORECASE))
    ),
    "exit_code": lambda ending, code: ending.exit_code == code,
    "stop_code": lambda ending, code: ending.stop_code == code,
    "no_task": lambda ending, _: ending.no_task,
    "caller_denied": lambda ending, _: ending.error_code in DENIED,
    "outside": lambda ending, _: ending.from_outside,
    "of_the_service": lambda ending, _: str(ending.exit_code) in TABLE["service"],
}


def explain(
    ending: Ending, target: Target, *, image: str, built_for: Callable[[], str] = str
) -> Explanation:
    """The cause of an ending that is not good, and what to do about it.

    `built_for` finds the image's architecture, or an empty string where it can't.
    """
    row = next(
        row
        for row in TABLE["ending"]
        if all(CONDITIONS[name](ending, value) for name, value in row["when"].items())
    )
    environment, code = target.environment, ending.exit_code
    error = event_of(ending.log, "run_failed").get("error")
    meaning, cure = TABLE["service"].get(str(code), ("", ""))
    gaps = {
        "ending": ending,
        "target": target,
        "environment": environment,
        "image": image,
        "reason": ending.reason,
        "because": f": {ending.reason}" if ending.reason else "",
        "outside": TABLE["outside"].get(ending.stop_code),
        "whatever_code": "" if code is None else f"; its exit code {code} says nothing then",
        "meaning": f"{meaning}: {error}" if error else meaning,
        "cure": cure,
        "built_for": ("{built_for}" in row["cause"] and built_for()) or "another architecture",
        "wanted": ARCHITECTURES[environment.architecture],
        "pass_role": json.dumps(pass_role_statement(target)),
        "network": TABLE["network"]["with" if environment.assign_public_ip else "without"],
        "larger": _larger(environment.cpu, environment.memory),
    }
    return Explanation(
        row["cause"].format_map(gaps), row["advice"].format_map(gaps), row.get("passes", False)
    )


def _larger(cpu: int, memory: int) -> str:
    """The next size of a task, which Fargate sells with up to 8 times the CPU in memory."""
    if memory >= LARGEST_MEMORY:
        return "the task already has the largest size that Fargate sells"
    larger = min(2 * memory, LARGEST_MEMORY)
    and_cpu = f"cpu = {2 * cpu} and " if larger > 8 * cpu else ""
    return f"double it: {and_cpu}memory = {larger} in the environment file"
