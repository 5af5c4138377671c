"""Starting a task, following it, and leaving none behind."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError

from deploy.aws import CONFIG, Clients
from deploy.outcome import Exit, NotLaunched, RunFailed
from deploy.target import Target
from deploy.task.definition import task_definition
from deploy.task.follow import Stop, stoppable
from deploy.task.run import run_step
from deploy.work import Limits, Work
from tests.deploy.conftest import REGION

if TYPE_CHECKING:
    from tests.deploy.conftest import MakeWork, Recorded

MakeTask = Callable[..., dict[str, Any]]
MakeRevision = Callable[..., Any]

TASK = "arn:aws:ecs:eu-west-1:123456789012:task/trial-cluster/0123abcd"
STARTED = {"tasks": [{"taskArn": TASK}], "failures": []}
MISSING = {"tasks": [], "failures": [{"arn": TASK, "reason": "MISSING"}]}
NO_STREAM = ("ResourceNotFoundException", "no such stream")


def log_page(*lines: str, token: str) -> dict[str, Any]:
    """A page of a log."""
    return {
        "events": [{"timestamp": 1, "message": line, "ingestionTime": 1} for line in lines],
        "nextForwardToken": token,
        "nextBackwardToken": "b",
    }


def described(*tasks: dict[str, Any]) -> list[dict[str, Any]]:
    """The answers that show these tasks one after the other."""
    return [{"tasks": [task], "failures": []} for task in tasks]


@pytest.fixture
def work(target: Target, recorded_clients: Clients, make_work: MakeWork) -> Work:
    """What the run step takes."""
    return make_work(target, recorded_clients)


def test_the_task_gets_its_place_its_run_id_and_a_client_token(
    work: Work, recorded: Recorded, make_task: MakeTask, make_revision: MakeRevision
) -> None:
    """The run's id is the token, so that a call that is sent twice starts one task."""
    recorded.answers = {
        "RunTask": [STARTED],
        "DescribeTasks": described(make_task()),
        "GetLogEvents": [NO_STREAM],
    }

    run = run_step(work, make_revision(7))

    (call,) = recorded.calls("RunTask")
    assert call["clientToken"] == run.run_id
    assert len(run.run_id) <= 64
    assert call["overrides"]["containerOverrides"] == [
        {"name": "micro-etl", "environment": [{"name": "RUN_ID", "value": run.run_id}]}
    ]
    assert call["networkConfiguration"]["awsvpcConfiguration"] == {
        "subnets": ["subnet-1"],
        "securityGroups": ["sg-1"],
        "assignPublicIp": "ENABLED",
    }
    assert (call["launchType"], call["cluster"]) == ("FARGATE", "trial-cluster")
    assert call["taskDefinition"].endswith("task-definition/trial-task:7")


def test_a_call_that_is_retried_has_the_same_token(
    work: Work, recorded: Recorded, make_task: MakeTask, make_revision: MakeRevision
) -> None:
    """The SDK sends it again after a fault of the service's, and no second task starts."""
    recorded.answers = {
        "RunTask": [("ThrottlingException", "slow down"), STARTED],
        "DescribeTasks": described(make_task()),
        "GetLogEvents": [NO_STREAM],
    }

    run_step(work, make_revision(7))

    tokens = [call["clientToken"] for call in recorded.calls("RunTask")]
    assert len(tokens) == 2
    assert len(set(tokens)) == 1


def test_two_runs_have_two_tokens(
    work: Work, recorded: Recorded, make_task: MakeTask, make_revision: MakeRevision
) -> None:
    """One token an invocation."""
    recorded.answers = {
        "RunTask": [STARTED],
        "DescribeTasks": described(make_task()),
        "GetLogEvents": [NO_STREAM],
    }

    first, second = run_step(work, make_revision(7)), run_step(work, make_revision(7))

    assert first.run_id != second.run_id


def test_a_task_that_ecs_does_not_know_yet_is_waited_for(
    work: Work,
    recorded: Recorded,
    make_task: MakeTask,
    make_revision: MakeRevision,
    told: Callable[[Work], str],
) -> None:
    """MISSING in the first seconds is no error; each new state is told once."""
    recorded.answers = {
        "RunTask": [STARTED],
        "DescribeTasks": [
            MISSING,
            MISSING,
            *described(
                make_task(lastStatus="PROVISIONING"),
                make_task(lastStatus="PENDING"),
                make_task(lastStatus="RUNNING"),
                make_task(lastStatus="RUNNING"),
                make_task(),
            ),
        ],
        "GetLogEvents": [NO_STREAM],
    }

    run_step(work, make_revision(7))

    lines = [line.strip() for line in told(work).splitlines()]
    assert lines[:4] == ["run        trial-task:7 as task 0123abcd", "provisioning", "pending",
                         "running"]  # fmt: skip
    assert re.fullmatch(r"stopped after \d s, exit code 0", lines[-1])


