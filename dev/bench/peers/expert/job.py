"""The script that an expert would write with the same parts as the service, and no checks."""

import os
import shutil
import tempfile
from pathlib import Path

import duckdb
import obstore
import urllib3
from obstore.store import S3Store

with tempfile.TemporaryDirectory() as folder:
    body, table = Path(folder, "body.json"), Path(folder, "launches.parquet")
    with (
        urllib3.request("GET", os.environ["SOURCE_URL"], preload_content=False) as response,
        body.open("wb") as file,
    ):
        shutil.copyfileobj(response, file)
    duckdb.execute("SET TimeZone = 'UTC'")
    duckdb.execute(
        f"""
        COPY (
          SELECT flight_number, name AS mission_name, date_utc AS launch_date,
            success AS mission_successful, links.webcast AS webcast_url
          FROM read_json('{body}', format = 'array', columns = {{
            flight_number: 'INTEGER', name: 'VARCHAR', date_utc: 'TIMESTAMPTZ',
            success: 'BOOLEAN', links: 'STRUCT(webcast VARCHAR)'}})
        ) TO '{table}' (FORMAT parquet)
        """
    )
    store = S3Store(os.environ["S3_BUCKET"], client_options={"allow_http": True})
    obstore.put(store, os.environ["S3_KEY"], table)
