"""Shows what is deployed, when it last ran and how it ended; and the log of a task."""

from contextlib import suppress
from functools import partial
from typing import Any

from deploy.account.schedule import facts_of, find, has_schedule, in_words
from deploy.aws import NotAllowed, look
from deploy.outcome import Refused, Unproven
from deploy.proof.prove import head_object
from deploy.task.definition import log_stream
from deploy.task.explain import explain
from deploy.task.find import last_task
from deploy.task.revisions import PASSED, Revision, deployed, good, our_revisions
from deploy.task.task_run import TaskRun
from deploy.work import Work


def status_command(work: Work) -> None:
    """Show what is deployed, what is good, how the last task ended, and what is published."""
    revisions = our_revisions(work.clients, work.environment)
    now, last = deployed(revisions), good(revisions)
    unknown = f"can't be told: {revisions.unseen}" if revisions.unseen else ""
    work.console.step("deployed", _in_words(now) or unknown or "nothing yet")
    if now:
        work.console.more(now.digest)
    work.console.step("good", _in_words(last) or unknown or "no revision has passed its test")
    work.verdict.facts |= {
        "deployed": now.label if now else None,
        "digest": now.digest if now else None,
        "good": last.label if last else None,
        "schedule": _schedule(work),
        "last_task": _last_task(work, image=now.image if now else ""),
        "object": _object(work),
    }


def _in_words(revision: Revision | None) -> str:
    if revision is None:
        return ""
    when = revision.tags.get(PASSED)
    return f"{revision.label}, {f'passed its test {when}' if when else 'has not passed yet'}"


def _schedule(work: Work) -> dict[str, Any] | None:
    if not has_schedule(work.environment):
        return None
    try:
        schedule = look(
            "scheduler:GetSchedule", partial(find, work.clients.scheduler, work.environment)
        )
    except NotAllowed as denied:
        work.console.step("schedule", f"may not be looked at: {denied.words}")
        return None
    work.console.step("schedule", in_words(schedule) if schedule else "none yet")
    return facts_of(schedule) if schedule else None


def _last_task(work: Work, *, image: str) -> dict[str, Any] | None:
    try:
        run = last_task(work)
    except NotAllowed as denied:
        work.console.step("last task", f"may not be looked at: {denied.words}")
        return None
    if run is None:
        work.console.step("last task", "none in the last hour")
        return None
    task, status, cause = run.task, run.task["lastStatus"], ""
    ended, revision = task.get("stoppedAt"), task["taskDefinitionArn"].rsplit("/", 1)[-1]
    when = f"{ended:%Y-%m-%d %H:%M:%S %Z}" if ended else f"since {task['createdAt']:%H:%M:%S %Z}"
    work.console.step("last task", f"{run.id} of {revision}: {status.lower()} {when}")
    if run.stopped and run.ending.good:
        work.console.more("ended well")
    elif run.stopped:
        error = explain(work, run.ending, image=image)
        cause = str(error)
        work.console.more(f"{cause}\n→ {error.advice}")
    return {"arn": run.arn, "revision": revision, "status": status, "cause": cause}


def _object(work: Work) -> dict[str, Any] | None:
    try:
        head = head_object(work)
    except Unproven as error:
        work.console.step("object", str(error))
        return None
    facts = {
        "url": work.target.object_url,
        "rows": head["Metadata"].get("rows", "?"),
        "bytes": head["ContentLength"],
        "etag": head["ETag"],
        "written": head["LastModified"].isoformat(),
        "run_id": head["Metadata"].get("run-id", ""),
    }
    text = "{url}: {rows} rows, {bytes} bytes, written {written}".format_map(facts)
    work.console.step("object", text)
    return facts


def logs_command(work: Work, task_id: str) -> None:
    """Show the log of a task: the last one's, where none is named."""
    environment, group = work.environment, work.environment.log_group
    with suppress(NotAllowed):  # then the stream that was written last must do
        if not task_id and (last := last_task(work)):
            task_id = last.id
    if not task_id and work.whole and len(work.whole.environment.each()) > 1:
        raise Refused(  # the newest stream may be another dataset's
            f"logs: no task of {environment.family} is known from the last hour",
            advice=f"name the task: each one's log is in {group}",
        )
    run = TaskRun(task_id or task_of_newest_log(work))
    stream = log_stream(run.id)
    if run.id:
        work.console.step("log", f"{group}: {stream}")
        run.show_log(work)
    if run.log_denied:
        how = "the caller needs logs:GetLogEvents on it"
        raise Refused(f"logs: {group} may not be read", advice=how)
    if not run.lines:
        raise Refused(f"logs: nothing has been written to {stream if run.id else group} yet")
    work.verdict.facts |= {"stream": stream, "lines": run.lines}


def task_of_newest_log(work: Work) -> str:
    """The id of the task whose log was written last, or an empty string where there is none."""
    # A prefix can't be asked for together with this order.
    answer = work.clients.logs.describe_log_streams(
        logGroupName=work.environment.log_group, orderBy="LastEventTime", descending=True, limit=50
    )
    names = (stream["logStreamName"] for stream in answer["logStreams"])
    found = next((name for name in names if name.startswith(log_stream(""))), "")
    return found.rpartition("/")[2]
