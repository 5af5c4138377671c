"""Pushes an image to the repository under its tag, and asks the repository about images."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from deploy.aws import ERRORS, NotAllowed, code_of, is_denied, look, message_of
from deploy.image.engine import run_program
from deploy.outcome import NotLaunched, Refused

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

PUSH_SECONDS = 1800
GOOD = "good-"
"""What the second tag of an image begins with once it has passed a test: the lifecycle policy of
the repository keeps such images."""


def digest_of(ecr: ECRClient, *, repository: str, tag: str) -> str:
    """The digest of a tag in the repository, or an empty string where it is not there.

    Two actions can tell it. A caller who may push has at least the second one.
    """
    named: Any = {"repositoryName": repository, "imageIds": [{"imageTag": tag}]}
    found: list[Any]
    try:
        try:
            describe = look("ecr:DescribeImages", lambda: ecr.describe_images(**named))
            found = [*describe["imageDetails"]]
        except NotAllowed:
            found = [image["imageId"] for image in ecr.batch_get_image(**named)["images"]]
    except ClientError as error:
        if code_of(error) == "ImageNotFoundException":
            return ""
        raise Refused(
            f"push: ECR repository {repository}: {message_of(error)}",
            advice="the caller needs ecr:DescribeImages on it" if is_denied(error) else "",
        ) from None
    return str(found[0]["imageDigest"]) if found else ""


def push(ecr: ECRClient, engine: str, image: str, *, remote: str) -> None:
    """Push an image under its whole name in a registry of ECR's."""
    with logged_in(ecr, registry=remote.partition("/")[0]) as variables:
        for command in (("tag", image, remote), ("push", remote)):
            run_program(
                engine, *command, timeout=PUSH_SECONDS, variables=variables, failure=NotLaunched
            )


@contextmanager
def logged_in(ecr: ECRClient, *, registry: str) -> Iterator[Mapping[str, str]]:
    """Give the variables with which an engine is logged in to a registry.

    The login is in a folder of its own for as long as the push takes. So it works beside any
    credential helper, and neither replaces nor ends the user's own sessions.
    """
    try:
        grant = ecr.get_authorization_token()["authorizationData"][0]
    except ClientError as error:
        raise NotLaunched(
            f"push: no token for ECR: {message_of(error)}",
            advice="the caller needs ecr:GetAuthorizationToken on *",
        ) from None
    usual = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    with tempfile.TemporaryDirectory(prefix="micro-etl-login-") as folder:
        for item in usual.iterdir() if usual.is_dir() else ():
            if item.is_dir():  # contexts, plugins
                (Path(folder) / item.name).symlink_to(item)
        file = usual / "config.json"
        config = _read_config(file) if file.is_file() else {}
        # With a helper named here, Docker would not look at `auths`.
        config = {key: config[key] for key in config if key not in {"credsStore", "credHelpers"}}
        config["auths"] = {registry: {"auth": grant["authorizationToken"]}}
        login = Path(folder) / "config.json"
        login.touch(mode=0o600)
        login.write_text(json.dumps(config), encoding="utf-8")
        yield {"DOCKER_CONFIG": folder, "REGISTRY_AUTH_FILE": str(login)}


def _read_config(file: Path) -> dict[str, Any]:
    """What the user's own configuration of the engine says."""
    try:
        config = json.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise NotLaunched(f"push: {file} is not JSON: {error}") from None
    if not isinstance(config, dict):
        raise NotLaunched(f"push: {file} should hold a JSON object")
    return config


def tag_as_good(ecr: ECRClient, *, repository: str, digest: str, tag: str) -> None:
    """Give an image that has passed a test a tag that keeps it in the repository."""
    found = _image(ecr, repository=repository, digest=digest)
    image: Any = {key: found[key] for key in found if key.startswith("imageManifest")}
    try:
        ecr.put_image(repositoryName=repository, imageTag=f"{GOOD}{tag}", **image)
    except ClientError as error:
        if not code_of(error).endswith("AlreadyExistsException"):
            raise


def tags_of(ecr: ECRClient, *, repository: str, digest: str) -> list[str]:
    """The tags of an image; none where it may not be looked at."""
    try:
        found = ecr.describe_images(repositoryName=repository, imageIds=[{"imageDigest": digest}])
        return found["imageDetails"][0].get("imageTags", [])
    except (*ERRORS, LookupError):
        return []


def children_of(ecr: ECRClient, *, repository: str, digest: str) -> set[str]:
    """The digests of an index's images; nothing for one image, or where it can't be read."""
    return {item["digest"] for item in _listed(ecr, repository=repository, digest=digest)}


def find_architecture(ecr: ECRClient, *, repository: str, digest: str) -> str:
    """What an index's images are built for; nothing for one image, or out of reach."""
    listed = _listed(ecr, repository=repository, digest=digest)
    found = [str(item["platform"]["architecture"]) for item in listed if "platform" in item]
    return ", ".join(name for name in found if name != "unknown")


def _listed(ecr: ECRClient, *, repository: str, digest: str) -> list[Any]:
    try:
        manifest = json.loads(_image(ecr, repository=repository, digest=digest)["imageManifest"])
    except (*ERRORS, ValueError, LookupError):
        return []
    return list(manifest.get("manifests", ()))


def _image(ecr: ECRClient, *, repository: str, digest: str) -> Mapping[str, Any]:
    """An image of the repository with its manifest; nothing where it is not there."""
    named: Any = {"repositoryName": repository, "imageIds": [{"imageDigest": digest}]}
    return next((dict(image) for image in ecr.batch_get_image(**named)["images"]), {})
