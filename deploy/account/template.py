"""Builds the template of what depends on the datasets: the policies of the roles, and the alarms.

The other templates are files in `infra/`. This one is made from the environment file, so that the
policies have one source, and each dataset has the alarms that fit its schedule.
"""

from __future__ import annotations

import re
from typing import Any

from deploy.account.policies import (
    Statement,
    caller_statements,
    document,
    execution_role_statements,
    schedule_role_statements,
    task_role_statements,
)
from deploy.environment import Environment
from deploy.target import Target

HOURS = {"minute": 1 / 60, "hour": 1.0, "day": 24.0}
LONGEST_ALARM_HOURS = 7 * 24
"""CloudWatch looks back no further."""


def datasets_template(target: Target) -> dict[str, Any]:
    """Return the template for an environment that bootstrap has made."""
    environment = target.environment
    roles = {
        environment.execution_role: execution_role_statements(target),
        environment.task_role: task_role_statements(target),
        environment.schedule_role: schedule_role_statements(target),
        environment.github_role: caller_statements(target),
    }
    names = ("ExecutionRole", "TaskRole", "ScheduleRole", "DeployRole")
    resources = {
        f"{name}Policy": _policy(role, statements)
        for name, (role, statements) in zip(names, roles.items(), strict=False)
        if role
    }
    for item in environment.each():
        resources |= _alarms(item)
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"micro-etl: what the roles may do, and the alarms, of {environment.name}",
        "Resources": resources,
    }


def _policy(role: str, statements: list[Statement]) -> dict[str, Any]:
    return {
        "Type": "AWS::IAM::Policy",
        "Properties": {
            "Roles": [role.rsplit("/", 1)[-1]],
            "PolicyName": "micro-etl",
            "PolicyDocument": document(*statements),
        },
    }


def _alarms(environment: Environment) -> dict[str, Any]:
    """Return a dataset's alarms: a run said that it failed; none has succeeded for too long."""
    name = re.sub(r"\W|_", "", environment.dataset_name.title())
    alarms = {
        f"RunFailed{name}": _alarm(
            environment,
            "Failed",
            "A run said that it failed; its log says why",
            Period=300,
            EvaluationPeriods=1,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
            TreatMissingData="notBreaching",  # most of the time, nothing runs
        )
    }
    hours = silence(environment.schedule)
    if hours:
        alarms[f"NoSuccess{name}"] = _alarm(
            environment,
            "Succeeded",
            f"No run has succeeded for {hours} hours, by the schedule {environment.schedule}",
            Period=3600,
            EvaluationPeriods=hours,
            ComparisonOperator="LessThanThreshold",
            TreatMissingData="breaching",
            OKActions=[environment.alarm_topic],
        )
    return alarms


def _alarm(environment: Environment, metric: str, description: str, **more: Any) -> dict[str, Any]:
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
