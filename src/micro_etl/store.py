"""Open the store that a URL names: S3, GCS, Azure, or a local folder."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, LocalStore, ObjectStore, S3Store

from micro_etl.errors import AccessDeniedError, ConfigError
from micro_etl.location import STORE_SCHEMES, Location
from micro_etl.store_errors import reason, target_errors

SCHEMES = (*STORE_SCHEMES, "file")
"""The schemes of stores; a URL without one is a local path."""

_BUCKET = r"(?a)(?!\.+$)[\w.:-]+"  # also an access point's ARN
# Keys that no store keeps as they are: an empty segment, . or .. as one, control characters.
_BAD_KEY = r"(^|/)\.{0,2}(/|$)|[\x00-\x1f\x7f\ud800-\udfff]"
# A local file of such a name would look like one that is being written.
_BAD_LOCAL_KEY = rf"{_BAD_KEY}|#\d+$"
ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT")
"""What may name another S3 than AWS's."""
GCS_EMULATOR = "STORAGE_EMULATOR_HOST"
"""What names an emulator of GCS, as for Google's own libraries."""
_ENDPOINTS = {
    "s3": ENDPOINT_VARIABLES,
    "az": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
    "gs": ("GOOGLE_BASE_URL",),
}
_ENDPOINT = r"(?i)https?://(\[[\da-f:.]+\]|[\w.-]+)(:\d{1,5})?(/\S*)?"
_LAST_PORT = 65_535
SLOWEST = 256 << 10
"""Bytes a second that a transfer has to make."""
_DAY = 86_400.0
_PROFILE_VARIABLES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
_KEY_VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)


class Place(NamedTuple):
    """One object in a store.

    Attributes:
        location: what messages show.
        store: the store that holds it.
        key: its path in the store.
        local: where it is on this machine, or none where it is elsewhere.
        timeout: seconds without progress.
        deadline: seconds for a request with all its retries.
        reopen: opens the store again, with other limits of time.
    """

    location: Location
    store: ObjectStore
    key: str
    local: Path | None = None
    timeout: float = 60.0
    deadline: float = 180.0
    reopen: Callable[..., ObjectStore] | None = None

    def store_for_upload(self, size: int) -> ObjectStore:
        """Open the store for an upload that may be slow, as long as it is steady.

        The client's own limit counts from the beginning of a request. It can't see an upload
        progress, so that the limit has to grow with the size.
        """
        if self.reopen is None or size <= SLOWEST:
            return self.store
        limit = self.timeout + size / SLOWEST
        return self.reopen(read_timeout=limit, timeout=limit)


