"""Moves the schedule to the last revision that passed its test; shows, pauses and resumes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from deploy.aws import code_of
from deploy.outcome import Refused
from deploy.target import Target
from deploy.task.definition import network_configuration, overrides

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient

    from deploy.environment import Environment

ENABLED, DISABLED = "ENABLED", "DISABLED"
RETRIES = {"MaximumRetryAttempts": 5, "MaximumEventAgeInSeconds": 3600}
"""How often, and for how long, a run that can't be started is tried again. Then it is lost."""
GIVEN_BY_AWS = {"Arn", "CreationDate", "LastModificationDate", "ResponseMetadata"}
"""What an update can't have. It must repeat all the rest, since it overwrites the schedule."""

Schedule = Mapping[str, Any]


def has_schedule(environment: Environment) -> bool:
    """Tell whether an environment's dataset runs on a schedule."""
    return bool(environment.schedule_group and environment.schedule)


def request(target: Target, *, revision: str, state: str) -> dict[str, Any]:
    """What the schedule must be: when, and which revision of the task, by its ARN."""
    environment = target.environment
    network = network_configuration(target)["awsvpcConfiguration"]
    network = {key[0].upper() + key[1:]: value for key, value in network.items()}
    return {
        "Name": environment.family,
        "GroupName": environment.schedule_group,
        "Description": "Runs the last revision that passed its test; moved by deploy.sh",
        "ScheduleExpression": environment.schedule,
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": state,
        "Target": {
            "Arn": target.cluster_arn,
            "RoleArn": environment.schedule_role,
            "EcsParameters": {
                "TaskDefinitionArn": revision,
                "TaskCount": 1,
                "LaunchType": "FARGATE",
                "NetworkConfiguration": {"awsvpcConfiguration": network},
            },
            "RetryPolicy": RETRIES,
            "DeadLetterConfig": {"Arn": environment.schedule_queue},
            # What a deploy gives its run, so that the scheduled run is the one that was tested.
            "Input": json.dumps(overrides(target)),
        },
    }


def find(scheduler: EventBridgeSchedulerClient, environment: Environment) -> Schedule | None:
    """The environment's schedule, or nothing where there is none yet."""
    try:
        return scheduler.get_schedule(Name=environment.family, GroupName=environment.schedule_group)
    except ClientError as error:
        if code_of(error) == "ResourceNotFoundException":
            return None
        raise


def move(
    scheduler: EventBridgeSchedulerClient, target: Target, *, revision: str, dry_run: bool = False
) -> tuple[Schedule, str]:
    """Let the schedule run this revision, at the environment's time; a paused one stays paused.

    Args:
        scheduler: the client.
        target: the environment, in its account.
        revision: the revision's ARN.
        dry_run: whether to find out only what would be done.

    Returns:
        The schedule as it is then, and what was done: made, moved or unchanged.
    """
    now = find(scheduler, target.environment)
    wanted = request(target, revision=revision, state=str(now["State"]) if now else ENABLED)
    if now and _holds(now, wanted):
        return now, "unchanged"
    if not dry_run:
        (scheduler.update_schedule if now else scheduler.create_schedule)(**wanted)
    return wanted, "moved" if now else "made"


def _holds(now: Any, wanted: Any) -> bool:
    """Tell whether a schedule is as wanted; AWS adds defaults to what it was given."""
    if isinstance(wanted, Mapping):
        return all(key in now and _holds(now[key], value) for key, value in wanted.items())
    return bool(now == wanted)


def must_have(environment: Environment) -> None:
    """Whether the environment has a place for a schedule."""
    if not has_schedule(environment):
        raise Refused(
            f"schedule: environment {environment.name} has none for {environment.dataset}",
            advice="`./deploy.sh bootstrap NAME` makes an environment that has one",
        )


def must_find(scheduler: EventBridgeSchedulerClient, environment: Environment) -> Schedule:
    """The environment's schedule."""
    found = find(scheduler, environment)
    if found is None:
        raise Refused(
            f"schedule: there is none yet in {environment.schedule_group}",
            advice="the first deploy that passes makes it, or `./deploy.sh schedule set`",
        )
    return found


def switch(
    scheduler: EventBridgeSchedulerClient, environment: Environment, *, state: str
) -> Schedule:
    """Pause or resume the schedule, and change nothing else of it."""
    now = must_find(scheduler, environment)
    wanted = {key: now[key] for key in now.keys() - GIVEN_BY_AWS} | {"State": state}
    if now["State"] != state:
        scheduler.update_schedule(**wanted)
    return wanted


def in_words(schedule: Schedule) -> str:
    """A schedule in one line."""
    state = "" if schedule["State"] == ENABLED else ", paused"
    return f"{schedule['ScheduleExpression']}{state}: runs {facts_of(schedule)['revision']}"


def facts_of(schedule: Schedule) -> dict[str, Any]:
    """The facts of a schedule for the verdict: its revision is a family and a number."""
    return {
        "revision": schedule["Target"]["EcsParameters"]["TaskDefinitionArn"].rsplit("/", 1)[-1],
        "expression": schedule["ScheduleExpression"],
        "paused": schedule["State"] != ENABLED,
    }
