"""Reads a task's log while it runs, and after it has stopped to its last line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from deploy.aws import is_denied
from deploy.console import shorten_hashes

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

PAGES = 100
"""At most this many pages in one read, so that a flood of lines can't hold up the polling."""


class TaskLog:
    """One task's log stream, read from its first line on, each line once.

    Attributes:
        denied: The caller may not read it. The task is followed all the same.
        lines: All lines read so far.
    """

    def __init__(self, logs: CloudWatchLogsClient, *, group: str, stream: str) -> None:
        self.denied = False
        self.lines: list[str] = []
        self._logs = logs
        self._where = {"logGroupName": group, "logStreamName": stream}
        self._token = ""

    def read(self) -> list[str]:
        """Return the lines that are new since the last read; none while there is no stream yet.

        A log that can't be read now is read the next time: a task is not given up for its log.
        """
        new: list[str] = []
        if not self.denied:
            try:
                for page in self._pages():
                    new += page
            except ClientError as error:
                self.denied = is_denied(error)
            except BotoCoreError:
                pass
        self.lines += new
        return new

    def _pages(self) -> Iterator[list[str]]:
        for _ in range(PAGES):
            request: dict[str, Any] = {**self._where, "startFromHead": True}
            if self._token:
                request["nextToken"] = self._token
            answer = self._logs.get_log_events(**request)
            token = answer["nextForwardToken"]
            yield [event["message"].rstrip("\n") for event in answer["events"]]
            # The same token again is how CloudWatch says that there is no more for now. An empty
            # page alone is not: pages can be empty in between.
            if token == self._token:
                return
            self._token = token


def newest_stream(logs: CloudWatchLogsClient, *, group: str, prefix: str) -> str:
    """Return the stream that was written last, or an empty string where there is none."""
    request: dict[str, Any] = {
        "logGroupName": group,
        "orderBy": "LastEventTime",
        "descending": True,
        "limit": 50,
    }
    # A prefix can't be asked for together with this order.
    for stream in logs.describe_log_streams(**request)["logStreams"]:
        if stream["logStreamName"].startswith(prefix):
            return stream["logStreamName"]
    return ""


UNREAD = {"event", "time", "timestamp", "level", "run_id"}
"""Fields that say nothing new to someone who watches a run."""


def readable(line: str) -> str:
    """Return a line of the service's log as people read it: the event, then its plain fields."""
    try:
        event = json.loads(line)
    except ValueError:
        return line
    if isinstance(event, dict) and "_aws" in event:
        numbers = [f"{name}={value}" for name, value in event.items() if name != "_aws"]
        return " ".join(["metrics", *numbers])
    if not isinstance(event, dict) or "event" not in event:
        return line
    fields = [
        f"{name}={value if isinstance(value, str) else json.dumps(value)}"
        for name, value in event.items()
        if name not in UNREAD and value is not None and not isinstance(value, dict | list)
    ]
    return shorten_hashes(" ".join([str(event["event"]), *fields]))
