"""The job with Polars: an eager read, since only NDJSON can be scanned, and its own S3 client."""

import os
import shutil
import tempfile
from pathlib import Path

import polars as pl
import urllib3

with tempfile.TemporaryDirectory() as folder:
    body = Path(folder, "body.json")
    with (
        urllib3.request("GET", os.environ["SOURCE_URL"], preload_content=False) as response,
        body.open("wb") as file,
    ):
        shutil.copyfileobj(response, file)
    records = pl.read_json(
        body,
        schema={
            "flight_number": pl.Int32,
            "name": pl.String,
            "date_utc": pl.String,
            "success": pl.Boolean,
            "links": pl.Struct({"webcast": pl.String}),
        },
    )
    table = records.select(
        "flight_number",
        mission_name="name",
        launch_date=pl.col("date_utc").str.to_datetime(
            "%Y-%m-%dT%H:%M:%S%.3fZ", time_unit="us", time_zone="UTC"
        ),
        mission_successful="success",
        webcast_url=pl.col("links").struct.field("webcast"),
    )
    table.write_parquet(
        f"s3://{os.environ['S3_BUCKET']}/{os.environ['S3_KEY']}",
        compression="snappy",
        storage_options={
            "aws_endpoint_url": os.environ["AWS_ENDPOINT_URL"],
            "aws_allow_http": "true",
        },
    )
