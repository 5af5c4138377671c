"""What a pipeline promises: environments made from the templates, promotion, and the schedule.

Played after the scenarios of `deploy.sh` itself, in the same emulator, with the commands that the
workflows hold, and as GitHub's runner would: with a token that gets the role of one environment.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

from dev.rehearsal import emulator
from dev.rehearsal.roles import compare
from dev.rehearsal.scenarios import OK, REFUSED, TEST_FAILED, Scenario
from dev.rehearsal.stage import Stage, expect, git
from dev.rehearsal.workflows import ON_GITHUB_ALONE, command, run_steps

GITHUB = "octo@1001/micro-etl@2002"
"""A repository as the subject of its tokens names it: by names that can change, and ids."""
ISSUER = "https://token.actions.githubusercontent.com"
STAGING, PRODUCTION = "staging", "production"
CI_IMAGE = "micro-etl:ci"
"""What `make image` calls the image that it builds."""
COMMAND_SECONDS = 600


def bootstrapped(stage: Stage) -> str:
    """Bootstrap makes two environments from the templates, and changes nothing a second time."""
    owner = as_owner(stage)
    begin_anew(stage)
    github = ("--yes", "--github", GITHUB)
    owner.deploy("bootstrap", STAGING).expect_exit(REFUSED, "AWS::ECR::Repository", "--yes")
    owner.deploy("bootstrap", STAGING, *github).expect_exit(OK, "AWS::S3::Bucket", "AWS_ROLE_ARN")
    owner.deploy("bootstrap", PRODUCTION, *github, "--promotes").expect_exit(OK, "no change")
    again = owner.deploy("bootstrap", STAGING).expect_exit(OK)
    stacks = len(own_stacks(stage, STAGING)) + 1
    expect(again.said.count("no change") == stacks, "a second bootstrap found changes")
    stage.commit("The environments")
    return f"{len(own_stacks(stage))} stacks"


def promoted(stage: Stage) -> str:
    """The commands of deploy.yml build once; staging and production run and test that digest."""
    digest = ship(stage)
    for name in (STAGING, PRODUCTION):
        with as_github(stage, name) as runner:
            run(runner, command("deploy.yml", name), DIGEST=digest)
        task = newest_task(stage, name)
        ran = task["containers"][0]["imageDigest"]
        expect(ran == digest, f"{name} ran {ran}, not {digest}")
        expect(
            scheduled(stage, name) == task["taskDefinitionArn"],
            f"the schedule of {name} runs {scheduled(stage, name)}",
        )
        expect(rows(stage, name) == len(stage.source.records), f"{name} has published other rows")
    return f"{digest[:19]} in both"


def kept_apart(stage: Stage) -> str:
    """A token for staging, or of another repository, does not get the role of production."""
    sts = stage.emulator.client("sts")
    role = role_of(stage, PRODUCTION)
    for repository, environment in (
        (GITHUB, STAGING),
        ("octo@1001/another@2003", PRODUCTION),
        ("octo@1009/micro-etl@2009", PRODUCTION),  # the same names, taken by another owner
    ):
        try:
            sts.assume_role_with_web_identity(
                RoleArn=role,
                RoleSessionName="github",
                WebIdentityToken=token(repository, environment),
            )
        except ClientError as error:
            expect(error.response["Error"]["Code"] == "AccessDenied", str(error))
        else:
            expect(False, f"a token of {repository} for {environment} got {role}")
    return "denied"


def schedule_stays(stage: Stage) -> str:
    """A deploy that fails its test leaves the schedule where it was, and goes back by itself."""
    before = scheduled(stage, STAGING)
    dataset = stage.checkout / "src/micro_etl/datasets/launches.toml"
    right = dataset.read_text()
    dataset.write_text(right.replace('from = "success"', 'from = "upcoming"'))
    stage.commit("A release that takes the wrong field")
    digest = ship(stage)
    with as_github(stage, STAGING) as runner:
        failed = run(runner, command("deploy.yml", STAGING), expected=TEST_FAILED, DIGEST=digest)
    expect("the integration test failed" in failed, "it did not say that the test failed")
    expect(scheduled(stage, STAGING) == before, f"the schedule runs {scheduled(stage, STAGING)}")
    task = newest_task(stage, STAGING)
    expect(task["taskDefinitionArn"] == before, f"it went back to {task['taskDefinitionArn']}")
    expect(task["containers"][0]["exitCode"] == 0, "the task that it went back to has failed")
    dataset.write_text(right)
    stage.commit("A release that takes the right field")
    return f"still {label(before)}"


def schedule_follows(stage: Stage) -> str:
    """A deploy that passes moves the schedule, a rollback moves it back; paused stays paused."""
    first = scheduled(stage, STAGING)
    with (stage.checkout / "src/micro_etl/__init__.py").open("a") as file:
        file.write("\n# A change that passes.\n")
    stage.commit("A release that passes")
    digest = ship(stage)
    with as_github(stage, STAGING) as runner:
        runner.deploy("schedule", "pause").expect_exit(OK, "paused")
        run(runner, command("deploy.yml", STAGING), DIGEST=digest)
        second = scheduled(stage, STAGING)
        expect(second != first, "the schedule did not move")
        expect(state(stage, STAGING) == "DISABLED", "a deploy has resumed a paused schedule")
        runner.deploy("rollback").expect_exit(OK, label(first))
        expect(scheduled(stage, STAGING) == first, f"it runs {scheduled(stage, STAGING)}")
        number = second.rsplit(":", 1)[-1]
        runner.deploy("rollback", "--to", number).expect_exit(OK)
        expect(scheduled(stage, STAGING) == second, f"it runs {scheduled(stage, STAGING)}")
        runner.deploy("schedule", "resume").expect_exit(OK)
        runner.deploy("schedule", "set").expect_exit(OK, "unchanged")
        shown = runner.deploy("schedule").expect_exit(OK).verdict["schedule"]
        runner.deploy("status").expect_exit(OK)
    expect(shown["revision"] == label(second) and not shown["paused"], f"it shows {shown}")
    return f"{label(first)}, {label(second)}, {label(first)}, {label(second)}"


def never_built_twice(stage: Stage) -> str:
    """Production refuses a commit that staging has not built, and a digest that is not its."""
    stage.commit_nothing("A commit without an image")
    with as_github(stage, PRODUCTION) as runner:
        runner.deploy().expect_exit(REFUSED, "builds no images")
        runner.deploy("--digest", "sha256:" + "0" * 64).expect_exit(REFUSED, "not sha256:0000")
    return "refused"


def image_builds(stage: Stage) -> str:
    """The command of ci.yml builds the image and runs it locked down."""
    base = stage.variables["DEPLOY_BASE_IMAGE"]
    said = run(stage, command("ci.yml", "image"), BASE_IMAGE=base)
    stage.engine.run("image", "rm", CI_IMAGE)
    expect("launches" in said, "the image did not list its datasets")
    return "built and run"


def least_privilege(stage: Stage) -> str:
    """Each permission that a role has was used in this rehearsal, or its reason is written down."""
    with as_github(stage, STAGING) as runner:
        policies = runner.deploy("verify", "--policy").expect_exit(OK).verdict["policies"]
    calls = [json.loads(line) for line in stage.emulator.calls.read_text("utf-8").splitlines()]
    found = compare(policies, calls)
    expect(not found.differences, "\n".join(found.differences))
    return f"{found.used} of {found.granted} used, the others with a reason"


def destroyed(stage: Stage) -> str:
    """Destroy keeps the data; told to remove them as well, it leaves nothing."""
    owner = as_owner(stage)
    bucket = settings(stage, STAGING)["bucket"]
    owner.deploy("destroy", STAGING).expect_exit(REFUSED, "--yes")
    owner.deploy("destroy", STAGING, "--yes").expect_exit(OK, "--data removes it")
    s3 = stage.emulator.client("s3")
    s3.head_object(Bucket=bucket, Key=emulator.KEY)
    owner.deploy("destroy", PRODUCTION, "--yes", "--data").expect_exit(OK)
    owner.deploy("destroy", STAGING, "--yes", "--data").expect_exit(OK)
    expect(not own_stacks(stage), f"stacks are left: {own_stacks(stage)}")
    buckets = [item["Name"] for item in s3.list_buckets()["Buckets"]]
    expect(buckets == [emulator.BUCKET], f"buckets are left: {buckets}")
    schedules = stage.emulator.client("scheduler").list_schedules()["Schedules"]
    expect(not schedules, f"schedules are left: {schedules}")
    clusters = stage.emulator.client("ecs").list_clusters()["clusterArns"]
    left = [arn for arn in clusters if "micro-etl" in arn]
    expect(not left, f"clusters are left: {left}")
    return "nothing is left"


SCENARIOS: tuple[Scenario, ...] = (
    bootstrapped,
    promoted,
    kept_apart,
    schedule_stays,
    schedule_follows,
    never_built_twice,
    image_builds,
    least_privilege,
    destroyed,
)


def as_owner(stage: Stage) -> Stage:
    """The stage for the owner of the account, who alone may bootstrap."""
    return replace(stage, variables={**of_own(stage), **emulator.OWNER})


@contextmanager
def as_github(stage: Stage, name: str) -> Iterator[Stage]:
    """Give a stage as GitHub's runner has it in a job of an environment, with its token."""
    file = stage.checkout.parent / f"token-{name}"
    file.write_text(token(GITHUB, name))
    yield replace(
        stage,
        variables={
            **of_own(stage),
            "AWS_ROLE_ARN": role_of(stage, name),
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(file),
            "DEPLOY_ENV": name,
        },
    )


