"""The least-privilege policies: what they allow, and on what."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy.account.policies import policies
from deploy.target import Target

CLUSTER = "arn:aws:ecs:eu-west-1:123456789012:cluster/trial-cluster"
REPOSITORY = "arn:aws:ecr:eu-west-1:123456789012:repository/trial-repo"
LOG_GROUP = "arn:aws:logs:eu-west-1:123456789012:log-group:/ecs/trial"

# What no resource can be named for, by AWS's reference of actions.
ANYWHERE = {
    "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ecr:GetAuthorizationToken",
    "ecs:DescribeTaskDefinition",
    "ecs:ListTaskDefinitions",
    "ecs:ListTasks",
    "logs:DescribeLogGroups",
}


def statements(target: Target, of: str) -> dict[str, dict[str, Any]]:
    """A policy's statements by their names."""
    return {part["Sid"]: part for part in policies(target)[of]["Statement"]}


def test_the_task_role_may_write_one_object(target: Target) -> None:
    """And list its bucket: without that, S3 says 403 for an object that is not there yet."""
    found = statements(target, "task_role")

    assert found["Publish"]["Resource"] == "arn:aws:s3:::trial-bucket/launches.parquet"
    assert found["Publish"]["Action"] == ["s3:GetObject", "s3:PutObject"]
    assert found["TellMissingFromDenied"]["Action"] == ["s3:ListBucket"]
    assert found["TellMissingFromDenied"]["Resource"] == "arn:aws:s3:::trial-bucket"
    assert len(found) == 2


def test_the_task_role_may_use_what_else_in_s3_the_environment_names(target: Target) -> None:
    """A source that lies there, and the place for raw answers."""
    environment = replace(
        target.environment,
        source_url="s3://mirror/launches.json",
        variables={"RAW_URL": "s3://archive/raw"},
    )

    found = statements(replace(target, environment=environment), "task_role")

    assert found["ReadSource"]["Action"] == ["s3:GetObject"]
    assert found["ReadSource"]["Resource"] == "arn:aws:s3:::mirror/launches.json"
    assert found["KeepRaw"]["Action"] == ["s3:GetObject", "s3:PutObject"]
    assert found["TellMissingFromDenied"]["Resource"] == [
        "arn:aws:s3:::trial-bucket",
        "arn:aws:s3:::archive",
        "arn:aws:s3:::mirror",
    ]
    assert found["KeepRaw"]["Resource"] == "arn:aws:s3:::archive/raw/*"


@pytest.mark.parametrize(
    ("source", "allowed"),
    [
        ("s3://mirror/2024/", "mirror/2024/*"),
        ("s3://mirror/", "mirror/*"),
        ("s3://mirror/**/*.json", "mirror/**/*.json"),
        ("s3://mirror/[ab]/${DAY}.json", "mirror/*/*.json"),
    ],
)
@pytest.mark.parametrize("of", ["task_role", "caller"])
def test_a_folder_in_s3_can_be_listed_and_read(
    target: Target, of: str, source: str, allowed: str
) -> None:
    """By the task, and by the caller, whose proof reads it."""
    environment = replace(target.environment, source_url=source)

    found = statements(replace(target, environment=environment), of)

    assert found["ReadSource"]["Action"] == ["s3:GetObject"]
    assert found["ReadSource"]["Resource"] == f"arn:aws:s3:::{allowed}"
    listed = found["TellMissingFromDenied" if of == "task_role" else "ReadBucket"]
    assert listed["Resource"] == ["arn:aws:s3:::trial-bucket", "arn:aws:s3:::mirror"]


def test_a_source_that_the_dataset_file_names_can_be_read(target: Target, tmp_path: Path) -> None:
    """Where the environment names none."""
    file = tmp_path / "orders.toml"
    file.write_text('name = "orders"\n[source]\nurl = "s3://lake/orders/"\n')
    environment = replace(target.environment, dataset=str(file))

    found = statements(replace(target, environment=environment), "task_role")

    assert found["ReadSource"]["Resource"] == "arn:aws:s3:::lake/orders/*"


def test_the_caller_registers_one_family_alone(target: Target) -> None:
    """As RunTask does."""
    found = statements(target, "caller")

    assert found["Register"]["Resource"] == found["Run"]["Resource"]
    assert found["Register"]["Resource"].endswith(":task-definition/trial-task:*")


def test_the_execution_role_may_pull_and_log(target: Target) -> None:
    """From the one repository, to the one log group."""
    found = statements(target, "execution_role")

    assert found["Pull"]["Resource"] == REPOSITORY
    assert found["WriteLog"]["Resource"] == f"{LOG_GROUP}:*"
    assert len(found) == 3


def test_nothing_is_allowed_everywhere_that_has_a_resource(target: Target) -> None:
    """A star stands only where AWS knows no resource, and no action has one."""
    for of in ("caller", "execution_role", "task_role"):
        for part in policies(target)[of]["Statement"]:
            assert not any("*" in action for action in part["Action"])
            if part["Resource"] == "*":
                assert set(part["Action"]) <= ANYWHERE


def test_the_caller_may_pass_the_two_roles_to_ecs_alone(target: Target) -> None:
    """The statement that people lack most often."""
    found = statements(target, "caller")["PassRoles"]

    assert found["Resource"] == [
        "arn:aws:iam::123456789012:role/execution",
        "arn:aws:iam::123456789012:role/task",
    ]
    assert found["Condition"] == {
        "StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
    }


def test_the_caller_acts_in_one_cluster(target: Target) -> None:
    """Running, listing and stopping tasks is bound to it."""
    found = statements(target, "caller")

    for sid in ("Run", "ListTasks"):
        assert found[sid]["Condition"] == {"ArnEquals": {"ecs:cluster": CLUSTER}}
    assert found["Follow"]["Resource"].endswith("task/trial-cluster/*")


def test_the_roles_trust_ecs_tasks_of_this_account(target: Target) -> None:
    """Of no other account."""
    trust = policies(target)["trust_of_both_roles"]["Statement"][0]

    assert trust["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}
