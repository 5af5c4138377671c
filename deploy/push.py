"""Puts an image into the repository under its commit's tag, and finds the digest it got."""

from __future__ import annotations

import base64
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from deploy.aws import NotAllowed, code_of, is_denied, look, message_of
from deploy.build import Image
from deploy.engine import Engine
from deploy.outcome import NotLaunched, Refused

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecr.type_defs import ImageIdentifierTypeDef

LOOPBACK = ("localhost", "127.")
PUSH_SECONDS = 1800


def digest_of(ecr: ECRClient, *, repository: str, tag: str) -> str:
    """Return the digest of a tag in the repository, or an empty string where it is not there.

    Two actions tell it, of which whoever pushes has the second one at least.

    Raises:
        Refused: The repository is missing, or may not be read.
    """
    named: ImageIdentifierTypeDef = {"imageTag": tag}
    try:
        try:
            described = look(
                "ecr:DescribeImages",
                lambda: ecr.describe_images(repositoryName=repository, imageIds=[named]),
            )
        except NotAllowed:
            got = ecr.batch_get_image(repositoryName=repository, imageIds=[named])
            return next((image["imageId"]["imageDigest"] for image in got["images"]), "")
    except ClientError as error:
        if code_of(error) == "ImageNotFoundException":
            return ""
        raise Refused(
            f"push: ECR repository {repository}: {message_of(error)}",
            advice="the caller needs ecr:DescribeImages on it" if is_denied(error) else "",
        ) from None
    return next((item["imageDigest"] for item in described["imageDetails"]), "")


def push(
    ecr: ECRClient, engine: Engine, *, image: Image, address: str, repository: str, tag: str
) -> str:
    """Push an image and return its digest, as the repository knows it.

    The engine is logged out afterwards, so that it keeps no password.

    Raises:
        NotLaunched: The login, the push, or the look at what arrived failed.
    """
    registry = address.partition("/")[0]
    remote = f"{address}:{tag}"
    _login(ecr, engine, registry=registry)
    try:
        _run(engine, "tag", image.reference, remote)
        _run(engine, "push", *_plain_http(engine, registry), remote)
    finally:
        with suppress(NotLaunched):
            _run(engine, "logout", registry)
    digest = digest_of(ecr, repository=repository, tag=tag)
    if not digest:
        raise NotLaunched(f"push: {remote} was pushed, but repository {repository} has no such tag")
    return digest


def _login(ecr: ECRClient, engine: Engine, *, registry: str) -> None:
    """Log the engine in. The password goes through a pipe: a command line can be read by others."""
    try:
        grant = ecr.get_authorization_token()["authorizationData"][0]
    except ClientError as error:
        raise NotLaunched(
            f"push: no token for ECR: {message_of(error)}",
            advice="the caller needs ecr:GetAuthorizationToken on *",
        ) from None
    user, _, password = base64.b64decode(grant["authorizationToken"]).decode().partition(":")
    _run(
        engine,
        "login",
        *_plain_http(engine, registry),
        *("--username", user, "--password-stdin"),
        registry,
        stdin=password,
    )


def _plain_http(engine: Engine, registry: str) -> list[str]:
    """Docker speaks HTTP to a registry on loopback by itself; Podman must be told."""
    if engine.kind == "podman" and registry.startswith(LOOPBACK):
        return ["--tls-verify=false"]
    return []


def _run(engine: Engine, *arguments: str, stdin: str = "") -> None:
    try:
        done = subprocess.run(
            [engine.command, *arguments],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=PUSH_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise NotLaunched(
            f"push: {engine.command} {arguments[0]}: not done after {PUSH_SECONDS} s"
        ) from None
    if done.returncode != 0:
        end = done.stdout.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise NotLaunched(f"push: {engine.command} {arguments[0]} failed: {end[0]}")
