"""Builds the template of what depends on the datasets: the policies of the roles, and the alarms.

The other templates are files in `infra/`. This one is made from the environment file, so that the
policies have one source, and each dataset has the alarms that fit its schedule.
"""

from __future__ import annotations

import json
import re
from string import Template
from typing import Any
from zlib import crc32

from deploy.account.glue import glue_table
from deploy.account.policies import document, statements
from deploy.environment import ROOT, Environment
from deploy.target import Target

HOURS = {"minute": 1 / 60, "hour": 1.0, "day": 24.0}
LONGEST_ALARM_HOURS = 7 * 24
"""CloudWatch looks back no further."""


def datasets_template(target: Target) -> dict[str, Any]:
    """The template for an environment that bootstrap has made."""
    environment, allowed = target.environment, statements(target)
    resources: dict[str, Any] = {}
    for name, role, who in (
        ("ExecutionRole", environment.execution_role, "execution_role"),
        ("TaskRole", environment.task_role, "task_role"),
        ("ScheduleRole", environment.schedule_role, "schedule_role"),
        ("DeployRole", environment.github_role, "caller"),
    ):
        properties = {
            "Roles": [role.rsplit("/", 1)[-1]],
            "PolicyName": "micro-etl",
            "PolicyDocument": document(allowed[who]),
        }
        if role:
            resources[f"{name}Policy"] = {"Type": "AWS::IAM::Policy", "Properties": properties}
    for item in environment.each():
        resources |= alarms(item)
        if item.glue_database:
            name = f"Table{resource_id(item.dataset_name)}"
            resources[name] = glue_table(item, environment.each())
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"micro-etl: what the roles may do, and the alarms, of {environment.name}",
        "Resources": resources,
    }


def resource_id(dataset: str) -> str:
    """A dataset's name as the ids of CloudFormation have it: letters and digits."""
    name = re.sub(r"\W|_", "", dataset.title())
    # Where hyphens are only between words of small letters, the capitals tell them apart.
    plain = re.fullmatch("[a-z]+[0-9]*(-[a-z]+[0-9]*)*", dataset)
    return name if plain else f"{name}{crc32(dataset.encode()):08x}"


def alarms(environment: Environment) -> dict[str, Any]:
    """A dataset's alarms: a run said that it failed; none has succeeded for too long."""
    name, hours = environment.dataset_name, silence(environment.schedule)
    namespace = environment.variables.get("METRICS_NAMESPACE")
    if not namespace:  # the service sends no metrics then
        return {}
    text = Template((ROOT / "infra" / "alarms.json").read_text(encoding="utf-8")).substitute(
        id=resource_id(name),
        dataset=name,
        namespace=namespace,
        topic=environment.alarm_topic,
        hours=hours,
        schedule=environment.schedule,
    )
    found: dict[str, Any] = json.loads(text)
    return {key: found[key] for key in found if hours or key.startswith("RunFailed")}


def silence(schedule: str) -> int:
    """After how many hours without a success something is wrong; 0 where that is unknown.

    An hour more than the schedule's interval. That of a `cron` is known where it runs every day;
    one of more than six days is too long for CloudWatch.
    """
    hours = 0.0
    if rate := re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", schedule):
        hours = int(rate[1]) * HOURS[rate[2]]
    elif re.fullmatch(r"cron\(\S+ \S+ (\*|\?) \* (\*|\?) \*\)", schedule):
        hours = 24
    return int(hours + 1.999) if 0 < hours < LONGEST_ALARM_HOURS - 1 else 0
