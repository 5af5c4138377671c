"""Runs one task to its end, or follows or stops one that is running; explains how it ended."""

import time
import uuid
from contextlib import suppress
from typing import Any

from deploy import aws
from deploy.image.push import find_architecture
from deploy.outcome import PASSED_ON, Exit, NotLaunched, Refused, RunFailed
from deploy.status import last_task
from deploy.task.definition import network_configuration, overrides
from deploy.task.explain import Ending, explain
from deploy.task.follow import Stop, TaskRun, follow, stop_task, stoppable
from deploy.task.revisions import Revision
from deploy.work import Work


def run_step(work: Work, revision: Revision) -> TaskRun:
    """Run one task to its end, or only say so; raise when it ended badly."""
    with_force = " with --force" if work.force else ""
    if work.dry_run:
        where = f"as a task in {work.environment.cluster}{with_force}"
        work.console.step("run", f"would run {revision.label} {where}")
        return TaskRun(arn="", run_id="")
    work.verdict.stage = Exit.NOT_LAUNCHED
    with stoppable() as stop:
        run = start_task(work, revision)
        work.console.step("run", f"{revision.label} as task {run.id}{with_force}")
        follow_step(work, run, stop=stop, image=revision.image)
    return run


def start_task(work: Work, revision: Revision) -> TaskRun:
    """Start a task and return it as soon as ECS has accepted it.

    The run's id is the client token as well: the same call, sent again, starts no second task, and
    answers with the one that it started before. So the call is repeated for a while after a
    throttle, without capacity, and where no answer came.
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
        try:
            answer = work.clients.ecs.run_task(**call)
        except aws.ERRORS as error:
            unanswered = aws.words_of(error) if aws.is_unanswered(error) else unanswered
            passes = aws.may_pass(error)
            ending = Ending(error_code=aws.code_of(error), reason=aws.message_of(error))
            failure = NotLaunched(aws.words_of(error), advice=aws.advice_of(error))
        else:
            if answer["tasks"]:
                return TaskRun(arn=answer["tasks"][0]["taskArn"], run_id=run_id)
            unanswered, passes = "", False
            details = [(item.get("reason", ""), item.get("detail")) for item in answer["failures"]]
            reasons = (reason + (f" ({detail})" if detail else "") for reason, detail in details)
            ending = Ending(no_task=True, reason="; ".join(reasons))
        if not passes:
            found = explain(ending, work.target, image=revision.image)
            passes, failure = found.passes, NotLaunched(found.cause, advice=found.advice)
        if not passes or time.monotonic() > deadline:
            break
        time.sleep(work.limits.poll)
    if unanswered:
        raise RunFailed(
            f"whether a task was started is not known: {unanswered}",
            advice=f"look in the console for a task that was started by {call['startedBy']}: it "
            "would go on and cost; `./deploy.sh stop TASK` stops it",
        )
    raise failure


def follow_step(work: Work, run: TaskRun, *, stop: Stop, image: str = "") -> None:
    """Follow a task that was started to its end; raise when it ended badly."""
    work.verdict.stage = Exit.RUN_FAILED
    try:
        follow(work, run, stop)
    except RunFailed:
        raise
    except BaseException:
        if not run.stopped:  # a defect, or Ctrl-C for the second time: one try, without patience
            try:
                stop_task(work, run, patience=0)
            except RunFailed as left:
                work.console.more(f"{left}; {left.advice}")
        raise
    code = run.ending.exit_code
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
        "stop_code": run.task.get("stopCode", ""),
        "stopped_reason": run.task.get("stoppedReason", ""),
        "seconds": round(run.seconds, 1),
        "result": run.finished or None,
        "log_read": not run.log_denied,
    }
    interrupted = 128 + stop.signal if stop.signal else None
    if run.cut_short:
        end = "has been stopped" if run.stopped else f"has been told to stop: {run.arn}"
        text = f"{run.cut_short}; the task {end}"
        raise RunFailed(text, advice=run.advice, exit_code=interrupted)
    if interrupted:
        text = "interrupted; the task had already ended by itself"
        raise RunFailed(text, exit_code=interrupted)
    _raise_for(work, run, image=image)


def _raise_for(work: Work, run: TaskRun, *, image: str) -> None:
    """Raise the error that a task's end stands for, if it stands for one."""

    def built_for() -> str:
        repository, digest = work.environment.repository, image.partition("@")[2]
        return find_architecture(work.clients.ecr, repository=repository, digest=digest)

    ending = run.ending
    if ending.good:
        return
    found = explain(ending, work.target, image=image, built_for=built_for)
    if ending.exit_code is None and not ending.from_outside:
        raise NotLaunched(found.cause, advice=found.advice)
    own = ending.exit_code in PASSED_ON and not ending.from_outside
    raise RunFailed(found.cause, advice=found.advice, exit_code=ending.exit_code if own else None)


def attach(work: Work, task_id: str) -> None:
    """Follow a task that is running to its end: the newest, unless one is named."""
    arn = task_arn(work, task_id)
    try:
        must_know(work, arn)
    except aws.NotAllowed as denied:  # one that runs well is not to be stopped for that
        raise Refused(f"follow: the task may not be looked at: {denied.words}") from None
    run = TaskRun(arn=arn, run_id="")
    work.console.step("follow", f"task {run.id}")
    with stoppable() as stop:
        follow_step(work, run, stop=stop)


def stop(work: Work, task_id: str) -> None:
    """Stop a task that is running: the newest, unless one is named."""
    arn = task_arn(work, task_id)
    with suppress(aws.NotAllowed):
        must_know(work, arn)
    run = TaskRun(arn=arn, run_id="", cut_short="stopped on request")
    work.verdict.stage = Exit.RUN_FAILED
    stop_task(work, run, patience=work.limits.patience)
    work.console.step("stop", f"task {run.id} has been told to stop")
    work.verdict.facts["task"] = {"arn": run.arn}


def must_know(work: Work, arn: str) -> None:
    """Whether ECS knows a task that this command did not start.

    Raises:
        Refused: it does not.
        NotAllowed: the caller may not ask.
    """
    cluster = work.environment.cluster
    answer = aws.look(
        "ecs:DescribeTasks",
        lambda: work.clients.ecs.describe_tasks(cluster=cluster, tasks=[arn]),
    )
    if not answer["tasks"]:
        task_id = arn.rsplit("/", 1)[-1]
        raise Refused(
            f"{cluster} has no task {task_id}", advice="`./deploy.sh status` names the last one"
        )


def task_arn(work: Work, task_id: str) -> str:
    """The ARN of a task by its id, or that of the newest one that is running."""
    if task_id:
        return work.target.arn("ecs", f"task/{work.environment.cluster}/{task_id}")
    name_it = "name the task: its id was printed when it was started"
    try:
        task = last_task(work, "RUNNING")
    except aws.NotAllowed as denied:
        text = f"which task is running can't be told: {denied.words}"
        raise Refused(text, advice=name_it) from None
    if task is None:
        raise Refused(f"no task of {work.environment.family} is running", advice=name_it)
    return str(task["taskArn"])
