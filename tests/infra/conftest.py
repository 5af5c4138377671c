"""An environment made by `bootstrap` on an emulator, and readers of YAML."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import Any, Literal

import boto3
import pytest

from deploy.account.access import Account
from deploy.account.bootstrap import Wishes, bootstrap
from deploy.account.destroy import destroy, present
from deploy.console import Console

REGION: Literal["eu-west-1"] = "eu-west-1"
ACCOUNT = "123456789012"
PROVIDER_URL = "https://token.actions.githubusercontent.com"


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
    """An account of the emulator's, which knows it by a key of 12 digits."""
    session = boto3.Session(aws_access_key_id=ACCOUNT, aws_secret_access_key="test")
    return Account(session, REGION, ACCOUNT, endpoint=aws_endpoint, poll=0.05)


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
    return bootstrap(
        account,
        wishes=Wishes(**({"name": "staging"} | wishes)),
        existing=existing or {},
        console=Console(said),
        confirm=lambda _: True,
    )


@pytest.fixture
def content(account: Account, said: io.StringIO) -> Iterator[dict[str, Any]]:
    """The file of an environment named staging, which is there while the test lasts."""
    yield made(account, said, github="octo@1/micro-etl@2", email="team@example.org")
    if present(account.cloud):
        destroy(
            account,
            environment="staging",
            families=["micro-etl-staging"],
            data=True,
            console=Console(io.StringIO()),
            confirm=lambda _: True,
        )
