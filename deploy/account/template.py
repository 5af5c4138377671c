"""Builds the template of what depends on the datasets: the policies of the roles, and the alarms.

The other templates are files in `infra/`. This one is made from the environment file, so that the
policies have one source, and each dataset has the alarms that fit its schedule.
"""

from __future__ import annotations

import re
from typing import Any

from deploy.account.policies import document, statements
from deploy.environment import Environment
from deploy.target import Target

HOURS = {"minute": 1 / 60, "hour": 1.0, "day": 24.0}
LONGEST_ALARM_HOURS = 7 * 24
"""CloudWatch looks back no further."""


def datasets_template(target: Target) -> dict[str, Any]:
    """Return the template for an environment that bootstrap has made."""
    environment, allowed = target.environment, statements(target)
    resources: dict[str, Any] = {}
    for name, role, policy in (
        ("ExecutionRole", environment.execution_role, "execution_role"),
        ("TaskRole", environment.task_role, "task_role"),
        ("ScheduleRole", environment.schedule_role, "schedule_role"),
        ("DeployRole", environment.github_role, "caller"),
    ):
        properties = {
            "Roles": [role.rsplit("/", 1)[-1]],
            "PolicyName": "micro-etl",
            "PolicyDocument": document(allowed[policy]),
        }
        if role:
            resources[f"{name}Policy"] = {"Type": "AWS::IAM::Policy", "Properties": properties}
    for item in environment.each():
        name = re.sub(r"\W|_", "", item.dataset_name.title())
        resources[f"RunFailed{name}"] = _alarm(
            item,
            "Failed",
            "A run said that it failed; its log says why",
            Period=300,
            EvaluationPeriods=1,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
            TreatMissingData="notBreaching",  # most of the time, nothing runs
        )
        if hours := silence(item.schedule):
            resources[f"NoSuccess{name}"] = _alarm(
                item,
                "Succeeded",
                f"No run has succeeded for {hours} hours, by the schedule {item.schedule}",
                Period=3600,
                EvaluationPeriods=hours,
                ComparisonOperator="LessThanThreshold",
                TreatMissingData="breaching",
                OKActions=[item.alarm_topic],
            )
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"micro-etl: what the roles may do, and the alarms, of {environment.name}",
        "Resources": resources,
    }


def _alarm(environment: Environment, metric: str, description: str, **more: Any) -> dict[str, Any]:
    """Return an alarm on one of the metrics that the service sends of a dataset."""
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmDescription": f"{environment.dataset_name}: {description}",
            "Namespace": environment.variables["METRICS_NAMESPACE"],
            "MetricName": metric,
            "Dimensions": [{"Name": "Dataset", "Value": environment.dataset_name}],
            "Statistic": "Sum",
            "Threshold": 1,
            "AlarmActions": [environment.alarm_topic],
            **more,
        },
    }


def silence(schedule: str) -> int:
    """Return after how many hours without a success something is wrong; 0 where that is unknown.

    An hour more than the schedule's interval. That of a `cron` is known where it runs every day;
    one of more than six days is too long for CloudWatch.
    """
    hours = 0.0
    if rate := re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", schedule):
        hours = int(rate[1]) * HOURS[rate[2]]
    elif re.fullmatch(r"cron\(\S+ \S+ (\*|\?) \* (\*|\?) \*\)", schedule):
        hours = 24
    return int(hours + 1.999) if 0 < hours < LONGEST_ALARM_HOURS - 1 else 0
