"""Runs one task to its end, or follows or stops one that is running; explains how it ended."""

import time
import uuid
from typing import Any

from deploy import aws
from deploy.outcome import Exit, RunFailed
from deploy.task.definition import network_configuration, overrides
from deploy.task.explain import Ending, explain
from deploy.task.find import find_task
from deploy.task.follow import Stop, follow, stop_task, stoppable
from deploy.task.revisions import Revision
from deploy.task.task_run import TaskRun
from deploy.work import Work


def run_step(work: Work, revision: Revision) -> TaskRun:
    """Run one task to its end, or only say so; raise when it ended badly."""
    with_force = " with --force" if work.force else ""
    if work.dry_run:
        where = f"as a task in {work.environment.cluster}{with_force}"
        work.console.step("run", f"would run {revision.label} {where}")
        return TaskRun("")
    work.verdict.stage = Exit.NOT_LAUNCHED
    with stoppable() as stop:
        run = start_task(work, revision, stop)
        work.console.step("run", f"{revision.label} as task {run.id}{with_force}")
        follow_step(work, run, stop=stop, image=revision.image)
    return run


def start_task(work: Work, revision: Revision, stop: Stop) -> TaskRun:
    """Start a task and return it as soon as ECS has accepted it.

    The run's id is the client token as well: the same call, sent again, starts no second task, and
    answers with the one that it started before. So the call is repeated for a while after a
    throttle, without capacity, and where no answer came; then once more, too, for a user who asks
    to stop: a task that it finds is stopped.
    """
    run_id = uuid.uuid4().hex
    call: Any = {
        "cluster": work.environment.cluster,
        "taskDefinition": revision.arn,
        "launchType": "FARGATE",
        "count": 1,
        "clientToken": run_id,
        "startedBy": f"deploy/{run_id[:12]}",
        "networkConfiguration": network_configuration(work.target),
        "overrides": overrides(work.target, run_id=run_id, force=work.force),
    }
    deadline = time.monotonic() + work.limits.patience
    unanswered = ""
    while True:
        is_last = stop.signal or time.monotonic() > deadline
        try:
            answer = work.clients.ecs.run_task(**call)
        except KeyboardInterrupt:  # for the second time
            unanswered = unanswered or "interrupted before ECS answered"
            break
        except aws.ERRORS as error:
            unanswered = aws.words_of(error) if aws.is_unanswered(error) else unanswered
            passes = aws.may_pass(error)
            ending = Ending(error_code=aws.code_of(error), reason=aws.message_of(error))
        else:
            if answer["tasks"]:
                return TaskRun(answer["tasks"][0]["taskArn"], run_id)
            unanswered = ""
            details = [(item.get("reason", ""), item.get("detail")) for item in answer["failures"]]
            reasons = (reason + (f" ({detail})" if detail else "") for reason, detail in details)
            ending = Ending(no_task=True, reason="; ".join(reasons))
            passes = ending.row.get("passes", False)
        if is_last or not passes:
            break
        stop.wait(work.limits.poll)
        if stop.signal and not unanswered:
            break
    if unanswered:
        raise RunFailed(
            f"whether a task was started is not known: {unanswered}",
            advice=f"look in the console for a task that was started by {call['startedBy']}: it "
            "would go on and cost; `./deploy.sh stop TASK` stops it",
            exit_code=stop.code,
        )
    if stop.signal:
        raise RunFailed("interrupted; no task was started", exit_code=stop.code)
    raise explain(work, ending, image=revision.image)


def follow_step(work: Work, run: TaskRun, *, stop: Stop, image: str = "") -> None:
    """Follow a task that was started to its end; raise when it ended badly."""
    work.verdict.stage = Exit.RUN_FAILED
    try:
        cut_short = follow(work, run, stop)
    except RunFailed:
        raise
    except BaseException:
        if not run.stopped:  # a defect, or Ctrl-C for the second time: one try, without patience
            try:
                stop_task(work, run, why="following it failed", patience=0)
            except RunFailed as left:
                work.console.more(f"{left}; {left.advice}")
        raise
    ending, code = run.ending, run.ending.exit_code
    if run.log_denied:
        work.console.more("the log may not be read: the caller needs logs:GetLogEvents")
    elif code is not None and not run.lines:
        work.console.more("no line of its log has come; `./deploy.sh logs` looks again")
    ended = "no exit code" if code is None else f"exit code {code}"
    work.console.more(f"stopped after {run.seconds:.0f} s, {ended}")
    work.verdict.facts["task"] = {
        "arn": run.arn,
        "run_id": run.run_id,
        "exit_code": code,
        "stop_code": ending.stop_code,
        "stopped_reason": ending.reason,
        "seconds": round(run.seconds, 1),
        "result": run.finished or None,
    }
    if cut_short:
        end = "has been stopped" if run.stopped else f"has been told to stop: {run.arn}"
        text = f"{cut_short}; the task {end}"
        raise RunFailed(text, advice=cut_short.advice, exit_code=cut_short.exit_code)
    if stop.signal:
        text = "interrupted; the task had already ended by itself"
        raise RunFailed(text, exit_code=stop.code)
    if not ending.good:
        raise explain(work, ending, image=image)


def attach(work: Work, task_id: str) -> None:
    """Follow a task that is running to its end: the newest, unless one is named."""
    run = find_task(work, task_id)
    work.console.step("follow", f"task {run.id}")
    with stoppable() as stop:
        follow_step(work, run, stop=stop)


def stop(work: Work, task_id: str) -> None:
    """Stop a task that is running: the newest, unless one is named."""
    run = find_task(work, task_id, unseen=True)
    work.verdict.stage = Exit.RUN_FAILED
    stop_task(work, run, why="stopped on request", patience=work.limits.patience)
    work.console.step("stop", f"task {run.id} has been told to stop")
    work.verdict.facts["task"] = {"arn": run.arn}
