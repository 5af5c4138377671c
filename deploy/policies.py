"""The least-privilege policies that a deploy needs, made from the environment's own names."""

from __future__ import annotations

from typing import Any

from deploy.discover import Target

Statement = dict[str, Any]

PULL_ACTIONS = (
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:GetDownloadUrlForLayer",
)
"""What pulling an image takes, on the repository."""

LOG_ACTIONS = ("logs:CreateLogStream", "logs:PutLogEvents")
"""What writing a task's log takes, on the log group's streams."""

OBJECT_ACTIONS = ("s3:GetObject", "s3:PutObject")
"""What publishing takes, on the object, which is written in one piece."""

BUCKET_ACTIONS = ("s3:ListBucket",)
"""Without it S3 answers 403, not 404, for an object that is not there yet."""


S3 = "s3://"

NEEDED = {
    *("Login", "Push", "Register", "Run", "Follow", "PassRoles", "ReadObject"),
    *("MoveSchedule", "PassScheduleRole"),
}
"""The statements for the caller without which no deploy gets to its end, as `verify` sees it."""


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
    """Return what ECS itself must be allowed to start the task: pull the image, write the log."""
    return [
        _allow("Login", ["ecr:GetAuthorizationToken"], "*"),
        _allow("Pull", list(PULL_ACTIONS), target.repository_arn),
        _allow("WriteLog", list(LOG_ACTIONS), f"{target.log_group_arn}:*"),
    ]


def task_role_statements(target: Target) -> list[Statement]:
    """Return what the service itself must be allowed: its one object, in its one bucket."""
    return [
        _allow("Publish", list(OBJECT_ACTIONS), object_arn(target)),
        _allow("TellMissingFromDenied", list(BUCKET_ACTIONS), bucket_arn(target)),
        *(
            _allow(sid, [action], f"arn:{target.partition}:s3:::{url.removeprefix(S3)}{rest}")
            for sid, action, url, rest in (
                ("ReadSource", "s3:GetObject", target.environment.source_url, ""),
                ("KeepRaw", "s3:PutObject", target.environment.variables.get("RAW_URL", ""), "/*"),
            )
            if url.startswith(S3)
        ),
    ]


def caller_statements(target: Target) -> list[Statement]:
    """Return what the person or pipeline that runs `deploy.sh` must be allowed.

    The statement `Look` is what `verify` reads. Without it a deploy works just as well, and
    `verify` says what it could not look at.
    """
    environment = target.environment
    family = target.arn("ecs", f"task-definition/{environment.family}:*")
    tasks = target.arn("ecs", f"task/{environment.cluster}/*")
    in_cluster = {"ArnEquals": {"ecs:cluster": target.cluster_arn}}
    return [
        *(_build_statements(target) if environment.builds else ()),
        _allow(
            "FindImages", ["ecr:DescribeImages", "ecr:DescribeRepositories"], target.repository_arn
        ),
        # ECS knows no resource for these three.
        _allow(
            "Revisions",
            [
                "ecs:DeregisterTaskDefinition",
                "ecs:DescribeTaskDefinition",
                "ecs:ListTaskDefinitions",
            ],
            "*",
        ),
        _allow("Register", ["ecs:RegisterTaskDefinition"], family),
        _allow("Mark", ["ecs:TagResource", "ecs:UntagResource"], family),
        _allow("Run", ["ecs:RunTask"], family, condition=in_cluster),
        _allow("Follow", ["ecs:DescribeTasks", "ecs:StopTask"], tasks),
        _allow("ListTasks", ["ecs:ListTasks"], "*", condition=in_cluster),
        _allow("ListServices", ["ecs:ListServices"], "*", condition=in_cluster),
        _allow(
            "DescribeServices",
            ["ecs:DescribeServices"],
            target.arn("ecs", f"service/{environment.cluster}/*"),
        ),
        _allow(
            "PassRoles",
            ["iam:PassRole"],
            sorted({target.execution_role, target.task_role}),
            condition={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
        ),
        _allow(
            "ReadLog", ["logs:DescribeLogStreams", "logs:GetLogEvents"], f"{target.log_group_arn}:*"
        ),
        _allow("ReadObject", ["s3:GetObject"], object_arn(target)),
        _allow("ReadBucket", ["s3:ListBucket"], bucket_arn(target)),
        _allow(
            "Look",
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
        _allow(
            "LookAtRoles",
            ["iam:GetRole", "iam:SimulatePrincipalPolicy"],
            sorted({target.execution_role, target.task_role, *_caller_itself(target)}),
        ),
        *(_schedule_statements(target) if environment.schedule_group else ()),
    ]


def _build_statements(target: Target) -> list[Statement]:
    """Return what building images here takes; deleting old ones is part of it."""
    return [
        _allow("Login", ["ecr:GetAuthorizationToken"], "*"),
        _allow(
            "Push",
            [
                *PULL_ACTIONS,
                "ecr:BatchDeleteImage",
                "ecr:CompleteLayerUpload",
                "ecr:InitiateLayerUpload",
                "ecr:PutImage",
                "ecr:UploadLayerPart",
            ],
            target.repository_arn,
        ),
    ]


def _schedule_statements(target: Target) -> list[Statement]:
    """Return what moving the schedule takes: the one schedule, and the role that it acts with."""
    environment = target.environment
    return [
        _allow(
            "MoveSchedule",
            ["scheduler:CreateSchedule", "scheduler:GetSchedule", "scheduler:UpdateSchedule"],
            target.arn("scheduler", f"schedule/{environment.schedule_group}/{environment.family}"),
        ),
        _allow(
            "PassScheduleRole",
            ["iam:PassRole"],
            environment.schedule_role,
            condition={"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}},
        ),
    ]


def _caller_itself(target: Target) -> list[str]:
    """Return the user or role whose own permissions `verify` asks about, where it is known.

    A session's ARN does not have the path of its role, and those of IAM Identity Center have one.
    """
    if ":assumed-role/" in target.caller:
        role = target.caller.split("/")[1]
        roles = f"arn:{target.partition}:iam::{target.account}:role"
        return [f"{roles}/{role}", f"{roles}/*/{role}"]
    return [target.caller] if ":user/" in target.caller else []


def pass_role_statement(target: Target) -> Statement:
    """Return the statement that lets the caller hand both roles to ECS."""
    return next(part for part in caller_statements(target) if part["Sid"] == "PassRoles")


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


def object_arn(target: Target) -> str:
    """Return the ARN of the object that the service publishes."""
    return f"{bucket_arn(target)}/{target.environment.key}"


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