def of_own(stage: Stage) -> dict[str, str]:
    """The variables of a stage without those that are about the assessment's resources."""
    foreign = ("AWS_ACCESS", "AWS_SECRET", "DEPLOY_EXECUTION_ROLE", "DEPLOY_TASK_ROLE")
    return {key: value for key, value in stage.variables.items() if not key.startswith(foreign)}


def token(repository: str, environment: str) -> str:
    """A token as GitHub gives it to a job. The emulator reads it without its signature."""
    claims = {
        "iss": ISSUER,
        "aud": "sts.amazonaws.com",
        "sub": f"repo:{repository}:environment:{environment}",
    }
    parts = [json.dumps(part).encode() for part in ({"alg": "none"}, claims)]
    encoded = [base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, ""])


def begin_anew(stage: Stage) -> None:
    """Bring the copy back to its first commit: what scenarios before this one broke is whole."""
    first = git(stage.checkout, "rev-list", "--max-parents=0", "HEAD").strip()
    git(stage.checkout, "checkout", first, "--", ".")
    stage.commit_nothing("The tree as it was")


def run(stage: Stage, command_line: str, *, expected: int = OK, **variables: str) -> str:
    """Run a command as GitHub does, show it, and return what it said.

    Raises:
        Unexpected: it ended otherwise.
    """
    stage.show(f"$ {command_line}")
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command_line],  # noqa: S607
        cwd=stage.checkout,
        env={**os.environ, **stage.variables, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=COMMAND_SECONDS,
    )
    for line in done.stdout.splitlines():
        stage.show(line)
    expect(done.returncode == expected, f"{command_line} ended with {done.returncode}")
    return done.stdout


