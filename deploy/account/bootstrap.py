"""Makes an environment with CloudFormation, and writes the file that names its resources."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.account.access import Account, Confirm
from deploy.account.stacks import (
    DATASETS,
    ENVIRONMENT,
    IMAGES,
    PREFIX,
    STORAGE,
    Stack,
    changes_in_words,
    describe,
    execute,
    outputs_of,
    propose,
    withdraw,
)
from deploy.account.template import datasets_template
from deploy.console import Console, table
from deploy.environment import parse
from deploy.outcome import Refused
from deploy.target import Target

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

PROVIDER = "token.actions.githubusercontent.com"
LISTS = {"subnets", "security_groups"}


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What an environment should be; what is empty stays as it is, or takes its default.

    Attributes:
        name: The environment's name.
        github: The GitHub repository that may deploy it, as the subject of its tokens has it:
            OWNER@ID/NAME@ID, or OWNER/NAME for one from before GitHub put the ids there.
        promotes: Whether it takes the images that another environment has built and tested.
        schedule: When it runs, as EventBridge Scheduler has it.
        email: Who gets a mail when a run fails.
    """

    name: str
    github: str = ""
    promotes: bool = False
    schedule: str = "rate(1 day)"
    email: str = ""


def bootstrap(
    account: Account,
    *,
    wishes: Wishes,
    existing: Mapping[str, Any],
    console: Console,
    confirm: Confirm,
) -> dict[str, Any]:
    """Make or update the stacks, each as a change set that is shown first.

    Args:
        account: Where.
        wishes: What is wanted.
        existing: The content of the environment's file, where there is one.
        console: Shows each change set.
        confirm: Asked before each is executed.

    Returns:
        The content of the environment's file.
    """
    values = {"Environment": wishes.name}
    if wishes.email:
        values["Email"] = wishes.email
    if wishes.github:
        provider = github_provider(account.client("iam"), console=console, confirm=confirm)
        values |= {"GitHubRepository": wishes.github, "GitHubProvider": provider}
    outputs: dict[str, str] = {}
    for stack in (IMAGES, STORAGE, ENVIRONMENT):
        body = stack.body()
        outputs |= apply(account, stack, body, values=values, console=console, confirm=confirm)
    content = environment_content(outputs, wishes=wishes, existing=existing, account=account)
    target = target_of(content, name=wishes.name, account=account)
    body = json.dumps(datasets_template(target), indent=1)
    apply(account, DATASETS, body, values=values, console=console, confirm=confirm)
    return content


def target_of(content: Mapping[str, Any], *, name: str, account: Account) -> Target:
    """Return the environment of a file's content, in its account."""
    environment = parse(content, name=name, source=f"{name}.toml", environ={})
    return Target(
        environment=environment,
        region=account.region,
        account=account.number,
        partition=account.partition,
        execution_role=environment.execution_role,
        task_role=environment.task_role,
    )


def github_provider(iam: IAMClient, *, console: Console, confirm: Confirm) -> str:
    """Return the ARN of GitHub as an identity provider, which is made where there is none.

    An account has one at most, for all of its projects and regions. So it is of no stack, and
    `destroy` leaves it.
    """
    for item in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]:
        if item["Arn"].endswith(f"/{PROVIDER}"):
            return item["Arn"]
    console.step("provider", f"{PROVIDER} is not known to the account yet")
    if not confirm("Let the account know GitHub as an identity provider?"):
        raise Refused("bootstrap: the account is left as it was", advice="say yes, or --yes")
    made = iam.create_open_id_connect_provider(
        Url=f"https://{PROVIDER}", ClientIDList=["sts.amazonaws.com"]
    )
    return made["OpenIDConnectProviderArn"]


def apply(
    account: Account,
    stack: Stack,
    body: str,
    *,
    values: Mapping[str, str],
    console: Console,
    confirm: Confirm,
) -> dict[str, str]:
    """Show what would change in a stack, ask, do it, and return the stack's outputs."""
    cloud, name = account.cloud, stack.name(values["Environment"])
    proposal = propose(cloud, name=name, body=body, values=values)
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
    done = execute(cloud, proposal)
    console.more("done")
    return outputs_of(done)


def environment_content(
    outputs: Mapping[str, str], *, wishes: Wishes, existing: Mapping[str, Any], account: Account
) -> dict[str, Any]:
    """Return an environment file's content: the stacks' outputs, and what was there beside them."""
    made: dict[str, Any] = {"region": account.region, "account": account.number}
    for name, value in outputs.items():
        key = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
        made[key] = value.split(",") if key in LISTS else value
    made |= {
        "family": f"{PREFIX}-{wishes.name}",
        "builds": bool(existing.get("builds", True)) and not wishes.promotes,
        "schedule": existing.get("schedule", wishes.schedule),
        "variables": {
            **existing.get("variables", {}),
            "METRICS_NAMESPACE": f"{PREFIX}/{wishes.name}",
        },
    }
    if "datasets" not in existing:
        dataset = Path(existing.get("dataset", "launches")).stem
        made["key"] = existing.get("key", f"{dataset}.parquet")
    return made | {key: value for key, value in existing.items() if key not in made}


def to_toml(content: Mapping[str, Any]) -> str:
    """Return TOML for strings, numbers, lists of strings, and tables; `datasets` come last."""
    lines = [f"{key} = {_toml(value)}" for key, value in content.items() if key != "datasets"]
    for name, settings in content.get("datasets", {}).items():
        lines += ["", f"[datasets.{name}]"]
        lines += [f"{key} = {_toml(value)}" for key, value in settings.items()]
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
    """Write an environment file, and say in it where it comes from."""
    head = (
        f"# Made by `./deploy.sh bootstrap {file.stem}` from the outputs of the stacks in infra/.\n"
        "# `schedule`, `builds`, `variables`, `[datasets.NAME]` and keys that are not outputs are\n"
        "# yours to change; the same command then brings roles and alarms up to date.\n\n"
    )
    file.write_text(head + to_toml(content), encoding="utf-8")
