"""Each way in which a task can end badly, as AWS tells it, and what the user is told.

The endings come from the API through the real client: a server gives the recorded shapes of the
answers. What a user sees is what the command raises, the text that `./deploy.sh run` prints.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from deploy.aws import Clients
from deploy.outcome import DeployError, Exit, NotLaunched, RunFailed
from deploy.target import Target
from deploy.task.explain import Ending, event_of, explain
from deploy.task.run import run_step
from deploy.work import Work
from micro_etl import errors

if TYPE_CHECKING:
    from tests.deploy.conftest import MakeWork, Recorded

TASK = "arn:aws:ecs:eu-west-1:123456789012:task/trial-cluster/0123abcd"
NEVER_RAN = {"exitCode": None, "lastStatus": "STOPPED"}


@dataclass(frozen=True)
class Case:
    """An ending, as AWS tells it, and what must reach the user."""

    name: str
    kind: type[DeployError]
    code: int
    words: tuple[str, ...]
    run_task: Any = None
    task: dict[str, Any] | None = None
    log: tuple[str, ...] = ()
    public_ip: bool = True


CASES = (
    Case(
        "RunTask answers 200 with failures: no capacity",
        NotLaunched,
        Exit.NOT_LAUNCHED,
        ("no capacity: Capacity is unavailable at this time", "try again", "other zones"),
        run_task={
            "tasks": [],
            "failures": [{"reason": "Capacity is unavailable at this time. Please try again"}],
        },
    ),
    Case(
        "RunTask answers 200 with failures: a bad reference, each named with its detail",
        NotLaunched,
        Exit.NOT_LAUNCHED,
        ("MISSING (subnet-1)", "ATTRIBUTE (ecs.capability.x)", "verify"),
        run_task={
            "tasks": [],
            "failures": [
                {"reason": "MISSING", "detail": "subnet-1"},
                {"reason": "ATTRIBUTE", "detail": "ecs.capability.x"},
            ],
        },
    ),
    Case(
        "a task that failed to start has no exit code, which is never a zero",
        NotLaunched,
        Exit.NOT_LAUNCHED,
        ("no container ran", "Unexpected EC2 error", "ContainerRuntimeError: gone", "verify"),
        task={
            "stopCode": "TaskFailedToStart",
            "stoppedReason": "Unexpected EC2 error while attempting to Create Network Interface",
            "container": {**NEVER_RAN, "reason": "ContainerRuntimeError: gone"},
        },
    ),
    Case(
        "a container without an exit code is a failure, even where the stop code says it exited",
        NotLaunched,
        Exit.NOT_LAUNCHED,
        ("no container ran",),
        task={"container": NEVER_RAN},
    ),
    Case(
        "the image can't be pulled: not found",
        NotLaunched,
        Exit.NOT_LAUNCHED,
        (
            "@sha256:a1a1",
            "role/execution",
            "ecr:BatchCheckLayerAvailability, ecr:BatchGetImage, ecr:GetDownloadUrlForLayer",
        ),
        task={
            "stopCode": "TaskFailedToStart",
            "stoppedReason": (
                "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed "
                "to resolve ref repo@sha256:a1: not found"
            ),
            "container": NEVER_RAN,
        },
    ),
    Case(
        "the image can't be pulled: 403",
        NotLaunched,
        Exit.NOT_LAUNCHED,
        ("role/execution", "may not pull it", "ecr:BatchGetImage"),
        task={
            "stopCode": "TaskFailedToStart",
            "stoppedReason": (
                "CannotPullContainerError: httpReadSeeker: failed open: unexpected status code "
                "https://registry/v2/blobs: 403 Forbidden"
            ),
            "container": NEVER_RAN,
        },
    ),
    Case(
        "the image can't be pulled: no way out, with a public IP",
        NotLaunched,
        Exit.NOT_LAUNCHED,
        ("no way out of the subnet to ECR", "has a public IP", "NAT gateway", "port 443"),
        task={
            "stopCode": "TaskFailedToStart",
            "stoppedReason": (
                "CannotPullContainerError: pull image manifest has been retried 5 time(s): dial "
                "tcp 3.3.3.3:443: i/o timeout"
            ),
            "container": NEVER_RAN,
        },
    ),
    Case(
        "the image can't be pulled: no way out, without a public IP",
        NotLaunched,
        Exit.NOT_LAUNCHED,
        ("set assign_public_ip = true", "ecr.api, ecr.dkr, s3 and logs"),
        task={
            "stopCode": "TaskFailedToStart",
            "stoppedReason": (
                "CannotPullContainerError: net/http: request canceled while waiting for connection"
            ),
            "container": NEVER_RAN,
        },
        public_ip=False,
    ),
    Case(
        "the image is for another architecture: told by the manifest",
        NotLaunched,
        Exit.NOT_LAUNCHED,
        ("another architecture", "X86_64 (amd64)", "build for amd64"),
        task={
            "stopCode": "TaskFailedToStart",
            "stoppedReason": (
                "CannotPullContainerError: image Manifest does not contain descriptor matching "
                "platform 'linux/amd64'"
            ),
            "container": NEVER_RAN,
        },
    ),
    Case(
        "the image is for another architecture: told by nothing but exit 1 and the log",
        RunFailed,
        Exit.RUN_FAILED,
        ("another architecture", "X86_64 (amd64)"),
        task={"container": {"exitCode": 1}},
        log=("exec /usr/local/bin/python: Exec format error",),
    ),
    Case(
        "registry login: the role may not",
        NotLaunched,
        Exit.NOT_LAUNCHED,
        ("role/execution may not log in to ECR", "allow the role ecr:GetAuthorizationToken on *"),
        task={
            "stopCode": "TaskFailedToStart",
            "stoppedReason": (
                "ResourceInitializationError: unable to pull secrets or registry auth: execution "
                "resource retrieval failed: unable to retrieve ecr registry auth: service call has "
                "been retried 1 time(s): AccessDeniedException: User: arn:aws:sts::1:assumed-role/x"
                " is not authorized to perform: ecr:GetAuthorizationToken on resource: *"
            ),
            "container": NEVER_RAN,
        },
    ),
    Case(
        "registry login: the network",
        NotLaunched,
        Exit.NOT_LAUNCHED,
        ("no way out of the subnet to ECR", "NAT gateway"),
        task={
            "stopCode": "TaskFailedToStart",
            "stoppedReason": (
                "ResourceInitializationError: unable to pull secrets or registry auth: execution "
                "resource retrieval failed: RequestCanceled: request context canceled caused by: "
                "context deadline exceeded"
            ),
            "container": NEVER_RAN,
        },
    ),
    Case(
        "registry login: which of the two can't be told",
        NotLaunched,
        Exit.NOT_LAUNCHED,
        ("its role or the network", "unknown which", "ecr:GetAuthorizationToken", "NAT gateway"),
        task={
            "stopCode": "TaskFailedToStart",
            "stoppedReason": (
                "ResourceInitializationError: unable to pull secrets or registry auth: execution "
                "resource retrieval failed: unable to retrieve ecr registry auth: EOF"
            ),
            "container": NEVER_RAN,
        },
    ),
    Case(
        "the log can't be opened, and why can't be told",
        NotLaunched,
        Exit.NOT_LAUNCHED,
        (
            "ECS could not open the log group /ecs/trial: ",
            "unknown which",
            "aws logs create-log-group",
            "NAT gateway",
        ),
        task={
            "stopCode": "TaskFailedToStart",
            "stoppedReason": (
                "ResourceInitializationError: failed to validate logger args: : signal: killed"
            ),
            "container": NEVER_RAN,
        },
    ),
    Case(
        "the log group does not exist",
        NotLaunched,
        Exit.NOT_LAUNCHED,
        (
            "/ecs/trial does not exist in eu-west-1",
            "aws logs create-log-group --log-group-name /ecs/trial --region eu-west-1",
        ),
        task={
            "stopCode": "TaskFailedToStart",
            "stoppedReason": (
                "ResourceInitializationError: failed to validate logger args: create stream has "
                "been retried 1 times: failed to create Cloudwatch log stream: "
                "ResourceNotFoundException: The specified log group does not exist. : exit status 1"
            ),
            "container": NEVER_RAN,
        },
    ),
    Case(
        "the log group can't be reached",
        NotLaunched,
        Exit.NOT_LAUNCHED,
        ("no way out of the subnet to CloudWatch Logs", "endpoints for ecr.api"),
        task={
            "stopCode": "TaskFailedToStart",
            "stoppedReason": (
                "ResourceInitializationError: failed to validate logger args: create stream has "
                "been retried 4 times: RequestError: send request failed caused by: Post "
                '"https://logs.eu-west-1.amazonaws.com/": dial tcp 1.1.1.1:443: i/o timeout'
            ),
            "container": NEVER_RAN,
        },
        public_ip=False,
    ),
    Case(
        "the execution role may not write the log",
        NotLaunched,
        Exit.NOT_LAUNCHED,
        ("role/execution may not write the log", "logs:CreateLogStream and logs:PutLogEvents"),
        task={
            "stopCode": "TaskFailedToStart",
            "stoppedReason": (
                "ResourceInitializationError: failed to validate logger args: failed to create "
                "Cloudwatch log stream: AccessDeniedException: User is not authorized to perform: "
                "logs:CreateLogStream"
            ),
            "container": NEVER_RAN,
        },
    ),
    Case(
        "a role that does not exist or does not trust ECS",
        NotLaunched,
        Exit.NOT_LAUNCHED,
        ("role/execution", "role/task", "trust ecs-tasks.amazonaws.com", '"iam:PassRole"'),
        run_task=(
            "ClientException",
            "ECS was unable to assume the role 'arn:aws:iam::123456789012:role/task' that was "
            "provided for this task. Please verify that the role being passed has the proper trust "
            "relationship and permissions",
        ),
    ),
    Case(
        "a caller who may not pass the roles",
        NotLaunched,
        Exit.NOT_LAUNCHED,
        (
            "the caller may not pass the roles",
            "the caller's policy needs this statement",
            '"Action": ["iam:PassRole"]',
            '"iam:PassedToService": "ecs-tasks.amazonaws.com"',
        ),
        run_task=(
            "AccessDeniedException",
            "User: arn:aws:iam::123456789012:user/deployer is not authorized to perform: "
            "iam:PassRole on resource: arn:aws:iam::123456789012:role/task",
        ),
    ),
    Case(
        "a caller who may not start a task",
        NotLaunched,
        Exit.NOT_LAUNCHED,
        ("the caller may not do this", "ecs:RunTask", "`./deploy.sh verify --policy`"),
        run_task=(
            "AccessDeniedException",
            "User: arn:aws:iam::123456789012:user/deployer is not authorized to perform: "
            "ecs:RunTask on resource: arn:aws:ecs:eu-west-1:123456789012:task-definition/t:7",
        ),
    ),
    Case(
        "the account's quota of vCPUs",
        NotLaunched,
        Exit.NOT_LAUNCHED,
        ("a quota of the account: You've reached the limit", "Service Quotas"),
        run_task={
            "tasks": [],
            "failures": [{"reason": "You've reached the limit on the number of vCPUs you can run"}],
        },
    ),
    Case(
        "exit 137 with OutOfMemoryError",
        RunFailed,
        137,
        ("out of memory: the task has 512 MiB", "memory = 1024"),
        task={
            "container": {
                "exitCode": 137,
                "reason": "OutOfMemoryError: Container killed due to memory usage",
            }
        },
    ),
    Case(
        "exit 137 without it, of a task that nobody stopped",
        RunFailed,
        137,
        ("the task was not stopped", "512 MiB", "memory = 1024"),
        task={"container": {"exitCode": 137}},
    ),
    Case(
        "exit 137 without it, of a task that was stopped",
        RunFailed,
        137,
        ("stopTimeout, 30 s after SIGTERM", "120 s at most"),
        task={"stopCode": "Other", "container": {"exitCode": 137}},
    ),
    Case(
        "Spot took the capacity back; the exit code 0 does not count",
        RunFailed,
        Exit.RUN_FAILED,
        ("took back the Spot capacity", "SpotInterruption", "exit code 0 says nothing"),
        task={
            "stopCode": "SpotInterruption",
            "stoppedReason": "Your Spot Task was interrupted.",
            "container": {"exitCode": 0},
        },
    ),
    Case(
        "somebody stopped the task; the exit code 0 does not count",
        RunFailed,
        Exit.RUN_FAILED,
        ("the task was stopped by a user (UserInitiated: Task stopped by user)",),
        task={
            "stopCode": "UserInitiated",
            "stoppedReason": "Task stopped by user",
            "container": {"exitCode": 0},
        },
    ),
    Case(
        "the service failed and said why",
        RunFailed,
        69,
        ("the service ended with 69", "the source is down", "503 five times", "try again later"),
        task={"container": {"exitCode": 69}},
        log=('{"event": "run_failed", "exit_code": 69, "error": "503 five times"}',),
    ),
    Case(
        "an exit code that nobody knows",
        RunFailed,
        Exit.RUN_FAILED,
        ("the container ended with 3: CannotStartContainerError: odd",),
        task={"container": {"exitCode": 3, "reason": "CannotStartContainerError: odd"}},
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_ending_is_explained(
    case: Case,
    target: Target,
    recorded: Recorded,
    recorded_clients: Clients,
    make_work: MakeWork,
    make_revision: Callable[..., Any],
    make_task: Callable[..., dict[str, Any]],
) -> None:
    """The user gets the cause and what to do, and the exit code that stands for it."""
    recorded.answers = {
        "RunTask": [case.run_task or {"tasks": [{"taskArn": TASK}], "failures": []}],
        "DescribeTasks": [{"tasks": [make_task(**(case.task or {}))], "failures": []}],
        "GetLogEvents": [
            {
                "events": [
                    {"timestamp": 1, "message": line, "ingestionTime": 1} for line in case.log
                ],
                "nextForwardToken": "f/1",
                "nextBackwardToken": "b/1",
            },
            {"events": [], "nextForwardToken": "f/1", "nextBackwardToken": "b/1"},
        ],
    }
    environment = replace(target.environment, assign_public_ip=case.public_ip)
    work = make_work(replace(target, environment=environment), recorded_clients)

    with pytest.raises(case.kind) as caught:
        run_step(work, make_revision(7))

    shown = f"{caught.value}\n{caught.value.advice}"
    assert [word for word in case.words if word not in shown] == [], shown
    assert caught.value.exit_code == case.code


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ({"manifests": [{"platform": {"architecture": "arm64"}}]}, "the image is for arm64, "),
        ({}, "the image is for another architecture, "),
    ],
)
def test_the_architecture_of_an_image_that_could_not_start_is_told(
    manifest: dict[str, Any],
    words: str,
    target: Target,
    recorded: Recorded,
    recorded_clients: Clients,
    make_work: MakeWork,
    make_revision: Callable[..., Any],
    make_task: Callable[..., dict[str, Any]],
) -> None:
    """Where its manifest lists them and the caller may look."""
    reason = "CannotPullContainerError: no descriptor matching platform 'linux/amd64'"
    recorded.answers = {
        "RunTask": [{"tasks": [{"taskArn": TASK}], "failures": []}],
        "DescribeTasks": [
            {
                "tasks": [
                    make_task(
                        stopCode="TaskFailedToStart", stoppedReason=reason, container=NEVER_RAN
                    )
                ],
                "failures": [],
            }
        ],
        "GetLogEvents": [("ResourceNotFoundException", "no such stream")],
        "BatchGetImage": [{"images": [{"imageManifest": json.dumps(manifest)}]}],
    }

    with pytest.raises(NotLaunched, match=words):
        run_step(make_work(target, recorded_clients), make_revision(7))


@pytest.fixture
def work(target: Target, recorded_clients: Clients, make_work: MakeWork) -> Work:
    """What an ending is explained for."""
    return make_work(target, recorded_clients)


def codes_of_the_service() -> list[int]:
    """The exit code of each error that the service raises, and of its interruptions."""
    found = [errors.MicroEtlError]
    for kind in found:
        found += kind.__subclasses__()
    return sorted({kind.exit_code for kind in found} | {130, 143})


@pytest.mark.parametrize("code", codes_of_the_service())
def test_every_code_of_the_service_is_explained(work: Work, code: int) -> None:
    """No exit code that the service documents is called unknown."""
    ending = Ending(exit_code=code, stop_code="EssentialContainerExited")
    explanation = explain(work, ending, image="i")

    assert str(explanation).startswith(f"the service ended with {code}, ")
    assert explanation.advice


def test_a_success_needs_no_explanation() -> None:
    """Exit code 0 of a container that ended by itself is a success."""
    assert Ending(exit_code=0, stop_code="EssentialContainerExited").good
    assert not Ending(exit_code=0, stop_code="UserInitiated").good


def test_the_largest_size_has_no_next_one(work: Work) -> None:
    """Nobody is told to buy what Fargate does not sell."""
    ending = Ending(exit_code=137, reason="OutOfMemoryError: x")
    environment = replace(work.environment, cpu=16384, memory=122880)
    work = replace(work, target=replace(work.target, environment=environment))

    explanation = explain(work, ending, image="i")

    assert "largest" in explanation.advice


def test_the_last_event_of_a_log_counts() -> None:
    """Lines that are no JSON, or cut short, are passed over."""
    log = ["starting", '{"event": "run_failed"', '{"event": "run_failed", "error": "x"}', "end"]

    assert event_of(log, "run_failed") == {"event": "run_failed", "error": "x"}
    assert event_of(["{}"], "run_failed") == {}


def test_the_table_is_fast_to_search(work: Work) -> None:
    """A very long reason is no trouble for the patterns."""
    started = time.monotonic()

    explain(work, Ending(reason="CannotPull " + "a" * 100_000), image="i")

    assert time.monotonic() - started < 1
