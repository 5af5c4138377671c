"""A task: what became of it, and its log, each line of which is read once."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy.aws import ERRORS, is_denied
from deploy.console import shorten_hashes
from deploy.environment import CONTAINER
from deploy.task.definition import log_stream
from deploy.task.explain import Ending, event_of
from deploy.work import Work

PAGES = 100
"""At most this many pages in one read, so that a flood of lines can't hold up the polling."""
UNREAD = {"event", "time", "timestamp", "level", "run_id"}
"""Fields that say nothing new to someone who watches a run."""


@dataclass
class TaskRun:
    """A task by its ARN or id; `run_id` is known of one that was started here.

    A caller who may not read its log (`log_denied`) follows it all the same.
    """

    arn: str
    run_id: str = ""
    task: Mapping[str, Any] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    log_denied: bool = False
    log_token: str = ""
    seconds: float = 0.0

    @property
    def id(self) -> str:
        """The task's id: the last part of its ARN."""
        return self.arn.rsplit("/", 1)[-1]

    @property
    def stopped(self) -> bool:
        """Whether ECS has said that it has come to its end."""
        return bool(self.task.get("lastStatus") == "STOPPED")

    @property
    def container(self) -> Mapping[str, Any]:
        """What ECS says of the service's container."""
        containers = self.task.get("containers", ())
        return next((item for item in containers if item["name"] == CONTAINER), {})

    @property
    def ending(self) -> Ending:
        """How it ended, as far as is known."""
        reasons = (self.container.get("reason", ""), self.task.get("stoppedReason", ""))
        return Ending(
            reason="; ".join(dict.fromkeys(text.strip() for text in reasons if text.strip())),
            stop_code=self.task.get("stopCode", ""),
            exit_code=self.container.get("exitCode"),
            log=self.lines,
        )

    @property
    def finished(self) -> Mapping[str, Any]:
        """The event with which the service ended a run that worked."""
        return event_of(self.lines, "run_finished")

    def show_log(self, work: Work) -> None:
        """Show the lines that are new since the last time; none while there is no stream yet.

        A log that can't be read now is read the next time: a task is not given up for its log.
        """
        known = len(self.lines)
        call: Any = {
            "logGroupName": work.environment.log_group,
            "logStreamName": log_stream(self.id),
            "startFromHead": True,
            **({"nextToken": self.log_token} if self.log_token else {}),
        }
        try:
            for _ in range(0 if self.log_denied else PAGES):
                answer = work.clients.logs.get_log_events(**call)
                self.lines += [event["message"].rstrip("\n") for event in answer["events"]]
                # The same token again is how CloudWatch says that there is no more for now. An
                # empty page alone is not: pages can be empty in between.
                if answer["nextForwardToken"] == self.log_token:
                    break
                call["nextToken"] = self.log_token = answer["nextForwardToken"]
        except ERRORS as error:
            self.log_denied = is_denied(error)
        for line in self.lines[known:]:
            work.console.log(readable(line))


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
