"""Pages with dlt: the paginator that fits, loaded into a folder as Parquet; prints the ids."""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import dlt
import pyarrow.parquet as pq
from dlt.sources.helpers.rest_client import RESTClient
from dlt.sources.helpers.rest_client.paginators import (
    BasePaginator,
    JSONLinkPaginator,
    JSONResponseCursorPaginator,
    OffsetPaginator,
)


def paginator(pagination: dict[str, str]) -> BasePaginator:
    """The paginator that dlt has for a kind of pagination."""
    kind = pagination["kind"]
    if kind == "next_url":
        return JSONLinkPaginator(next_url_path=pagination["next"])
    if kind == "cursor":
        return JSONResponseCursorPaginator(
            cursor_path=pagination["next"],
            cursor_param=pagination["param"],
            has_more_path=pagination.get("has_more"),
        )
    return OffsetPaginator(
        limit=2, offset_param=pagination["param"], total_path=pagination.get("total")
    )


source = json.loads(sys.argv[1])
client = RESTClient(base_url=source["url"].partition("?")[0], headers=source.get("headers", {}))


@dlt.resource(name="t", write_disposition="replace", primary_key="id")
def records() -> Any:
    """The records of all pages."""
    yield from client.paginate(
        source["url"], paginator=paginator(source["pagination"]), data_selector=source["records"]
    )


with tempfile.TemporaryDirectory() as folder:
    os.environ["DLT_DATA_DIR"] = folder
    destination = dlt.destinations.filesystem(bucket_url=Path(folder, "out").as_uri())
    pipeline = dlt.pipeline(
        "t", pipelines_dir=folder, destination=destination, dataset_name="paging"
    )
    pipeline.run(records(), loader_file_format="parquet").raise_on_failed_jobs()
    files = Path(folder, "out", "paging", "t").glob("*.parquet")
    ids = [one for file in files for one in pq.read_table(file)["id"].to_pylist()]
    sys.stdout.write(f"{json.dumps(ids if len(ids) < 10 else len(ids))}\n")
