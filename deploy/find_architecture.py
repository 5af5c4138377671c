"""Finds which architecture an image in the repository is for."""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING

from deploy.aws import ERRORS

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

SECONDS = 20


def find_architecture(ecr: ECRClient, *, repository: str, digest: str) -> str:
    """Return an image's architecture, as container engines call it; empty if it can't be told.

    It is looked for only to explain a task that could not start, and is never an error by itself.
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
        with urllib.request.urlopen(place["downloadUrl"], timeout=SECONDS) as answered:  # noqa: S310
            return str(json.load(answered)["architecture"])
    except (*ERRORS, OSError, ValueError, LookupError):
        return ""
