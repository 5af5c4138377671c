"""Reads a task's log while it runs, and after it has stopped to its last line."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from deploy.aws import ERRORS, is_denied
from deploy.console import shorten_hashes

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

PAGES = 100
"""At most this many pages in one read, so that a flood of lines can't hold up the polling."""
UNREAD = {"event", "time", "timestamp", "level", "run_id"}
"""Fields that say nothing new to someone who watches a run."""


@dataclass
class TaskLog:
    """One task's log stream, read from its first line on, each line once.

    Where the caller may not read it, it is `denied`, and the task is followed all the same.
    """

    logs: CloudWatchLogsClient
    group: str
    stream: str
    lines: list[str] = field(default_factory=list)
    denied: bool = False
    token: str = ""

    def read(self) -> list[str]:
        """The lines that are new since the last read; none while there is no stream yet.

        A log that can't be read now is read the next time: a task is not given up for its log.
        """
        known = len(self.lines)
        call: dict[str, Any] = {"logGroupName": self.group, "logStreamName": self.stream}
        try:
            for _ in range(0 if self.denied else PAGES):
                more: dict[str, Any] = {"nextToken": self.token} if self.token else {}
                answer = self.logs.get_log_events(**call, **more, startFromHead=True)
                self.lines += [event["message"].rstrip("\n") for event in answer["events"]]
                # The same token again is how CloudWatch says that there is no more for now. An
                # empty page alone is not: pages can be empty in between.
                if answer["nextForwardToken"] == self.token:
                    break
                self.token = answer["nextForwardToken"]
        except ERRORS as error:
            self.denied = is_denied(error)
        return self.lines[known:]


def newest_stream(logs: CloudWatchLogsClient, *, group: str, prefix: str) -> str:
    """The stream that was written last, or an empty string where there is none."""
    # A prefix can't be asked for together with this order.
    answer = logs.describe_log_streams(
        logGroupName=group, orderBy="LastEventTime", descending=True, limit=50
    )
    names = (stream["logStreamName"] for stream in answer["logStreams"])
    return next((name for name in names if name.startswith(prefix)), "")


def readable(line: str) -> str:
    """A line of the service's log as people read it: the event, then its plain fields."""
    try:
        event = json.loads(line)
    except ValueError:
        return line
    if not isinstance(event, dict) or not event.keys() & {"event", "_aws"}:
        return line
    fields = [
        f"{name}={value if isinstance(value, str) else json.dumps(value)}"
        for name, value in event.items()
        if name not in UNREAD and value is not None and not isinstance(value, dict | list)
    ]
    return shorten_hashes(" ".join([str(event.get("event", "metrics")), *fields]))
