"""Runs one task to its end, or follows or stops one that is running; explains how it ended."""

from __future__ import annotations

import uuid
from dataclasses import replace

from deploy.aws import NotAllowed
from deploy.image.push import find_architecture
from deploy.outcome import Exit, NotLaunched, Refused, RunFailed, code_for
from deploy.status import last_task
from deploy.task.ending import Names, ending_of
from deploy.task.explain import OTHER_ARCHITECTURE, OUTSIDE, explain
from deploy.task.follow import TaskRun, exit_code_of, follow, stop_task
from deploy.task.revisions import Revision
from deploy.task.signals import Stop, stoppable
from deploy.task.start import start_task
from deploy.work import Work, names_of


def run_step(work: Work, revision: Revision, *, dry_run: bool = False) -> TaskRun:
    """Run one task to its end, or only say so; raise when it ended badly."""
    with_force = " with --force" if work.force else ""
    if dry_run:
        where = f"as a task in {work.environment.cluster}{with_force}"
        work.console.step("run", f"would run {revision.label} {where}")
        return TaskRun(arn="", run_id="")
    run_id = uuid.uuid4().hex
    names = names_of(work.target, image=revision.image)
    work.verdict.stage = Exit.NOT_LAUNCHED
    with stoppable() as stop:
        run = start_task(work, revision.arn, run_id=run_id, names=names)
        work.console.step("run", f"{revision.label} as task {run.id}{with_force}")
        follow_step(work, run, names=names, stop=stop)
    return run


def follow_step(work: Work, run: TaskRun, *, names: Names, stop: Stop) -> None:
    """Follow a task that was started to its end; raise when it ended badly."""
    work.verdict.stage = Exit.RUN_FAILED
    follow(work, run, stop)
    code = exit_code_of(run, work.environment.container)
    if run.log_denied:
        work.console.more("the log may not be read: the caller needs logs:GetLogEvents")
    elif code is not None and not run.lines:
        work.console.more("no line of its log has come; `./deploy.sh logs` looks again")
    ending = "no exit code" if code is None else f"exit code {code}"
    work.console.more(f"stopped after {run.seconds:.0f} s, {ending}")
    work.verdict.facts["task"] = {
        "arn": run.arn,
        "run_id": run.run_id,
        "exit_code": code,
        "stop_code": run.task.get("stopCode", ""),
        "stopped_reason": run.task.get("stoppedReason", ""),
        "seconds": round(run.seconds, 1),
        "result": run.finished or None,
        "log_read": not run.log_denied,
    }
    _raise_for(work, run, names=names, interrupted_by=stop.signal)


def _raise_for(work: Work, run: TaskRun, *, names: Names, interrupted_by: int) -> None:
    """Raise the error that a task's end stands for, if it stands for one."""
    interrupted = 128 + interrupted_by if interrupted_by else None
    if interrupted and not run.cut_short:
        text = "interrupted; the task had already ended by itself"
        raise RunFailed(text, exit_code=interrupted)
    if run.cut_short:
        end = "has been stopped" if run.stopped else f"has been told to stop: {run.arn}"
        text = f"{run.cut_short}; the task {end}"
        raise RunFailed(text, advice=run.advice, exit_code=interrupted)
    ending = ending_of(run.task, container=work.environment.container, log=run.lines)
    explanation = explain(ending, names)
    if explanation is None:
        return
    if explanation.row == OTHER_ARCHITECTURE:
        repository, digest = work.environment.repository, names.image.partition("@")[2]
        found = find_architecture(work.clients.ecr, repository=repository, digest=digest)
        explanation = explain(ending, replace(names, image_architecture=found)) or explanation
    if not ending.launched:
        raise NotLaunched(explanation.cause, advice=explanation.advice)
    code = Exit.RUN_FAILED if explanation.row == OUTSIDE else code_for(ending.exit_code)
    raise RunFailed(explanation.cause, advice=explanation.advice, exit_code=code)


def attach(work: Work, task_id: str) -> None:
    """Follow a task that is running to its end: the newest, unless one is named."""
    run = TaskRun(arn=task_arn(work, task_id), run_id="")
    work.console.step("follow", f"task {run.id}")
    with stoppable() as stop:
        follow_step(work, run, names=names_of(work.target, image=""), stop=stop)


def stop(work: Work, task_id: str) -> None:
    """Stop a task that is running: the newest, unless one is named."""
    run = TaskRun(arn=task_arn(work, task_id), run_id="", cut_short="stopped on request")
    work.verdict.stage = Exit.RUN_FAILED
    stop_task(work, run, patience=work.pace.patience)
    work.console.step("stop", f"task {run.id} has been told to stop")
    work.verdict.facts["task"] = {"arn": run.arn}


def task_arn(work: Work, task_id: str) -> str:
    """Return the ARN of a task by its id, or that of the newest one that is running."""
    if task_id:
        return work.target.arn("ecs", f"task/{work.environment.cluster}/{task_id}")
    name_it = "name the task: its id was printed when it was started"
    try:
        task = last_task(work, "RUNNING")
    except NotAllowed as denied:
        text = f"which task is running can't be told: {denied.words}"
        raise Refused(text, advice=name_it) from None
    if task is None:
        raise Refused(f"no task of {work.environment.family} is running", advice=name_it)
    return str(task["taskArn"])