def test_a_task_that_stays_unknown_is_an_error(
    work: Work, recorded: Recorded, make_revision: MakeRevision
) -> None:
    """After the patience is over, with the task's ARN, and an attempt to stop it."""
    recorded.answers = {
        "RunTask": [STARTED],
        "DescribeTasks": [MISSING],
        "GetLogEvents": [NO_STREAM],
        "StopTask": [{"task": {}}],
    }

    with pytest.raises(RunFailed, match=r"\(MISSING\); the task has been told to stop: arn:aws:"):
        run_step(work, make_revision(7))

    assert recorded.calls("StopTask")


def test_a_task_of_under_a_second_is_no_error(
    work: Work, recorded: Recorded, make_task: MakeTask, make_revision: MakeRevision
) -> None:
    """The first look may find it stopped already."""
    recorded.answers = {
        "RunTask": [STARTED],
        "DescribeTasks": described(make_task()),
        "GetLogEvents": [NO_STREAM],
    }

    assert run_step(work, make_revision(7)).id == "0123abcd"


def test_lines_that_arrive_after_the_end_are_read(
    work: Work,
    recorded: Recorded,
    make_task: MakeTask,
    make_revision: MakeRevision,
    told: Callable[[Work], str],
) -> None:
    """The service's own last line is waited for: an unchanged table is proven by it."""
    recorded.answers = {
        "RunTask": [STARTED],
        "DescribeTasks": described(make_task(lastStatus="RUNNING"), make_task()),
        "GetLogEvents": [
            *[NO_STREAM] * 8,
            log_page("first", token="f/1"),
            log_page(token="f/1"),
            log_page(token="f/1"),
            log_page('{"event": "run_finished"}', token="f/2"),
            log_page(token="f/2"),
        ],
    }

    run = run_step(work, make_revision(7))

    assert run.lines == ["first", '{"event": "run_finished"}']
    assert "| first" in told(work)
    assert "| run_finished" in told(work)


def test_a_log_of_which_nothing_comes_is_said(
    work: Work,
    recorded: Recorded,
    make_task: MakeTask,
    make_revision: MakeRevision,
    told: Callable[[Work], str],
) -> None:
    """It may be late, and the proof may need it."""
    recorded.answers = {
        "RunTask": [STARTED],
        "DescribeTasks": described(make_task()),
        "GetLogEvents": [NO_STREAM],
    }

    run_step(work, make_revision(7))

    assert "no line of its log has come" in told(work)


def test_a_log_that_may_not_be_read_is_said(
    work: Work,
    recorded: Recorded,
    make_task: MakeTask,
    make_revision: MakeRevision,
    told: Callable[[Work], str],
) -> None:
    """The run goes on without it, and the user learns which permission is missing."""
    recorded.answers = {
        "RunTask": [STARTED],
        "DescribeTasks": described(make_task(lastStatus="RUNNING"), make_task()),
        "GetLogEvents": [("AccessDeniedException", "no")],
    }

    run_step(work, make_revision(7))

    assert told(work).count("logs:GetLogEvents") == 1


def test_the_verdict_has_the_facts_of_the_task(
    work: Work, recorded: Recorded, make_task: MakeTask, make_revision: MakeRevision
) -> None:
    """A program finds the ARN, the codes, and the service's own result."""
    recorded.answers = {
        "RunTask": [STARTED],
        "DescribeTasks": described(make_task()),
        "GetLogEvents": [
            log_page('{"event": "run_finished", "result": "published", "rows": 5}', token="f/1"),
            log_page(token="f/1"),
        ],
    }

    run = run_step(work, make_revision(7))

    facts = work.verdict.facts["task"]
    assert (facts["arn"], facts["run_id"], facts["exit_code"]) == (TASK, run.run_id, 0)
    assert facts["result"] == {"event": "run_finished", "result": "published", "rows": 5}


