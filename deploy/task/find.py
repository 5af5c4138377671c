"""Finds a task that this command did not start: by its id, or as the newest."""

from collections.abc import Sequence
from typing import Any

from deploy.aws import NotAllowed, look
from deploy.outcome import Refused
from deploy.task.task_run import TaskRun
from deploy.work import Work

NAME_IT = "name the task: its id was printed when it was started; `./deploy.sh status` has the last"


def last_task(work: Work, *statuses: str) -> TaskRun | None:
    """The family's newest task; ECS forgets a stopped one after an hour."""
    ecs: Any = work.clients.ecs
    call = {"cluster": work.environment.cluster, "family": work.environment.family}
    arns: list[str] = []
    for status in statuses or ("RUNNING", "STOPPED"):
        listed = look("ecs:ListTasks", lambda: ecs.list_tasks(**call, desiredStatus=status))  # noqa: B023
        arns += listed["taskArns"]
    return _newest(work, arns) if arns else None


def find_task(work: Work, task_id: str, *, unseen: bool = False) -> TaskRun:
    """The task of an id, or the newest that is running; `unseen` where one that is named will do.

    Raises:
        Refused: there is none, or the caller may not look.
    """
    environment = work.environment
    try:
        found = _newest(work, [task_id]) if task_id else last_task(work, "RUNNING")
    except NotAllowed as denied:
        if task_id and unseen:
            return TaskRun(task_id)
        what = "whether the task is running" if task_id else "which task is running"
        raise Refused(f"{what} can't be told: {denied.words}", advice=NAME_IT) from None
    if found:
        return found
    none = f"no task of {environment.family} is running"
    text = f"{environment.cluster} has no task {task_id}" if task_id else none
    raise Refused(text, advice=NAME_IT)


def _newest(work: Work, tasks: Sequence[str]) -> TaskRun | None:
    """The newest of some tasks, which are ids or ARNs."""
    call: Any = {"cluster": work.environment.cluster, "tasks": tasks[:100]}
    found = look("ecs:DescribeTasks", lambda: work.clients.ecs.describe_tasks(**call))["tasks"]
    newest = max(found, key=lambda task: task["createdAt"], default=None)
    return TaskRun(newest["taskArn"], task=newest) if newest else None
