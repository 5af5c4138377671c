"""Connects to AWS, and answers what every step asks about an error of AWS."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

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
from botocore.loaders import create_loader

from deploy.outcome import Refused

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
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
ERRORS = (BotoCoreError, ClientError)
"""What a call can raise: the SDK's own errors, and those that AWS answers with."""
DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnauthorizedAccess",
          "AuthorizationError", "403"}  # fmt: skip
CREDENTIALS_REFUSED = {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId",
                       "UnrecognizedClientException", "SignatureDoesNotMatch",
                       "AuthFailure"}  # fmt: skip
THROTTLED = {"Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException",
             "RequestLimitExceeded"}  # fmt: skip
FAULTS = {"ServerException", "InternalError", "InternalFailure", "ServiceUnavailable"}
Answer = TypeVar("Answer")


class Clients:
    """The clients of a region, each made when it is first used. Making one sends nothing."""

    ecs: ECSClient
    ecr: ECRClient
    logs: CloudWatchLogsClient
    s3: S3Client
    ec2: EC2Client
    iam: IAMClient
    sts: STSClient
    scheduler: EventBridgeSchedulerClient
    cloudformation: CloudFormationClient
    glue: Any
    secretsmanager: Any
    ssm: Any

    def __init__(self, session: boto3.Session, *, region: str, endpoint: str | None = None) -> None:
        self._session = session
        self._options = {"region_name": region, "endpoint_url": endpoint, "config": CONFIG}

    def __getattr__(self, name: str) -> Any:
        """Make the client of a service."""
        if name not in Clients.__annotations__:
            raise AttributeError(name)
        create: Any = self._session.client
        try:
            setattr(self, name, create(name, **self._options))
        except ValueError as error:  # the SDK's word for an endpoint that is no URL
            how = "AWS_ENDPOINT_URL, or one for a service, should be like https://HOST"
            raise Refused(f"{name}: {error}", advice=how) from None
        return self.__dict__[name]


def code_of(error: Exception) -> str:
    """The error code that AWS gave, or an empty string where no answer came."""
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))


def message_of(error: Exception) -> str:
    """AWS's own message, without the SDK's words around it; else the SDK's."""
    if isinstance(error, NoCredentialsError):
        return "no AWS credentials"
    return getattr(error, "response", {}).get("Error", {}).get("Message", "") or str(error)


def words_of(error: Exception) -> str:
    """An error in words: the operation and AWS's message, or the SDK's message."""
    if isinstance(error, ClientError):
        return f"{error.operation_name}: {message_of(error)} ({code_of(error)})"
    return message_of(error)


def is_denied(error: Exception) -> bool:
    """Tell whether the caller may not make this call."""
    return code_of(error) in DENIED


def is_offline(error: Exception) -> bool:
    """Tell whether no answer came because of the network."""
    return isinstance(error, AwsConnectionError | HTTPClientError)


def is_unanswered(error: Exception) -> bool:
    """Tell whether the effect of a call is unknown: the network failed, or AWS did."""
    answer = getattr(error, "response", {}).get("ResponseMetadata", {})
    return is_offline(error) or code_of(error) in FAULTS or answer.get("HTTPStatusCode", 0) >= 500


def may_pass(error: Exception) -> bool:
    """Tell whether the same call may be answered in a moment."""
    return code_of(error) in THROTTLED or is_unanswered(error)


def advice_of(error: Exception) -> str:
    """What to do about an unforeseen error."""
    if code_of(error) in CREDENTIALS_REFUSED:
        return "log in again: these credentials have expired or are not valid any more"
    if is_denied(error):
        return "`./deploy.sh verify --policy` prints what the caller needs"
    if isinstance(error, NoCredentialsError | SSOError | TokenRetrievalError):
        return (
            "`aws configure` or `aws sso login`, then AWS_PROFILE for another than the default one"
        )
    if is_offline(error):
        return "check the region, the network, and AWS_ENDPOINT_URL where it is set"
    return "try again" if may_pass(error) else ""


class NotAllowed(Exception):  # noqa: N818 - an answer, not a failure
    """The caller may not look at this: the IAM action that was denied, and AWS's words."""

    def __init__(self, action: str, words: str = "") -> None:
        super().__init__(action)
        self.action, self.words = action, words or action


def look(action: str, call: Callable[[], Answer]) -> Answer:
    """Make a call that only reads; raise `NotAllowed` where the caller lacks the permission."""
    try:
        return call()
    except ClientError as error:
        if is_denied(error):
            raise NotAllowed(action, words_of(error)) from None
        raise


def region_of_bucket(session: boto3.Session, bucket: str) -> str:
    """The region of a bucket, or an empty string where that can't be told.

    S3 names the region in each answer, refusals included, in whichever region it is asked.
    """
    client = session.client("s3", region_name="us-east-1", config=CONFIG)
    try:
        answer: Any = client.head_bucket(Bucket=bucket)
    except ClientError as error:
        answer = error.response
    except BotoCoreError:
        return ""
    return str(answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region", ""))


def is_of_aws(endpoint: str) -> bool:
    """Tell whether an endpoint is AWS's own, in any of its partitions, and not an emulator's."""
    host = urlsplit(endpoint).hostname or ""
    return any(
        host.endswith(f".{outputs[key]}")
        for outputs in _partitions().values()
        for key in ("dnsSuffix", "dualStackDnsSuffix")
    )


def dns_suffix(partition: str) -> str:
    """What the names of a partition's hosts end with."""
    return str(_partitions()[partition]["dnsSuffix"])


def _partitions() -> dict[str, Mapping[str, Any]]:
    partitions = create_loader().load_data("partitions")["partitions"]
    return {partition["id"]: partition["outputs"] for partition in partitions}
