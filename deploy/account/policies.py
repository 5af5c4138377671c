"""Builds the least-privilege policies that a deploy needs, from the environment's own names.

`./deploy.sh verify --policy` prints them, and `bootstrap` gives them to the roles that it makes.
"""

from __future__ import annotations

import re
from typing import Any

from deploy.target import Target
from deploy.task.definition import secret_arn

Statement = dict[str, Any]
Resource = str | list[str]

PULL = "ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:GetDownloadUrlForLayer"
PUSH = "ecr:CompleteLayerUpload ecr:InitiateLayerUpload ecr:PutImage ecr:UploadLayerPart"
LOOK = (
    "ec2:DescribeRouteTables ec2:DescribeSecurityGroups ec2:DescribeSubnets "
    "ec2:DescribeVpcEndpoints logs:DescribeLogGroups"
)
S3 = "s3://"
SECRET_SUFFIX = re.compile(r"-\w{6}$")
"""What Secrets Manager adds to the name of a secret in its ARN."""


def policies(target: Target) -> dict[str, Any]:
    """Return the policy documents for the caller and both roles, and the roles' trust policy."""
    return {
        "caller": document(*caller_statements(target)),
        "execution_role": document(*execution_role_statements(target)),
        "task_role": document(*task_role_statements(target)),
        "trust_of_both_roles": trust_policy(target),
    }


def document(*statements: Statement) -> dict[str, Any]:
    """Return a policy document of these statements."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def execution_role_statements(target: Target) -> list[Statement]:
    """Return what ECS needs to start a task: pull the image, write the log, read the secrets."""
    streams = f"{target.log_group_arn}:*"
    return _statements(
        ("Login", "ecr:GetAuthorizationToken", "*"),
        ("Pull", PULL, target.repository_arn),
        ("WriteLog", "logs:CreateLogStream logs:PutLogEvents", streams),
        ("ReadSecrets", "secretsmanager:GetSecretValue", _secrets(target, "secretsmanager")),
        ("ReadParameters", "ssm:GetParameters", _secrets(target, "ssm")),
    )


def task_role_statements(target: Target) -> list[Statement]:
    """Return what the service needs: its objects, in its one bucket, and sources in S3."""
    sources = [item.source_url for item in target.environment.each()]
    return _statements(
        ("Publish", "s3:GetObject s3:PutObject", _objects(target)),
        # Without it S3 answers 403, not 404, for an object that is not there yet.
        ("TellMissingFromDenied", "s3:ListBucket", _buckets(target)),
        ("ReadSource", "s3:GetObject", _places(target, sources)),
        ("KeepRaw", "s3:GetObject s3:PutObject", _raw(target)),
    )


def caller_statements(target: Target) -> list[Statement]:
    """Return what the person or pipeline that runs `deploy.sh` must be allowed.

    The statements whose names begin with `Look` are what `verify` reads. Without them a deploy
    works as well, and `verify` says what it could not look at.
    """
    environment, repository = target.environment, target.repository_arn
    build = [
        ("Login", "ecr:GetAuthorizationToken", "*"),
        ("Push", f"{PULL} {PUSH}", repository),
    ]
    streams, tasks = f"{target.log_group_arn}:*", f"task/{environment.cluster}/*"
    parameters = "*" if _secrets(target, "ssm") else ""
    roles = sorted({target.execution_role, target.task_role})
    stack = f"stack/micro-etl-{environment.name}-datasets/*"
    schedules = [
        f"schedule/{environment.schedule_group}/{item.family}" for item in environment.each()
    ]
    in_group = [
        *_statements(
            (
                "MoveSchedule",
                "scheduler:CreateSchedule scheduler:GetSchedule scheduler:UpdateSchedule",
                [target.arn("scheduler", name) for name in schedules],
            )
        ),
        _pass("PassScheduleRole", environment.schedule_role, "scheduler"),
        *_statements(
            ("LookAtStack", "cloudformation:GetTemplate", target.arn("cloudformation", stack))
        ),
    ]
    return [
        *_statements(
            *(build if environment.builds else ()),
            ("FindImages", "ecr:DescribeImages ecr:DescribeRepositories", repository),
            # ECS knows no resource for these two.
            ("Revisions", "ecs:DescribeTaskDefinition ecs:ListTaskDefinitions", "*"),
            ("Register", "ecs:RegisterTaskDefinition", _families(target)),
            ("Mark", "ecs:TagResource ecs:UntagResource", _families(target)),
        ),
        _run(target),
        *_statements(("Follow", "ecs:DescribeTasks ecs:StopTask", target.arn("ecs", tasks))),
        *_statements(("ListTasks", "ecs:ListTasks", "*"), condition=_in_cluster(target)),
        pass_role_statement(target),
        *_statements(
            ("ReadLog", "logs:DescribeLogStreams logs:GetLogEvents", streams),
            ("ReadObject", "s3:GetObject", _objects(target)),
            ("ReadRaw", "s3:GetObject", _raw(target)),
            ("ReadBucket", "s3:ListBucket", _buckets(target)),
            ("LookAround", LOOK, "*"),
            ("LookAtCluster", "ecs:DescribeClusters", target.cluster_arn),
            ("LookAtRoles", "iam:GetRole", [*roles]),
            (
                "LookAtSecrets",
                "secretsmanager:DescribeSecret",
                _secrets(target, "secretsmanager"),
            ),
            ("LookAtParameters", "ssm:DescribeParameters", parameters),
        ),
        *(in_group if environment.schedule_group else ()),
    ]


def schedule_role_statements(target: Target) -> list[Statement]:
    """Return what a schedule needs: start its task, pass its roles, keep the runs that are lost."""
    queue = target.environment.schedule_queue
    lost = _statements(("KeepLostRuns", "sqs:SendMessage", queue))
    return [_run(target), pass_role_statement(target), *lost]


def pass_role_statement(target: Target) -> Statement:
    """Return the statement that lets a caller hand both roles to ECS."""
    roles = sorted({target.execution_role, target.task_role})
    return _pass("PassRoles", roles, "ecs-tasks")


def trust_policy(target: Target) -> dict[str, Any]:
    """Return who may assume the two roles: ECS tasks, of this account alone."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "ecs-tasks.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": target.account}},
    }
    return document(statement)


