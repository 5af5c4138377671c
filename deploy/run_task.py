"""Starts one task, follows it to its end, and leaves none running behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from deploy.aws import code_of, message_of
from deploy.discover import Target
from deploy.ending import Ending, Names, event_of
from deploy.explain import explain
from deploy.follow_log import TaskLog
from deploy.outcome import Exit, NotLaunched, RunFailed
from deploy.signals import Stop

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

POLL_SECONDS = 2.0
PATIENCE_SECONDS = 60.0
"""How long ECS may not know of a task that it has just started, or may not answer at all."""
QUIET_READS = 3
"""After the task has stopped, its log ends when this many reads in a row bring nothing."""


@dataclass(frozen=True)
class Pace:
    """How often and how long to wait. The tests wait less."""

    poll: float = POLL_SECONDS
    patience: float = PATIENCE_SECONDS


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
    seconds: float = 0.0

    @property
    def id(self) -> str:
        """The task's id: the last part of its ARN."""
        return self.arn.rsplit("/", 1)[-1]

    @property
    def finished(self) -> Mapping[str, Any]:
        """The event with which the service ended a run that worked."""
        return event_of(self.lines, "run_finished")


def overrides(target: Target, *, run_id: str) -> dict[str, Any]:
    """Return what is given to this one task beyond its definition."""
    settings = dict(target.environment.run_variables) | {"RUN_ID": run_id}
    return {
        "containerOverrides": [
            {
                "name": target.environment.container,
                "environment": [
                    {"name": name, "value": value} for name, value in sorted(settings.items())
                ],
            }
        ]
    }


def start_task(
    ecs: ECSClient, target: Target, *, revision: str, run_id: str, names: Names
) -> TaskRun:
    """Start a task and return it as soon as ECS has accepted it.

    The run's id is the client token as well: a call that is sent twice starts one task.

    Raises:
        NotLaunched: ECS started none; with the cause, and what to do.
    """
    environment = target.environment
    try:
        answer = ecs.run_task(
            cluster=environment.cluster,
            taskDefinition=revision,
            launchType="FARGATE",
            count=1,
            clientToken=run_id,
            startedBy=f"deploy/{run_id[:12]}",
            networkConfiguration={
                "awsvpcConfiguration": {
                    "subnets": list(environment.subnets),
                    "securityGroups": list(environment.security_groups),
                    "assignPublicIp": "ENABLED" if environment.assign_public_ip else "DISABLED",
                }
            },
            overrides=overrides(target, run_id=run_id),  # type: ignore[arg-type]
        )
    except ClientError as error:
        raise not_launched(
            Ending(error_code=code_of(error), error_message=message_of(error)), names
        ) from None
    if not answer["tasks"]:
        failures = [
            (failure.get("reason", ""), failure.get("detail", "")) for failure in answer["failures"]
        ]
        raise not_launched(Ending(failures=failures), names)
    return TaskRun(arn=answer["tasks"][0]["taskArn"], run_id=run_id)


def not_launched(ending: Ending, names: Names) -> NotLaunched:
    """Return the error for a task that never ran."""
    explanation = explain(ending, names)
    if explanation is None:
        raise AssertionError("a task that never ran is no success")
    return NotLaunched(explanation.cause, advice=explanation.advice)


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
        say: Is told each new state.
        show: Is given each line of the log.
        pace: How often to ask.
    """
    began = time.monotonic()
    stopped = False
    try:
        while not stopped:
            stopped = _poll(ecs, target, run, say=say, patient=_young(began, run, pace))
            for line in log.read():
                show(line)
            if stopped:
                break
            if not run.cut_short:
                run.cut_short = _cut_short(stop, elapsed=time.monotonic() - began, limit=timeout)
                if run.cut_short:
                    say(f"{run.cut_short}: stopping the task")
                    _stop_task(ecs, target, run)
                    deadline = time.monotonic() + target.environment.stop_timeout + pace.patience
            elif time.monotonic() > deadline:
                say(f"the task has not stopped yet: {run.arn}")
                break
            if run.cut_short:
                time.sleep(pace.poll)
            else:
                stop.wait(pace.poll)
    except BaseException:
        if not stopped:
            with suppress(Exception):
                _stop_task(ecs, target, run)
        raise
    finally:
        run.lines, run.log_denied = log.lines, log.denied
        run.seconds = time.monotonic() - began
    if exit_code_of(run, target.environment.container) is not None:
        _drain(log, show=show, pace=pace)
        run.lines, run.log_denied = log.lines, log.denied


def _young(began: float, run: TaskRun, pace: Pace) -> bool:
    """Tell whether ECS may still not know the task: for a minute, until it is first seen."""
    return not run.task and time.monotonic() - began < pace.patience


def _poll(
    ecs: ECSClient, target: Target, run: TaskRun, *, say: Callable[[str], None], patient: bool
) -> bool:
    """Ask once for the task's state; tell whether it has stopped."""
    try:
        answer = ecs.describe_tasks(cluster=target.environment.cluster, tasks=[run.arn])
    except BotoCoreError:
        # The network, not ECS: the task goes on meanwhile, and so does its time limit.
        return False
    if not answer["tasks"]:
        if patient:
            return False
        reasons = ", ".join(failure.get("reason", "") for failure in answer["failures"])
        raise RunFailed(
            f"ECS does not know the task any more ({reasons}): {run.arn}",
            exit_code=Exit.RUN_FAILED,
        )
    task: Mapping[str, Any] = answer["tasks"][0]
    status = task.get("lastStatus", "")
    if status != run.task.get("lastStatus") and status != "STOPPED":
        say(status.lower())
    run.task = task
    return bool(status == "STOPPED")


def _cut_short(stop: Stop, *, elapsed: float, limit: float) -> str:
    if stop.signal:
        return "interrupted"
    return f"not done after {limit:.0f} s" if elapsed > limit else ""


def _stop_task(ecs: ECSClient, target: Target, run: TaskRun) -> None:
    try:
        ecs.stop_task(
            cluster=target.environment.cluster,
            task=run.arn,
            reason=f"deploy.sh: {run.cut_short or 'following it failed'}",
        )
    except (BotoCoreError, ClientError) as error:
        said = message_of(error) if isinstance(error, ClientError) else str(error)
        raise RunFailed(
            f"{run.cut_short}, and the task can't be stopped: {said}",
            advice=f"it goes on and costs: stop it in the console: {run.arn}",
            exit_code=Exit.RUN_FAILED,
        ) from None


def _drain(log: TaskLog, *, show: Callable[[str], None], pace: Pace) -> None:
    """Read on until the log is quiet: its last lines arrive after the task has stopped."""
    quiet = 0
    end = time.monotonic() + pace.patience
    while not log.denied and quiet < QUIET_READS and time.monotonic() < end:
        new = log.read()
        for line in new:
            show(line)
        # The service's own last line leaves nothing to wait for.
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
