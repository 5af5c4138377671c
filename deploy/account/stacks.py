"""Makes, changes and removes the CloudFormation stacks of an environment.

Separate stacks, not nested ones: each change set can be read on its own, and the stack with the
data can stay when the others go. No exports: a value that another stack imports can't be changed.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, WaiterError

from deploy.aws import Clients, message_of
from deploy.console import Console, table
from deploy.outcome import NotLaunched, Refused
from deploy.target import Target

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

PREFIX = "micro-etl"
POLL_SECONDS, PATIENCE_SECONDS = 2.0, 1200

IMAGES, STORAGE, ENVIRONMENT, DATASETS = STACKS = ("images", "storage", "environment", "datasets")
"""By their templates in infra/, in the order in which they are made; they are removed in the
opposite one. The template of the datasets is made from the environment file: see `template.py`."""


def stack_name(template: str, environment: str) -> str:
    """What a stack of an environment is called; all share the one of the images."""
    return f"{PREFIX}-{template}" if template == IMAGES else f"{PREFIX}-{environment}-{template}"


@dataclass(frozen=True)
class Site:
    """Where an environment is or will be, and a person who is shown each change and asked."""

    target: Target
    clients: Clients
    console: Console
    confirm: Callable[[str], bool]
    changed: list[str] = field(default_factory=list)
    """What has been changed so far, by name."""

    @property
    def name(self) -> str:
        """The environment's name."""
        return self.target.environment.name


def describe(cloud: CloudFormationClient, name: str) -> Mapping[str, Any]:
    """A stack as CloudFormation describes it, or nothing where there is none."""
    try:
        return cloud.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in message_of(error):
            return {}
        raise


def outputs_of(cloud: CloudFormationClient, name: str) -> dict[str, str]:
    """A stack's outputs by their names."""
    found = describe(cloud, name).get("Outputs", ())
    return {item["OutputKey"]: item["OutputValue"] for item in found}


def apply(site: Site, template: str, body: str, *, values: Mapping[str, str]) -> dict[str, str]:
    """Show what would change in a stack, ask, do it, and return the stack's outputs.

    Args:
        site: whose stack.
        template: which of its stacks.
        body: the content of the template.
        values: parameters; one without a value keeps that of the stack, or has its default.
    """
    cloud, console = site.clients.cloudformation, site.console
    name = stack_name(template, site.name)
    stack = describe(cloud, name)
    status = stack.get("StackStatus", "")
    delete = f"aws cloudformation delete-stack --stack-name {name}"
    if status.startswith("ROLLBACK_"):
        raise Refused(f"{name} could not be made and is {status}", advice=delete)
    new = status in {"", "REVIEW_IN_PROGRESS"}
    declared = cloud.validate_template(TemplateBody=body).get("Parameters", ())
    present = [] if new else stack.get("Parameters", [])
    change: Any = {"StackName": name, "ChangeSetName": f"deploy-sh-{uuid.uuid4().hex[:12]}"}
    cloud.create_change_set(
        **change,
        ChangeSetType="CREATE" if new else "UPDATE",
        TemplateBody=body,
        Parameters=parameters(declared, values=values, present=present),
        Capabilities=["CAPABILITY_IAM"],
    )

    def withdraw() -> None:
        cloud.delete_change_set(**change)
        if new:  # it is empty
            cloud.delete_stack(StackName=name)

    try:
        _wait(cloud, "change_set_create_complete", **change)
    except WaiterError as error:
        reason = str(error.last_response.get("StatusReason", error))
        withdraw()
        if "didn't contain changes" in reason or "No updates are to be performed" in reason:
            console.step("stack", f"{name}: no change")
            return outputs_of(cloud, name)
        raise Refused(f"{name}: {reason}") from None
    pages = cloud.get_paginator("describe_change_set").paginate(**change)
    changes = list(pages.search("Changes[].ResourceChange"))
    count = f"{len(changes)} changes:" if changes else "only its outputs change"
    console.step("stack", f"{name}, {count}")
    for line in table([*changes_in_words(changes)]):
        console.more(line)
    if not site.confirm(f"Execute these changes of {name}?"):
        withdraw()
        raise Refused(f"bootstrap: {name} is left as it was", advice="say yes, or --yes")
    cloud.execute_change_set(**change)
    site.changed.append(name)
    state, advice = (
        ("stack_create_complete", f"it is in the way now: `{delete}`, then the same command again")
        if new
        else ("stack_update_complete", "it was taken back; run the same command again")
    )
    _finish(cloud, state, name, advice=advice)
    console.more("done")
    return outputs_of(cloud, name)


def remove(cloud: CloudFormationClient, name: str) -> None:
    """Delete a stack and wait until it has gone; raise the first reason where it failed."""
    cloud.delete_stack(StackName=name)
    advice = "the rest of it is still there: correct that, and run the same command again"
    _finish(cloud, "stack_delete_complete", name, advice=advice)


def parameters(
    declared: Sequence[Any], *, values: Mapping[str, str], present: Sequence[Any]
) -> list[Any]:
    """A stack's parameters: what is known, else those of the stack, else the defaults."""
    known = {key: {"ParameterValue": value} for key, value in values.items()}
    kept = {item["ParameterKey"]: {"UsePreviousValue": True} for item in present}
    found: dict[str, Any] = {**kept, **known}
    keys = [item["ParameterKey"] for item in declared]
    return [{"ParameterKey": key, **found[key]} for key in keys if key in found]


def changes_in_words(changes: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """Yield each change of a change set: what is done, to what, and of which type."""
    for resource in changes:
        replaced = resource.get("Replacement") == "True"
        action = "Replace" if replaced else resource["Action"]
        yield action, resource["LogicalResourceId"], resource["ResourceType"]


def _wait(cloud: CloudFormationClient, state: Any, **what: str) -> None:
    """Wait with one of the SDK's waiters, for twenty minutes at most."""
    attempts = int(PATIENCE_SECONDS / POLL_SECONDS)
    waiter: Any = cloud.get_waiter(state)
    waiter.wait(**what, WaiterConfig={"Delay": POLL_SECONDS, "MaxAttempts": attempts})


def _finish(cloud: CloudFormationClient, state: str, name: str, *, advice: str) -> None:
    """Wait for a stack; raise the first failure since the change was asked for."""
    try:
        _wait(cloud, state, StackName=name)
        return
    except WaiterError:
        events = cloud.describe_stack_events(StackName=name)["StackEvents"]
    reason = "not done after twenty minutes"
    for event in events:  # the newest first
        if event["ResourceStatus"].endswith("_FAILED") and event.get("ResourceStatusReason"):
            reason = f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"
        if event.get("ResourceStatusReason") == "User Initiated":
            break
    raise NotLaunched(f"{name}: {reason}", advice=advice)
