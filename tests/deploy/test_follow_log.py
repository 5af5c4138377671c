"""Reading a task's log, each line once, to the last."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from deploy.aws import Clients
from deploy.status import task_of_newest_log
from deploy.target import Target
from deploy.task.task_run import TaskRun, readable
from deploy.work import Work

if TYPE_CHECKING:
    from tests.deploy.conftest import MakeWork, Recorded


def page(*lines: str, token: str) -> dict[str, Any]:
    """A page of a stream."""
    return {
        "events": [{"timestamp": 1, "message": line, "ingestionTime": 1} for line in lines],
        "nextForwardToken": token,
        "nextBackwardToken": "b",
    }


def test_each_line_is_shown_once(
    clients: Clients, target: Target, make_work: MakeWork, told: Callable[[Work], str]
) -> None:
    """Also when lines arrive between two reads."""
    work, run, logs = make_work(target, clients), TaskRun("x"), clients.logs
    place: Any = {"logGroupName": "/ecs/trial", "logStreamName": "run/micro-etl/x"}
    logs.create_log_group(logGroupName="/ecs/trial")

    def write(*lines: str) -> None:
        now = int(time.time() * 1000)
        events: Any = [{"timestamp": now, "message": line} for line in lines]
        logs.put_log_events(**place, logEvents=events)

    run.show_log(work)
    before = list(run.lines)
    logs.create_log_stream(**place)
    write("one", "two")
    run.show_log(work)
    run.show_log(work)
    write("three")
    run.show_log(work)

    assert before == []
    assert run.lines == ["one", "two", "three"]
    assert told(work).split() == ["|", "one", "|", "two", "|", "three"]


@pytest.fixture
def work(target: Target, recorded_clients: Clients, make_work: MakeWork) -> Work:
    """What a log is read with."""
    return make_work(target, recorded_clients)


def test_an_empty_page_is_not_the_end(recorded: Recorded, work: Work) -> None:
    """Only the same token again is: CloudWatch gives empty pages in between."""
    recorded.answers["GetLogEvents"] = [
        page("one", token="f/1"),
        page(token="f/2"),
        page("two", token="f/3"),
        page(token="f/3"),
    ]
    run = TaskRun("x")

    run.show_log(work)

    assert run.lines == ["one", "two"]
    tokens = [call.get("nextToken") for call in recorded.calls("GetLogEvents")]
    assert tokens == [None, "f/1", "f/2", "f/3"]


def test_a_log_that_may_not_be_read_is_noted(recorded: Recorded, work: Work) -> None:
    """Once, and the task is followed all the same."""
    recorded.answers["GetLogEvents"] = [("AccessDeniedException", "no")]
    run = TaskRun("x")

    for _ in range(2):
        run.show_log(work)

    assert (run.lines, run.log_denied) == ([], True)
    assert len(recorded.asked) == 1


def test_a_fault_in_between_loses_no_line(recorded: Recorded, work: Work) -> None:
    """What was read before it counts; the rest is read the next time."""
    recorded.answers["GetLogEvents"] = [
        page("one", token="f/1"),
        ("InvalidOperationException", "a fault"),
        page("two", token="f/2"),
        page(token="f/2"),
    ]
    run = TaskRun("x")

    run.show_log(work)
    assert run.lines == ["one"]
    run.show_log(work)

    assert run.lines == ["one", "two"]
    assert recorded.calls("GetLogEvents")[2]["nextToken"] == "f/1"
    assert not run.log_denied


def test_the_newest_log_of_the_tasks_is_found(recorded: Recorded, work: Work) -> None:
    """Streams of others in the same group are passed over."""
    recorded.answers["DescribeLogStreams"] = [
        {"logStreams": [{"logStreamName": "web/x/1"}, {"logStreamName": "run/micro-etl/2"}]}
    ]

    assert task_of_newest_log(work) == "2"
    assert recorded.calls("DescribeLogStreams")[0]["descending"] is True


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("plain text", "plain text"),
        ('{"no": "event"}', '{"no": "event"}'),
        ("[1]", "[1]"),
        (
            '{"time": "t", "event": "extracted", "run_id": "x", "bytes": 12, "ok": true, '
            '"name": "a b", "etag": null, "columns": [1]}',
            "extracted bytes=12 ok=true name=a b",
        ),
        ('{"_aws": {"Timestamp": 1}, "Dataset": "d", "Rows": 5}', "metrics Dataset=d Rows=5"),
        ('{"event": "e", "sha256": "' + "ab" * 32 + '"}', "e sha256=abababababab"),
    ],
)
def test_events_are_shown_as_people_read_them(line: str, shown: str) -> None:
    """The event and its plain fields; whatever else it is stays as it is."""
    assert readable(line) == shown
