"""The one statement of SQL that reads from HTTP and writes to S3: no check, no condition."""

import os
from importlib.util import find_spec
from urllib.parse import urlsplit

import duckdb

(package,) = find_spec("duckdb_extension_httpfs").submodule_search_locations
endpoint = urlsplit(os.environ["AWS_ENDPOINT_URL"])
duckdb.execute(
    f"""
    LOAD '{package}/extensions/v{duckdb.__version__}/httpfs.duckdb_extension';
    CREATE SECRET (TYPE s3, KEY_ID '{os.environ["AWS_ACCESS_KEY_ID"]}',
      SECRET '{os.environ["AWS_SECRET_ACCESS_KEY"]}', REGION '{os.environ["AWS_REGION"]}',
      ENDPOINT '{endpoint.netloc}', USE_SSL false, URL_STYLE path);
    SET TimeZone = 'UTC';
    COPY (
      SELECT flight_number, name AS mission_name, date_utc AS launch_date,
        success AS mission_successful, links.webcast AS webcast_url
      FROM read_json('{os.environ["SOURCE_URL"]}', format = 'array', columns = {{
        flight_number: 'INTEGER', name: 'VARCHAR', date_utc: 'TIMESTAMPTZ',
        success: 'BOOLEAN', links: 'STRUCT(webcast VARCHAR)'}})
    ) TO 's3://{os.environ["S3_BUCKET"]}/{os.environ["S3_KEY"]}' (FORMAT parquet);
    """
)
