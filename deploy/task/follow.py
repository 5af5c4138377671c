"""Follows a task to its end, and stops it where it can no longer be followed."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from deploy.aws import ERRORS, advice_of, code_of, is_offline, may_pass, words_of
from deploy.outcome import RunFailed
from deploy.task.definition import log_stream
from deploy.task.ending import event_of
from deploy.task.log import TaskLog, readable
from deploy.task.signals import Stop
from deploy.work import Work

QUIET_READS = 3
"""The log of a task that failed ends when this many reads in a row bring nothing."""
UNKNOWN_TASK = "InvalidParameterException"
"""What StopTask answers for a task that ECS does not know, or not yet."""
REASON_LENGTH = 255
"""As much as StopTask takes."""


@dataclass
class TaskRun:
    """A task that was started, and what became of it.

    `cut_short` is why the tool itself stopped the task, and `advice` what to do about that.
    """

    arn: str
    run_id: str
    task: Mapping[str, Any] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    log_denied: bool = False
    cut_short: str = ""
    advice: str = ""
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


@dataclass(frozen=True)
class Trouble:
    """What keeps a task's state from being known; it can last, or be this machine's network."""

    text: str
    advice: str
    lasts: bool = False
    offline: bool = False


def follow(work: Work, run: TaskRun, stop: Stop) -> None:
    """Follow a task to its end and its log to the last line; fill in `run`.

    When the time is up, the user interrupts, or following fails for good, the task is stopped.
    """
    pace = work.pace
    stream = log_stream(work.target, run.id)
    log = TaskLog(work.clients.logs, group=work.environment.log_group, stream=stream)
    began = answered = time.monotonic()
    deadline = math.inf
    try:
        while time.monotonic() < deadline:
            trouble = _look(work, run)
            _show(work, log)
            if run.stopped:
                break
            now = time.monotonic()
            # A task is healthy without our network, and could not be stopped without it.
            if trouble is None or trouble.offline:
                answered = now
            gone = trouble is not None and (trouble.lasts or now - answered > pace.patience)
            if run.cut_short:
                if gone:
                    break
                time.sleep(pace.poll)
                continue
            if stop.signal:
                run.cut_short = "interrupted"
            elif gone and trouble:
                run.cut_short, run.advice = f"following it failed: {trouble.text}", trouble.advice
            elif now - began > work.limits.run:
                run.cut_short = f"not done after {work.limits.run:.0f} s"
                run.advice = "--run-timeout gives it longer"
            if run.cut_short:
                work.console.more(f"{run.cut_short}: stopping the task")
                stop_task(work, run, patience=pace.patience)
                deadline = time.monotonic() + work.environment.stop_timeout + pace.patience
            else:
                stop.wait(pace.poll)
    except BaseException as error:
        # A defect, or Ctrl-C for the second time: one try, without any patience.
        if not run.stopped and deadline == math.inf and not isinstance(error, RunFailed):
            try:
                stop_task(work, run, patience=0)
            except RunFailed as left:
                work.console.more(f"{left}; {left.advice}")
        raise
    finally:
        run.lines, run.log_denied = log.lines, log.denied
        run.seconds = time.monotonic() - began
    code = exit_code_of(run, work.environment.container)
    if code is not None:
        _drain(work, log, expected=code == 0)
        run.lines, run.log_denied = log.lines, log.denied


def _look(work: Work, run: TaskRun) -> Trouble | None:
    """Ask once for the task's state; return what kept it from being known, if anything."""
    try:
        answer = work.clients.ecs.describe_tasks(cluster=work.environment.cluster, tasks=[run.arn])
    except ERRORS as error:
        lasts, offline = not may_pass(error), is_offline(error)
        return Trouble(words_of(error), advice_of(error), lasts=lasts, offline=offline)
    if not answer["tasks"]:
        reasons = ", ".join(failure.get("reason", "") for failure in answer["failures"])
        return Trouble(f"ECS does not know the task ({reasons})", "")
    task: Mapping[str, Any] = answer["tasks"][0]
    status = task.get("lastStatus", "")
    if status != run.task.get("lastStatus") and status != "STOPPED":
        work.console.more(status.lower())
    run.task = task
    return None


def stop_task(work: Work, run: TaskRun, *, patience: float) -> None:
    """Tell ECS to stop the task, which it may not know in the first moments."""
    why = run.cut_short or "following it failed"
    reason = f"deploy.sh: {why}"[:REASON_LENGTH]
    deadline = time.monotonic() + patience
    while True:
        try:
            work.clients.ecs.stop_task(
                cluster=work.environment.cluster, task=run.arn, reason=reason
            )
            return
        except ERRORS as error:
            unknown = isinstance(error, ClientError) and code_of(error) == UNKNOWN_TASK
            if not (unknown or may_pass(error)) or time.monotonic() > deadline:
                raise RunFailed(
                    f"{why}, and the task can't be stopped: {words_of(error)}",
                    advice=f"it goes on and costs: stop it in the console: {run.arn}; or log in, "
                    f"then `./deploy.sh stop {run.id}` or `./deploy.sh follow {run.id}`",
                ) from None
        time.sleep(work.pace.poll)


def _show(work: Work, log: TaskLog) -> bool:
    """Show what is new in a log; return whether anything is."""
    new = log.read()
    for line in new:
        work.console.log(readable(line))
    return bool(new)


def _drain(work: Work, log: TaskLog, *, expected: bool) -> None:
    """Read on until the service's own last line, which may be expected, or the log is quiet."""
    quiet = 0
    end = time.monotonic() + work.pace.patience
    while not log.denied and time.monotonic() < end and (expected or quiet < QUIET_READS):
        quiet = 0 if _show(work, log) else quiet + 1
        if event_of(log.lines, "run_finished", "run_failed"):
            return
        time.sleep(work.pace.poll)


def exit_code_of(run: TaskRun, container: str) -> int | None:
    """Return the container's exit code, or nothing where it has none."""
    found = (item for item in run.task.get("containers", []) if item.get("name") == container)
    return next((item.get("exitCode") for item in found), None)
