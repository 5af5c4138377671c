"""Starts one task, and no second one where AWS gives no answer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from deploy.aws import ERRORS, advice_of, code_of, is_unanswered, may_pass, message_of, words_of
from deploy.outcome import Exit, NotLaunched, RunFailed
from deploy.target import Target
from deploy.task.ending import Ending, Names
from deploy.task.explain import NO_CAPACITY, explain
from deploy.task.follow import TaskRun
from deploy.work import Pace

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient


def overrides(target: Target, *, run_id: str = "", force: bool = False) -> dict[str, Any]:
    """Return what is given to a task beyond its definition.

    Args:
        target: The environment, in its account.
        run_id: The run's id; the service makes one where there is none.
        force: Whether the service replaces a table of other columns or far fewer rows.
    """
    settings = dict(target.environment.run_variables) | ({"RUN_ID": run_id} if run_id else {})
    container: dict[str, Any] = {
        "name": target.environment.container,
        "environment": [{"name": name, "value": value} for name, value in sorted(settings.items())],
    }
    if force:
        container["command"] = ["run", "--force"]
    return {"containerOverrides": [container]}


def network_configuration(target: Target) -> dict[str, Any]:
    """Return where in the network a task runs, as RunTask takes it."""
    environment = target.environment
    return {
        "awsvpcConfiguration": {
            "subnets": list(environment.subnets),
            "securityGroups": list(environment.security_groups),
            "assignPublicIp": "ENABLED" if environment.assign_public_ip else "DISABLED",
        }
    }


def start_task(
    ecs: ECSClient,
    target: Target,
    *,
    revision: str,
    run_id: str,
    names: Names,
    pace: Pace,
    force: bool = False,
) -> TaskRun:
    """Start a task and return it as soon as ECS has accepted it.

    The run's id is the client token as well: the same call, sent again, starts no second task, and
    answers with the one that it started before. So the call is repeated for a while after a
    throttle, without capacity, and where no answer came.

    Raises:
        NotLaunched: ECS started none; with the cause, and what to do.
        RunFailed: Whether ECS started one is not known.
    """
    mark = f"deploy/{run_id[:12]}"
    deadline = time.monotonic() + pace.patience
    unanswered = False
    while True:
        failure: NotLaunched
        try:
            answer = ecs.run_task(
                cluster=target.environment.cluster,
                taskDefinition=revision,
                launchType="FARGATE",
                count=1,
                clientToken=run_id,
                startedBy=mark,
                networkConfiguration=network_configuration(target),  # type: ignore[arg-type]
                overrides=overrides(target, run_id=run_id, force=force),  # type: ignore[arg-type]
            )
        except ERRORS as error:
            unanswered = unanswered or is_unanswered(error)
            passes, failure = may_pass(error), _not_started(error, names)
            words = words_of(error)
        else:
            if answer["tasks"]:
                return TaskRun(arn=answer["tasks"][0]["taskArn"], run_id=run_id)
            unanswered = False
            failures = [
                (item.get("reason", ""), item.get("detail", "")) for item in answer["failures"]
            ]
            explanation = explain(Ending(failures=failures), names)
            passes = explanation is not None and explanation.row == NO_CAPACITY
            failure, words = not_launched(Ending(failures=failures), names), ""
        if not passes or time.monotonic() > deadline:
            if unanswered:
                raise RunFailed(
                    f"whether a task was started is not known: {words}",
                    advice=f"look in the console for a task that was started by {mark}: it would "
                    "go on and cost; `./deploy.sh stop TASK` stops it",
                    exit_code=Exit.RUN_FAILED,
                ) from None
            raise failure from None
        time.sleep(pace.poll)


def _not_started(error: BotoCoreError | ClientError, names: Names) -> NotLaunched:
    """Return the error for a call that started no task."""
    if isinstance(error, ClientError) and not may_pass(error):
        return not_launched(
            Ending(error_code=code_of(error), error_message=message_of(error)), names
        )
    return NotLaunched(words_of(error), advice=advice_of(error))


def not_launched(ending: Ending, names: Names) -> NotLaunched:
    """Return the error for a task that never ran."""
    explanation = explain(ending, names)
    if explanation is None:
        raise AssertionError("a task that never ran is no success")
    return NotLaunched(explanation.cause, advice=explanation.advice)
