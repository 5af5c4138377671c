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
ATTEMPTS = 5
PATIENCE_SECONDS = 3600
"""How often, and for how long, a run that can't be started is tried again. Then it is lost."""

GIVEN_BY_AWS = {"Arn", "CreationDate", "LastModificationDate", "ResponseMetadata"}
"""What an update can't have. It must repeat all the rest, since it overwrites the schedule."""

Schedule = Mapping[str, Any]


def has_schedule(environment: Environment) -> bool:
    """Tell whether an environment's dataset runs on a schedule."""
    return bool(environment.schedule_group and environment.schedule)


def request(target: Target, *, revision: str, state: str) -> dict[str, Any]:
    """Return what the schedule must be: when, and which revision of the task.

    Args:
        target: The environment, in its account.
        revision: The revision's ARN.
        state: ENABLED or DISABLED.
    """
    environment = target.environment
    network = network_configuration(target)["awsvpcConfiguration"]
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
                "NetworkConfiguration": {
                    "awsvpcConfiguration": {
                        key[0].upper() + key[1:]: value for key, value in network.items()
                    }
                },
            },
            "RetryPolicy": {
                "MaximumRetryAttempts": ATTEMPTS,
                "MaximumEventAgeInSeconds": PATIENCE_SECONDS,
            },
            "DeadLetterConfig": {"Arn": environment.schedule_queue},
            # What a deploy gives its run, so that the scheduled run is the one that was tested.
            **({"Input": json.dumps(overrides(target))} if environment.run_variables else {}),
        },
    }


def find(scheduler: EventBridgeSchedulerClient, environment: Environment) -> Schedule | None:
    """Return the environment's schedule, or nothing where there is none yet."""
    try:
        return scheduler.get_schedule(Name=environment.family, GroupName=environment.schedule_group)
    except ClientError as error:
        if code_of(error) == "ResourceNotFoundException":
            return None
        raise


def revision_of(schedule: Schedule) -> str:
    """Return the ARN of the revision that a schedule runs."""
    return str(schedule["Target"]["EcsParameters"]["TaskDefinitionArn"])


def label_of(arn: str) -> str:
    """Return the family and the number in a revision's ARN."""
    return arn.rsplit("/", 1)[-1]


def move(
    scheduler: EventBridgeSchedulerClient, target: Target, *, revision: str, dry_run: bool = False
) -> tuple[Schedule, str]:
    """Let the schedule run this revision, at the environment's time; a paused one stays paused.

    Args:
        scheduler: The client.
        target: The environment, in its account.
        revision: The revision's ARN.
        dry_run: Whether to find out only what would be done.

    Returns:
        The schedule as it is then, and what was done: made, moved or unchanged.
    """
    now = find(scheduler, target.environment)
    wanted = request(target, revision=revision, state=str(now["State"]) if now else ENABLED)
    if now is None:
        if not dry_run:
            scheduler.create_schedule(**wanted)
        return wanted, "made"
    if _holds(now, wanted) and ("Input" in now["Target"]) == ("Input" in wanted["Target"]):
        return now, "unchanged"
    if not dry_run:
        scheduler.update_schedule(**wanted)
    return wanted, "moved"


def _holds(now: Any, wanted: Any) -> bool:
    """Tell whether a schedule is as wanted; AWS adds defaults to what it was given."""
    if isinstance(wanted, Mapping):
        return all(key in now and _holds(now[key], value) for key, value in wanted.items())
    return bool(now == wanted)


def must_find(scheduler: EventBridgeSchedulerClient, environment: Environment) -> Schedule:
    """Return the environment's schedule."""
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
    wanted = {key: value for key, value in now.items() if key not in GIVEN_BY_AWS}
    wanted["State"] = state
    if now["State"] != state:
        scheduler.update_schedule(**wanted)
    return wanted


def must_have(environment: Environment) -> None:
    """Return if the environment has a place for a schedule."""
    if not has_schedule(environment):
        raise Refused(
            f"schedule: environment {environment.name} has none for {environment.dataset}",
            advice="`./deploy.sh bootstrap NAME` makes an environment that has one",
        )


def in_words(schedule: Schedule) -> str:
    """Return a schedule in one line."""
    state = "" if schedule["State"] == ENABLED else ", paused"
    return f"{schedule['ScheduleExpression']}{state}: runs {label_of(revision_of(schedule))}"


def facts_of(schedule: Schedule) -> dict[str, Any]:
    """Return the facts of a schedule for the verdict."""
    return {
        "revision": label_of(revision_of(schedule)),
        "expression": schedule["ScheduleExpression"],
        "paused": schedule["State"] != ENABLED,
    }
