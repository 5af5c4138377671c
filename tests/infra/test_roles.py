"""The roles: the templates grant what deploy.sh says is needed, and to nobody else."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from deploy.account.bootstrap import target_of
from deploy.account.policies import policies
from dev.rehearsal.roles import UNUSED, compare
from tests.infra.conftest import ACCOUNT, REGION, Account, made

Grant = tuple[str, str, str]


def grants(documents: Iterable[Any]) -> set[Grant]:
    """Each permission of policy documents: the action, the resource, the condition."""
    found: set[Grant] = set()
    for document in documents:
        content = json.loads(document) if isinstance(document, str) else document
        for statement in content["Statement"]:
            assert statement["Effect"] == "Allow"
            condition = json.dumps(statement.get("Condition", {}), sort_keys=True)
            for action in _list(statement["Action"]):
                for resource in _list(statement["Resource"]):
                    found.add((action, resource, condition))
    return found


def granted(account: Account, role: str) -> set[Grant]:
    """Each permission that a role has, by its ARN."""
    iam, name = account.client("iam"), role.rsplit("/", 1)[-1]
    assert iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"] == []
    return grants(
        iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
    )


def trust(account: Account, role: str) -> Any:
    """Who may assume a role, by its ARN."""
    name = role.rsplit("/", 1)[-1]
    return account.client("iam").get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]


def test_the_roles_of_a_task_are_what_deploy_sh_asks_for(
    account: Account, content: dict[str, Any]
) -> None:
    """Bootstrap and `verify --policy` grant the same, and trust the same."""
    wanted = policies(target_of(content, place=account.target))
    assert granted(account, content["execution_role"]) == grants([wanted["execution_role"]])
    assert granted(account, content["task_role"]) == grants([wanted["task_role"]])
    for role in ("execution_role", "task_role"):
        assert trust(account, content[role]) == wanted["trust_of_both_roles"]


def test_a_dataset_that_is_added_to_the_file_is_in_the_policies(
    account: Account, content: dict[str, Any], said: io.StringIO
) -> None:
    """Its object, its source, its raw copies and its secrets, after another bootstrap."""
    orders = {
        "source_url": "s3://mirror/orders/",
        "variables": {"RAW_URL": "s3://archive/raw/"},
        "secrets": {"A": "prod/a", "B": "ssm:/prod/b"},
    }
    again = made(account, said, existing=content | {"datasets": {"orders": orders}})
    task = {(action, resource) for action, resource, _ in granted(account, again["task_role"])}
    bucket = f"arn:aws:s3:::{again['bucket']}"
    assert {
        ("s3:PutObject", f"{bucket}/launches.parquet"),
        ("s3:PutObject", f"{bucket}/orders.parquet"),
        ("s3:GetObject", "arn:aws:s3:::mirror/orders/*"),
        ("s3:PutObject", "arn:aws:s3:::archive/raw/*"),
    } <= task
    execution = {item[:2] for item in granted(account, again["execution_role"])}
    here = f"{REGION}:{ACCOUNT}"
    assert {
        ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{here}:secret:prod/a-??????"),
        ("ssm:GetParameters", f"arn:aws:ssm:{here}:parameter/prod/b"),
    } <= execution
    runs = {
        item[1] for item in granted(account, again["schedule_role"]) if item[0] == "ecs:RunTask"
    }
    assert {arn.rsplit("/", 1)[-1] for arn in runs} == {
        "micro-etl-staging:*",
        "micro-etl-staging-orders:*",
    }


@pytest.mark.parametrize("promotes", [False, True])
def test_the_deploy_role_is_what_deploy_sh_asks_for(
    account: Account, content: dict[str, Any], said: io.StringIO, promotes: bool
) -> None:
    """To the letter, both where images are built and where they are promoted."""
    again = made(account, said, existing=content, promotes=promotes)
    wanted = grants([policies(target_of(again, place=account.target))["caller"]])
    assert granted(account, again["github_role"]) == wanted
    actions = {action for action, *_ in granted(account, again["github_role"])}
    assert ("ecr:PutImage" in actions) is not promotes
    (statement,) = trust(account, again["github_role"])["Statement"]
    host = "token.actions.githubusercontent.com"
    assert statement["Principal"] == {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{host}"}
    assert statement["Condition"] == {
        "StringEquals": {
            f"{host}:aud": "sts.amazonaws.com",
            f"{host}:sub": "repo:octo@1/micro-etl@2:environment:staging",
        }
    }


def test_the_schedule_may_start_this_task_and_nothing_else(
    account: Account, content: dict[str, Any]
) -> None:
    """Its role runs the family in the cluster, passes the task's roles, and fills its queue."""
    target = target_of(content, place=account.target)
    wanted = grants(
        [
            {
                "Statement": [
                    statement
                    for statement in policies(target)["caller"]["Statement"]
                    if statement["Sid"] in {"Run", "PassRoles"}
                ]
            }
        ]
    )
    queue = ("sqs:SendMessage", content["schedule_queue"], "{}")
    assert granted(account, content["schedule_role"]) == wanted | {queue}
    (statement,) = trust(account, content["schedule_role"])["Statement"]
    assert statement["Principal"] == {"Service": "scheduler.amazonaws.com"}
    group = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/{content['schedule_group']}"
    assert statement["Condition"]["StringEquals"]["aws:SourceArn"] == group


