"""Follows a task to its end, and stops it where it can no longer be followed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from deploy.aws import ERRORS, advice_of, code_of, is_offline, may_pass, words_of
from deploy.outcome import Exit, RunFailed
from deploy.target import Target
from deploy.task.ending import event_of
from deploy.task.log import TaskLog
from deploy.task.signals import Stop
from deploy.work import Pace

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

QUIET_READS = 3
"""The log of a task that failed ends when this many reads in a row bring nothing."""
UNKNOWN_TASK = "InvalidParameterException"
"""What StopTask answers for a task that ECS does not know, or not yet."""
REASON_LENGTH = 255
"""As much as StopTask takes."""


@dataclass
class TaskRun:
    """A task that was started, and what became of it."""

    arn: str
    run_id: str
    task: Mapping[str, Any] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    log_denied: bool = False
    cut_short: str = ""
    """Why the tool itself stopped the task, or empty."""
    advice: str = ""
    """What to do about that."""
    seconds: float = 0.0

    @property
    def id(self) -> str:
        """The task's id: the last part of its ARN."""
        return self.arn.rsplit("/", 1)[-1]

    @property
    def stopped(self) -> bool:
        """Whether ECS has said that it has come to its end."""
        return bool(self.task.get("lastStatus") == "STOPPED")

    @property
    def finished(self) -> Mapping[str, Any]:
        """The event with which the service ended a run that worked."""
        return event_of(self.lines, "run_finished")


def follow(
    ecs: ECSClient,
    target: Target,
    run: TaskRun,
    *,
    log: TaskLog,
    stop: Stop,
    timeout: float,
    say: Callable[[str], None],
    show: Callable[[str], None],
    pace: Pace,
) -> None:
    """Follow a task to its end and its log to the last line; fill in `run`.

    When the time is up, the user interrupts, or following fails for good, the task is stopped.

    Args:
        ecs: Where the task runs.
        target: What it runs in.
        run: The task; its fields are filled in.
        log: The task's log.
        stop: Whether the user asked to stop.
        timeout: Seconds that the task may take, its start included.
        say: Called with each new state.
        show: Called with each line of the log.
        pace: How often to ask.

    Raises:
        RunFailed: The task can't be stopped.
    """
    began = answered = time.monotonic()
    deadline = math.inf
    try:
        while time.monotonic() < deadline:
            trouble = _look(ecs, target, run, say=say)
            for line in log.read():
                show(line)
            if run.stopped:
                break
            now = time.monotonic()
            # A task is healthy without our network, and could not be stopped without it.
            if trouble is None or trouble.offline:
                answered = now
            lost = trouble if now - answered > pace.patience or _lasts(trouble) else None
            if run.cut_short:
                if lost:
                    break
                time.sleep(pace.poll)
                continue
            run.cut_short, run.advice = _cut_short(
                stop, lost=lost, elapsed=now - began, limit=timeout
            )
            if run.cut_short:
                say(f"{run.cut_short}: stopping the task")
                stop_task(ecs, target, run, pace=pace)
                deadline = time.monotonic() + target.environment.stop_timeout + pace.patience
            else:
                stop.wait(pace.poll)
    except BaseException as error:
        # A defect, or Ctrl-C for the second time: one try, without any patience.
        if not run.stopped and deadline == math.inf and not isinstance(error, RunFailed):
            try:
                stop_task(ecs, target, run, pace=replace(pace, patience=0))
            except RunFailed as left:
                say(f"{left}; {left.advice}")
        raise
    finally:
        run.lines, run.log_denied = log.lines, log.denied
        run.seconds = time.monotonic() - began
    code = exit_code_of(run, target.environment.container)
    if code is not None:
        _drain(log, show=show, pace=pace, expected=code == 0)
        run.lines, run.log_denied = log.lines, log.denied


@dataclass(frozen=True)
class Trouble:
    """What keeps the state of a task from being known."""

    text: str
    advice: str
    lasts: bool = False
    """Whether asking again is of no use."""
    offline: bool = False
    """Whether it is this machine's network."""


def _lasts(trouble: Trouble | None) -> bool:
    return trouble is not None and trouble.lasts


def _look(
    ecs: ECSClient, target: Target, run: TaskRun, *, say: Callable[[str], None]
) -> Trouble | None:
    """Ask once for the task's state; return what kept it from being known, if anything."""
    try:
        answer = ecs.describe_tasks(cluster=target.environment.cluster, tasks=[run.arn])
    except ERRORS as error:
        return Trouble(
            words_of(error), advice_of(error), lasts=not may_pass(error), offline=is_offline(error)
        )
    if not answer["tasks"]:
        reasons = ", ".join(failure.get("reason", "") for failure in answer["failures"])
        return Trouble(f"ECS does not know the task ({reasons})", "")
    task: Mapping[str, Any] = answer["tasks"][0]
    status = task.get("lastStatus", "")
    if status != run.task.get("lastStatus") and status != "STOPPED":
        say(status.lower())
    run.task = task
    return None


def _cut_short(
    stop: Stop, *, lost: Trouble | None, elapsed: float, limit: float
) -> tuple[str, str]:
    """Return why the task must be stopped now, and what to do about it; empty where it need not."""
    if stop.signal:
        return "interrupted", ""
    if lost:
        return f"following it failed: {lost.text}", lost.advice
    if elapsed > limit:
        return f"not done after {limit:.0f} s", "--run-timeout gives it longer"
    return "", ""


def stop_task(ecs: ECSClient, target: Target, run: TaskRun, *, pace: Pace) -> None:
    """Tell ECS to stop the task, which it may not know in the first moments.

    Raises:
        RunFailed: It can't be stopped.
    """
    deadline = time.monotonic() + pace.patience
    while True:
        try:
            ecs.stop_task(
                cluster=target.environment.cluster,
                task=run.arn,
                reason=f"deploy.sh: {run.cut_short or 'following it failed'}"[:REASON_LENGTH],
            )
            return
        except ERRORS as error:
            unknown = isinstance(error, ClientError) and code_of(error) == UNKNOWN_TASK
            if not (unknown or may_pass(error)) or time.monotonic() > deadline:
                why = run.cut_short or "following it failed"
                raise RunFailed(
                    f"{why}, and the task can't be stopped: {words_of(error)}",
                    advice=f"it goes on and costs: stop it in the console: {run.arn}; or log in, "
                    f"then `./deploy.sh stop {run.id}` or `./deploy.sh follow {run.id}`",
                    exit_code=Exit.RUN_FAILED,
                ) from None
        time.sleep(pace.poll)


def _drain(log: TaskLog, *, show: Callable[[str], None], pace: Pace, expected: bool) -> None:
    """Read on until the service's own last line, or until the log is quiet.

    Args:
        log: The task's log.
        show: Called with each line.
        pace: How often to read.
        expected: Whether that last line should come: then it is waited for.
    """
    quiet = 0
    end = time.monotonic() + pace.patience
    while not log.denied and time.monotonic() < end and (expected or quiet < QUIET_READS):
        new = log.read()
        for line in new:
            show(line)
        if event_of(log.lines, "run_finished", "run_failed"):
            return
        quiet = 0 if new else quiet + 1
        time.sleep(pace.poll)


def exit_code_of(run: TaskRun, container: str) -> int | None:
    """Return the container's exit code, or nothing where it has none."""
    for found in run.task.get("containers", []):
        if found.get("name") == container:
            code: int | None = found.get("exitCode")
            return code
    return None
