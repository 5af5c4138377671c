"""The integration test can fail: it notices each way in which a published table can be wrong."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from importlib import resources
from typing import TYPE_CHECKING, Any, TypeAlias

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dev.loopback import CREDENTIALS, serve_json

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SAMPLE = (resources.files("micro_etl") / "datasets" / "launches.sample.json").read_bytes()
KEY = "launches.parquet"

Sample: TypeAlias = "tuple[S3Client, str, bytes, dict[str, str]]"
"""A client, its endpoint, the published bytes, and the object's metadata."""

Change = Callable[[pa.Table], pa.Table]


def change_value(column: str, change: Callable[[Any], Any]) -> Change:
    """A table whose column has another value in its last row."""

    def tamper(table: pa.Table) -> pa.Table:
        values = table[column].to_pylist()
        values[-1] = change(values[-1])
        index = table.schema.get_field_index(column)
        field = table.schema.field(column)
        return table.set_column(index, field, pa.array(values, field.type))

    return tamper


def change_type(column: str, kind: pa.DataType) -> Change:
    """A table whose column has another type."""

    def tamper(table: pa.Table) -> pa.Table:
        index = table.schema.get_field_index(column)
        return table.set_column(index, pa.field(column, kind), table[column].cast(kind))

    return tamper


WRONG: dict[str, Change] = {
    "a row is missing": lambda table: table.slice(0, table.num_rows - 1),
    "a row is there twice": lambda table: pa.concat_tables([table, table.slice(0, 1)]),
    "rows have another order": lambda table: table.take(list(reversed(range(table.num_rows)))),
    "a name is another": change_value("mission_name", lambda name: f"{name} "),
    "a date is an hour off": change_value("launch_date", lambda date: date + timedelta(hours=1)),
    "an unknown success is a failure": change_value("mission_successful", lambda _: False),
    "a webcast is an empty text": change_value("webcast_url", lambda _: ""),
    "dates have no zone": change_type("launch_date", pa.timestamp("us")),
    "numbers are wider": change_type("flight_number", pa.int64()),
    "a column is missing": lambda table: table.drop_columns("webcast_url"),
    "columns have another order": lambda table: table.select(table.column_names[::-1]),
}


@pytest.fixture(scope="module")
def published_sample(aws_endpoint: str) -> Sample:
    """A bucket with the sample's table, as the application publishes it."""
    environment = {**CREDENTIALS, "AWS_ENDPOINT_URL": aws_endpoint, "S3_BUCKET": "tampered"}
    client: S3Client = boto3.client(
        "s3",
        endpoint_url=aws_endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
    )
    client.create_bucket(Bucket="tampered")
    with serve_json(SAMPLE) as source_url:
        subprocess.run(
            [sys.executable, "-m", "micro_etl", "run"],
            env={"PATH": os.environ["PATH"], "SOURCE_URL": source_url, **environment},
            check=True,
            capture_output=True,
            timeout=60,
        )
    answer = client.get_object(Bucket="tampered", Key=KEY)
    return client, aws_endpoint, answer["Body"].read(), answer["Metadata"]


def run_integration_test(endpoint: str, source: bytes) -> subprocess.CompletedProcess[str]:
    """Run the integration test as `deploy.sh` does: by its environment."""
    with serve_json(source) as source_url:
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "tests/integration/test_published_table.py"],
            env={
                "PATH": os.environ["PATH"],
                **CREDENTIALS,
                "AWS_ENDPOINT_URL": endpoint,
                "S3_BUCKET": "tampered",
                "SOURCE_URL": source_url,
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


def publish(sample: Sample, change: Change) -> None:
    """Publish a changed table in an object that is consistent in itself."""
    client, _, body, metadata = sample
    file = io.BytesIO()
    table = change(pq.read_table(io.BytesIO(body)))
    pq.write_table(table, file)
    client.put_object(
        Bucket="tampered",
        Key=KEY,
        Body=file.getvalue(),
        ContentType="application/vnd.apache.parquet",
        Metadata={
            **metadata,
            "rows": str(table.num_rows),
            "content-sha256": hashlib.sha256(file.getvalue()).hexdigest(),
        },
    )


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_table_fails(published_sample: Sample, wrong: str) -> None:
    """Each in its own way."""
    publish(published_sample, WRONG[wrong])
    done = run_integration_test(published_sample[1], SAMPLE)
    assert done.returncode == 1, done.stdout


def test_a_table_that_another_writer_has_written_passes(published_sample: Sample) -> None:
    """So what fails above is what is wrong there, and not who wrote it."""
    publish(published_sample, lambda table: table)
    done = run_integration_test(published_sample[1], SAMPLE)
    assert done.returncode == 0, done.stdout


def test_a_source_that_has_changed_is_inconclusive(published_sample: Sample) -> None:
    """It neither passes nor compares what can't be compared: it says what to do."""
    publish(published_sample, lambda table: table)
    changed = json.dumps(json.loads(SAMPLE)[:-1]).encode()
    done = run_integration_test(published_sample[1], changed)
    assert done.returncode == 1
    assert "INCONCLUSIVE" in done.stdout
    assert "rows differ" not in done.stdout


def test_a_source_that_has_changed_elsewhere_passes(published_sample: Sample) -> None:
    """The service calls such a table unchanged, and leaves the object with its older hash."""
    publish(published_sample, lambda table: table)
    launches = json.loads(SAMPLE)
    launches[0]["details"] = "said otherwise"
    done = run_integration_test(published_sample[1], json.dumps(launches).encode())
    assert done.returncode == 0, done.stdout
