"""The clients that the steps talk to, and the questions that every step asks of an AWS error."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    SSOError,
    TokenRetrievalError,
)
from botocore.exceptions import ConnectionError as AwsConnectionError

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_sts import STSClient

CONFIG = Config(
    connect_timeout=10,
    read_timeout=60,
    retries={"mode": "standard", "total_max_attempts": 6},
    user_agent_extra="micro-etl-deploy",
)

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Clients:
    """One client for each AWS service that the tool uses."""

    ecs: ECSClient
    ecr: ECRClient
    logs: CloudWatchLogsClient
    s3: S3Client
    ec2: EC2Client
    iam: IAMClient
    sts: STSClient
    scheduler: EventBridgeSchedulerClient


def connect(session: boto3.Session, *, region: str) -> Clients:
    """Return clients for a region. Nothing is sent yet."""
    return Clients(
        ecs=session.client("ecs", region_name=region, config=CONFIG),
        ecr=session.client("ecr", region_name=region, config=CONFIG),
        logs=session.client("logs", region_name=region, config=CONFIG),
        s3=session.client("s3", region_name=region, config=CONFIG),
        ec2=session.client("ec2", region_name=region, config=CONFIG),
        iam=session.client("iam", region_name=region, config=CONFIG),
        sts=session.client("sts", region_name=region, config=CONFIG),
        scheduler=session.client("scheduler", region_name=region, config=CONFIG),
    )


DENIED = {
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "UnauthorizedAccess",
    "AuthorizationError",
    "403",
}
CREDENTIALS_REFUSED = {
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "AuthFailure",
}


THROTTLED = {
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
}
FAULTS = {"ServerException", "InternalError", "InternalFailure", "ServiceUnavailable"}
ERRORS = (BotoCoreError, ClientError)
"""What a call can raise: the SDK's own errors, and what AWS answered."""


def is_unanswered(error: Exception) -> bool:
    """Tell whether it is not known what became of a call: the network, or a fault of AWS's."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return code_of(error) in FAULTS or status >= 500
    return isinstance(error, AwsConnectionError | HTTPClientError)


def may_pass(error: Exception) -> bool:
    """Tell whether the same call may well be answered in a moment."""
    throttled = isinstance(error, ClientError) and code_of(error) in THROTTLED
    return throttled or is_unanswered(error)


def words_of(error: BotoCoreError | ClientError) -> str:
    """Return what a call ended with: the operation and what AWS said, or what the SDK says."""
    if isinstance(error, ClientError):
        return f"{error.operation_name}: {message_of(error)} ({code_of(error)})"
    return "no AWS credentials" if isinstance(error, NoCredentialsError) else str(error)


def advice_of(error: BotoCoreError | ClientError) -> str:
    """Return what to do about an error that no step foresaw."""
    if isinstance(error, ClientError):
        if code_of(error) in CREDENTIALS_REFUSED:
            return "log in again: these credentials have expired or are not valid any more"
        if is_denied(error):
            return "`./deploy.sh verify --policy` prints what the caller needs"
        return "try again" if may_pass(error) else ""
    if isinstance(error, NoCredentialsError):
        return LOG_IN
    if isinstance(error, SSOError | TokenRetrievalError):
        return "`aws sso login`, with --profile for a profile that is not the default one"
    if isinstance(error, AwsConnectionError | HTTPClientError):
        return "check the region, the network, and AWS_ENDPOINT_URL where it is set"
    return ""


LOG_IN = (
    "`aws configure` or `aws sso login`, then AWS_PROFILE for a profile that is not the default one"
)


def code_of(error: ClientError) -> str:
    """Return the error code that AWS gave."""
    return error.response.get("Error", {}).get("Code", "")


def message_of(error: ClientError) -> str:
    """Return what AWS said, without the SDK's frame around it."""
    return error.response.get("Error", {}).get("Message", "") or str(error)


def is_denied(error: ClientError) -> bool:
    """Tell whether the caller may not make this call."""
    return code_of(error) in DENIED


class NotAllowed(Exception):  # noqa: N818 - an answer, not a failure
    """The caller may not look at this.

    Attributes:
        action: The IAM action that was denied.
    """

    def __init__(self, action: str) -> None:
        super().__init__(action)
        self.action = action


def look(action: str, call: Callable[[], Answer]) -> Answer:
    """Make a call that only reads.

    Raises:
        NotAllowed: The caller lacks the permission for this action.
    """
    try:
        return call()
    except ClientError as error:
        if is_denied(error):
            raise NotAllowed(action) from None
        raise


def region_of_bucket(session: boto3.Session, bucket: str) -> str:
    """Return the region of a bucket, or an empty string where that can't be told.

    S3 names the region in its answer, refusals included, whatever region is asked.
    """
    client = session.client("s3", region_name="us-east-1", config=CONFIG)
    with suppress(NoCredentialsError):
        try:
            response = client.head_bucket(Bucket=bucket)
            return response.get("BucketRegion", "")
        except ClientError as error:
            headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
            return str(headers.get("x-amz-bucket-region", ""))
    return ""
