"""Looks at what both roles and the caller may do, by IAM's own simulation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from deploy.aws import Clients, code_of, look
from deploy.discover import Target
from deploy.findings import Finding
from deploy.policies import (
    BUCKET_ACTIONS,
    LOG_ACTIONS,
    OBJECT_ACTIONS,
    PULL_ACTIONS,
    bucket_arn,
    object_arn,
)

TASKS = "ecs-tasks.amazonaws.com"


def check_trust(target: Target, clients: Clients) -> Iterator[Finding]:
    """Both roles are there, and ECS may assume them."""
    for about, arn in (
        ("execution role", target.execution_role),
        ("task role", target.task_role),
    ):
        name = arn.rsplit("/", 1)[-1]
        try:
            role = look("iam:GetRole", lambda: clients.iam.get_role(RoleName=name))["Role"]  # noqa: B023
        except ClientError as error:
            if code_of(error) != "NoSuchEntity":
                raise
            yield Finding(about, False, f"{arn} does not exist", "check the name")
            continue
        if not trusts_tasks(role["AssumeRolePolicyDocument"]):
            yield Finding(
                about,
                False,
                f"{name} does not trust {TASKS}",
                "`./deploy.sh verify --policy` prints the trust policy that it needs",
            )


def check_execution_role(target: Target, clients: Clients) -> Iterator[Finding]:
    """With the execution role, ECS may pull the image and write the log."""
    yield from _check_role(
        "execution role",
        target.execution_role,
        clients,
        able="may pull the image and write the log",
        needs={
            "*": ["ecr:GetAuthorizationToken"],
            target.repository_arn: list(PULL_ACTIONS),
            f"{target.log_group_arn}:log-stream:*": list(LOG_ACTIONS),
        },
    )


def check_task_role(target: Target, clients: Clients) -> Iterator[Finding]:
    """With the task role, the service may write where it will write."""
    yield from _check_role(
        "task role",
        target.task_role,
        clients,
        able=f"may write s3://{target.environment.bucket}/{target.environment.key}",
        needs={object_arn(target): list(OBJECT_ACTIONS), bucket_arn(target): list(BUCKET_ACTIONS)},
    )


def _check_role(
    about: str, arn: str, clients: Clients, *, able: str, needs: Mapping[str, Sequence[str]]
) -> Iterator[Finding]:
    name = arn.rsplit("/", 1)[-1]
    try:
        denied = [
            f"{action} on {resource}"
            for resource, actions in needs.items()
            for action in _denied(clients, principal=arn, actions=actions, resource=resource)
        ]
    except ClientError as error:
        if code_of(error) != "NoSuchEntity":
            raise
        return  # check_trust has said so
    if denied:
        yield Finding(
            about,
            False,
            f"{name} may not {'; '.join(denied)}",
            "`./deploy.sh verify --policy` prints the policy that it needs",
        )
    else:
        yield Finding(about, True, f"{name} {able}")


def check_caller(target: Target, clients: Clients) -> Iterator[Finding]:
    """Whoever runs this may hand both roles to ECS."""
    principal = _principal(target, clients)
    if principal.endswith(":root"):
        return
    denied = [
        role.rsplit("/", 1)[-1]
        for role in sorted({target.execution_role, target.task_role})
        if _denied(
            clients,
            principal=principal,
            actions=["iam:PassRole"],
            resource=role,
            context={"iam:PassedToService": TASKS},
        )
    ]
    if denied:
        yield Finding(
            "caller",
            False,
            f"{target.caller} may not iam:PassRole {', '.join(denied)}",
            "`./deploy.sh verify --policy` prints the statement that its policy needs",
        )
    else:
        yield Finding("caller", True, f"{principal.rsplit('/', 1)[-1]} may pass both roles")


def trusts_tasks(policy: Any) -> bool:
    """Tell whether a trust policy lets ECS tasks assume the role."""
    statements = policy.get("Statement", [])
    for statement in [statements] if isinstance(statements, dict) else statements:
        principal = statement.get("Principal", {})
        services = principal.get("Service", []) if isinstance(principal, dict) else []
        if isinstance(services, str):
            services = [services]
        if statement.get("Effect") == "Allow" and TASKS in services:
            return True
    return False


def _denied(
    clients: Clients,
    *,
    principal: str,
    actions: Sequence[str],
    resource: str,
    context: Mapping[str, str] | None = None,
) -> list[str]:
    """Return which of these actions a principal may not do, by IAM's own simulation."""
    answer = look(
        "iam:SimulatePrincipalPolicy",
        lambda: clients.iam.simulate_principal_policy(
            PolicySourceArn=principal,
            ActionNames=list(actions),
            ResourceArns=[resource],
            ContextEntries=[
                {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
                for key, value in (context or {}).items()
            ],
        ),
    )
    return [
        result["EvalActionName"]
        for result in answer["EvaluationResults"]
        if result["EvalDecision"] != "allowed"
    ]


def _principal(target: Target, clients: Clients) -> str:
    """Return the ARN whose policies decide what the caller may do: for a session, its role's."""
    if ":assumed-role/" not in target.caller:
        return target.caller
    role = target.caller.split("/")[1]
    return look("iam:GetRole", lambda: clients.iam.get_role(RoleName=role))["Role"]["Arn"]
