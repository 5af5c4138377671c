"""The schedule, as users meet it: what moves it, what leaves it, and what the commands say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from deploy.account.policies import statements
from deploy.account.schedule import ENABLED, request
from deploy.environment import Environment, parse
from deploy.outcome import Exit, Refused
from deploy.target import Target
from tests.deploy.conftest import ACCOUNT, REGION
from tests.deploy.test_cli import Cloud, cloud

GROUP = "trial"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/schedule"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:lost-runs"
KEYS = {
    "schedule": "rate(1 day)",
    "schedule_group": GROUP,
    "schedule_role": ROLE,
    "schedule_queue": QUEUE,
}

__all__ = ["cloud"]


@pytest.fixture
def timed(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """An account whose environment has a place for a schedule."""
    for key, value in KEYS.items():
        monkeypatch.setenv(f"DEPLOY_{key.upper()}", value)
    cloud.clients.scheduler.create_schedule_group(Name=GROUP)
    return cloud


def schedule_of(cloud: Cloud) -> Mapping[str, Any]:
    """The schedule as AWS has it."""
    return cloud.clients.scheduler.get_schedule(Name="trial-task", GroupName=GROUP)


def revision_of(cloud: Cloud) -> str:
    """The number of the revision that the schedule runs."""
    arn = schedule_of(cloud)["Target"]["EcsParameters"]["TaskDefinitionArn"]
    return str(arn).rsplit(":", 1)[-1]


def test_what_aws_is_asked_for(target: Target) -> None:
    """One task on Fargate in the environment's network, with retries and a place for lost runs."""
    wanted = request(
        replace(target, environment=environment_of(target, **KEYS)),
        revision="arn:the-revision",
        state=ENABLED,
    )
    assert wanted["ScheduleExpression"] == "rate(1 day)"
    assert wanted["Target"]["Arn"] == f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/trial-cluster"
    assert wanted["Target"]["RoleArn"] == ROLE
    assert wanted["Target"]["DeadLetterConfig"] == {"Arn": QUEUE}
    assert wanted["Target"]["RetryPolicy"]["MaximumRetryAttempts"] > 0
    parameters = wanted["Target"]["EcsParameters"]
    assert parameters["TaskDefinitionArn"] == "arn:the-revision"
    assert (parameters["LaunchType"], parameters["TaskCount"]) == ("FARGATE", 1)
    network = parameters["NetworkConfiguration"]["awsvpcConfiguration"]
    assert network == {
        "Subnets": ["subnet-1"],
        "SecurityGroups": ["sg-1"],
        "AssignPublicIp": "ENABLED",
    }


def test_a_deploy_that_passes_makes_the_schedule_and_then_leaves_it(timed: Cloud) -> None:
    """It runs what has passed; a second deploy without a change says so."""
    ended = timed.deploy("--json")
    assert ended.verdict["schedule"]["done"] == "made"
    assert schedule_of(timed)["ScheduleExpression"] == "rate(1 day)"
    assert revision_of(timed) == "1"
    assert timed.deploy("--json").verdict["schedule"]["done"] == "unchanged"
    shown = timed.deploy("status", "--json").verdict["schedule"]
    assert shown == {"revision": "trial-task:1", "expression": "rate(1 day)", "paused": False}
    assert "schedule   not needed: rate(1 day), trial-task:1" in timed.deploy("plan").out


