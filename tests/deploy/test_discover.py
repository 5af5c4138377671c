"""Finding the region, the account, the roles and the registry."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import SSOTokenLoadError
from botocore.stub import Stubber

from deploy.aws import Clients, advice_of, is_of_aws
from deploy.environment import Environment
from deploy.outcome import Refused
from deploy.target import (
    Target,
    discover,
    find_region,
    find_roles,
    registry_of,
    require_roles,
    with_roles,
)
from deploy.task.revisions import describe

if TYPE_CHECKING:
    from tests.deploy.conftest import Emulator, Recorded

URI = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/trial-repo"


def test_the_environment_decides_on_the_region_first(environment: Environment) -> None:
    """Then AWS_REGION, which every SDK but Python's reads, then the SDK's own configuration."""
    session = boto3.Session(region_name="us-west-2")
    here = replace(environment, region="eu-north-1")

    def region(chosen: Environment, environ: dict[str, str]) -> str:
        return find_region(chosen, session=session, environ=environ)

    assert region(here, {"AWS_REGION": "us-east-1"}) == "eu-north-1"
    assert region(environment, {"AWS_REGION": "us-east-1"}) == "us-east-1"
    assert region(environment, {}) == "us-west-2"


def test_a_profile_names_the_region(
    environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK's configuration file counts."""
    (tmp_path / "config").write_text("[profile mine]\nregion = ap-south-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "mine")

    assert find_region(environment, session=boto3.Session(), environ={}) == "ap-south-1"


def test_without_a_region_the_user_is_asked_in_one_line(
    environment: Environment, clients: Clients
) -> None:
    """And told where the bucket is, which is likely to be it."""
    clients.s3.create_bucket(
        Bucket=environment.bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )

    with pytest.raises(Refused) as caught:
        find_region(environment, session=boto3.Session(), environ={})

    assert str(caught.value) == "region: not set (the bucket is in eu-west-1)"
    assert "export AWS_REGION=eu-west-1" in caught.value.advice


def test_the_account_is_the_one_of_the_credentials(
    environment: Environment, emulator: Emulator
) -> None:
    """Asked from AWS, together with who is calling."""
    assert emulator

    target, _ = discover(replace(environment, region="eu-west-1"))

    assert (target.account, target.partition, target.region) == ("123456789012", "aws", "eu-west-1")


def test_credentials_of_another_account_are_refused(
    environment: Environment, emulator: Emulator
) -> None:
    """An environment that names its account is safe from the wrong profile."""
    assert emulator
    elsewhere = replace(environment, region="eu-west-1", account="999999999999")

    with pytest.raises(Refused, match=r"belong to 123456789012 .* is in 999999999999"):
        discover(elsewhere)


def test_without_credentials_the_user_is_told(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line, with what to do."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    with pytest.raises(Refused, match="no AWS credentials"):
        discover(replace(environment, region="eu-west-1"))


def test_where_nothing_answers_the_user_is_told(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is the network's or the region's fault, and no question of permissions."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("deploy.aws.CONFIG", Config(retries={"total_max_attempts": 1}))

    with pytest.raises(Refused, match="Could not connect") as caught:
        discover(replace(environment, region="eu-west-1"))

    assert "check the region, the network" in caught.value.advice


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"])
def test_an_endpoint_that_is_no_url_is_told(
    variable: str, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what it should be."""
    monkeypatch.setenv(variable, "localhost:4566")

    with pytest.raises(Refused, match="sts: Invalid endpoint: localhost:4566") as caught:
        discover(replace(environment, region="eu-west-1"))

    assert "https://HOST" in caught.value.advice


def test_a_login_that_has_expired_is_told_as_one() -> None:
    """With the command that renews it."""
    assert "aws sso login" in advice_of(SSOTokenLoadError(error_msg="expired"))


def test_an_unknown_profile_is_told(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its name."""
    monkeypatch.setenv("AWS_PROFILE", "typo")

    with pytest.raises(Refused, match="typo"):
        discover(environment)


LAST: dict[str, Any] = {
    "revision": 4,
    "executionRoleArn": "arn:aws:iam::123456789012:role/old-execution",
    "taskRoleArn": "arn:aws:iam::123456789012:role/old-task",
}


def without_roles(target: Target, **named: str) -> Target:
    """A target whose environment names these roles alone."""
    environment = replace(target.environment, **named)  # type: ignore[arg-type]
    return replace(target, environment=environment, execution_role="", task_role="")


def test_roles_come_from_the_environment_first(target: Target) -> None:
    """By name or by ARN."""
    named = without_roles(
        target, execution_role="mine", task_role="arn:aws:iam::123456789012:role/path/other"
    )

    found = with_roles(named, LAST)

    assert found.execution_role == "arn:aws:iam::123456789012:role/mine"
    assert found.task_role == "arn:aws:iam::123456789012:role/path/other"


def test_roles_come_from_the_last_revision_then(target: Target) -> None:
    """Whoever registered it."""
    found = with_roles(without_roles(target), LAST)

    assert found.execution_role.endswith("role/old-execution")
    assert found.task_role.endswith("role/old-task")


@pytest.mark.parametrize(
    ("last", "words"),
    [
        (
            None,
            "execution_role and task_role: not set, and no revision of trial-task to take it from",
        ),
        (
            {"revision": 4, "executionRoleArn": "arn:x"},
            "task_role: not set, and trial-task:4 has none",
        ),
    ],
)
def test_a_role_that_is_nowhere_is_asked_for(
    target: Target, last: dict[str, Any] | None, words: str
) -> None:
    """In one line, with the ways to give it."""
    with pytest.raises(Refused) as caught:
        require_roles(with_roles(without_roles(target), last))

    assert str(caught.value) == words
    assert "DEPLOY_TASK_ROLE" in caught.value.advice


def test_a_revision_that_may_not_be_looked_at_is_told_so(
    target: Target, recorded: Recorded, recorded_clients: Clients
) -> None:
    """With the action; it is not said that there is none. Named roles need no look."""
    recorded.answers = {"DescribeTaskDefinition": [("AccessDeniedException", "no")]}

    with Stubber(recorded_clients.iam) as iam:
        iam.add_client_error("get_role", "NoSuchEntity")
        found = find_roles(without_roles(target, task_role="mine"), recorded_clients)

    assert found.without == (
        "execution_role: not set, and a revision of trial-task may not be looked at "
        "(ecs:DescribeTaskDefinition)"
    )
    both = without_roles(target, execution_role="a", task_role="b")
    assert find_roles(both, recorded_clients).without == ""


def test_the_last_revision_is_found_whoever_registered_it(clients: Clients) -> None:
    """And none is found in an empty family."""
    assert describe(clients, "trial-task") is None

    clients.ecs.register_task_definition(
        family="trial-task", containerDefinitions=[{"name": "web", "image": "nginx"}]
    )
    found = describe(clients, "trial-task")

    assert found is not None
    assert found.number == 1


@pytest.mark.parametrize(
    ("endpoint", "address"),
    [
        ("https://api.ecr.eu-west-1.amazonaws.com", URI),
        ("https://api.ecr.cn-north-1.amazonaws.com.cn", URI),
        ("https://ecr.eu-west-1.api.aws", URI),
        ("http://localhost:4566", "localhost:4566/trial-repo"),
    ],
)
def test_images_go_where_the_api_is(environment: Environment, endpoint: str, address: str) -> None:
    """An emulator gives AWS's address: nothing meant for it is ever pushed there."""
    assert registry_of(URI, environment=environment, endpoint=endpoint) == address


@pytest.mark.parametrize(
    ("region", "suffix"),
    [
        ("eusc-de-east-1", "amazonaws.eu"),
        ("us-iso-east-1", "c2s.ic.gov"),
        ("us-isob-east-1", "sc2s.sgov.gov"),
        ("cn-north-1", "amazonaws.com.cn"),
        ("us-gov-west-1", "amazonaws.com"),
    ],
)
def test_a_region_of_another_partition_is_no_emulator(
    region: str, suffix: str, target: Target
) -> None:
    """Its endpoints have names of their own, and so has its registry."""
    partition = boto3.Session().get_partition_for_region(region)
    there = replace(target, region=region, partition=partition)

    assert is_of_aws(f"https://api.ecr.{region}.{suffix}")
    assert there.repository_address == f"123456789012.dkr.ecr.{region}.{suffix}/trial-repo"


def test_the_usual_execution_role_is_tried(target: Target, clients: Clients) -> None:
    """Where the account has it; and the advice says that one role may serve as both."""
    bare = without_roles(target)
    assert find_roles(bare, clients).execution_role == ""
    clients.iam.create_role(RoleName="ecsTaskExecutionRole", AssumeRolePolicyDocument="{}")

    found = find_roles(bare, clients)

    assert found.execution_role.endswith(":role/ecsTaskExecutionRole")
    assert found.without.startswith("task_role: not set")
    with pytest.raises(Refused) as caught:
        require_roles(found)
    assert "one role may serve as both" in caught.value.advice


def test_the_usual_execution_role_is_tried_where_it_may_not_be_looked_at(
    target: Target, clients: Clients
) -> None:
    """A user who is scoped to the named resources may not look at roles."""
    with Stubber(clients.iam) as iam:
        iam.add_client_error("get_role", "AccessDenied")
        found = find_roles(without_roles(target, task_role="mine"), clients)

    assert found.execution_role.endswith(":role/ecsTaskExecutionRole")
    assert found.without == ""