def _run(target: Target) -> Statement:
    row = ("Run", "ecs:RunTask", _families(target))
    return _statements(row, condition=_in_cluster(target))[0]


def _pass(sid: str, roles: Resource, service: str) -> Statement:
    condition = {"StringEquals": {"iam:PassedToService": f"{service}.amazonaws.com"}}
    (statement,) = _statements((sid, "iam:PassRole", "*"), condition=condition)
    return statement | {"Resource": roles}


def _in_cluster(target: Target) -> dict[str, Any]:
    return {"ArnEquals": {"ecs:cluster": target.cluster_arn}}


def _families(target: Target) -> list[str]:
    each = target.environment.each()
    return [target.arn("ecs", f"task-definition/{item.family}:*") for item in each]


def _objects(target: Target) -> list[str]:
    """Return the ARNs of the objects that the service publishes."""
    place = f"arn:{target.partition}:s3:::{target.environment.bucket}"
    return [f"{place}/{item.key}" for item in target.environment.each()]


def _raw(target: Target) -> list[str]:
    """Return where the responses of the sources are kept."""
    urls = [item.variables.get("RAW_URL", "") for item in target.environment.each()]
    return _places(target, urls, "/*")


def _buckets(target: Target) -> list[str]:
    """Return the ARNs of the buckets that the service writes to, its own first."""
    arns = [place.partition("/")[0] for place in [*_objects(target), *_raw(target)]]
    return list(dict.fromkeys(arns))


def _places(target: Target, urls: list[str], rest: str = "") -> list[str]:
    """Return the ARNs of those URLs that are in S3."""
    keys = {url.removeprefix(S3).rstrip("/") for url in urls if url.startswith(S3)}
    return [f"arn:{target.partition}:s3:::{key}{rest}" for key in sorted(keys)]


def _secrets(target: Target, service: str) -> list[str]:
    """Return the resources of the secrets in a service, whatever it adds to their names."""
    found = set()
    for environment in target.environment.each():
        for reference in environment.secrets.values():
            parts = secret_arn(target, reference).split(":")[:7]  # the rest names a key in it
            if parts[2] == service:
                plain = service == "ssm" or SECRET_SUFFIX.search(parts[-1])
                found.add(":".join(parts) + ("" if plain else "-??????"))
    return sorted(found)


def _statements(
    *rows: tuple[str, str, Resource], condition: dict[str, Any] | None = None
) -> list[Statement]:
    """Return a statement a row: its name, its actions, and its resource; none without one."""
    return [
        {
            "Sid": sid,
            "Effect": "Allow",
            "Action": sorted(actions.split()),
            "Resource": resource[0] if len(resource) == 1 else resource,
            **({"Condition": condition} if condition else {}),
        }
        for sid, actions, resource in rows
        if resource
    ]
