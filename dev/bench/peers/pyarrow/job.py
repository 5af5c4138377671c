"""The job with json, pyarrow and boto3; pyarrow itself reads NDJSON only."""

import json
import os
from datetime import datetime
from io import BytesIO

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import urllib3

records = json.loads(urllib3.request("GET", os.environ["SOURCE_URL"]).data)
table = pa.table(
    [
        [record["flight_number"] for record in records],
        [record["name"] for record in records],
        [datetime.fromisoformat(record["date_utc"]) for record in records],
        [record["success"] for record in records],
        [record["links"]["webcast"] for record in records],
    ],
    schema=pa.schema(
        [
            ("flight_number", pa.int32()),
            ("mission_name", pa.string()),
            ("launch_date", pa.timestamp("us", "UTC")),
            ("mission_successful", pa.bool_()),
            ("webcast_url", pa.string()),
        ]
    ),
)
file = BytesIO()
pq.write_table(table, file)
client = boto3.client("s3")
client.put_object(Bucket=os.environ["S3_BUCKET"], Key=os.environ["S3_KEY"], Body=file.getvalue())
