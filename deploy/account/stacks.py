"""Makes, changes and removes the CloudFormation stacks of an environment.

Separate stacks, not nested ones: each change set can be read on its own, and the stack with the
data can stay when the others go. No exports: a value that another stack imports can't be changed.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, WaiterError

from deploy.aws import code_of, message_of
from deploy.outcome import NotLaunched, Refused

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

PREFIX = "micro-etl"
FOLDER = Path(__file__).parents[2] / "infra"
PATIENCE_SECONDS = 1200


@dataclass(frozen=True)
class Cloud:
    """CloudFormation, and the seconds between two looks at whether it is done."""

    client: CloudFormationClient
    poll: float = 2.0

    def wait(self, state: str, **what: str) -> None:
        """Wait with one of the SDK's waiters, for twenty minutes at most."""
        waiter: Any = self.client.get_waiter(state)  # type: ignore[call-overload]
        attempts = int(PATIENCE_SECONDS / self.poll)
        waiter.wait(**what, WaiterConfig={"Delay": self.poll, "MaxAttempts": attempts})


@dataclass(frozen=True)
class Proposal:
    """A change set that has not been executed, of a stack that may be new.

    `changes` is empty where only an output is new.
    """

    stack: str
    change_set: str
    new: bool
    changes: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Stack:
    """One template, by its name in infra/; `shared` by all environments of an account or not."""

    template: str
    shared: bool = False

    def name(self, environment: str) -> str:
        """Return what the stack of an environment is called."""
        middle = "" if self.shared else f"-{environment}"
        return f"{PREFIX}{middle}-{self.template}"

    def body(self) -> str:
        """Return the template."""
        return (FOLDER / f"{self.template}.yaml").read_text(encoding="utf-8")


IMAGES = Stack("images", shared=True)
STORAGE = Stack("storage")
ENVIRONMENT = Stack("environment")
DATASETS = Stack("datasets")
"""Its template is made from the environment file: see `template.py`."""
STACKS = (IMAGES, STORAGE, ENVIRONMENT, DATASETS)
"""In the order in which they are made; they are removed in the opposite one."""


def describe(cloud: Cloud, name: str) -> Mapping[str, Any] | None:
    """Return a stack as CloudFormation describes it, or nothing where there is none."""
    try:
        return cloud.client.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if code_of(error) == "ValidationError" and "does not exist" in message_of(error):
            return None
        raise


def outputs_of(stack: Mapping[str, Any] | None) -> dict[str, str]:
    """Return a stack's outputs by their names."""
    return {item["OutputKey"]: item["OutputValue"] for item in (stack or {}).get("Outputs", [])}


def parameters(
    declared: Sequence[Mapping[str, Any]],
    *,
    values: Mapping[str, str],
    present: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Return a stack's parameters: what is known, else those of the stack, else the defaults."""
    has = {item["ParameterKey"] for item in present}
    given: list[dict[str, Any]] = []
    for key in (item["ParameterKey"] for item in declared):
        if key in values:
            given.append({"ParameterKey": key, "ParameterValue": values[key]})
        elif key in has:
            given.append({"ParameterKey": key, "UsePreviousValue": True})
    return given


def changes_in_words(changes: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """Yield each change of a change set: what is done, to what, and of which type."""
    for change in changes:
        resource = change["ResourceChange"]
        replaced = resource.get("Replacement") == "True"
        action = "Replace" if replaced else resource["Action"]
        yield action, resource["LogicalResourceId"], resource["ResourceType"]


def propose(cloud: Cloud, *, name: str, body: str, values: Mapping[str, str]) -> Proposal | None:
    """Make a change set for a stack, and return it, or nothing where nothing would change."""
    stack = describe(cloud, name) or {}
    status = stack.get("StackStatus", "")
    if status.startswith("ROLLBACK_") or status.endswith("_FAILED"):
        command = "continue-update-rollback" if status.startswith("UPDATE_") else "delete-stack"
        how = f"aws cloudformation {command} --stack-name {name}"
        raise Refused(f"{name} is {status}", advice=how)
    new = status in {"", "REVIEW_IN_PROGRESS"}
    declared = cloud.client.validate_template(TemplateBody=body).get("Parameters", [])
    present = () if new else stack.get("Parameters", ())
    proposal = Proposal(name, f"deploy-sh-{uuid.uuid4().hex[:12]}", new)
    named: Any = {"StackName": name, "ChangeSetName": proposal.change_set}
    cloud.client.create_change_set(
        **named,
        ChangeSetType="CREATE" if new else "UPDATE",
        TemplateBody=body,
        Parameters=parameters(declared, values=values, present=present),  # type: ignore[arg-type]
        Capabilities=["CAPABILITY_IAM"],
    )
    try:
        cloud.wait("change_set_create_complete", **named)
    except WaiterError as error:
        reason = str(error.last_response.get("StatusReason", error))
        withdraw(cloud, proposal)
        if "didn't contain changes" in reason or "No updates are to be performed" in reason:
            return None
        raise Refused(f"{name}: {reason}") from None
    pages = cloud.client.get_paginator("describe_change_set").paginate(**named)
    return replace(proposal, changes=tuple(item for page in pages for item in page["Changes"]))


def withdraw(cloud: Cloud, proposal: Proposal) -> None:
    """Delete a change set that is not wanted, and the empty stack that it was the first of."""
    cloud.client.delete_change_set(StackName=proposal.stack, ChangeSetName=proposal.change_set)
    if proposal.new:
        cloud.client.delete_stack(StackName=proposal.stack)


def execute(cloud: Cloud, proposal: Proposal) -> Mapping[str, Any]:
    """Execute a change set and return the stack; raise its first reason where it failed."""
    name = proposal.stack
    cloud.client.execute_change_set(StackName=name, ChangeSetName=proposal.change_set)
    delete = f"aws cloudformation delete-stack --stack-name {name}"
    state, advice = (
        ("stack_create_complete", f"it is in the way now: `{delete}`, then the same command again")
        if proposal.new
        else ("stack_update_complete", "it was taken back; run the same command again")
    )
    _wait(cloud, state, name, advice=advice)
    return cloud.client.describe_stacks(StackName=name)["Stacks"][0]


def remove(cloud: Cloud, name: str) -> None:
    """Delete a stack and wait until it has gone; raise the first reason where it failed."""
    cloud.client.delete_stack(StackName=name)
    advice = "the rest of it is still there: correct that, and run the same command again"
    _wait(cloud, "stack_delete_complete", name, advice=advice)


def _wait(cloud: Cloud, state: str, name: str, *, advice: str) -> None:
    """Wait for a stack; raise the first failure since the change was asked for."""
    try:
        cloud.wait(state, StackName=name)
        return
    except WaiterError:
        events = cloud.client.describe_stack_events(StackName=name)["StackEvents"]
    reason = "not done after twenty minutes"
    for event in events:  # the newest first
        if event["ResourceStatus"].endswith("_FAILED") and event.get("ResourceStatusReason"):
            reason = f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"
        if event.get("ResourceStatusReason") == "User Initiated":
            break
    raise NotLaunched(f"{name}: {reason}", advice=advice)
