"""Makes an environment of one's own with CloudFormation, and writes the file that names it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.console import Console, table
from deploy.outcome import Refused
from deploy.stacks import (
    DEPLOY_ROLE,
    GITHUB,
    PREFIX,
    STACKS,
    Cloud,
    Stack,
    changes_in_words,
    describe,
    execute,
    outputs_of,
    propose,
    withdraw,
)

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

PROVIDER = "token.actions.githubusercontent.com"
Confirm = Callable[[str], bool]


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What an environment shall be; what is empty stays as it is, or takes its default.

    Attributes:
        name: The environment's name.
        github: The GitHub repository that may deploy it, as the subject of its tokens has it:
            OWNER@ID/NAME@ID, or OWNER/NAME for one from before GitHub put the ids there.
        promotes: Whether it takes the images that another environment has built and tested.
        schedule: When it runs, as EventBridge Scheduler has it.
        email: Who is told of a failed run.
    """

    name: str
    github: str = ""
    promotes: bool = False
    schedule: str = "rate(1 day)"
    email: str = ""


def bootstrap(
    cloud: Cloud,
    iam: IAMClient,
    *,
    wishes: Wishes,
    existing: Mapping[str, Any],
    console: Console,
    confirm: Confirm,
) -> dict[str, str]:
    """Make or update the stacks, each as a change set that is shown first; return all outputs.

    Args:
        cloud: Makes the stacks.
        iam: Knows whether the account has GitHub as a provider already.
        wishes: What is wanted.
        existing: The environment's file, where there is one.
        console: Shows each change set.
        confirm: Is asked before each is executed.

    Raises:
        Refused: The answer was no, or a stack can't be changed.
        NotLaunched: CloudFormation failed.
    """
    values = settings(wishes, existing)
    has_role = describe(cloud, DEPLOY_ROLE.name(wishes.name)) is not None
    for stack in STACKS:
        if stack in {GITHUB, DEPLOY_ROLE} and not (wishes.github or has_role):
            continue
        if stack is GITHUB:
            provider = foreign_provider(cloud, iam)
            if provider:
                console.step(
                    "stack", f"{GITHUB.name('')} is not needed: the account has {provider}"
                )
                values["GitHubProvider"] = provider
                continue
        values |= apply(cloud, stack, values=values, console=console, confirm=confirm)
    return values


def settings(wishes: Wishes, existing: Mapping[str, Any]) -> dict[str, str]:
    """Return the parameters that are settings, not another stack's outputs."""
    dataset = str(existing.get("dataset", "launches"))
    values = {
        "Environment": wishes.name,
        "Dataset": dataset,
        "ObjectKey": str(existing.get("key", f"{dataset}.parquet")),
        "Builds": "true" if _builds(wishes, existing) else "false",
    }
    if wishes.github:
        values["GitHubRepository"] = wishes.github
    if wishes.email:
        values["Email"] = wishes.email
    return values


def _builds(wishes: Wishes, existing: Mapping[str, Any]) -> bool:
    return bool(existing.get("builds", True)) and not wishes.promotes


def foreign_provider(cloud: Cloud, iam: IAMClient) -> str:
    """Return the ARN of GitHub as a provider where the account has it from elsewhere."""
    if describe(cloud, GITHUB.name("")):
        return ""
    providers = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    return next((item["Arn"] for item in providers if item["Arn"].endswith(f"/{PROVIDER}")), "")


def apply(
    cloud: Cloud, stack: Stack, *, values: Mapping[str, str], console: Console, confirm: Confirm
) -> dict[str, str]:
    """Show what would change in a stack, ask, do it, and return the stack's outputs.

    Raises:
        Refused: The answer was no, or the stack can't be changed.
        NotLaunched: CloudFormation failed.
    """
    name = stack.name(values["Environment"])
    proposal = propose(cloud, name=name, body=stack.body(), values=values)
    if proposal is None:
        console.step("stack", f"{name}: no change")
        found = describe(cloud, name)
        return outputs_of(found) if found else {}
    count = f"{len(proposal.changes)} changes:" if proposal.changes else "only its outputs change"
    console.step("stack", f"{name}, {count}")
    for line in table(list(changes_in_words(proposal.changes))):
        console.more(line)
    if not confirm(f"Execute these changes of {name}?"):
        withdraw(cloud, proposal)
        raise Refused(f"bootstrap: {name} is left as it was", advice="say yes, or --yes")
    found = execute(cloud, proposal)
    console.more("done")
    return outputs_of(found)


def environment_content(
    values: Mapping[str, str],
    *,
    wishes: Wishes,
    existing: Mapping[str, Any],
    region: str,
    account: str,
) -> dict[str, Any]:
    """Return an environment file's content: what the stacks gave, and what was there beside it."""
    made = {
        "region": region,
        "account": account,
        "cluster": values["Cluster"],
        "repository": values["Repository"],
        "bucket": values["Bucket"],
        "key": values["ObjectKey"],
        "log_group": values["LogGroup"],
        "subnets": values["Subnets"].split(","),
        "security_groups": [values["SecurityGroup"]],
        "family": f"{PREFIX}-{wishes.name}",
        "execution_role": values["ExecutionRole"],
        "task_role": values["TaskRole"],
        "builds": _builds(wishes, existing),
        "schedule": existing.get("schedule", wishes.schedule),
        "schedule_group": values["ScheduleGroup"],
        "schedule_role": values["ScheduleRole"],
        "schedule_queue": values["LostRunsArn"],
        "variables": {
            **existing.get("variables", {}),
            "METRICS_NAMESPACE": f"{PREFIX}/{wishes.name}",  # as infra/alarms.yaml has it
        },
    }
    return made | {key: value for key, value in existing.items() if key not in made}


def to_toml(content: Mapping[str, Any]) -> str:
    """Return TOML for strings, numbers, lists of strings and tables of strings."""
    lines = [f"{key} = {_toml(value)}" for key, value in content.items()]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        pairs = ", ".join(f"{key} = {_toml(item)}" for key, item in value.items())
        return f"{{ {pairs} }}"
    return json.dumps(value, ensure_ascii=False)


def read_existing(file: Path) -> dict[str, Any]:
    """Return an environment file's content, or nothing where there is none."""
    return tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def write_environment(file: Path, content: Mapping[str, Any]) -> None:
    """Write an environment file, with a word on where it came from."""
    head = (
        f"# Made by `./deploy.sh bootstrap {file.stem}`, from what the stacks in infra/ gave.\n"
        "# `schedule` and `builds` are yours to change; other keys that you add are kept.\n\n"
    )
    file.write_text(head + to_toml(content), encoding="utf-8")
