"""Follows a task to its end, and stops it where it can no longer be followed."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from deploy.aws import ERRORS, advice_of, code_of, is_offline, may_pass, words_of
from deploy.outcome import RunFailed
from deploy.task.explain import event_of
from deploy.task.task_run import TaskRun
from deploy.work import Work

LATE = 5
"""The last lines of a task that failed are waited for through this many polls."""
LAST_EVENTS = ("run_finished", "run_failed")
UNKNOWN_TASK = "InvalidParameterException"
"""What StopTask answers for a task that ECS does not know, or not yet."""


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

    @property
    def code(self) -> int | None:
        """The exit code of a command that was asked to stop."""
        return 128 + self.signal if self.signal else None


def stop_signals() -> set[signal.Signals]:
    """List what stops a command; a closed terminal does not where it is ignored, as by nohup."""
    stops = {signal.SIGINT, signal.SIGTERM}
    hangup: signal.Signals | None = getattr(signal, "SIGHUP", None)  # which Windows has not
    if hangup and signal.getsignal(hangup) is not signal.SIG_IGN:
        stops.add(hangup)
    return stops


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Note what stops a command instead of ending at once, so that no started task is lost."""
    stop = Stop()
    before = {number: signal.signal(number, stop.request) for number in stop_signals()}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def follow(work: Work, run: TaskRun, stop: Stop) -> RunFailed | None:
    """Follow a task to its end and its log to the last line; fill in `run`.

    Returns:
        Why the task was stopped before its end, if it was: the time is up, the user interrupts, or
        following fails for good.
    """
    limits = work.limits
    began = answered = time.monotonic()
    cut_short: RunFailed | None = None
    while not cut_short:
        trouble = _look(work, run)
        now = time.monotonic()
        if run.stopped:
            break
        # A task is healthy without our network, and could not be stopped without it.
        if trouble is None or is_offline(trouble):
            answered = now
        lasts = isinstance(trouble, ERRORS) and not may_pass(trouble)
        if stop.signal:
            cut_short = RunFailed("interrupted", exit_code=stop.code)
        elif trouble and (lasts or now - answered > limits.patience):
            text = f"following it failed: {words_of(trouble)}"
            cut_short = RunFailed(text, advice=advice_of(trouble))
        elif now - began > limits.run:
            text = f"not done after {limits.run:.0f} s"
            cut_short = RunFailed(text, advice="--run-timeout gives it longer")
        else:
            stop.wait(limits.poll)
    if cut_short:
        work.console.more(f"{cut_short}: stopping the task")
        stop_task(work, run, why=str(cut_short), patience=limits.patience)
        deadline = time.monotonic() + work.environment.stop_timeout + limits.patience
        while not _look(work, run) and not run.stopped and time.monotonic() < deadline:
            time.sleep(limits.poll)
    run.seconds = time.monotonic() - began
    code = run.ending.exit_code
    if code is not None:  # the proof may rest on the last line of one that ended well
        _drain(work, run, seconds=limits.patience if code == 0 else LATE * limits.poll)
    return cut_short


def _look(work: Work, run: TaskRun) -> Exception | None:
    """Ask once for the task's state and its log; return what kept the state from being known."""
    trouble: Exception | None = None
    try:
        answer = work.clients.ecs.describe_tasks(cluster=work.environment.cluster, tasks=[run.arn])
        if answer["tasks"]:
            before, run.task = run.task.get("lastStatus"), answer["tasks"][0]
            if run.task["lastStatus"] != before and not run.stopped:
                work.console.more(run.task["lastStatus"].lower())
        else:
            reasons = ", ".join(failure.get("reason", "") for failure in answer["failures"])
            trouble = LookupError(f"ECS does not know the task ({reasons})")
    except ERRORS as error:
        trouble = error
    run.show_log(work)
    return trouble


def stop_task(work: Work, run: TaskRun, *, why: str, patience: float) -> None:
    """Tell ECS to stop the task, which it may not know in the first moments."""
    call: Any = {
        "cluster": work.environment.cluster,
        "task": run.arn,
        "reason": f"deploy.sh: {why}"[:255],  # as much as StopTask takes
    }
    deadline = time.monotonic() + patience
    while True:
        try:
            work.clients.ecs.stop_task(**call)
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


def _drain(work: Work, run: TaskRun, *, seconds: float) -> None:
    """Read on until the service's own last line."""
    end = time.monotonic() + seconds
    while not (run.log_denied or time.monotonic() > end or event_of(run.lines, *LAST_EVENTS)):
        time.sleep(work.limits.poll)
        run.show_log(work)
