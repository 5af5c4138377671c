"""Builds the least-privilege policies that a deploy needs, from the environment's own names.

`./deploy.sh verify --policy` prints them, and `bootstrap` gives them to the roles that it makes.
"""

from __future__ import annotations

import re
from typing import Any

from deploy.target import Target
from deploy.task.definition import secret_arn

Statement = dict[str, Any]

PULL_ACTIONS = (
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:GetDownloadUrlForLayer",
)
"""What pulling an image takes, on the repository."""
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
    secrets = sorted(
        {
            secret_arn(target, reference)
            for environment in target.environment.each()
            for reference in environment.secrets.values()
        }
    )
    of_manager = [_any_version(arn) for arn in secrets if ":secretsmanager:" in arn]
    of_store = [arn for arn in secrets if ":ssm:" in arn]
    return [
        _allow("Login", ["ecr:GetAuthorizationToken"], "*"),
        _allow("Pull", list(PULL_ACTIONS), target.repository_arn),
        _allow(
            "WriteLog", ["logs:CreateLogStream", "logs:PutLogEvents"], f"{target.log_group_arn}:*"
        ),
        *(
            [_allow("ReadSecrets", ["secretsmanager:GetSecretValue"], of_manager)]
            if of_manager
            else []
        ),
        *([_allow("ReadParameters", ["ssm:GetParameters"], of_store)] if of_store else []),
    ]


def _any_version(arn: str) -> str:
    """Return the resource of a secret: its ARN, whatever Secrets Manager adds to its name."""
    parts = arn.split(":")[:7]  # what follows names a key of the secret, not a resource
    return ":".join(parts) + ("" if SECRET_SUFFIX.search(parts[-1]) else "-??????")


def task_role_statements(target: Target) -> list[Statement]:
    """Return what the service needs: its objects, in its one bucket, and sources in S3."""
    each = target.environment.each()
    statements = [
        _allow("Publish", ["s3:GetObject", "s3:PutObject"], _objects(target)),
        # Without it S3 answers 403, not 404, for an object that is not there yet.
        _allow("TellMissingFromDenied", ["s3:ListBucket"], _buckets(target)),
    ]
    for sid, actions, urls, rest in (
        ("ReadSource", ["s3:GetObject"], [item.source_url for item in each], ""),
        ("KeepRaw", ["s3:GetObject", "s3:PutObject"], _raw_urls(target), "/*"),
    ):
        places = sorted(
            {
                f"arn:{target.partition}:s3:::{url.removeprefix(S3).rstrip('/')}{rest}"
                for url in urls
                if url.startswith(S3)
            }
        )
        if places:
            statements.append(_allow(sid, actions, _one_or_all(places)))
    return statements


def caller_statements(target: Target) -> list[Statement]:
    """Return what the person or pipeline that runs `deploy.sh` must be allowed.

    The statements whose names begin with `Look` are what `verify` reads. Without them a deploy
    works as well, and `verify` says what it could not look at.
    """
    environment = target.environment
    families = _one_or_all(
        [target.arn("ecs", f"task-definition/{item.family}:*") for item in environment.each()]
    )
    tasks = target.arn("ecs", f"task/{environment.cluster}/*")
    in_cluster = {"ArnEquals": {"ecs:cluster": target.cluster_arn}}
    raw = [item["Resource"] for item in task_role_statements(target) if item["Sid"] == "KeepRaw"]
    return [
        *(_build_statements(target) if environment.builds else ()),
        _allow(
            "FindImages", ["ecr:DescribeImages", "ecr:DescribeRepositories"], target.repository_arn
        ),
        # ECS knows no resource for these two.
        _allow("Revisions", ["ecs:DescribeTaskDefinition", "ecs:ListTaskDefinitions"], "*"),
        _allow("Register", ["ecs:RegisterTaskDefinition"], families),
        _allow("Mark", ["ecs:TagResource", "ecs:UntagResource"], families),
        _allow("Run", ["ecs:RunTask"], families, condition=in_cluster),
        _allow("Follow", ["ecs:DescribeTasks", "ecs:StopTask"], tasks),
        _allow("ListTasks", ["ecs:ListTasks"], "*", condition=in_cluster),
        pass_role_statement(target),
        _allow(
            "ReadLog", ["logs:DescribeLogStreams", "logs:GetLogEvents"], f"{target.log_group_arn}:*"
        ),
        _allow("ReadObject", ["s3:GetObject"], _objects(target)),
        *(_allow("ReadRaw", ["s3:GetObject"], places) for places in raw),
        _allow("ReadBucket", ["s3:ListBucket"], _buckets(target)),
        _allow(
            "LookAround",
            [
                "ec2:DescribeRouteTables",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSubnets",
                "ec2:DescribeVpcEndpoints",
                "logs:DescribeLogGroups",
            ],
            "*",
        ),
        _allow("LookAtCluster", ["ecs:DescribeClusters"], target.cluster_arn),
        _allow("LookAtRoles", ["iam:GetRole"], sorted({target.execution_role, target.task_role})),
        *_secret_statements(target),
        *(_schedule_statements(target) if environment.schedule_group else ()),
    ]


