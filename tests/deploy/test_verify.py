"""Looking at the resources: against the emulator, one thing broken at a time."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.stub import Stubber

from deploy.account.checks import Finding, check_subnets, trusts_tasks
from deploy.account.verify import verify
from deploy.aws import Clients
from deploy.target import Target, with_roles
from tests.deploy.conftest import TRUST

Breakage = Callable[[Target, Clients], Target]


def problems(seen: list[Finding]) -> str:
    """All problems as text."""
    bad = [item for item in seen if not item.good]
    return "\n".join(f"{item.about}: {item.text} → {item.advice}" for item in bad)


def test_a_whole_world_has_no_problem(world: Target, clients: Clients) -> None:
    """With the policies that the tool prints itself, everything is good and nothing is unseen."""
    seen, unseen = verify([world], clients)

    assert (problems(seen), unseen) == ("", [])
    assert [item.about for item in seen] == [
        "cluster",
        "repository",
        "bucket",
        "log group",
        "way out",
        "security",
        "execution role",
        "task role",
    ]


def with_names(**names: Any) -> Breakage:
    """Refer to other resources."""
    return lambda world, _: replace(world, environment=replace(world.environment, **names))


def without_cluster(world: Target, clients: Clients) -> Target:
    """Delete the cluster."""
    clients.ecs.delete_cluster(cluster=world.environment.cluster)
    return world


def without_repository(world: Target, clients: Clients) -> Target:
    """Delete the repository."""
    clients.ecr.delete_repository(repositoryName=world.environment.repository)
    return world


def without_bucket(world: Target, clients: Clients) -> Target:
    """Delete the bucket."""
    clients.s3.delete_bucket(Bucket=world.environment.bucket)
    return world


def without_log_group(world: Target, clients: Clients) -> Target:
    """Delete the log group; one whose name begins with its name stays."""
    clients.logs.create_log_group(logGroupName=world.environment.log_group + "-old")
    clients.logs.delete_log_group(logGroupName=world.environment.log_group)
    return world


def without_way_out(world: Target, clients: Clients) -> Target:
    """Take the default route away."""
    subnet = world.environment.subnets[0]
    tables = clients.ec2.describe_route_tables(
        Filters=[{"Name": "association.subnet-id", "Values": [subnet]}]
    )["RouteTables"]
    clients.ec2.delete_route(
        RouteTableId=tables[0]["RouteTableId"], DestinationCidrBlock="0.0.0.0/0"
    )
    return world


def with_closed_group(world: Target, clients: Clients) -> Target:
    """Take the outbound rules away."""
    group = world.environment.security_groups[0]
    rules = clients.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
    clients.ec2.revoke_security_group_egress(
        GroupId=group,
        IpPermissions=rules["IpPermissionsEgress"],
    )
    return world


def with_foreign_trust(world: Target, clients: Clients) -> Target:
    """Let another service assume the task role."""
    clients.iam.update_assume_role_policy(
        RoleName="task",
        PolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "lambda.amazonaws.com"},
                        "Action": "sts:AssumeRole",
                    }
                ],
            }
        ),
    )
    return world


def without_roles(world: Target, _: Clients) -> Target:
    """Name no role."""
    return with_roles(replace(world, execution_role="", task_role=""), None)


def with_path_of_its_own(world: Target, clients: Clients) -> Target:
    """Give the task role a path, which the environment does not name."""
    clients.iam.delete_role_policy(RoleName="task", PolicyName="own")
    clients.iam.delete_role(RoleName="task")
    clients.iam.create_role(
        RoleName="task", Path="/teams/", AssumeRolePolicyDocument=json.dumps(TRUST)
    )
    return world


@pytest.mark.parametrize(
    ("breakage", "words"),
    [
        (
            without_cluster,
            ("cluster: trial-cluster does not exist in eu-", "check the region"),
        ),
        (
            without_repository,
            ("repository: trial-repo does not exist", "create-repository"),
        ),
        (without_bucket, ("bucket: trial-bucket does not exist",)),
        (
            without_log_group,
            ("log group: /ecs/trial does not exist", "aws logs create-log-group"),
        ),
        (with_names(subnets=("subnet-0",)), ("subnet: subnet-0 does not exist in eu-west-1",)),
        (without_way_out, ("has no way out", "assign_public_ip = true")),
        (with_names(assign_public_ip=False), ("no public IP", "set assign_public_ip = true")),
        (with_names(security_groups=("sg-0",)), ("security: sg-0 does not exist in eu-west-1",)),
        (with_closed_group, ("does not let port 443 out", "TCP, port 443, to 0.0.0.0/0")),
        (with_foreign_trust, ("task does not trust ecs-tasks.amazonaws.com", "--policy")),
        (with_names(stop_timeout=121), ("stop_timeout: 121 s", "120 or less")),
        (
            with_names(family="f" * 65, schedule="rate(1 day)"),
            ("longer than a schedule's name", "64 characters at most"),
        ),
        (without_roles, ("execution_role and task_role: not set", "DEPLOY_TASK_ROLE")),
        (with_path_of_its_own, ("role/task does not exist", "role/teams/task")),
    ],
)
def test_what_would_fail_later_is_told_beforehand(
    breakage: Breakage, words: tuple[str, ...], world: Target, clients: Clients
) -> None:
    """Each broken thing is one problem, with what to do; the rest is still looked at."""
    seen, _ = verify([breakage(world, clients)], clients)

    assert [word for word in words if word not in problems(seen)] == [], problems(seen)
    assert len([item for item in seen if not item.good]) == 1
    assert len(seen) >= 6


def test_a_role_that_is_not_there_is_told(world: Target, clients: Clients) -> None:
    """By its ARN."""
    clients.iam.delete_role_policy(RoleName="task", PolicyName="own")
    clients.iam.delete_role(RoleName="task")

    found, _ = verify([world], clients)

    assert "task role: arn:aws:iam::123456789012:role/task does not exist" in problems(found)


def test_a_bucket_in_another_region_is_told(world: Target, clients: Clients) -> None:
    """Its region and the task's are both named: the SDK follows S3's redirect there."""
    with Stubber(clients.s3) as stub:
        stub.add_response("head_bucket", {"BucketRegion": "us-east-2"})
        found, _ = verify([world], clients)

    assert "trial-bucket is in us-east-2, but the task runs in eu-west-1" in problems(found)


def test_a_denied_look_is_said_once_and_fails_nothing(world: Target, clients: Clients) -> None:
    """Whoever has few permissions learns what could not be looked at, and goes on."""
    with (
        Stubber(clients.ecs) as ecs,
        Stubber(clients.ecr) as ecr,
        Stubber(clients.s3) as s3,
        Stubber(clients.logs) as logs,
        Stubber(clients.ec2) as ec2,
        Stubber(clients.iam) as iam,
    ):
        ecs.add_client_error("describe_clusters", "AccessDeniedException")
        ecr.add_client_error("describe_repositories", "AccessDeniedException")
        s3.add_client_error("head_bucket", "403", http_status_code=403)
        logs.add_client_error("describe_log_groups", "AccessDeniedException")
        ec2.add_client_error("describe_subnets", "UnauthorizedOperation")
        ec2.add_client_error("describe_security_groups", "UnauthorizedOperation")
        iam.add_client_error("get_role", "AccessDenied")
        seen, unseen = verify([world], clients)

    assert seen == []
    assert unseen == [
        "ecs:DescribeClusters",
        "ecr:DescribeRepositories",
        "s3:ListBucket",
        "logs:DescribeLogGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeSecurityGroups",
        "iam:GetRole",
    ]


@pytest.mark.parametrize("code", ["InvalidSubnetID.NotFound", "InvalidSubnetID.Malformed"])
def test_a_subnet_that_can_be_none_is_told(code: str, world: Target, clients: Clients) -> None:
    """A malformed id is no better than one that is not there."""
    with Stubber(clients.ec2) as ec2:
        ec2.add_client_error("describe_subnets", code)
        found = list(check_subnets(world, clients))

    assert [(item.about, item.good) for item in found] == [("subnet", False)]


@pytest.mark.parametrize(
    ("statement", "trusted"),
    [
        ({"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}}, True),
        ({"Effect": "Allow", "Principal": {"Service": ["a", "ecs-tasks.amazonaws.com"]}}, True),
        ({"Effect": "Deny", "Principal": {"Service": "ecs-tasks.amazonaws.com"}}, False),
        ({"Effect": "Allow", "Principal": {"Service": "ecs.amazonaws.com"}}, False),
        ({"Effect": "Allow", "Principal": "*"}, False),
    ],
)
def test_trust_is_read_from_any_form_of_policy(statement: dict[str, Any], trusted: bool) -> None:
    """One service or several, one statement or a list."""
    assert trusts_tasks({"Statement": [statement]}) is trusted
    assert trusts_tasks({"Statement": statement}) is trusted
