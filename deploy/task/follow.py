"""Follows a task to its end, and stops it where it can no longer be followed."""

import math
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from deploy.aws import ERRORS, advice_of, code_of, is_offline, may_pass, words_of
from deploy.outcome import RunFailed
from deploy.task.definition import log_stream
from deploy.task.explain import Ending, ending_of, event_of
from deploy.task.log import TaskLog, readable
from deploy.work import Work

QUIET_READS = 3
"""The log of a task that failed ends when this many reads in a row bring nothing."""
UNKNOWN_TASK = "InvalidParameterException"
"""What StopTask answers for a task that ECS does not know, or not yet."""


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
    def ending(self) -> Ending:
        """How it ended, as far as is known."""
        return ending_of(self.task, log=self.lines)

    @property
    def finished(self) -> Mapping[str, Any]:
        """The event with which the service ended a run that worked."""
        return event_of(self.lines, "run_finished")


class Stop:
    """Whether the user asked to stop, by which signal. The second time ends the program at once."""

    signal = 0

    def request(self, number: int, frame: FrameType | None = None) -> None:  # noqa: ARG002
        """Note the request; raise when it is the second."""
        if self.signal:
            raise KeyboardInterrupt
        self.signal = number

    def wait(self, seconds: float) -> None:
        """Wait, but no longer once the user has asked to stop."""
        end = time.monotonic() + seconds
        while not self.signal and time.monotonic() < end:
            time.sleep(min(0.1, seconds))


def stop_signals() -> set[signal.Signals]:
    """List what stops a command; a closed terminal does not where it is ignored, as by nohup.

    Windows has no such signal.
    """
    stops = {signal.SIGINT, signal.SIGTERM}
    hangup: signal.Signals | None = getattr(signal, "SIGHUP", None)
    if hangup and signal.getsignal(hangup) is not signal.SIG_IGN:
        stops.add(hangup)
    return stops


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Note what stops a command instead of ending at once, so that no started task is lost."""
    stop = Stop()
    numbers = stop_signals()
    before = [signal.signal(number, stop.request) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def follow(work: Work, run: TaskRun, stop: Stop) -> None:
    """Follow a task to its end and its log to the last line; fill in `run`.

    When the time is up, the user interrupts, or following fails for good, the task is stopped.
    """
    limits = work.limits
    log = TaskLog(work.clients.logs, work.environment.log_group, log_stream(run.id), run.lines)
    began = answered = time.monotonic()
    deadline = math.inf
    while time.monotonic() < deadline:
        trouble = _look(work, run)
        _show(work, log)
        now = time.monotonic()
        run.seconds, run.log_denied = now - began, log.denied
        if run.stopped:
            break
        # A task is healthy without our network, and could not be stopped without it.
        if trouble is None or is_offline(trouble):
            answered = now
        lasts = isinstance(trouble, ERRORS) and not may_pass(trouble)
        gone = trouble if lasts or now - answered > limits.patience else None
        if run.cut_short and gone:
            break
        if not run.cut_short and _cut_short(run, stop, gone, limit=limits.run):
            work.console.more(f"{run.cut_short}: stopping the task")
            stop_task(work, run, patience=limits.patience)
            deadline = time.monotonic() + work.environment.stop_timeout + limits.patience
        elif run.cut_short:
            time.sleep(limits.poll)
        else:
            stop.wait(limits.poll)
    code = run.ending.exit_code
    if code is not None:
        _drain(work, log, expected=code == 0)


def _cut_short(run: TaskRun, stop: Stop, gone: Exception | None, *, limit: float) -> bool:
    """Tell whether the task is to be stopped; note why, and what to do about that."""
    if stop.signal:
        run.cut_short = "interrupted"
    elif gone:
        run.cut_short, run.advice = f"following it failed: {words_of(gone)}", advice_of(gone)
    elif run.seconds > limit:
        run.cut_short = f"not done after {limit:.0f} s"
        run.advice = "--run-timeout gives it longer"
    return bool(run.cut_short)


def _look(work: Work, run: TaskRun) -> Exception | None:
    """Ask once for the task's state; return what kept it from being known, if anything."""
    try:
        answer = work.clients.ecs.describe_tasks(cluster=work.environment.cluster, tasks=[run.arn])
    except ERRORS as error:
        return error
    if not answer["tasks"]:
        reasons = ", ".join(failure.get("reason", "") for failure in answer["failures"])
        return LookupError(f"ECS does not know the task ({reasons})")
    before, run.task = run.task, answer["tasks"][0]
    status = run.task.get("lastStatus", "")
    if status != before.get("lastStatus") and not run.stopped:
        work.console.more(status.lower())
    return None


def stop_task(work: Work, run: TaskRun, *, patience: float) -> None:
    """Tell ECS to stop the task, which it may not know in the first moments."""
    why = run.cut_short or "following it failed"
    reason = f"deploy.sh: {why}"[:255]  # as much as StopTask takes
    deadline = time.monotonic() + patience
    while True:
        try:
            work.clients.ecs.stop_task(
                cluster=work.environment.cluster, task=run.arn, reason=reason
            )
            return
        except ERRORS as error:
            passes = code_of(error) == UNKNOWN_TASK or may_pass(error)
            if not passes or time.monotonic() > deadline:
                raise RunFailed(
                    f"{why}, and the task can't be stopped: {words_of(error)}",
                    advice=f"it goes on and costs: stop it in the console: {run.arn}; or log in, "
                    f"then `./deploy.sh stop {run.id}` or `./deploy.sh follow {run.id}`",
                ) from None
        time.sleep(work.limits.poll)


def _show(work: Work, log: TaskLog) -> bool:
    """Show what is new in a log; return whether anything is."""
    new = log.read()
    for line in new:
        work.console.log(readable(line))
    return bool(new)


def _drain(work: Work, log: TaskLog, *, expected: bool) -> None:
    """Read on until the service's own last line, which may be expected, or the log is quiet."""
    quiet = 0
    end = time.monotonic() + work.limits.patience
    while not log.denied and time.monotonic() < end and (expected or quiet < QUIET_READS):
        quiet = 0 if _show(work, log) else quiet + 1
        if event_of(log.lines, "run_finished", "run_failed"):
            return
        time.sleep(work.limits.poll)