def test_an_environment_without_a_schedule_grants_nothing_for_one(
    account: Account, content: dict[str, Any]
) -> None:
    """The assessment's environment asks for no permission that it does not use."""
    target = target_of(content, place=account.target)
    bare = replace(
        target.environment, schedule="", schedule_group="", schedule_role="", schedule_queue=""
    )
    actions = {
        action for action, *_ in grants([policies(replace(target, environment=bare))["caller"]])
    }
    assert not {action for action in actions if action.startswith("scheduler:")}


def policies_of(**extra: str) -> dict[str, Any]:
    """Policies that grant exactly what has a reason not to be used, and more."""
    return {
        role: {"Statement": [{"Action": [*reasons, *extra.get(role, "").split()]}]}
        for role, reasons in UNUSED.items()
    }


def call(action: str, caller: str = "user/deployer", *, allowed: bool = True) -> dict[str, Any]:
    """A call as a rehearsal records it."""
    arn = f"arn:aws:iam::{ACCOUNT}:{caller}"
    return {"caller": arn, "action": action, "resource": "*", "allowed": allowed}


@pytest.mark.parametrize(
    ("granted_too", "calls", "difference"),
    [
        ("", [], None),
        ("ecs:RunTask", [call("ecs:RunTask")], None),
        ("ecs:RunTask", [], "ecs:RunTask is granted, was not used, and has no reason"),
        ("", [call("ecs:RunTask")], "ecs:RunTask was used, not granted"),
        ("", [call("ecs:RunTask", allowed=False)], "ecs:RunTask was denied"),
        (
            "",
            [call("ecr:UploadLayerPart")],
            "ecr:UploadLayerPart has a reason not to be used, but was",
        ),
        ("", [call("iam:CreateRole", "root")], None),
        (
            "ecs:RunTask",
            [call("ecs:RunTask", "assumed-role/micro-etl-x-environment-DeployRole-1/github")],
            None,
        ),
        (
            "",
            [call("ecs:RunTask", "assumed-role/micro-etl-x-environment-TaskRole-1/0123")],
            "task_role: ecs:RunTask was used, not granted",
        ),
    ],
)
def test_a_permission_too_many_or_too_few_is_found(
    granted_too: str, calls: list[dict[str, Any]], difference: str | None
) -> None:
    """The rehearsal's comparison of what was recorded with what is granted can fail."""
    found = compare(policies_of(caller=granted_too), calls)
    if difference is None:
        assert found.differences == []
    else:
        assert [difference in text for text in found.differences] == [True]


def test_a_reason_for_what_is_not_granted_is_found() -> None:
    """A reason that has outlived its permission is told, too."""
    policies_now = policies_of()
    policies_now["task_role"] = {"Statement": [{"Action": []}]}
    (difference,) = compare(policies_now, []).differences
    assert difference.startswith("task_role: s3:ListBucket has a reason")


def _list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
