"""An environment made by `bootstrap` on an emulator, and readers of YAML."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import boto3
import pytest

from deploy.bootstrap import Wishes, bootstrap
from deploy.console import Console
from deploy.destroy import destroy, present
from deploy.stacks import Cloud

REGION: Literal["eu-west-1"] = "eu-west-1"
ACCOUNT = "123456789012"
PROVIDER_URL = "https://token.actions.githubusercontent.com"


@dataclass(frozen=True)
class Account:
    """An account of the emulator's.

    Attributes:
        endpoint: The emulator's.
        cloud: Its CloudFormation.
    """

    endpoint: str
    cloud: Cloud

    def client(self, service: str) -> Any:
        """Return a client of one of its services."""
        return client(service, self.endpoint)


def client(service: str, endpoint: str | None) -> Any:
    """Return a client whose account an emulator takes from the key, where that is 12 digits."""
    create: Any = boto3.client  # its stubs know each service by a literal name only
    return create(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=ACCOUNT,
        aws_secret_access_key="test",
    )


@pytest.fixture(autouse=True)
def no_settings_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the machine's AWS configuration, or can reach AWS with it."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "DEPLOY_", "GITHUB_", "GH_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="session")
def account(aws_endpoint: str) -> Account:
    """An account that has GitHub as a provider already, which MiniStack's templates can't give."""
    made = Account(aws_endpoint, Cloud(client("cloudformation", aws_endpoint), poll=0.05))
    made.client("iam").create_open_id_connect_provider(
        Url=PROVIDER_URL, ClientIDList=["sts.amazonaws.com"]
    )
    return made


@pytest.fixture
def said() -> io.StringIO:
    """What was shown."""
    return io.StringIO()


@pytest.fixture
def outputs(account: Account, said: io.StringIO) -> Iterator[dict[str, str]]:
    """The outputs of an environment named staging, which is there while the test lasts."""
    wishes = Wishes(name="staging", github="octo@1/micro-etl@2", email="team@example.org")
    yield bootstrap(
        account.cloud,
        account.client("iam"),
        wishes=wishes,
        existing={},
        console=Console(said),
        confirm=lambda _: True,
    )
    if not present(account.cloud):
        return
    destroy(
        account.cloud,
        ecs=account.client("ecs"),
        s3=account.client("s3"),
        ecr=account.client("ecr"),
        environment="staging",
        data=True,
        console=Console(io.StringIO()),
        confirm=lambda _: True,
    )
