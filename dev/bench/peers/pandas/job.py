"""The job with requests, pandas and boto3: what most people write."""

import os
from io import BytesIO

import boto3
import pandas as pd
import requests

response = requests.get(os.environ["SOURCE_URL"], timeout=900)
response.raise_for_status()
records = pd.DataFrame(response.json())
table = pd.DataFrame(
    {
        "flight_number": records["flight_number"].astype("int32"),
        "mission_name": records["name"],
        "launch_date": pd.to_datetime(records["date_utc"]).dt.as_unit("us"),
        "mission_successful": records["success"].astype("boolean"),
        "webcast_url": records["links"].str["webcast"],
    }
)
file = BytesIO()
table.to_parquet(file, index=False)
client = boto3.client("s3")
client.put_object(Bucket=os.environ["S3_BUCKET"], Key=os.environ["S3_KEY"], Body=file.getvalue())
