"""The account in which an environment is made or removed, and the questions before that."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import click

from deploy.account.stacks import Cloud
from deploy.aws import CONFIG
from deploy.environment import FOLDER
from deploy.outcome import Refused

NAME = re.compile(r"[a-z][a-z0-9-]{1,19}")
Confirm = Callable[[str], bool]


@dataclass(frozen=True)
class Account:
    """An account and a region of it."""

    session: boto3.Session
    region: str
    number: str
    partition: str = "aws"
    endpoint: str | None = None
    poll: float = 2.0

    def client(self, service: str) -> Any:
        """Return a client of one of its services."""
        create: Any = self.session.client
        options: Any = {"endpoint_url": self.endpoint, "config": CONFIG}
        return create(service, region_name=self.region, **options)

    @property
    def cloud(self) -> Cloud:
        """Its CloudFormation."""
        return Cloud(self.client("cloudformation"), poll=self.poll)


def find_account(existing: Mapping[str, Any]) -> Account:
    """Return the account of the credentials, in the region of the environment's file.

    Args:
        existing: The file's content, where there is one.
    """
    session = boto3.Session()
    region = existing.get("region") or os.environ.get("AWS_REGION") or session.region_name
    if not region:
        raise Refused("region: not set", advice="export AWS_REGION=REGION")
    sts: Any = session.client("sts", region_name=region, config=CONFIG)
    identity = sts.get_caller_identity()
    number = identity["Account"]
    if existing.get("account", number) != number:
        raise Refused(
            f"account: the credentials belong to {number}, the environment to "
            f"{existing['account']}",
            advice="choose the right profile with AWS_PROFILE",
        )
    return Account(session, region, number, identity["Arn"].split(":")[1])


def file_of(name: str) -> Path:
    """Return the file of an environment."""
    if not NAME.fullmatch(name):
        raise Refused(
            f"{name!r} is no name for an environment",
            advice="2 to 20 small letters, digits and hyphens, a letter first",
        )
    return FOLDER / f"{name}.toml"


def asking(yes: bool) -> Confirm:
    """Return a function that asks the user; without a terminal or --yes the answer is no."""

    def confirm(question: str) -> bool:
        return yes or (sys.stdin.isatty() and click.confirm(question, err=True))

    return confirm
