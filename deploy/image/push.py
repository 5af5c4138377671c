"""Pushes an image to the repository under its tag, and finds its digest there."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from deploy.aws import ERRORS, NotAllowed, code_of, is_denied, look, message_of
from deploy.image.build import Image
from deploy.image.engine import Engine
from deploy.outcome import NotLaunched, Refused

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecr.type_defs import ImageIdentifierTypeDef

LOOPBACK = ("localhost", "127.")
PUSH_SECONDS = 1800
MANIFEST_SECONDS = 20
GOOD = "good-"
"""What the second tag of an image begins with once it has passed a test: the lifecycle policy of
the repository keeps such images."""


def digest_of(ecr: ECRClient, *, repository: str, tag: str) -> str:
    """Return the digest of a tag in the repository, or an empty string where it is not there.

    Two actions can tell it. A caller who may push has at least the second one.
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
    """Push an image and return its digest, as the repository knows it."""
    registry = address.partition("/")[0]
    remote = f"{address}:{tag}"
    with logged_in(ecr, registry=registry) as variables:
        _run(engine, "tag", image.reference, remote, variables=variables)
        _run(engine, "push", *_plain_http(engine, registry), remote, variables=variables)
    digest = digest_of(ecr, repository=repository, tag=tag)
    if not digest:
        raise NotLaunched(f"push: {remote} was pushed, but repository {repository} has no such tag")
    return digest


@contextmanager
def logged_in(ecr: ECRClient, *, registry: str) -> Iterator[dict[str, str]]:
    """Give the variables with which an engine is logged in to a registry.

    The login lives in a folder of its own for as long as the push takes. So it works beside any
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
    with tempfile.TemporaryDirectory(prefix="micro-etl-login-") as name:
        folder = Path(name)
        for item in usual.iterdir() if usual.is_dir() else ():
            if item.name != "config.json" and item.is_dir():  # contexts, plugins
                (folder / item.name).symlink_to(item)
        usual_config = usual / "config.json"
        config = json.loads(usual_config.read_text("utf-8")) if usual_config.is_file() else {}
        # With a helper named here, Docker would not look at `auths`.
        config = {key: config[key] for key in config if key not in {"credsStore", "credHelpers"}}
        config["auths"] = {registry: {"auth": grant["authorizationToken"]}}
        file = folder / "config.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps(config), encoding="utf-8")
        yield {"DOCKER_CONFIG": name, "REGISTRY_AUTH_FILE": str(file)}


def tag_as_good(ecr: ECRClient, *, repository: str, digest: str, tag: str) -> None:
    """Give an image that has passed a test a tag that keeps it in the repository."""
    named: ImageIdentifierTypeDef = {"imageDigest": digest}
    found = ecr.batch_get_image(repositoryName=repository, imageIds=[named])["images"]
    for image in found[:1]:
        try:
            ecr.put_image(
                repositoryName=repository,
                imageManifest=image["imageManifest"],
                imageTag=f"{GOOD}{tag}",
                imageDigest=digest,
                **(
                    {"imageManifestMediaType": image["imageManifestMediaType"]}
                    if "imageManifestMediaType" in image
                    else {}
                ),
            )
        except ClientError as error:
            if code_of(error) not in {
                "ImageAlreadyExistsException",
                "ImageTagAlreadyExistsException",
            }:
                raise


def tags_of(ecr: ECRClient, *, repository: str, digest: str) -> list[str]:
    """Return the tags of an image; none where it may not be looked at."""
    try:
        found = ecr.describe_images(repositoryName=repository, imageIds=[{"imageDigest": digest}])
        return found["imageDetails"][0].get("imageTags", [])
    except (*ERRORS, LookupError):
        return []


def children_of(ecr: ECRClient, *, repository: str, digest: str) -> set[str]:
    """Return the digests of an index's images; nothing for one image, or where it can't be read."""
    try:
        answer = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageDigest": digest}])
        manifest = json.loads(answer["images"][0]["imageManifest"])
    except (*ERRORS, ValueError, LookupError):
        return set()
    return {item["digest"] for item in manifest.get("manifests", ())}


def find_architecture(ecr: ECRClient, *, repository: str, digest: str) -> str:
    """Return an image's architecture, as container engines call it; empty if it can't be told.

    It only helps to explain a task that could not start, and is never an error by itself.
    """
    try:
        answer = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageDigest": digest}])
        manifest = json.loads(answer["images"][0]["imageManifest"])
        if "manifests" in manifest:
            platforms = [item["platform"]["architecture"] for item in manifest["manifests"]]
            return ", ".join(name for name in platforms if name != "unknown")
        place = ecr.get_download_url_for_layer(
            repositoryName=repository, layerDigest=manifest["config"]["digest"]
        )
        with urllib.request.urlopen(place["downloadUrl"], timeout=MANIFEST_SECONDS) as answered:  # noqa: S310
            return str(json.load(answered)["architecture"])
    except (*ERRORS, OSError, ValueError, LookupError):
        return ""


def _plain_http(engine: Engine, registry: str) -> list[str]:
    """Docker speaks HTTP to a registry on loopback by itself; Podman must be told."""
    if engine.kind == "podman" and registry.startswith(LOOPBACK):
        return ["--tls-verify=false"]
    return []


def _run(engine: Engine, *arguments: str, variables: dict[str, str]) -> None:
    try:
        done = subprocess.run(
            [engine.command, *arguments],
            env=os.environ | variables,
            stdin=subprocess.DEVNULL,
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
