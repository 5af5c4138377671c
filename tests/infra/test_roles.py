"""The roles: the templates grant what deploy.sh says is needed, and to nobody else."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from deploy.bootstrap import Wishes, bootstrap, environment_content
from deploy.console import Console
from deploy.discover import Target
from deploy.environment import parse
from deploy.policies import policies
from dev.rehearsal.roles import UNUSED, compare
from tests.infra.conftest import ACCOUNT, REGION, Account

Grant = tuple[str, str, str]


def grants(documents: Iterable[Any]) -> set[Grant]:
    """Return each permission of policy documents: the action, the resource, the condition."""
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
    """Return each permission that a role has, by its ARN."""
    iam, name = account.client("iam"), role.rsplit("/", 1)[-1]
    assert iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"] == []
    return grants(
        iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
    )


def trust(account: Account, role: str) -> Any:
    """Return who may assume a role, by its ARN."""
    name = role.rsplit("/", 1)[-1]
    return account.client("iam").get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]


def target_of(outputs: dict[str, str], wishes: Wishes) -> Target:
    """Return what deploy.sh makes of an environment, with its deploy role as the caller."""
    content = environment_content(
        outputs, wishes=wishes, existing={}, region=REGION, account=ACCOUNT
    )
    environment = parse(content, name=wishes.name, source="a test", environ={})
    role = outputs["DeployRole"].rsplit("/", 1)[-1]
    return Target(
        environment=environment,
        region=REGION,
        account=ACCOUNT,
        partition="aws",
        caller=f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/github",
        execution_role=environment.execution_role,
        task_role=environment.task_role,
    )


def test_the_roles_of_a_task_are_what_deploy_sh_asks_for(
    account: Account, outputs: dict[str, str]
) -> None:
    """The templates and `verify --policy` grant the same, and trust the same."""
    wanted = policies(target_of(outputs, Wishes(name="staging")))
    assert granted(account, outputs["ExecutionRole"]) == grants([wanted["execution_role"]])
    assert granted(account, outputs["TaskRole"]) == grants([wanted["task_role"]])
    for role in ("ExecutionRole", "TaskRole"):
        assert trust(account, outputs[role]) == wanted["trust_of_both_roles"]


@pytest.mark.parametrize("promotes", [False, True])
def test_the_deploy_role_is_what_deploy_sh_asks_for(
    account: Account, outputs: dict[str, str], promotes: bool
) -> None:
    """To the letter, both where images are built and where they are promoted."""
    wishes = Wishes(name="staging", github="octo@1/micro-etl@2", promotes=promotes)
    made = bootstrap(
        account.cloud,
        account.client("iam"),
        wishes=wishes,
        existing={},
        console=Console(io.StringIO()),
        confirm=lambda _: True,
    )
    target = target_of(outputs | made, wishes)
    wanted = grants([policies(target)["caller"]])
    # deploy.sh can't know a role's path from its session; the template does: there is none.
    wanted = {grant for grant in wanted if ":role/*/" not in grant[1]}
    assert granted(account, made["DeployRole"]) == wanted
    actions = {action for action, *_ in granted(account, made["DeployRole"])}
    assert ("ecr:PutImage" in actions) is not promotes


def test_the_schedule_may_start_this_task_and_nothing_else(
    account: Account, outputs: dict[str, str]
) -> None:
    """Its role runs the family in the cluster, passes the task's roles, and fills its queue."""
    target = target_of(outputs, Wishes(name="staging"))
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
    queue = ("sqs:SendMessage", outputs["LostRunsArn"], "{}")
    assert granted(account, outputs["ScheduleRole"]) == wanted | {queue}
    (statement,) = trust(account, outputs["ScheduleRole"])["Statement"]
    assert statement["Principal"] == {"Service": "scheduler.amazonaws.com"}
    group = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/{outputs['ScheduleGroup']}"
    assert statement["Condition"]["StringEquals"]["aws:SourceArn"] == group


def test_an_environment_without_a_schedule_grants_nothing_for_one(
    outputs: dict[str, str],
) -> None:
    """The assessment's environment asks for no permission that it does not use."""
    target = target_of(outputs, Wishes(name="staging"))
    bare = replace(
        target.environment, schedule="", schedule_group="", schedule_role="", schedule_queue=""
    )
    actions = {
        action for action, *_ in grants([policies(replace(target, environment=bare))["caller"]])
    }
    assert not {action for action in actions if action.startswith("scheduler:")}


def policies_of(**extra: str) -> dict[str, Any]:
    """Return policies that grant exactly what has a reason not to be used, and more."""
    return {
        role: {"Statement": [{"Action": [*reasons, *extra.get(role, "").split()]}]}
        for role, reasons in UNUSED.items()
    }


def call(action: str, caller: str = "user/deployer", *, allowed: bool = True) -> dict[str, Any]:
    """Return a call as a rehearsal records it."""
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
        ("", [call("ecr:PutImage")], "ecr:PutImage has a reason not to be used, but was"),
        ("", [call("iam:CreateRole", "root")], None),
        (
            "ecs:RunTask",
            [call("ecs:RunTask", "assumed-role/micro-etl-x-deploy-role-Role-1/github")],
            None,
        ),
        (
            "",
            [call("ecs:RunTask", "assumed-role/micro-etl-x-compute-TaskRole-1/0123")],
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
