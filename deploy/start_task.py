"""Starts one task, and finds out whether it did where ECS gives no answer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from deploy.aws import (
    ERRORS,
    advice_of,
    code_of,
    is_unanswered,
    may_pass,
    message_of,
    words_of,
)
from deploy.discover import Target
from deploy.ending import Ending, Names
from deploy.explain import explain
from deploy.outcome import Exit, NotLaunched, RunFailed
from deploy.run_task import Pace, TaskRun

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient


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
    ecs: ECSClient, target: Target, *, revision: str, run_id: str, names: Names, pace: Pace
) -> TaskRun:
    """Start a task and return it as soon as ECS has accepted it.

    The run's id is the client token as well: a call that is sent twice starts one task. One whose
    answer never came may have started a task too; that one is then found by its mark.

    Raises:
        NotLaunched: ECS started none; with the cause, and what to do.
        RunFailed: ECS gave no answer, and no task is to be seen.
    """
    environment = target.environment
    mark = f"deploy/{run_id[:12]}"
    try:
        answer = ecs.run_task(
            cluster=environment.cluster,
            taskDefinition=revision,
            launchType="FARGATE",
            count=1,
            clientToken=run_id,
            startedBy=mark,
            networkConfiguration={
                "awsvpcConfiguration": {
                    "subnets": list(environment.subnets),
                    "securityGroups": list(environment.security_groups),
                    "assignPublicIp": "ENABLED" if environment.assign_public_ip else "DISABLED",
                }
            },
            overrides=overrides(target, run_id=run_id),  # type: ignore[arg-type]
        )
    except ERRORS as error:
        if is_unanswered(error):
            return TaskRun(arn=_find(ecs, target, mark, error=error, pace=pace), run_id=run_id)
        if isinstance(error, ClientError):
            raise not_launched(
                Ending(error_code=code_of(error), error_message=message_of(error)), names
            ) from None
        raise NotLaunched(words_of(error), advice=advice_of(error)) from None
    if not answer["tasks"]:
        failures = [
            (failure.get("reason", ""), failure.get("detail", "")) for failure in answer["failures"]
        ]
        raise not_launched(Ending(failures=failures), names)
    return TaskRun(arn=answer["tasks"][0]["taskArn"], run_id=run_id)


def _find(
    ecs: ECSClient, target: Target, mark: str, *, error: BotoCoreError | ClientError, pace: Pace
) -> str:
    """Return the ARN of the task that a call without an answer has started all the same.

    Raises:
        RunFailed: None is to be seen for as long as the patience lasts.
    """
    deadline = time.monotonic() + pace.patience
    while time.monotonic() < deadline:
        try:
            found = ecs.list_tasks(cluster=target.environment.cluster, startedBy=mark)["taskArns"]
        except ERRORS as another:
            if not may_pass(another):
                break
        else:
            if found:
                return found[0]
        time.sleep(pace.poll)
    raise RunFailed(
        f"whether a task was started is not known: {words_of(error)}",
        advice=f"look in the console for one that was started by {mark}: it would go on and cost",
        exit_code=Exit.RUN_FAILED,
    ) from None


def not_launched(ending: Ending, names: Names) -> NotLaunched:
    """Return the error for a task that never ran."""
    explanation = explain(ending, names)
    if explanation is None:
        raise AssertionError("a task that never ran is no success")
    return NotLaunched(explanation.cause, advice=explanation.advice)
