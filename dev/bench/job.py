"""Run the job once, as a whole process, and let its figures count only if its output is right."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq

from dev.bench.records import SCHEMA
from dev.loopback import CREDENTIALS, HOST

_BUCKET, _KEY = "bench", "launches.parquet"
_MEASURE = Path(__file__).with_name("measure.py")
_SECONDS = 1200


@dataclass(frozen=True, slots=True)
class Run:
    """What one run took.

    Attributes:
        wall: seconds, from the start of the process to its end.
        cpu: seconds of all cores, user and system.
        peak: the most memory that was resident, in bytes.
        ended: when it ended, on the clock of ``time.monotonic``.
    """

    wall: float
    cpu: float
    peak: int
    ended: float = 0


class Store:
    """The bucket that the jobs publish to, empty before each."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            region_name=CREDENTIALS["AWS_REGION"],
        )
        self._client.create_bucket(Bucket=_BUCKET)

    def take(self) -> dict[str, bytes]:
        """What is in the bucket, which is empty afterwards."""
        taken = {}
        for found in self._client.list_objects_v2(Bucket=_BUCKET).get("Contents", []):
            answer = self._client.get_object(Bucket=_BUCKET, Key=found["Key"])
            taken[found["Key"]] = answer["Body"].read()
            self._client.delete_object(Bucket=_BUCKET, Key=found["Key"])
        return taken


def run_job(
    command: list[str],
    source: str,
    store: Store,
    expected: pa.Table | None,
    settings: Mapping[str, str] | None = None,
) -> Run:
    """Run a command that does the job.

    Args:
        command: reads ``SOURCE_URL``, ``S3_BUCKET``, ``S3_KEY`` and ``AWS_*``.
        source: the URL of the records.
        store: where the table goes.
        expected: what must be in it, or none where that is not looked at.
        settings: further environment variables.

    Raises:
        RuntimeError: it failed, or its table is not the expected one.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        ended = subprocess.run(
            [sys.executable, "-I", "-S", _MEASURE, *command],
            cwd=folder,
            env={
                "PATH": os.defpath,
                "HOME": folder,
                "TMPDIR": folder,
                "SOURCE_URL": source,
                "S3_BUCKET": _BUCKET,
                "S3_KEY": _KEY,
                "AWS_ENDPOINT_URL": store.endpoint,
                "NO_PROXY": HOST,
                "RUNTIME__DLTHUB_TELEMETRY": "false",  # dlt would send it over the internet
                "DO_NOT_TRACK": "1",
                **CREDENTIALS,
                **(settings or {}),
            },
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=True,
        )
    took = json.loads(ended.stdout.splitlines()[-1])
    taken = store.take()
    if took["code"] != 0:
        raise RuntimeError(f"{command} ended with {took['code']}:\n{ended.stdout}{ended.stderr}")
    if expected is not None:
        _check(taken, expected, command)
    return Run(took["wall"], took["cpu"], took["peak"], took["ended"])


def _check(taken: dict[str, bytes], expected: pa.Table, command: list[str]) -> None:
    """Compare every value, by another library than most of the peers write with."""
    (file,) = (data for key, data in taken.items() if key.endswith(".parquet"))
    table = pq.read_table(BytesIO(file)).select(SCHEMA.names).sort_by("flight_number")
    if not table.cast(SCHEMA).replace_schema_metadata().equals(expected):
        raise RuntimeError(f"{command} published another table than the records make")