def ship(stage: Stage) -> str:
    """Run what the build job of deploy.yml runs, and return the digest that it gives to others."""
    outputs = stage.checkout.parent / "outputs"
    outputs.unlink(missing_ok=True)
    with as_github(stage, STAGING) as runner:
        run(runner, command("deploy.yml", "build"), GITHUB_OUTPUT=str(outputs))
    given = dict(line.split("=", 1) for line in outputs.read_text().splitlines())
    expect(given.keys() == {"name", "digest", "pushed"}, f"the build gives {given}")
    return given["digest"]


def settings(stage: Stage, name: str) -> Mapping[str, Any]:
    """The environment file that bootstrap wrote."""
    file = stage.checkout / "deploy" / "environments" / f"{name}.toml"
    return tomllib.loads(file.read_text("utf-8"))


def role_of(stage: Stage, name: str) -> str:
    """The ARN of the role that deploys an environment."""
    stacks = stage.emulator.client("cloudformation").describe_stacks(
        StackName=f"micro-etl-{name}-environment"
    )
    outputs = stacks["Stacks"][0]["Outputs"]
    return next(str(item["OutputValue"]) for item in outputs if item["OutputKey"] == "GithubRole")


def own_stacks(stage: Stage, name: str = "") -> list[str]:
    """The names of the stacks that are there: an environment's, or all."""
    stacks = stage.emulator.client("cloudformation").describe_stacks()["Stacks"]
    return [
        item["StackName"]
        for item in stacks
        if item["StackName"].startswith(f"micro-etl-{name}")
        and item["StackStatus"] != "DELETE_COMPLETE"
    ]


def scheduled(stage: Stage, name: str) -> str:
    """The ARN of the revision that an environment's schedule runs."""
    target = schedule_of(stage, name)["Target"]
    return str(target["EcsParameters"]["TaskDefinitionArn"])


def state(stage: Stage, name: str) -> str:
    """Whether an environment's schedule is enabled."""
    return str(schedule_of(stage, name)["State"])


def schedule_of(stage: Stage, name: str, dataset: str = "") -> Mapping[str, Any]:
    """The schedule of an environment, or of `-DATASET` in it, as AWS has it."""
    found: Mapping[str, Any] = stage.emulator.client("scheduler").get_schedule(
        Name=f"micro-etl-{name}{dataset}", GroupName=f"micro-etl-{name}"
    )
    return found


def newest_task(stage: Stage, name: str) -> Mapping[str, Any]:
    """The task that was started last in an environment."""
    ecs, cluster = stage.emulator.client("ecs"), settings(stage, name)["cluster"]
    arns = ecs.list_tasks(cluster=cluster, desiredStatus="STOPPED")["taskArns"]
    expect(arns, f"no task has run in {cluster}")
    tasks = ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"]
    newest: Mapping[str, Any] = max(tasks, key=lambda task: task["createdAt"])
    return newest


def rows(stage: Stage, name: str) -> int:
    """How many rows an environment has published."""
    head = stage.emulator.client("s3").head_object(
        Bucket=settings(stage, name)["bucket"], Key=settings(stage, name)["key"]
    )
    return int(head["Metadata"]["rows"])


def label(arn: str) -> str:
    """What people call a revision."""
    return arn.rsplit("/", 1)[-1]


PLAYED = {
    command("ci.yml", "image"),
    *(step.command for step in run_steps() if step.workflow == "deploy.yml"),
} - ON_GITHUB_ALONE.keys()
"""The commands of the workflows that are played here; a test sees that none is forgotten."""
