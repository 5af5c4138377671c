"""Fetch both sides of the comparison: the published object, and the source."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from xxhash import xxh3_128

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

API = "https://api.spacexdata.com/v4/launches"
_FETCH_SECONDS = 60


@dataclass(frozen=True)
class Place:
    """Where to look, and what to expect there.

    Attributes:
        bucket: the bucket that the application publishes to.
        key: the key of the table in it.
        source_url: where the application took the records from: an http(s) URL or a path.
        run_id: the run that must have written the object, where the caller knows it.
        endpoint: of S3, where it is not AWS's own.
    """

    bucket: str
    key: str
    source_url: str
    run_id: str | None
    endpoint: str | None

    @classmethod
    def of_environment(cls, environ: Mapping[str, str]) -> Place:
        """What the application's own variables say, and ``EXPECTED_RUN_ID``."""
        return cls(
            bucket=environ["S3_BUCKET"],
            key=environ.get("S3_KEY") or "launches.parquet",
            source_url=environ.get("SOURCE_URL") or API,
            run_id=environ.get("EXPECTED_RUN_ID") or None,
            endpoint=environ.get("AWS_ENDPOINT_URL") or None,
        )


class Published:
    """The object at a place, downloaded once, and the source that it should agree with."""

    def __init__(self, place: Place) -> None:
        self.place = place
        client: S3Client = boto3.client("s3", endpoint_url=place.endpoint)
        answer = client.get_object(Bucket=place.bucket, Key=place.key)
        self.body = answer["Body"].read()
        self.metadata = answer["Metadata"]
        self.content_type = answer["ContentType"]

    @cached_property
    def table(self) -> pa.Table:
        """The table, as pyarrow reads it."""
        return pq.read_table(io.BytesIO(self.body))

    @cached_property
    def footer(self) -> pq.FileMetaData:
        """The file's own description of itself."""
        return pq.read_metadata(io.BytesIO(self.body))

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """The rows as plain Python values."""
        rows: list[dict[str, Any]] = self.table.to_pylist()
        return rows

    @cached_property
    def expected_rows(self) -> list[dict[str, Any]]:
        """What the rows must be, worked out from the source as it is now.

        Where the source is not what the run has read, and the table is not what the source says
        now, nothing can be said of the values: that is a failure with its own message, not a
        comparison that breaks by luck. (A table that did not change keeps the hash of the source
        that it was first made from, whatever else has changed in the source since.)
        """
        body = fetch(self.place)
        expected = [expected_row(launch) for launch in records(body)]
        published = source_hash(self.metadata)
        if not has_hash(body, published) and self.rows != expected:
            pytest.fail(
                f"INCONCLUSIVE: {self.place.source_url} has changed since the run (which read "
                f"{published}): run the application again, then this test",
                pytrace=False,
            )
        return expected


def expected_row(launch: dict[str, Any]) -> dict[str, Any]:
    """One launch of the API as a row of the table, by plain Python."""
    links = launch.get("links") or {}
    return {
        "flight_number": launch["flight_number"],
        "mission_name": launch["name"],
        "launch_date": datetime.fromisoformat(launch["date_utc"]).astimezone(UTC),
        "mission_successful": launch.get("success"),
        "webcast_url": links.get("webcast"),
    }


def records(body: bytes) -> list[dict[str, Any]]:
    """The launches of a body: one array, or one launch a line."""
    launches: list[dict[str, Any]] = (
        json.loads(body)
        if body.lstrip().startswith(b"[")
        else [json.loads(line) for line in body.splitlines() if line.strip()]
    )
    return launches


def source_hash(metadata: Mapping[str, str]) -> str:
    """What a table says that the hash of its source was, as ``ALGORITHM:HEX``."""
    # Version 0.1 wrote a SHA-256 under another name; a table that does not change keeps it.
    return metadata.get("source-hash") or f"sha256:{metadata['source-sha256']}"


def has_hash(body: bytes, expected: str) -> bool:
    """Tell whether a body has a hash, which is given as ``ALGORITHM:HEX``."""
    algorithm, _, digest = expected.partition(":")
    hashed: Any = hashlib.sha256(body) if algorithm == "sha256" else xxh3_128(body)
    return bool(hashed.hexdigest() == digest)


def fetch(place: Place) -> bytes:
    """The source's body, decompressed where it is gzip."""
    body = _download(place)
    return gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body


def _download(place: Place) -> bytes:
    url = place.source_url
    if "://" not in url:
        return Path(url).read_bytes()
    if url.startswith("s3://"):
        bucket, _, key = url.removeprefix("s3://").partition("/")
        client: S3Client = boto3.client("s3", endpoint_url=place.endpoint)
        return client.get_object(Bucket=bucket, Key=key)["Body"].read()
    request = Request(url, headers={"Accept": "application/json"})  # noqa: S310
    with urlopen(request, timeout=_FETCH_SECONDS) as answer:  # noqa: S310 - the caller's URL
        body: bytes = answer.read()
    return body