def open_place(
    location: Location,
    *,
    timeout: float,
    deadline: float,
    read_timeout: float | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Place:
    """Open the store of a URL or path; nothing is sent yet.

    Args:
        location: ``s3://bucket/key``, ``gs://``, ``az://``, ``file://`` or a local path.
        timeout: seconds without progress, unless `read_timeout` says so.
        deadline: seconds for a request with all its retries.
        read_timeout: seconds without progress, where `timeout` is for all of a request.
        environ: where the variables of the stores stand.

    Raises:
        ConfigError: the URL names no object, or its scheme is not known.
        TargetError: a local path can't be looked at.
        AccessDeniedError: the machine doesn't allow to look at it.
    """
    url = location.shown
    if location.is_local:
        with target_errors("look for", location):
            path = Path(os.path.realpath(location.path))  # also of links in a loop
            if path.is_dir() or url.endswith("/"):
                raise ConfigError(f"{url} is a folder; it should be a file's path")
            if path.exists() and not path.is_file():
                raise ConfigError(f"{url} is a device or a pipe; it should be a file's path")
        key = str(path).lstrip("/")
        if re.search(_BAD_LOCAL_KEY, key):
            raise ConfigError(
                f"{url!r} can't be a file's name here; it should have no control characters, "
                "be UTF-8, and not end in # and digits"
            )
        return Place(location, LocalStore(), key, path, timeout=timeout, deadline=deadline)
    bucket, key = location.bucket, location.key
    if not location.is_store or not re.fullmatch(_BUCKET, bucket):
        raise ConfigError(
            f"{url} names no object; it should be "
            f"{', '.join(f'{name}://' for name in SCHEMES)} followed by bucket and key, or a "
            "local path"
        )
    if re.search(_BAD_KEY, key):
        raise ConfigError(
            f"{url!r} has the key {key!r}; it should be a name, or names joined by single "
            "slashes, none of them . or .., without control characters"
        )
    reopen = partial(_remote, location.scheme, bucket, deadline=deadline, environ=environ)
    try:
        store = reopen(
            read_timeout=read_timeout or timeout, timeout=timeout if read_timeout else _DAY
        )
    except BaseError as error:
        raise ConfigError(f"{url} can't be opened: {reason(error)}") from error
    return Place(location, store, key, timeout=timeout, deadline=deadline, reopen=reopen)


def _remote(
    scheme: str,
    bucket: str,
    *,
    read_timeout: float,
    timeout: float,
    deadline: float,
    environ: Mapping[str, str],
) -> ObjectStore:
    options: dict[str, Any] = {
        "client_options": {
            "read_timeout": timedelta(seconds=read_timeout),
            "timeout": timedelta(seconds=timeout),
            "connect_timeout": timedelta(seconds=min(read_timeout, 10)),
            "allow_http": _is_endpoint_plain(scheme, environ),
            "allow_invalid_certificates": False,  # whatever the environment says
        },
        "retry_config": {"max_retries": 8, "retry_timeout": timedelta(seconds=deadline)},
    }
    if scheme == "gs":
        emulator = environ.get(GCS_EMULATOR)
        if emulator:
            url = emulator if "://" in emulator else f"http://{emulator}"
            options |= {"base_url": url.rstrip("/"), "bearer_token": "emulator"}
        return GCSStore(bucket, **options)
    if scheme == "az":
        return AzureStore(bucket, **options)
    _check_variables(environ)
    if _wants_profile(environ):
        options["credential_provider"] = _boto3_credentials()
    return S3Store(bucket, **options)


def _check_variables(environ: Mapping[str, str]) -> None:
    """Refuse what can't stand in a request, such as a key with a line break; it may be secret."""
    for name, value in environ.items():
        named = name.startswith("AWS_") and not name.endswith(("_PROFILE", "_FILE"))
        if named and not (value.isascii() and value.isprintable()):
            raise ConfigError(
                f"{name} holds a line break, or another character that it can't have; "
                "it should be printable ASCII"
            )


def _is_endpoint_plain(scheme: str, environ: Mapping[str, str]) -> bool:
    endpoints = {name: environ[name] for name in _ENDPOINTS[scheme] if environ.get(name)}
    for name, value in endpoints.items():
        found = re.fullmatch(_ENDPOINT, value)
        if not found or int((found[2] or ":0")[1:]) > _LAST_PORT:
            raise ConfigError(
                f"{name} is {Location.parse(value).shown!r}; it should be like https://host:port"
            )
    emulator = scheme == "gs" and bool(environ.get(GCS_EMULATOR))
    return emulator or any(value.lower().startswith("http:") for value in endpoints.values())


def _wants_profile(environ: Mapping[str, str]) -> bool:
    """Whether credentials have to come from the AWS configuration files, as on a laptop."""
    if any(environ.get(name) for name in _KEY_VARIABLES):
        return False
    configured = any(
        Path(environ.get(variable, default)).expanduser().exists()
        for variable, default in (
            ("AWS_CONFIG_FILE", "~/.aws/config"),
            ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
        )
    )
    return configured or any(environ.get(name) for name in _PROFILE_VARIABLES)


def _boto3_credentials() -> Any:
    if importlib.util.find_spec("boto3") is None:
        raise AccessDeniedError(
            "AWS profiles and SSO need boto3: pip install '.[boto3]' in a clone, or set "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    from botocore.exceptions import BotoCoreError
    from obstore.auth.boto3 import Boto3CredentialProvider

    try:
        return Boto3CredentialProvider()
    except (ValueError, BotoCoreError) as error:
        raise AccessDeniedError(f"AWS credentials: {error}") from error


def sync(file: Path) -> None:
    """Have a local file stay where it is even after a power cut, in a folder that may be new."""
    for path in (file, file.parent, file.parent.parent):
        opened = os.open(path, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
