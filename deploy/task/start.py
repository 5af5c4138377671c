"""Starts one task, and no second one where AWS gives no answer."""

from __future__ import annotations

import time
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from deploy.aws import ERRORS, advice_of, code_of, is_unanswered, may_pass, message_of, words_of
from deploy.outcome import NotLaunched, RunFailed
from deploy.target import Target
from deploy.task.ending import Ending, Names
from deploy.task.explain import NO_CAPACITY, explain
from deploy.task.follow import TaskRun
from deploy.work import Work


def overrides(target: Target, *, run_id: str = "", force: bool = False) -> dict[str, Any]:
    """Return what is given to a task beyond its definition; a run without an id makes its own."""
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
    configuration = {
        "subnets": list(environment.subnets),
        "securityGroups": list(environment.security_groups),
        "assignPublicIp": "ENABLED" if environment.assign_public_ip else "DISABLED",
    }
    return {"awsvpcConfiguration": configuration}


def start_task(work: Work, revision: str, *, run_id: str, names: Names) -> TaskRun:
    """Start a task and return it as soon as ECS has accepted it.

    The run's id is the client token as well: the same call, sent again, starts no second task, and
    answers with the one that it started before. So the call is repeated for a while after a
    throttle, without capacity, and where no answer came.
    """
    call: Any = {
        "cluster": work.environment.cluster,
        "taskDefinition": revision,
        "launchType": "FARGATE",
        "count": 1,
        "clientToken": run_id,
        "startedBy": f"deploy/{run_id[:12]}",
        "networkConfiguration": network_configuration(work.target),
        "overrides": overrides(work.target, run_id=run_id, force=work.force),
    }
    deadline = time.monotonic() + work.pace.patience
    unanswered = ""
    while True:
        try:
            answer = work.clients.ecs.run_task(**call)
        except ERRORS as error:
            unanswered = words_of(error) if is_unanswered(error) else unanswered
            passes, failure = may_pass(error), _not_started(error, names)
        else:
            if answer["tasks"]:
                return TaskRun(arn=answer["tasks"][0]["taskArn"], run_id=run_id)
            unanswered = ""
            ending = Ending(
                failures=[(item.get("reason", ""), item.get("detail", ""))
                          for item in answer["failures"]]
            )  # fmt: skip
            explanation = explain(ending, names)
            passes = explanation is not None and explanation.row == NO_CAPACITY
            failure = not_launched(ending, names)
        if not passes or time.monotonic() > deadline:
            break
        time.sleep(work.pace.poll)
    if unanswered:
        raise RunFailed(
            f"whether a task was started is not known: {unanswered}",
            advice=f"look in the console for a task that was started by {call['startedBy']}: it "
            "would go on and cost; `./deploy.sh stop TASK` stops it",
        )
    raise failure


def _not_started(error: BotoCoreError | ClientError, names: Names) -> NotLaunched:
    """Return the error for a call that started no task."""
    if isinstance(error, ClientError) and not may_pass(error):
        ending = Ending(error_code=code_of(error), error_message=message_of(error))
        return not_launched(ending, names)
    return NotLaunched(words_of(error), advice=advice_of(error))


def not_launched(ending: Ending, names: Names) -> NotLaunched:
    """Return the error for a task that never ran."""
    explanation = explain(ending, names)
    if explanation is None:
        raise AssertionError("a task that never ran is no success")
    return NotLaunched(explanation.cause, advice=explanation.advice)