@pytest.fixture
def emulated(world: Target, clients: Clients, make_work: MakeWork) -> tuple[Work, Any]:
    """A revision in the emulator, whose tasks never end by themselves."""
    from deploy.task.revisions import describe

    clients.ecs.register_task_definition(
        **task_definition(world, image="localhost/trial-repo@sha256:a1")
    )
    return make_work(world, clients), describe(clients, "trial-task")


def stop_reasons(clients: Clients) -> list[str]:
    """Why tasks in the emulator stopped; fail when one still runs."""
    assert clients.ecs.list_tasks(cluster="trial-cluster")["taskArns"] == []
    arns = clients.ecs.list_tasks(cluster="trial-cluster", desiredStatus="STOPPED")["taskArns"]
    tasks = clients.ecs.describe_tasks(cluster="trial-cluster", tasks=arns)["tasks"]
    return [task["stoppedReason"] for task in tasks]


def test_a_task_that_takes_too_long_is_stopped(
    emulated: tuple[Work, Any], clients: Clients
) -> None:
    """It does not go on and cost; the user is told what was too short."""
    work, revision = emulated
    work = replace(work, limits=replace(work.limits, run=1.0))

    with pytest.raises(RunFailed) as caught:
        run_step(work, revision)

    assert caught.value.exit_code == Exit.RUN_FAILED
    assert str(caught.value) == "not done after 1 s; the task has been stopped"
    assert "--run-timeout" in caught.value.advice
    assert stop_reasons(clients) == ["deploy.sh: not done after 1 s"]


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, Exit.INTERRUPTED),
        (signal.SIGTERM, Exit.TERMINATED),
        (signal.SIGHUP, Exit.HUNG_UP),
    ],
)
def test_an_interrupt_stops_the_task(
    emulated: tuple[Work, Any], clients: Clients, number: signal.Signals, code: Exit
) -> None:
    """Ctrl-C, SIGTERM and a closed terminal end the command only after its task."""
    work, revision = emulated
    timer = threading.Timer(0.5, os.kill, (os.getpid(), number))
    timer.start()

    with pytest.raises(RunFailed) as caught:
        run_step(work, revision)

    timer.join()
    assert caught.value.exit_code == code
    assert stop_reasons(clients) == ["deploy.sh: interrupted"]


def test_an_interrupt_in_the_last_moment_counts_too(
    work: Work, recorded: Recorded, make_task: MakeTask, make_revision: MakeRevision
) -> None:
    """The task had ended well, but the user does not want what comes next."""

    def last_look(_: dict[str, Any]) -> dict[str, Any]:
        os.kill(os.getpid(), signal.SIGINT)
        return {"tasks": [make_task()], "failures": []}

    recorded.answers = {
        "RunTask": [STARTED],
        "DescribeTasks": [last_look],
        "GetLogEvents": [NO_STREAM],
    }

    with pytest.raises(RunFailed, match="had already ended by itself") as caught:
        run_step(work, make_revision(7))

    assert caught.value.exit_code == Exit.INTERRUPTED
    assert not recorded.calls("StopTask")


@pytest.fixture
def hasty(work: Work, recorded: Recorded, session: boto3.Session) -> Work:
    """What the run step takes, with clients that try each call once."""
    config = CONFIG.merge(Config(retries={"total_max_attempts": 1}))
    clients = Clients(session, region=REGION)
    clients.logs = work.clients.logs
    clients.ecs = session.client(
        "ecs", region_name=REGION, endpoint_url=recorded.url, config=config
    )
    return replace(work, clients=clients)


THROTTLED = ("ThrottlingException", "slow down")
FAULT = ("ServerException", "a fault")
EXPIRED = ("ExpiredTokenException", "the token has expired")
DENIED = ("AccessDeniedException", "not any more")
UNKNOWN = ("InvalidParameterException", "The referenced task was not found.")


@pytest.mark.parametrize(
    ("answer", "advice"), [(DENIED, "verify --policy"), (EXPIRED, "log in again")]
)
def test_a_task_is_stopped_when_it_can_no_longer_be_followed(
    answer: tuple[str, str],
    advice: str,
    work: Work,
    recorded: Recorded,
    make_task: MakeTask,
    make_revision: MakeRevision,
) -> None:
    """An error while following never leaves a task behind, and the user learns both."""
    recorded.answers = {
        "RunTask": [STARTED],
        "DescribeTasks": [*described(make_task(lastStatus="RUNNING")), answer],
        "GetLogEvents": [NO_STREAM],
        "StopTask": [{"task": {}}],
    }

    with pytest.raises(RunFailed, match=r"following it failed: DescribeTasks: .*told to") as caught:
        run_step(work, make_revision(7))

    assert (caught.value.exit_code, advice in caught.value.advice) == (Exit.RUN_FAILED, True)
    assert recorded.calls("StopTask")[0]["task"] == TASK


