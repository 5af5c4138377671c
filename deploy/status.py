"""Shows what is deployed, when it last ran and how it ended; and the log of a task."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError

from deploy.account.schedule import facts_of, find, has_schedule, in_words
from deploy.aws import NotAllowed, is_denied, look, message_of
from deploy.outcome import Refused, Unproven
from deploy.proof.prove import head_object
from deploy.task.definition import log_stream
from deploy.task.explain import ending_of, explain
from deploy.task.log import TaskLog, newest_stream, readable
from deploy.task.revisions import PASSED, Revision, deployed, good, our_revisions
from deploy.work import Work


def status_command(work: Work) -> None:
    """Show what is deployed, what is good, how the last task ended, and what is published."""
    revisions = our_revisions(work.clients.ecs, work.environment)
    now, last = deployed(revisions), good(revisions)
    unknown = f"can't be told: {revisions.unseen}" if revisions.unseen else ""
    work.console.step("deployed", _revision_line(now) if now else unknown or "nothing yet")
    if now:
        work.console.more(now.digest)
    none = unknown or "no revision has passed its test"
    work.console.step("good", _revision_line(last) if last else none)
    work.verdict.facts |= {
        "deployed": now.label if now else None,
        "digest": now.digest if now else None,
        "good": last.label if last else None,
        "schedule": _schedule(work),
        "last_task": _last_task(work, image=now.image if now else ""),
        "object": _object(work),
    }


def _revision_line(revision: Revision) -> str:
    tested = revision.tags.get(PASSED)
    return f"{revision.label}, " + (f"passed its test {tested}" if tested else "has not passed yet")


def _schedule(work: Work) -> dict[str, Any] | None:
    """Show the schedule, where the environment has one, and return its facts."""
    if not has_schedule(work.environment):
        return None
    try:
        schedule = find(work.clients.scheduler, work.environment)
    except ClientError as error:
        if not is_denied(error):
            raise
        work.console.step("schedule", f"may not be looked at: {message_of(error)}")
        return None
    work.console.step("schedule", in_words(schedule) if schedule else "none yet")
    return facts_of(schedule) if schedule else None


def _last_task(work: Work, *, image: str) -> dict[str, Any] | None:
    """Show the last task and how it ended, and return its facts."""
    try:
        task = last_task(work)
    except NotAllowed as denied:
        work.console.step("last task", f"may not be looked at: {denied.words}")
        return None
    if task is None:
        work.console.step("last task", "none in the last hour")
        return None
    ended, status = task.get("stoppedAt"), task["lastStatus"]
    name, revision = (task[key].rsplit("/", 1)[-1] for key in ("taskArn", "taskDefinitionArn"))
    when = f"{ended:%Y-%m-%d %H:%M:%S %Z}" if ended else f"since {task['createdAt']:%H:%M:%S %Z}"
    work.console.step("last task", f"{name} of {revision}: {status.lower()} {when}")
    cause = ""
    if status == "STOPPED":
        ending = ending_of(task)
        if ending.good:
            work.console.more("ended well")
        else:
            found = explain(ending, work.target, image=image)
            cause = found.cause
            work.console.more(f"{cause}\n→ {found.advice}")
    return {
        "arn": task["taskArn"],
        "revision": revision,
        "status": status,
        "cause": cause,
    }


def _object(work: Work) -> dict[str, Any] | None:
    """Show the published object and return its facts."""
    where = work.target.object_url
    try:
        head = head_object(work.clients.s3, work.target)
    except Unproven as error:
        work.console.step("object", str(error))
        return None
    rows, size = head["Metadata"].get("rows", "?"), head["ContentLength"]
    written = f"{head['LastModified']:%Y-%m-%d %H:%M:%S} UTC"
    work.console.step("object", f"{where}: {rows} rows, {size} bytes, written {written}")
    return {
        "url": where,
        "rows": rows,
        "bytes": size,
        "etag": head["ETag"],
        "written": head["LastModified"].isoformat(),
        "run_id": head["Metadata"].get("run-id", ""),
    }


def last_task(work: Work, *statuses: str) -> Mapping[str, Any] | None:
    """The family's newest task; ECS forgets a stopped one after an hour."""
    ecs: Any = work.clients.ecs
    cluster, family = work.environment.cluster, work.environment.family
    arns: list[str] = []
    for status in statuses or ("RUNNING", "STOPPED"):
        call = {"cluster": cluster, "family": family, "desiredStatus": status}
        arns += look("ecs:ListTasks", lambda: ecs.list_tasks(**call))["taskArns"]  # noqa: B023
    if not arns:
        return None
    found = {"cluster": cluster, "tasks": arns[:100]}
    tasks = look("ecs:DescribeTasks", lambda: ecs.describe_tasks(**found))["tasks"]
    return max(tasks, key=lambda task: task["createdAt"], default=None)


def logs_command(work: Work, task_id: str) -> None:
    """Show the log of a task: the last one's, where none is named."""
    with suppress(NotAllowed):  # then the stream that was written last must do
        if not task_id and (task := last_task(work)):
            task_id = task["taskArn"].rsplit("/", 1)[-1]
    logs, group = work.clients.logs, work.environment.log_group
    stream = log_stream(task_id)
    if not task_id and work.whole and len(work.whole.environment.each()) > 1:
        raise Refused(  # the newest stream may be another dataset's
            f"logs: no task of {work.environment.family} is known from the last hour",
            advice=f"name the task: each one's log is in {group}",
        )
    if not task_id:
        stream = newest_stream(logs, group=group, prefix=stream)
    if not stream:
        raise Refused(f"logs: no task has written to {group} yet")
    log = TaskLog(logs, group=group, stream=stream)
    work.console.step("log", f"{group}: {stream}")
    for line in log.read():
        work.console.log(readable(line))
    if log.denied:
        how = "the caller needs logs:GetLogEvents on it"
        raise Refused(f"logs: {group} may not be read", advice=how)
    if not log.lines:
        raise Refused(f"logs: {stream} holds nothing")
    work.verdict.facts |= {"stream": stream, "lines": log.lines}
