"""Reading a task's log, each line once, to the last."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from deploy.aws import Clients
from deploy.task.log import TaskLog, newest_stream, readable

if TYPE_CHECKING:
    from tests.deploy.conftest import Recorded


def page(*lines: str, token: str) -> dict[str, Any]:
    """A page of a stream."""
    return {
        "events": [{"timestamp": 1, "message": line, "ingestionTime": 1} for line in lines],
        "nextForwardToken": token,
        "nextBackwardToken": "b",
    }


def test_each_line_is_read_once(clients: Clients) -> None:
    """Also when lines arrive between two reads."""
    logs = clients.logs
    logs.create_log_group(logGroupName="/g")
    log = TaskLog(logs, group="/g", stream="s")

    def write(*lines: str) -> None:
        now = int(time.time() * 1000)
        logs.put_log_events(
            logGroupName="/g",
            logStreamName="s",
            logEvents=[{"timestamp": now, "message": line} for line in lines],
        )

    before = log.read()
    logs.create_log_stream(logGroupName="/g", logStreamName="s")
    write("one", "two")
    first, second = log.read(), log.read()
    write("three")
    third = log.read()

    assert (before, first, second, third) == ([], ["one", "two"], [], ["three"])
    assert log.lines == ["one", "two", "three"]


def test_an_empty_page_is_not_the_end(recorded: Recorded, recorded_clients: Clients) -> None:
    """Only the same token again is: CloudWatch gives empty pages in between."""
    recorded.answers["GetLogEvents"] = [
        page("one", token="f/1"),
        page(token="f/2"),
        page("two", token="f/3"),
        page(token="f/3"),
    ]

    log = TaskLog(recorded_clients.logs, group="/g", stream="s")

    assert log.read() == ["one", "two"]
    tokens = [call.get("nextToken") for call in recorded.calls("GetLogEvents")]
    assert tokens == [None, "f/1", "f/2", "f/3"]


def test_a_log_that_may_not_be_read_is_noted(recorded: Recorded, recorded_clients: Clients) -> None:
    """Once, and the task is followed all the same."""
    recorded.answers["GetLogEvents"] = [("AccessDeniedException", "no")]
    log = TaskLog(recorded_clients.logs, group="/g", stream="s")

    assert (log.read(), log.read()) == ([], [])
    assert log.denied
    assert len(recorded.asked) == 1


def test_a_fault_in_between_loses_no_line(recorded: Recorded, recorded_clients: Clients) -> None:
    """What was read before it counts; the rest is read the next time."""
    recorded.answers["GetLogEvents"] = [
        page("one", token="f/1"),
        ("InvalidOperationException", "a fault"),
        page("two", token="f/2"),
        page(token="f/2"),
    ]
    log = TaskLog(recorded_clients.logs, group="/g", stream="s")

    assert (log.read(), log.read()) == (["one"], ["two"])
    assert not log.denied


def test_the_newest_stream_of_the_tasks_is_found(
    recorded: Recorded, recorded_clients: Clients
) -> None:
    """Streams of others in the same group are passed over."""
    recorded.answers["DescribeLogStreams"] = [
        {"logStreams": [{"logStreamName": "web/x/1"}, {"logStreamName": "run/micro-etl/2"}]}
    ]

    found = newest_stream(recorded_clients.logs, group="/g", prefix="run/micro-etl/")

    assert found == "run/micro-etl/2"
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
