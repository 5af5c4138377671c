"""`bootstrap` and `destroy` as commands: which account, which file, and who is asked."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import boto3
import click

from deploy.aws import CONFIG
from deploy.bootstrap import (
    Confirm,
    Wishes,
    bootstrap,
    environment_content,
    read_existing,
    write_environment,
)
from deploy.console import Console
from deploy.destroy import destroy
from deploy.environment import FOLDER
from deploy.outcome import Refused, Verdict
from deploy.stacks import Cloud

NAME = re.compile(r"[a-z][a-z0-9-]{1,19}")


@dataclass(frozen=True)
class Account:
    """An account and a region of it, as the SDK is configured."""

    session: boto3.Session
    region: str
    number: str

    @property
    def cloud(self) -> Cloud:
        """Its CloudFormation."""
        return Cloud(self.session.client("cloudformation", region_name=self.region, config=CONFIG))


def find_account() -> Account:
    """Return the account of the credentials and the region that is configured.

    Raises:
        Refused: There is no region.
    """
    session = boto3.Session()
    region = os.environ.get("AWS_REGION") or session.region_name
    if not region:
        raise Refused("region: not set", advice="export AWS_REGION=REGION")
    sts = session.client("sts", region_name=region, config=CONFIG)
    return Account(session, region, sts.get_caller_identity()["Account"])


def bootstrap_command(wishes: Wishes, *, yes: bool, console: Console, verdict: Verdict) -> None:
    """Make an environment, or bring it up to date, and write its file."""
    file = file_of(wishes.name)
    existing = read_existing(file)
    if existing and "schedule_group" not in existing:
        raise Refused(
            f"bootstrap: {file} is not of bootstrap's making", advice="choose another name"
        )
    account = find_account()
    console.step("target", f"{wishes.name}: {account.region}, account {account.number}")
    values = bootstrap(
        account.cloud,
        account.session.client("iam", region_name=account.region, config=CONFIG),
        wishes=wishes,
        existing=existing,
        console=console,
        confirm=asking(yes),
    )
    content = environment_content(
        values, wishes=wishes, existing=existing, region=account.region, account=account.number
    )
    write_environment(file, content)
    console.step("file", f"{file}: commit it, then `./deploy.sh --env {wishes.name}`")
    if "DeployRole" in values:
        console.step("GitHub", f"variables of the environment {wishes.name}:")
        console.more(f"AWS_ROLE_ARN = {values['DeployRole']}")
        console.more(f"AWS_REGION = {account.region}")
    verdict.facts |= {"file": str(file), "outputs": values}


def destroy_command(
    name: str, *, data: bool, yes: bool, console: Console, verdict: Verdict
) -> None:
    """Remove an environment; what holds data only when told so."""
    file = file_of(name)
    account = find_account()
    console.step("target", f"{name}: {account.region}, account {account.number}")
    removal = destroy(
        account.cloud,
        ecs=account.session.client("ecs", region_name=account.region, config=CONFIG),
        s3=account.session.client("s3", region_name=account.region, config=CONFIG),
        ecr=account.session.client("ecr", region_name=account.region, config=CONFIG),
        environment=name,
        data=data,
        console=console,
        confirm=asking(yes),
    )
    if file.exists():
        console.step("file", f"{file} names what has gone: remove it when you are done")
    verdict.facts |= {
        "removed": [stack.name(name) for stack in removal.stacks],
        "kept": [stack.name(name) for stack, _ in removal.kept],
    }


def file_of(name: str) -> Path:
    """Return the file of an environment.

    Raises:
        Refused: The name can't be part of the names of AWS resources.
    """
    if not NAME.fullmatch(name):
        raise Refused(
            f"{name!r} is no name for an environment",
            advice="2 to 20 small letters, digits and hyphens, a letter first",
        )
    return FOLDER / f"{name}.toml"


def asking(yes: bool) -> Confirm:
    """Return what asks the user; without a terminal, and without --yes, the answer is no."""

    def confirm(question: str) -> bool:
        return yes or (sys.stdin.isatty() and click.confirm(question, err=True))

    return confirm