def test_a_task_that_can_neither_be_followed_nor_stopped_is_named(
    work: Work, recorded: Recorded, make_revision: MakeRevision
) -> None:
    """Credentials that expire while it runs leave it running: it goes on and costs."""
    recorded.answers = {
        "RunTask": [STARTED],
        "DescribeTasks": [EXPIRED],
        "GetLogEvents": [NO_STREAM],
        "StopTask": [EXPIRED],
    }

    with pytest.raises(RunFailed, match=r"following it failed: .* can't be stopped: ") as caught:
        run_step(work, make_revision(7))

    assert caught.value.exit_code == Exit.RUN_FAILED
    assert "goes on and costs" in caught.value.advice
    assert TASK in caught.value.advice
    assert len(recorded.calls("StopTask")) == 1


@pytest.mark.parametrize("answer", [THROTTLED, FAULT, MISSING])
def test_a_healthy_task_is_not_stopped_for_a_moment_without_an_answer(
    answer: Any,
    hasty: Work,
    recorded: Recorded,
    make_task: MakeTask,
    make_revision: MakeRevision,
) -> None:
    """A throttle, a fault of AWS's, and MISSING after the task was seen are waited out."""
    recorded.answers = {
        "RunTask": [STARTED],
        "DescribeTasks": [
            *described(make_task(lastStatus="RUNNING")),
            *[answer] * 3,
            *described(make_task(lastStatus="RUNNING")),
            *[answer] * 3,
            *described(make_task()),
        ],
        "GetLogEvents": [NO_STREAM],
    }

    run = run_step(hasty, make_revision(7))

    assert run.stopped
    assert not recorded.calls("StopTask")


def test_throttles_without_an_end_stop_the_task(
    hasty: Work, recorded: Recorded, make_revision: MakeRevision
) -> None:
    """Once the patience is over."""
    recorded.answers = {
        "RunTask": [STARTED],
        "DescribeTasks": [THROTTLED],
        "GetLogEvents": [NO_STREAM],
        "StopTask": [{"task": {}}],
    }

    with pytest.raises(RunFailed, match=r"following it failed: .*slow down"):
        run_step(hasty, make_revision(7))

    assert len(recorded.calls("DescribeTasks")) > 6


@pytest.mark.parametrize("answer", [UNKNOWN, THROTTLED])
def test_an_interrupt_right_after_the_start_stops_the_task(
    answer: tuple[str, str],
    hasty: Work,
    recorded: Recorded,
    make_task: MakeTask,
    make_revision: MakeRevision,
) -> None:
    """ECS may not know it for some seconds: it is told again until it does."""

    def started(_: dict[str, Any]) -> dict[str, Any]:
        os.kill(os.getpid(), signal.SIGINT)
        return STARTED

    recorded.answers = {
        "RunTask": [started],
        "DescribeTasks": [MISSING, *described(make_task(stopCode="UserInitiated"))],
        "GetLogEvents": [NO_STREAM],
        "StopTask": [answer, answer, answer, {"task": {}}],
    }

    with pytest.raises(RunFailed, match="interrupted; the task has been stopped") as caught:
        run_step(hasty, make_revision(7))

    assert caught.value.exit_code == Exit.INTERRUPTED
    assert len(recorded.calls("StopTask")) == 4


def test_a_second_interrupt_still_says_what_goes_on(
    hasty: Work, recorded: Recorded, make_revision: MakeRevision, told: Callable[[Work], str]
) -> None:
    """Whoever does not wait must know that the task was not stopped."""

    def impatient(_: dict[str, Any]) -> tuple[str, str]:
        if len(recorded.calls("StopTask")) < 2:
            os.kill(os.getpid(), signal.SIGINT)
        return UNKNOWN

    def started(_: dict[str, Any]) -> dict[str, Any]:
        os.kill(os.getpid(), signal.SIGINT)
        return STARTED

    recorded.answers = {
        "RunTask": [started],
        "DescribeTasks": [MISSING],
        "GetLogEvents": [NO_STREAM],
        "StopTask": [impatient],
    }

    with pytest.raises(KeyboardInterrupt):
        run_step(hasty, make_revision(7))

    assert f"goes on and costs: stop it in the console: {TASK}" in told(hasty)


