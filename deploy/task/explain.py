"""Explains how a task ended, or why none began: the cause, and what to do, by endings.toml."""

import json
import re
import tomllib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.account.policies import pass_role_statement
from deploy.aws import DENIED, THROTTLED
from deploy.environment import ARCHITECTURES
from deploy.image.push import find_architecture
from deploy.outcome import PASSED_ON, DeployError, NotLaunched, RunFailed
from deploy.work import Work

TABLE = tomllib.loads((Path(__file__).parent / "endings.toml").read_text(encoding="utf-8"))
LARGEST_MEMORY = 122_880
"""The most MiB that Fargate sells."""


@dataclass(frozen=True, kw_only=True)
class Ending:
    """What AWS says of a task that ended, or of a call that started none.

    `no_task` is an answer without a task and without an error; `error_code`, the error of a call.
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

    @property
    def row(self) -> dict[str, Any]:
        """The first row of the table that holds; `passes` is in it where a new try may help."""
        return next(
            row
            for row in TABLE["ending"]
            if all(CONDITIONS[name](self, value) for name, value in row["when"].items())
        )

    def says(self, pattern: str) -> bool:
        """Whether AWS says what a pattern describes, which may have a name in the table."""
        found = TABLE["patterns"].get(pattern, pattern)
        return bool(re.search(found, self.reason, re.IGNORECASE))


CONDITIONS: dict[str, Callable[[Ending, Any], bool]] = {
    # A missing exit code is a failure to launch, never a zero.
    "ran": lambda ending, ran: (ending.exit_code is not None) == ran,
    "says": lambda ending, patterns: all(ending.says(pattern) for pattern in patterns),
    "says_or_logs": lambda ending, pattern: (
        ending.says(pattern)
        or bool(ending.exit_code and re.search(pattern, "\n".join(ending.log), re.IGNORECASE))
    ),
    "exit_code": lambda ending, code: ending.exit_code == code,
    "stop_code": lambda ending, code: ending.stop_code == code,
    "no_task": lambda ending, _: ending.no_task,
    "caller_denied": lambda ending, _: ending.error_code in DENIED,
    "throttled": lambda ending, _: ending.error_code in THROTTLED,
    "outside": lambda ending, _: ending.from_outside,
    "of_the_service": lambda ending, _: str(ending.exit_code) in TABLE["service"],
}


def event_of(log: Sequence[str], *names: str) -> dict[str, Any]:
    """The last event of one of these names that the service logged, or an empty one."""
    for line in reversed(log):
        with suppress(ValueError, AttributeError):  # no JSON, or no object
            event: dict[str, Any] = json.loads(line)
            if event.get("event") in names:
                return event
    return {}


def explain(work: Work, ending: Ending, *, image: str) -> DeployError:
    """The error that a bad ending stands for: its cause, and what to do about it."""
    row, target, environment, code = ending.row, work.target, work.environment, ending.exit_code
    error = event_of(ending.log, "run_failed").get("error")
    meaning, cure = TABLE["service"].get(str(code), ("", ""))
    built_for = ""
    if "{built_for}" in row["cause"]:
        built_for = find_architecture(
            work.clients.ecr, repository=environment.repository, digest=image.partition("@")[2]
        )
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
        "built_for": built_for or "another architecture",
        "wanted": ARCHITECTURES[environment.architecture],
        "pass_role": json.dumps(pass_role_statement(target)),
        "network": TABLE["network"]["with" if environment.assign_public_ip else "without"],
        "larger": _larger(environment.cpu, environment.memory),
    }
    cause, advice = (row[key].format_map(gaps) for key in ("cause", "advice"))
    if code is None and not ending.from_outside:
        return NotLaunched(cause, advice=advice)
    own = code in PASSED_ON and not ending.from_outside
    return RunFailed(cause, advice=advice, exit_code=code if own else None)


def _larger(cpu: int, memory: int) -> str:
    """The next size of a task, which Fargate sells with up to 8 times the CPU in memory."""
    if memory >= LARGEST_MEMORY:
        return "the task already has the largest size that Fargate sells"
    larger = min(2 * memory, LARGEST_MEMORY)
    and_cpu = f"cpu = {2 * cpu} and " if larger > 8 * cpu else ""
    return f"double it: {and_cpu}memory = {larger} in the environment file"
