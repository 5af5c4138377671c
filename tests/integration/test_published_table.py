"""The published table is what the source says, value for value, in exactly the agreed form."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from tests.integration.published import Published

SCHEMA = pa.schema(
    [
        pa.field("flight_number", pa.int32(), nullable=False),
        pa.field("mission_name", pa.string(), nullable=False),
        pa.field("launch_date", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("mission_successful", pa.bool_()),
        pa.field("webcast_url", pa.string()),
    ]
)

# Public facts that no other source of this test can get wrong together with it.
KNOWN: list[dict[str, Any]] = [
    {
        "flight_number": 1,
        "mission_name": "FalconSat",
        "launch_date": datetime(2006, 3, 24, 22, 30, tzinfo=UTC),
        "mission_successful": False,
        "webcast_url": "https://www.youtube.com/watch?v=0a_00nJ_Y88",
    },
    {
        "flight_number": 4,
        "mission_name": "RatSat",
        "launch_date": datetime(2008, 9, 28, 23, 15, tzinfo=UTC),
        "mission_successful": True,
        "webcast_url": "https://www.youtube.com/watch?v=dLQ2tZEH6G0",
    },
    {
        "flight_number": 23,
        "mission_name": "TürkmenÄlem 52°E / MonacoSAT",
        "launch_date": datetime(2015, 4, 27, 23, 3, tzinfo=UTC),
        "mission_successful": True,
        "webcast_url": "https://www.youtube.com/watch?v=nBwAYT_ogj4",
    },
]


def test_the_schema_is_exactly_the_agreed_one(published: Published) -> None:
    """Five columns in their order, with types, time zone and nullability, and no other."""
    assert published.table.schema.remove_metadata() == SCHEMA


def test_every_row_of_the_source_is_there_and_no_other(published: Published) -> None:
    """Neither a row too few nor one too many, whatever their values."""
    expected = Counter(row["flight_number"] for row in published.expected_rows)
    assert Counter(row["flight_number"] for row in published.rows) == expected


def test_every_value_is_the_sources_value(published: Published) -> None:
    """All values of all rows, in the order of the source."""
    differing = [
        (is_, should)
        for is_, should in zip(published.rows, published.expected_rows, strict=True)
        if is_ != should
    ]
    assert not differing, (
        f"{len(differing)} rows differ; the first is, and should be: {differing[0]}"
    )


def test_flight_numbers_are_unique(published: Published) -> None:
    """A launch stands in the table once."""
    counts = Counter(row["flight_number"] for row in published.rows)
    assert [number for number, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("launch", KNOWN, ids=lambda launch: launch["mission_name"])
def test_a_known_launch_is_there(published: Published, launch: dict[str, Any]) -> None:
    """Values that are written here, so that a fault of both sides shows."""
    assert launch in published.rows


def test_launch_dates_are_stored_as_every_reader_understands(published: Published) -> None:
    """INT64 microseconds in UTC: neither INT96 nor nanoseconds nor local time."""
    column = published.footer.schema.column(2)
    assert (column.name, column.physical_type) == ("launch_date", "INT64")
    logical = json.loads(column.logical_type.to_json())
    assert (logical["isAdjustedToUTC"], logical["timeUnit"]) == (True, "microseconds")


def test_the_object_says_what_it_is(published: Published) -> None:
    """Media type, rows and hash of the object are those of its bytes."""
    assert published.content_type == "application/vnd.apache.parquet"
    assert published.metadata["rows"] == str(published.footer.num_rows)
    assert published.metadata["content-sha256"] == hashlib.sha256(published.body).hexdigest()
    assert published.metadata["version"]


def test_this_run_wrote_the_object(published: Published) -> None:
    """The object is of the run that the caller has just made, not of an earlier one."""
    if published.place.run_id is None:
        pytest.skip("EXPECTED_RUN_ID is not set: the caller does not know which run to expect")
    assert published.metadata["run-id"] == published.place.run_id
