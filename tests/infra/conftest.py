"""An environment made by `bootstrap` on an emulator, and readers of YAML."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import boto3
import pytest

from deploy.account import stacks
from deploy.account.bootstrap import bootstrap, site_of
from deploy.account.destroy import destroy, present
from deploy.account.stacks import Site
from deploy.aws import Clients
from deploy.console import Console
from deploy.target import Target

REGION: Literal["eu-west-1"] = "eu-west-1"
ACCOUNT = "123456789012"
PROVIDER_URL = "https://token.actions.githubusercontent.com"


@dataclass(frozen=True)
class Account:
    """An account of an emulator's, in which `staging` is or may be made."""

    target: Target
    clients: Clients
    endpoint: str

    def client(self, service: str) -> Any:
        """A client of a service; the emulator takes the account from the key."""
        create: Any = boto3.client  # its stubs know each service by a literal name only
        return create(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="test",
        )

    def site(
        self, said: io.StringIO | None = None, confirm: Callable[[str], bool] = lambda _: True
    ) -> Site:
        """Where `staging` is, with somebody who is told and asked."""
        return Site(self.target, self.clients, Console(said or io.StringIO()), confirm)

    @property
    def cloud(self) -> Any:
        """Its CloudFormation."""
        return self.clients.cloudformation


@pytest.fixture(autouse=True)
def no_settings_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the machine's AWS configuration, or can reach AWS with it."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "DEPLOY_", "GITHUB_", "GH_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def account(aws_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Account:
    """An account of the emulator's, which knows it by a key of 12 digits."""
    monkeypatch.setattr(stacks, "POLL_SECONDS", 0.05)
    for name, value in {
        "AWS_ENDPOINT_URL": aws_endpoint,
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
    }.items():
        monkeypatch.setenv(name, value)
    site = site_of("staging", {}, console=Console(io.StringIO()), yes=True)
    return Account(site.target, site.clients, aws_endpoint)


@pytest.fixture
def said() -> io.StringIO:
    """What was shown."""
    return io.StringIO()


def made(
    account: Account,
    said: io.StringIO,
    *,
    existing: dict[str, Any] | None = None,
    **wishes: Any,
) -> dict[str, Any]:
    """Make or update an environment, and return the content of its file."""
    return bootstrap(account.site(said), existing or {}, **wishes)


@pytest.fixture
def content(account: Account, said: io.StringIO) -> Iterator[dict[str, Any]]:
    """The file of an environment named staging, which is there while the test lasts."""
    yield made(account, said, github="octo@1/micro-etl@2", email="team@example.org")
    if present(account.cloud):
        destroy(account.site(), ["micro-etl-staging"], data=True)