@pytest.mark.parametrize("code", [65, 137])
def test_a_deploy_that_fails_leaves_the_schedule(
    timed: Cloud, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Whatever goes wrong, what runs next is what has passed."""
    timed.deploy()
    monkeypatch.setenv("DEPLOY_MEMORY", "1024")
    timed.ending = {"container": {"exitCode": code}}
    assert timed.deploy().code == code
    assert revision_of(timed) == "1"


def test_a_deploy_that_passes_moves_it_and_a_rollback_moves_it_back(
    timed: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a schedule that was paused stays so."""
    timed.deploy()
    assert timed.deploy("schedule", "pause").code == Exit.OK
    monkeypatch.setenv("DEPLOY_MEMORY", "1024")
    assert timed.deploy("--json").verdict["schedule"]["done"] == "moved"
    assert (revision_of(timed), schedule_of(timed)["State"]) == ("2", "DISABLED")
    assert timed.deploy("rollback").code == Exit.OK
    assert (revision_of(timed), schedule_of(timed)["State"]) == ("1", "DISABLED")
    assert timed.deploy("schedule", "resume").code == Exit.OK
    assert schedule_of(timed)["State"] == "ENABLED"


def test_a_deploy_may_go_back_by_itself(timed: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --rollback the good revision runs again, and the failure stays the command's end."""
    timed.deploy()
    monkeypatch.setenv("DEPLOY_MEMORY", "1024")
    runs = iter([{"container": {"exitCode": 65}}, {}])
    timed.recorded.answers["DescribeTasks"] = [
        lambda _: {"tasks": [timed.make_task(**timed.task_changes())], "failures": []}
    ]
    start = timed.run

    def run(body: dict[str, Any]) -> dict[str, Any]:
        timed.ending = next(runs)
        return start(body)

    timed.recorded.answers["RunTask"] = [run]
    ended = timed.deploy("--rollback")
    assert ended.code == 65
    assert "rollback   from trial-task:2 to trial-task:1" in ended.out
    assert revision_of(timed) == "1"
    assert timed.deploy("status", "--json").verdict["deployed"] == "trial-task:1"


def test_a_revision_that_has_passed_before_is_not_rolled_back(timed: Cloud) -> None:
    """A source that is down is no reason to go back to an older version."""
    timed.deploy()
    timed.ending = {"container": {"exitCode": 69}}
    ended = timed.deploy("--rollback")
    assert ended.code == 69
    assert "rollback" not in ended.out


def test_a_schedule_that_can_not_be_moved_is_an_error_of_its_own(
    timed: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was published is proven, but what runs next is not it: 14, and what to do."""
    monkeypatch.setenv("DEPLOY_SCHEDULE_GROUP", "no-such-group")
    ended = timed.deploy()
    assert ended.code == Exit.NOT_MOVED
    assert "schedule set" in ended.err


def test_set_makes_it_what_the_environment_says(
    timed: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another time in the environment is applied without a deploy, and says which it was."""
    assert timed.deploy("schedule", "set").code == Exit.REFUSED
    timed.deploy()
    monkeypatch.setenv("DEPLOY_SCHEDULE", "rate(2 hours)")
    assert timed.deploy("schedule", "set").code == Exit.OK
    assert schedule_of(timed)["ScheduleExpression"] == "rate(2 hours)"
    assert "rate(2 hours): runs trial-task:1" in timed.deploy("schedule").out


def test_pausing_leaves_what_somebody_else_has_set(timed: Cloud) -> None:
    """An update overwrites all of a schedule; its time zone, for one, stays as it was."""
    timed.deploy()
    scheduler = timed.clients.scheduler
    made = {key: schedule_of(timed)[key] for key in ("Name", "GroupName", "Target")}
    scheduler.update_schedule(
        **made,
        ScheduleExpression="cron(0 6 * * ? *)",
        ScheduleExpressionTimezone="Europe/Berlin",
        FlexibleTimeWindow={"Mode": "OFF"},
    )
    assert timed.deploy("schedule", "pause").code == Exit.OK
    assert schedule_of(timed)["ScheduleExpressionTimezone"] == "Europe/Berlin"
    assert schedule_of(timed)["State"] == "DISABLED"


def test_there_is_none_to_show_or_pause_before_the_first_deploy(timed: Cloud) -> None:
    """With what makes it."""
    for action in ("show", "pause"):
        ended = timed.deploy("schedule", action)
        assert ended.code == Exit.REFUSED
        assert "schedule set" in ended.err


def test_an_environment_without_a_schedule_has_none(cloud: Cloud) -> None:
    """The assessment's needs none: a deploy says nothing of it, the command says why."""
    assert "schedule" not in cloud.deploy("--json").verdict
    ended = cloud.deploy("schedule")
    assert ended.code == Exit.REFUSED
    assert "bootstrap" in ended.err


@pytest.mark.parametrize("key", list(KEYS)[1:])
def test_a_schedule_needs_all_of_its_keys(target: Target, key: str) -> None:
    """One that is missing is named before anything is asked of AWS."""
    keys = {name: value for name, value in KEYS.items() if name != key}
    with pytest.raises(Refused, match=f"{key} is missing"):
        environment_of(target, **keys)


def test_an_environment_that_promotes_may_not_push(target: Target) -> None:
    """Its policy has no permission that only building needs."""
    promoting = replace(target, environment=environment_of(target, builds=False))
    allowed = statements(promoting)["caller"]
    actions = {action for statement in allowed for action in statement["Action"]}
    assert "ecr:DescribeImages" in actions
    assert not actions & {"ecr:PutImage", "ecr:BatchDeleteImage", "ecr:GetAuthorizationToken"}


def test_a_commit_without_an_image_is_not_built_where_images_are_promoted(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says where the image has to come from."""
    monkeypatch.setenv("DEPLOY_BUILDS", "false")
    (cloud.root / "new.txt").write_text("x")
    ended = cloud.deploy()
    assert ended.code == Exit.REFUSED
    assert "builds no images" in ended.err


def test_only_the_digest_that_was_tested_is_deployed(cloud: Cloud) -> None:
    """Another one is refused before anything runs; `ship` tells which it is."""
    image = cloud.deploy("ship", "--json").verdict["image"]
    assert image["digest"] == cloud.digest
    assert image["address"].endswith("/trial-repo")
    assert not cloud.recorded.calls("RunTask")
    ended = cloud.deploy("--digest", "sha256:" + "0" * 64)
    assert (ended.code, cloud.recorded.calls("RunTask")) == (Exit.REFUSED, [])
    assert cloud.deploy("--digest", cloud.digest).code == Exit.OK


def environment_of(target: Target, **keys: Any) -> Environment:
    """A target's environment with more keys, as if they were in its file."""
    environment = target.environment
    content = {
        "cluster": environment.cluster,
        "repository": environment.repository,
        "bucket": environment.bucket,
        "key": environment.key,
        "log_group": environment.log_group,
        "subnets": list(environment.subnets),
        "security_groups": list(environment.security_groups),
        "family": environment.family,
    }
    return parse(content | keys, name="trial", source="a test", environ={})


def test_a_scheduled_run_gets_what_the_tested_one_got(target: Target) -> None:
    """Its run variables, as the overrides of the task; the service makes the run's id."""
    environment = environment_of(target, **KEYS, run_variables={"SOURCE_MAX_PAGES": "5"})

    wanted = request(replace(target, environment=environment), revision="arn:r", state=ENABLED)

    assert json.loads(wanted["Target"]["Input"]) == {
        "containerOverrides": [
            {
                "name": "micro-etl",
                "environment": [{"name": "SOURCE_MAX_PAGES", "value": "5"}],
            }
        ]
    }