def _build_statements(target: Target) -> list[Statement]:
    """Return what building images here takes, their tags that keep good ones included."""
    return [
        _allow("Login", ["ecr:GetAuthorizationToken"], "*"),
        _allow(
            "Push",
            [
                *PULL_ACTIONS,
                "ecr:CompleteLayerUpload",
                "ecr:InitiateLayerUpload",
                "ecr:PutImage",
                "ecr:UploadLayerPart",
            ],
            target.repository_arn,
        ),
    ]


def _secret_statements(target: Target) -> list[Statement]:
    """Return what looking at the secrets takes, none of which shows a value."""
    statements = []
    for part in execution_role_statements(target):
        if part["Sid"] == "ReadSecrets":
            statements.append(
                _allow("LookAtSecrets", ["secretsmanager:DescribeSecret"], part["Resource"])
            )
        if part["Sid"] == "ReadParameters":
            statements.append(_allow("LookAtParameters", ["ssm:DescribeParameters"], "*"))
    return statements


def _schedule_statements(target: Target) -> list[Statement]:
    """Return what moving the schedules takes: them, and the role that they act with."""
    environment = target.environment
    group = environment.schedule_group
    return [
        _allow(
            "MoveSchedule",
            ["scheduler:CreateSchedule", "scheduler:GetSchedule", "scheduler:UpdateSchedule"],
            _one_or_all(
                [
                    target.arn("scheduler", f"schedule/{group}/{item.family}")
                    for item in environment.each()
                ]
            ),
        ),
        _allow(
            "PassScheduleRole",
            ["iam:PassRole"],
            environment.schedule_role,
            condition={"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}},
        ),
        _allow(
            "LookAtStack",
            ["cloudformation:GetTemplate"],
            target.arn("cloudformation", f"stack/micro-etl-{environment.name}-datasets/*"),
        ),
    ]


def schedule_role_statements(target: Target) -> list[Statement]:
    """Return what a schedule needs: start its task, pass its roles, keep the runs that are lost."""
    run = next(part for part in caller_statements(target) if part["Sid"] == "Run")
    queue = target.environment.schedule_queue
    return [run, pass_role_statement(target), _allow("KeepLostRuns", ["sqs:SendMessage"], queue)]


def pass_role_statement(target: Target) -> Statement:
    """Return the statement that lets a caller hand both roles to ECS."""
    return _allow(
        "PassRoles",
        ["iam:PassRole"],
        sorted({target.execution_role, target.task_role}),
        condition={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
    )


def trust_policy(target: Target) -> dict[str, Any]:
    """Return who may assume the two roles: ECS tasks, of this account alone."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "ecs-tasks.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"aws:SourceAccount": target.account}},
            }
        ],
    }


def bucket_arn(target: Target) -> str:
    """Return the ARN of the bucket."""
    return f"arn:{target.partition}:s3:::{target.environment.bucket}"


def _raw_urls(target: Target) -> list[str]:
    """Return where the responses of the sources are kept."""
    return [item.variables.get("RAW_URL", "") for item in target.environment.each()]


def _buckets(target: Target) -> str | list[str]:
    """Return the ARNs of the buckets that the service writes to."""
    raw = {
        url.removeprefix(S3).partition("/")[0] for url in _raw_urls(target) if url.startswith(S3)
    }
    others = sorted(raw - {target.environment.bucket})
    arns = [f"arn:{target.partition}:s3:::{name}" for name in others]
    return _one_or_all([bucket_arn(target), *arns])


def _objects(target: Target) -> str | list[str]:
    """Return the ARNs of the objects that the service publishes."""
    return _one_or_all([f"{bucket_arn(target)}/{item.key}" for item in target.environment.each()])


def _one_or_all(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values


def _allow(
    sid: str,
    actions: list[str],
    resource: str | list[str],
    *,
    condition: dict[str, Any] | None = None,
) -> Statement:
    statement: Statement = {
        "Sid": sid,
        "Effect": "Allow",
        "Action": sorted(actions),
        "Resource": resource,
    }
    if condition:
        statement["Condition"] = condition
    return statement
