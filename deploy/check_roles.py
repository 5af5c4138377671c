"""Looks at what both roles and the caller may do, by IAM's own simulation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from botocore.exceptions import ClientError

from deploy.aws import Clients, code_of, look
from deploy.discover import ROLES_ADVICE, Target
from deploy.findings import Finding
from deploy.policies import (
    NEEDED,
    Statement,
    caller_statements,
    execution_role_statements,
    task_role_statements,
)
from deploy.task_definition import log_stream

TASKS = "ecs-tasks.amazonaws.com"
ELSEWHERE = "where something else allows it, such as a bucket's policy, --no-verify goes on"


def check_trust(target: Target, clients: Clients) -> Iterator[Finding]:
    """Both roles are known and there, and ECS may assume them."""
    if target.without:
        yield Finding("roles", False, target.without, ROLES_ADVICE)
    for about, arn in (
        ("execution role", target.execution_role),
        ("task role", target.task_role),
    ):
        if not arn:
            continue
        name = arn.rsplit("/", 1)[-1]
        try:
            role = look("iam:GetRole", lambda: clients.iam.get_role(RoleName=name))["Role"]  # noqa: B023
        except ClientError as error:
            if code_of(error) != "NoSuchEntity":
                raise
            yield Finding(about, False, f"{arn} does not exist", "check the name")
            continue
        if role["Arn"] != arn:
            yield Finding(
                about, False, f"{arn} does not exist", f"its path is missing: name {role['Arn']}"
            )
        elif not trusts_tasks(role["AssumeRolePolicyDocument"]):
            yield Finding(
                about,
                False,
                f"{name} does not trust {TASKS}",
                "`./deploy.sh verify --policy` prints the trust policy that it needs",
            )


def check_execution_role(target: Target, clients: Clients) -> Iterator[Finding]:
    """With the execution role, ECS may pull the image and write the log."""
    stream = f"{target.log_group_arn}:log-stream:{log_stream(target, '1')}"
    yield from _check_role(
        "execution role",
        target.execution_role,
        clients,
        able="may pull the image and write the log",
        statements=[
            statement | ({"Resource": stream} if statement["Sid"] == "WriteLog" else {})
            for statement in execution_role_statements(target)
        ],
    )


def check_task_role(target: Target, clients: Clients) -> Iterator[Finding]:
    """With the task role, the service may write where it will write."""
    yield from _check_role(
        "task role",
        target.task_role,
        clients,
        able=f"may write s3://{target.environment.bucket}/{target.environment.key}",
        statements=task_role_statements(target),
    )


def _check_role(
    about: str, arn: str, clients: Clients, *, able: str, statements: Sequence[Statement]
) -> Iterator[Finding]:
    if not arn:
        return  # check_trust has said so
    name = arn.rsplit("/", 1)[-1]
    try:
        denied = [
            f"{action} on {resource}"
            for statement in statements
            for action, resource in _denied(statement, clients, principal=arn)
        ]
    except ClientError as error:
        if code_of(error) != "NoSuchEntity":
            raise
        return  # check_trust has said so
    if denied:
        yield Finding(
            about,
            False,
            f"{name} may not {'; '.join(denied)}, by its own policies",
            f"`./deploy.sh verify --policy` prints the policy that it needs; {ELSEWHERE}",
        )
    else:
        yield Finding(about, True, f"{name} {able}")


def check_caller(target: Target, clients: Clients) -> Iterator[Finding]:
    """Whoever runs this may do what no deploy can do without."""
    principal = _principal(target, clients)
    if principal.endswith(":root"):
        return
    denied = dict.fromkeys(
        action
        for statement in caller_statements(target)
        if statement["Sid"] in NEEDED
        for action, _ in _denied(statement, clients, principal=principal)
    )
    if denied:
        yield Finding(
            "caller",
            False,
            f"{target.caller} may not {', '.join(denied)}, by its own policies",
            f"`./deploy.sh verify --policy` prints the policy that it needs; {ELSEWHERE}",
        )
    else:
        yield Finding("caller", True, f"{principal.rsplit('/', 1)[-1]} may deploy")


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


def _denied(statement: Statement, clients: Clients, *, principal: str) -> Iterator[tuple[str, str]]:
    """Yield what a principal may not do of a statement, by IAM's own simulation."""
    context = {
        key: value
        for test in statement.get("Condition", {}).values()
        for key, value in test.items()
    }
    resources = statement["Resource"]
    for pattern in [resources] if isinstance(resources, str) else filter(None, resources):
        # A pattern is no resource: any one that it stands for will do.
        resource = pattern if pattern == "*" else pattern.replace("*", "1")
        answer = look(
            "iam:SimulatePrincipalPolicy",
            lambda: clients.iam.simulate_principal_policy(
                PolicySourceArn=principal,
                ActionNames=statement["Action"],
                ResourceArns=[resource],  # noqa: B023
                ContextEntries=[
                    {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
                    for key, value in context.items()
                ],
            ),
        )
        for result in answer["EvaluationResults"]:
            if result["EvalDecision"] != "allowed":
                yield result["EvalActionName"], resource


def _principal(target: Target, clients: Clients) -> str:
    """Return the ARN whose policies decide what the caller may do: for a session, its role's."""
    if ":assumed-role/" not in target.caller:
        return target.caller
    role = target.caller.split("/")[1]
    return look("iam:GetRole", lambda: clients.iam.get_role(RoleName=role))["Role"]["Arn"]