def test_a_start_without_an_answer_is_looked_into(
    hasty: Work, recorded: Recorded, make_task: MakeTask, make_revision: MakeRevision
) -> None:
    """The same call with the same token finds the task that it may have started."""
    recorded.answers = {
        "RunTask": [FAULT, THROTTLED, FAULT, STARTED],
        "DescribeTasks": described(make_task()),
        "GetLogEvents": [NO_STREAM],
    }

    run = run_step(hasty, make_revision(7))

    assert run.arn == TASK
    assert len({call["clientToken"] for call in recorded.calls("RunTask")}) == 1


@pytest.mark.parametrize("answer", [FAULT, DENIED])
def test_a_start_of_which_nothing_is_known_is_told_so(
    answer: Any, hasty: Work, recorded: Recorded, make_revision: MakeRevision
) -> None:
    """The user is not told that no container ran, and the mark is named."""
    recorded.answers = {"RunTask": [FAULT, answer]}

    with pytest.raises(RunFailed, match="whether a task was started is not known") as caught:
        run_step(hasty, make_revision(7))

    assert caught.value.exit_code == Exit.RUN_FAILED
    assert recorded.calls("RunTask")[0]["startedBy"] in caught.value.advice


def test_a_throttled_start_is_no_riddle(
    hasty: Work, recorded: Recorded, make_revision: MakeRevision
) -> None:
    """It started nothing."""
    recorded.answers = {"RunTask": [THROTTLED]}

    with pytest.raises(NotLaunched, match="slow down"):
        run_step(hasty, make_revision(7))


@pytest.mark.parametrize("code", [1, 2, 10, 13, 130, 143])
def test_no_container_ends_the_command_with_a_code_of_the_tools_own(
    code: int, work: Work, recorded: Recorded, make_task: MakeTask, make_revision: MakeRevision
) -> None:
    """12 then; the real one is in the verdict. Its 143 is not the user's interruption."""
    recorded.answers = {
        "RunTask": [STARTED],
        "DescribeTasks": described(make_task(container={"exitCode": code})),
        "GetLogEvents": [NO_STREAM],
    }

    with pytest.raises(RunFailed) as caught:
        run_step(work, make_revision(7))

    assert caught.value.exit_code == Exit.RUN_FAILED
    assert work.verdict.facts["task"]["exit_code"] == code


def test_a_task_that_cannot_be_stopped_is_named(
    work: Work, recorded: Recorded, make_task: MakeTask, make_revision: MakeRevision
) -> None:
    """The user must know what goes on and costs."""
    recorded.answers = {
        "RunTask": [STARTED],
        "DescribeTasks": described(make_task(lastStatus="RUNNING")),
        "GetLogEvents": [NO_STREAM],
        "StopTask": [("AccessDeniedException", "may not stop")],
    }

    with pytest.raises(RunFailed, match=r"the task can't be stopped: .*may not stop") as caught:
        run_step(replace(work, limits=replace(work.limits, run=0.05)), make_revision(7))

    assert TASK in caught.value.advice


def test_waiting_ends_when_the_user_asks() -> None:
    """Ctrl-C is not held up by a pause between two polls."""
    with stoppable() as stop:
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        started = time.monotonic()
        stop.wait(10)

    assert stop.signal == signal.SIGINT
    assert time.monotonic() - started < 2


