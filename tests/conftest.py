"""What the tests of every folder may ask for: an emulated AWS and a bucket in it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
import pytest

from dev.loopback import serve_aws

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_REGION = "us-east-1"


@dataclass(frozen=True)
class Bucket:
    """A bucket of the emulator, seen through boto3.

    Attributes:
        name: the bucket's.
        endpoint: the emulator's.
        client: a client of it.
    """

    name: str
    endpoint: str
    client: S3Client

    @property
    def environ(self) -> dict[str, str]:
        """The variables that lead any AWS client to the emulator."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": _REGION,
            "AWS_DEFAULT_REGION": _REGION,
        }

    def list_keys(self) -> list[str]:
        """The keys of its objects, sorted."""
        page = self.client.list_objects_v2(Bucket=self.name)
        return sorted(item["Key"] for item in page.get("Contents", []))

    def read(self, key: str) -> bytes:
        """The bytes of one object."""
        return self.client.get_object(Bucket=self.name, Key=key)["Body"].read()


@pytest.fixture(scope="session")
def aws_endpoint() -> Iterator[str]:
    """The endpoint of an emulated AWS, started once a session."""
    with serve_aws() as endpoint:
        yield endpoint


@pytest.fixture
def bucket(aws_endpoint: str) -> Iterator[Bucket]:
    """An empty bucket of the test's own; it is gone afterwards."""
    client = boto3.client(
        "s3",
        endpoint_url=aws_endpoint,
        region_name=_REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    made = Bucket(f"test-{uuid.uuid4().hex}", aws_endpoint, client)
    client.create_bucket(Bucket=made.name)
    yield made
    for key in made.list_keys():
        client.delete_object(Bucket=made.name, Key=key)
    client.delete_bucket(Bucket=made.name)
    client.close()
