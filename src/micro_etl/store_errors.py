"""Say what a store's refusal means, in an error of ours that names the action and the object."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    GenericError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from micro_etl.errors import AccessDeniedError, RaceLostError, TargetError
from micro_etl.location import Location

_NO_BUCKET = ("NoSuchBucket", "ContainerNotFound")
_ARCHIVED = "InvalidObjectState"
# Where the last resort, the instance's metadata service, keeps its token and its credentials.
_CREDENTIAL_ENDPOINTS = ("/latest/api/token", "/latest/meta-data/iam/")


@contextmanager
def target_errors(action: str, location: Location) -> Iterator[None]:
    """Turn what a store raises into an error of ours that names the action and the object."""
    try:
        yield
    except (BaseError, OSError, NotImplementedError) as error:
        _raise(action, location, error)


def _raise(action: str, location: Location, error: Exception) -> NoReturn:
    url = location.shown
    code = error_code(error)
    said = f"can't {action} {url}: {reason(error)}"
    if is_missing_bucket(error):
        raise TargetError(f"can't {action} {url}: there is no such bucket") from error
    if isinstance(error, PreconditionError | AlreadyExistsError):
        if action != "write":
            raise TargetError(said) from error
        raise RaceLostError(
            f"another run published {url} meanwhile; this one wrote nothing"
        ) from error
    if any(endpoint in str(error) for endpoint in _CREDENTIAL_ENDPOINTS):
        raise AccessDeniedError(
            f"can't {action} {url}: no AWS credentials; AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY should be set, or the task or instance should have a role"
        ) from error
    if isinstance(error, FileNotFoundError):
        raise TargetError(f"can't {action} {url}: it does not exist") from error
    if code == _ARCHIVED:
        kind = storage_class(error) or "an archive"
        raise TargetError(
            f"can't {action} {url}: it is archived (storage class {kind}); restore it, or replace "
            "it with --force"
        ) from error
    if code in ("ExpiredToken", "ExpiredTokenException", "InvalidToken", "TokenRefreshRequired"):
        raise AccessDeniedError(f"can't {action} {url}: the credentials have expired") from error
    # What refuses a listing has no class of its own.
    is_refused = isinstance(error, GenericError) and re.search(r"status code: 40[13]\b", str(error))
    if is_refused or isinstance(
        error, PermissionDeniedError | PermissionError | UnauthenticatedError
    ):
        needed = (
            "; s3:GetObject and s3:PutObject should be allowed, and s3:ListBucket, without which "
            "S3 calls a missing object forbidden"
        )
        forbidden = location.scheme == "s3" and isinstance(error, PermissionDeniedError)
        raise AccessDeniedError(said + (needed if forbidden else "")) from error
    raise TargetError(said) from error


def is_missing_bucket(error: Exception) -> bool:
    """Tell whether a store refused because there is no such bucket or container."""
    return error_code(error) in _NO_BUCKET


def storage_class(error: Exception) -> str | None:
    """The storage class that S3 names in a refusal."""
    found = re.search(r"<StorageClass>(\w+)</StorageClass>", str(error))
    return found[1] if found else None


def is_archived(error: BaseException | None) -> bool:
    """Tell whether a store refused because the object has to be restored from an archive first."""
    return isinstance(error, Exception) and error_code(error) == _ARCHIVED


def error_code(error: Exception) -> str | None:
    """S3's own word for an error, where it gave one."""
    found = re.search(r"<Code>(\w+)</Code>", str(error))
    return found[1] if found else None


def reason(error: Exception) -> str:
    """The one line of a store's error that a user can act on."""
    first = str(error).split("\n\nDebug source", 1)[0]
    message = re.search(r"<Message>([^<]*)</Message>", first)
    if message:
        return f"{error_code(error)}: {message[1]}"
    line = " ".join(first.split())
    return re.sub(r"^Generic \S+ error: ", "", line)
