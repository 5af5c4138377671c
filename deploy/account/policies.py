"""Builds the least-privilege policies that a deploy needs, from the environment's own names.

`./deploy.sh verify --policy` prints them, and `bootstrap` gives them to the roles that it makes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from deploy.target import Target
from deploy.task.definition import secret_arn

Statement = dict[str, Any]

PULL = "ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:GetDownloadUrlForLayer"
PUSH = "ecr:CompleteLayerUpload ecr:InitiateLayerUpload ecr:PutImage ecr:UploadLayerPart"
LOOK = (
    "ec2:DescribeRouteTables ec2:DescribeSecurityGroups ec2:DescribeSubnets logs:DescribeLogGroups"
)
MOVE = "scheduler:CreateSchedule scheduler:GetSchedule scheduler:UpdateSchedule"
SECRET_SUFFIX = re.compile(r"-\w{6}$")
"""What Secrets Manager adds to the name of a secret in its ARN."""


def policies(target: Target) -> dict[str, Any]:
    """Return the policy documents for the caller and both roles, and the roles' trust policy."""
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "ecs-tasks.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": target.account}},
    }
    names = ("caller", "execution_role", "task_role")
    documents = {name: document(statements(target)[name]) for name in names}
    return documents | {"trust_of_both_roles": document([trust])}


def document(listed: list[Statement]) -> dict[str, Any]:
    """Return a policy document of these statements."""
    return {"Version": "2012-10-17", "Statement": listed}


def statements(target: Target) -> dict[str, list[Statement]]:
    """Return what each must be allowed: the caller, and the roles of a task and of a schedule.

    Of the caller's, those whose names begin with `Look` are what `verify` reads. Without them a
    deploy works as well, and `verify` says what it could not look at.
    """
    environment, each = target.environment, target.environment.each()
    repository, streams = [target.repository_arn], [f"{target.log_group_arn}:*"]
    families = [target.arn("ecs", f"task-definition/{item.family}:*") for item in each]
    tasks = [target.arn("ecs", f"task/{environment.cluster}/*")]
    objects = [f"{_in_s3(target, environment.bucket)}/{item.key}" for item in each]
    sources = _places(target, (item.source_url for item in each))
    copies = _places(target, (item.variables.get("RAW_URL", "") for item in each))
    raw = [f"{place}/*" for place in copies]
    buckets = [*dict.fromkeys(place.partition("/")[0] for place in (*objects, *raw))]
    secrets, parameters = _secrets(target, "secretsmanager"), _secrets(target, "ssm")
    group = f"schedule/{environment.schedule_group}"
    schedules = [target.arn("scheduler", f"{group}/{item.family}") for item in each]
    stack = target.arn("cloudformation", f"stack/micro-etl-{environment.name}-datasets/*")
    in_cluster = {"ArnEquals": {"ecs:cluster": target.cluster_arn}}
    run = ("Run", "ecs:RunTask", families, in_cluster)
    pass_roles = ("PassRoles", "iam:PassRole", _roles(target), _passed_to("ecs-tasks"))
    login = ("Login", "ecr:GetAuthorizationToken", ["*"])
    build = (login, ("Push", f"{PULL} {PUSH}", repository))
    to_scheduler = ([environment.schedule_role], _passed_to("scheduler"))
    schedule = (
        ("MoveSchedule", MOVE, schedules),
        ("PassScheduleRole", "iam:PassRole", *to_scheduler),
        ("LookAtStack", "cloudformation:GetTemplate", [stack]),
    )
    return {
        "caller": _statements(
            *(build if environment.builds else ()),
            ("FindImages", "ecr:DescribeImages ecr:DescribeRepositories", repository),
            # ECS knows no resource for these two.
            ("Revisions", "ecs:DescribeTaskDefinition ecs:ListTaskDefinitions", ["*"]),
            ("Register", "ecs:RegisterTaskDefinition", families),
            ("Mark", "ecs:TagResource ecs:UntagResource", families),
            run,
            ("Follow", "ecs:DescribeTasks ecs:StopTask", tasks),
            ("ListTasks", "ecs:ListTasks", ["*"], in_cluster),
            pass_roles,
            ("ReadLog", "logs:DescribeLogStreams logs:GetLogEvents", streams),
            ("ReadObject", "s3:GetObject", objects),
            ("ReadRaw", "s3:GetObject", raw),
            ("ReadBucket", "s3:ListBucket", buckets),
            ("LookAround", LOOK, ["*"]),
            ("LookAtCluster", "ecs:DescribeClusters", [target.cluster_arn]),
            ("LookAtRoles", "iam:GetRole", _roles(target)),
            ("LookAtSecrets", "secretsmanager:DescribeSecret", secrets),
            ("LookAtParameters", "ssm:DescribeParameters", ["*"] if parameters else []),
            *(schedule if environment.schedule_group else ()),
        ),
        "execution_role": _statements(  # what ECS needs to start a task
            login,
            ("Pull", PULL, repository),
            ("WriteLog", "logs:CreateLogStream logs:PutLogEvents", streams),
            ("ReadSecrets", "secretsmanager:GetSecretValue", secrets),
            ("ReadParameters", "ssm:GetParameters", parameters),
        ),
        "task_role": _statements(  # what the service needs
            ("Publish", "s3:GetObject s3:PutObject", objects),
            # Without it S3 answers 403, not 404, for an object that is not there yet.
            ("TellMissingFromDenied", "s3:ListBucket", buckets),
            ("ReadSource", "s3:GetObject", sources),
            ("KeepRaw", "s3:GetObject s3:PutObject", raw),
        ),
        "schedule_role": _statements(
            run, pass_roles, ("KeepLostRuns", "sqs:SendMessage", [environment.schedule_queue])
        ),
    }


def pass_role_statement(target: Target) -> Statement:
    """Return the statement that lets a caller hand both roles to ECS."""
    return next(item for item in statements(target)["caller"] if item["Sid"] == "PassRoles")


def _statements(*rows: tuple[Any, ...]) -> list[Statement]:
    """Return a statement a row of its name, actions, resources and, where it has one, condition.

    There is none for a row without a resource.
    """
    return [
        {
            "Sid": sid,
            "Effect": "Allow",
            "Action": sorted(actions.split()),
            "Resource": resources[0] if len(resources) == 1 else resources,
            **({"Condition": condition[0]} if condition else {}),
        }
        for sid, actions, resources, *condition in rows
        if resources
    ]


def _passed_to(service: str) -> dict[str, Any]:
    return {"StringEquals": {"iam:PassedToService": f"{service}.amazonaws.com"}}


def _roles(target: Target) -> list[str]:
    return sorted({target.execution_role, target.task_role})


def _in_s3(target: Target, place: str) -> str:
    return f"arn:{target.partition}:s3:::{place}"


def _places(target: Target, urls: Iterable[str]) -> list[str]:
    """Return the ARNs of those URLs that are in S3."""
    keys = {url.removeprefix("s3://").rstrip("/") for url in urls if url.startswith("s3://")}
    return [_in_s3(target, key) for key in sorted(keys)]


def _secrets(target: Target, service: str) -> list[str]:
    """Return the ARNs of the secrets in a service, whatever it adds to their names."""
    found = set()
    for environment in target.environment.each():
        for reference in environment.secrets.values():
            parts = secret_arn(target, reference).split(":")[:7]  # the rest names a key in it
            if parts[2] == service:
                plain = service == "ssm" or SECRET_SUFFIX.search(parts[-1])
                found.add(":".join(parts) + ("" if plain else "-??????"))
    return sorted(found)