def test_a_second_interrupt_ends_at_once() -> None:
    """Whoever presses Ctrl-C twice does not want to wait."""
    stop = Stop()
    stop.request(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        stop.request(signal.SIGINT)


def test_the_handlers_of_before_come_back() -> None:
    """Outside of a run, Ctrl-C is what it always is."""
    before = signal.getsignal(signal.SIGINT)

    with stoppable():
        assert signal.getsignal(signal.SIGINT) is not before

    assert signal.getsignal(signal.SIGINT) is before


NO_CAPACITY = {
    "tasks": [],
    "failures": [{"reason": "Capacity is unavailable at this time. Please try again"}],
}


@pytest.mark.parametrize("answer", [NO_CAPACITY, THROTTLED])
def test_a_start_that_may_pass_is_tried_again(
    answer: Any, hasty: Work, recorded: Recorded, make_task: MakeTask, make_revision: MakeRevision
) -> None:
    """With the same token, so that no second task can start."""
    recorded.answers = {
        "RunTask": [answer, answer, STARTED],
        "DescribeTasks": described(make_task()),
        "GetLogEvents": [NO_STREAM],
    }

    run_step(hasty, make_revision(7))

    assert len({call["clientToken"] for call in recorded.calls("RunTask")}) == 1
    assert len(recorded.calls("RunTask")) == 3


STOPS = [
    (signal.SIGINT, Exit.INTERRUPTED),
    (signal.SIGTERM, Exit.TERMINATED),
    (signal.SIGHUP, Exit.HUNG_UP),
]


@pytest.mark.parametrize(("number", "code"), STOPS)
@pytest.mark.parametrize("answer", [NO_CAPACITY, THROTTLED])
def test_an_interrupt_between_two_tries_starts_nothing(
    answer: Any,
    number: signal.Signals,
    code: Exit,
    hasty: Work,
    recorded: Recorded,
    make_revision: MakeRevision,
) -> None:
    """At once, and the user is told so."""

    def last_try(_: dict[str, Any]) -> Any:
        os.kill(os.getpid(), number)
        return answer

    recorded.answers = {"RunTask": [answer, last_try, STARTED]}

    with pytest.raises(RunFailed, match="interrupted; no task was started") as caught:
        run_step(hasty, make_revision(7))

    assert caught.value.exit_code == code
    assert len(recorded.calls("RunTask")) == 2


@pytest.mark.parametrize(("number", "code"), STOPS)
def test_an_interrupt_after_a_start_without_an_answer_finds_and_stops_the_task(
    number: signal.Signals,
    code: Exit,
    hasty: Work,
    recorded: Recorded,
    make_task: MakeTask,
    make_revision: MakeRevision,
) -> None:
    """By the same call once more."""

    def no_answer(_: dict[str, Any]) -> Any:
        os.kill(os.getpid(), number)
        return FAULT

    recorded.answers = {
        "RunTask": [no_answer, STARTED],
        "DescribeTasks": described(make_task(lastStatus="RUNNING"), make_task()),
        "GetLogEvents": [NO_STREAM],
        "StopTask": [{"task": {}}],
    }

    with pytest.raises(RunFailed, match="interrupted; the task has been stopped") as caught:
        run_step(hasty, make_revision(7))

    assert caught.value.exit_code == code
    assert recorded.calls("StopTask")


@pytest.mark.parametrize("signals", [1, 2])
def test_an_interrupt_while_nothing_is_known_of_the_start_says_so(
    signals: int, hasty: Work, recorded: Recorded, make_revision: MakeRevision
) -> None:
    """With the mark of the task that may have been started; the second Ctrl-C waits for nothing."""

    def no_answer(_: dict[str, Any]) -> Any:
        for _time in range(signals):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.05)
        return FAULT

    recorded.answers = {"RunTask": [no_answer, FAULT]}

    with pytest.raises(RunFailed, match="whether a task was started is not known") as caught:
        run_step(hasty, make_revision(7))

    assert caught.value.exit_code == Exit.INTERRUPTED
    assert "was started by deploy/" in caught.value.advice
    assert len(recorded.calls("RunTask")) == (2 if signals == 1 else 1)


def test_a_healthy_task_is_not_stopped_for_want_of_a_network(
    hasty: Work,
    recorded: Recorded,
    make_task: MakeTask,
    make_revision: MakeRevision,
) -> None:
    """However long it lasts, up to the run's own limit: the task goes on without us."""
    hasty = replace(hasty, limits=replace(hasty.limits, patience=0.05))
    recorded.answers = {
        "RunTask": [STARTED],
        "DescribeTasks": described(make_task(lastStatus="RUNNING"), make_task()),
        "GetLogEvents": [NO_STREAM],
    }
    answers = [0]

    def cut_off(**_: object) -> None:
        answers[0] += 1
        if 1 < answers[0] < 30:
            raise EndpointConnectionError(endpoint_url="https://ecs")

    hasty.clients.ecs.meta.events.register("before-call.ecs.DescribeTasks", cut_off)

    run = run_step(hasty, make_revision(7))

    assert run.stopped
    assert answers[0] == 30
    assert not recorded.calls("StopTask")


def test_a_run_may_take_longer_than_the_service_waits_for_its_source() -> None:
    """So that the service ends by itself, and says why."""
    from micro_etl.cli import run

    (deadline,) = (item.default for item in run.params if item.name == "source_deadline")
    assert isinstance(deadline, int | float)
    assert Limits().run > deadline
