"""The job with dlt: a resource with typed columns, loaded into a bucket as Parquet."""

import os
import tempfile
from collections.abc import Iterator
from typing import Any

import dlt
import requests

COLUMNS = {
    "flight_number": {"data_type": "bigint", "precision": 32, "nullable": False},
    "mission_name": {"data_type": "text"},
    "launch_date": {"data_type": "timestamp", "precision": 6},
    "mission_successful": {"data_type": "bool"},
    "webcast_url": {"data_type": "text"},
}


@dlt.resource(name="launches", columns=COLUMNS, write_disposition="replace")
def launches() -> Iterator[list[dict[str, Any]]]:
    """Each launch, with the columns of the job."""
    response = requests.get(os.environ["SOURCE_URL"], timeout=900)
    response.raise_for_status()
    yield [
        {
            "flight_number": record["flight_number"],
            "mission_name": record["name"],
            "launch_date": record["date_utc"],
            "mission_successful": record["success"],
            "webcast_url": record["links"]["webcast"],
        }
        for record in response.json()
    ]


with tempfile.TemporaryDirectory() as folder:
    os.environ["DLT_DATA_DIR"] = folder
    pipeline = dlt.pipeline(
        "launches",
        pipelines_dir=folder,
        destination=dlt.destinations.filesystem(
            bucket_url=f"s3://{os.environ['S3_BUCKET']}",
            credentials={
                "aws_access_key_id": os.environ["AWS_ACCESS_KEY_ID"],
                "aws_secret_access_key": os.environ["AWS_SECRET_ACCESS_KEY"],
                "endpoint_url": os.environ["AWS_ENDPOINT_URL"],
                "region_name": os.environ["AWS_REGION"],
            },
        ),
        dataset_name="bench",
    )
    pipeline.run(launches(), loader_file_format="parquet").raise_on_failed_jobs()
