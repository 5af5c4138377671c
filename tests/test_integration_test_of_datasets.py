"""The integration test of any dataset can fail: it notices each way in which a table is wrong."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from xxhash import xxh3_128

from dev.loopback import CREDENTIALS, serve_json
from tests.conftest import Bucket
from tests.integration import test_published_dataset as checks
from tests.integration.published_dataset import PublishedDataset

DATASET = """
name = "all-types"
[source]
records = "items"
[source.pagination]
kind = "none"
[columns]
id      = { type = "int64", required = true, unique = true }
small   = { type = "int32" }
ratio   = { type = "float64" }
title   = { type = "string" }
open    = { type = "boolean" }
at      = { type = "timestamp", format = "epoch" }
day     = { type = "date" }
price   = { type = "decimal(12,2)", format = "text" }
labels  = { from = "labels[*].name", type = "string[]" }
details = { type = "json" }
"""
SOURCE = b"""{"items": [
  {"id": 1, "small": 1, "ratio": 1.5, "title": "a", "open": true, "at": 0, "day": "2024-02-29",
   "price": "12.50", "labels": [{"name": "x"}, {"name": "y"}],
   "details": {"b": 12345678901234567.89, "a": [1.0, "1"]}},
  {"id": 2}
]}"""
SCHEMA = pa.schema(
    [
        pa.field("id", pa.int64(), nullable=False),
        pa.field("small", pa.int32()),
        pa.field("ratio", pa.float64()),
        pa.field("title", pa.string()),
        pa.field("open", pa.bool_()),
        pa.field("at", pa.timestamp("us", tz="UTC")),
        pa.field("day", pa.date32()),
        pa.field("price", pa.decimal128(12, 2)),
        pa.field("labels", pa.list_(pa.string())),
        pa.field("details", pa.string()),
    ]
)
ROW: dict[str, Any] = {
    "id": 1,
    "small": 1,
    "ratio": 1.5,
    "title": "a",
    "open": True,
    "at": datetime(1970, 1, 1, tzinfo=UTC),
    "day": date(2024, 2, 29),
    "price": Decimal("12.50"),
    "labels": ["x", "y"],
    "details": '{"a": [1, "1"], "b": 12345678901234567.89}',
}
EMPTY = dict.fromkeys(ROW) | {"id": 2}
TABLE = pa.Table.from_pylist([ROW, EMPTY], SCHEMA)


def other_value(name: str, value: object) -> pa.Table:
    """A table whose first row has another value."""
    return pa.Table.from_pylist([ROW | {name: value}, EMPTY], SCHEMA)


def other_field(field: pa.Field) -> pa.Table:
    """A table whose column is declared otherwise."""
    index = SCHEMA.get_field_index(field.name)
    return TABLE.set_column(index, field, TABLE[field.name].cast(field.type))


WRONG_VALUES = {
    "a row is missing": TABLE.slice(0, 1),
    "a row is there twice": pa.concat_tables([TABLE, TABLE.slice(0, 1)]),
    "rows have another order": TABLE.take([1, 0]),
    "a null is an empty list": pa.Table.from_pylist([ROW, EMPTY | {"labels": []}], SCHEMA),
    "a null is false": pa.Table.from_pylist([ROW, EMPTY | {"open": False}], SCHEMA),
    "a number is another": other_value("small", 2),
    "a fraction is rounded": other_value("ratio", 2.0),
    "a text has a space": other_value("title", "a "),
    "a moment is off": other_value("at", ROW["at"] + timedelta(microseconds=1)),
    "a day is another": other_value("day", date(2024, 2, 28)),
    "a price is rounded": other_value("price", Decimal("12.51")),
    "a list has another order": other_value("labels", ["y", "x"]),
    "JSON is rounded": other_value("details", '{"a": [1, "1"], "b": 12345678901234568}'),
    "JSON has text for a number": other_value("details", ROW["details"].replace('"1"', "1")),
}
WRONG_SCHEMAS = {
    "numbers are wider": other_field(pa.field("small", pa.int64())),
    "moments have no zone": other_field(pa.field("at", pa.timestamp("us"))),
    "moments are nanoseconds": other_field(pa.field("at", pa.timestamp("ns", tz="UTC"))),
    "prices have another scale": other_field(pa.field("price", pa.decimal128(12, 3))),
    "prices are floats": other_field(pa.field("price", pa.float64())),
    "nulls are allowed": other_field(pa.field("id", pa.int64())),
    "a column is missing": TABLE.drop_columns("title"),
    "columns have another order": TABLE.select(TABLE.column_names[::-1]),
}
WRONG_METADATA = {
    "another dataset": {"dataset": "other"},
    "another number of rows": {"rows": "3"},
    "another hash": {"content-sha256": "0" * 64},
}

Publish = Callable[..., dict[str, str]]


@pytest.fixture
def publish(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Publish:
    """Publish a table and keep what it was made from; return the variables that lead there."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "all-types.toml").write_text(DATASET)
    raw = tmp_path / "raw" / "all-types"
    raw.mkdir(parents=True)

    def publish(
        table: pa.Table = TABLE, *, kept: dict[str, bytes] | None = None, **metadata: str
    ) -> dict[str, str]:
        file = io.BytesIO()
        pq.write_table(table, file)
        source = hashlib.sha256(SOURCE).hexdigest()
        about = {
            "dataset": "all-types",
            "rows": str(table.num_rows),
            "content-sha256": hashlib.sha256(file.getvalue()).hexdigest(),
            "source-hash": f"sha256:{source}",
            "version": "1",
            "run-id": "this",
        }
        bucket.client.put_object(
            Bucket=bucket.name,
            Key="all-types.parquet",
            Body=file.getvalue(),
            ContentType="application/vnd.apache.parquet",
            Metadata=about | {name.replace("_", "-"): text for name, text in metadata.items()},
        )
        for name, body in ({"{}.json.gz": SOURCE} if kept is None else kept).items():
            path = raw / name.format(source)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(body)
        return {
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": bucket.endpoint,
            "DATASET": str(tmp_path / "all-types.toml"),
            "TARGET_URL": f"s3://{bucket.name}/all-types.parquet",
            "RAW_URL": str(tmp_path / "raw"),
            "EXPECTED_RUN_ID": "this",
        }

    return publish


def check(variables: dict[str, str]) -> None:
    """Make every check of the integration test."""
    published = PublishedDataset(variables)
    checks.test_the_schema_is_exactly_the_datasets(published)
    checks.test_every_row_is_what_the_source_says(published)
    checks.test_the_object_says_what_it_is(published)
    checks.test_this_run_wrote_the_object(published)


def test_a_right_table_passes(publish: Publish) -> None:
    """So what fails below is what is wrong there, and not how it was written."""
    check(publish())


@pytest.mark.parametrize("wrong", WRONG_VALUES)
def test_a_wrong_value_fails(publish: Publish, wrong: str) -> None:
    """Each in its own way."""
    published = PublishedDataset(publish(WRONG_VALUES[wrong]))
    checks.test_the_schema_is_exactly_the_datasets(published)
    with pytest.raises(AssertionError):
        checks.test_every_row_is_what_the_source_says(published)


@pytest.mark.parametrize("wrong", WRONG_SCHEMAS)
def test_a_wrong_schema_fails(publish: Publish, wrong: str) -> None:
    """Each in its own way."""
    published = PublishedDataset(publish(WRONG_SCHEMAS[wrong]))
    with pytest.raises(AssertionError):
        checks.test_the_schema_is_exactly_the_datasets(published)


@pytest.mark.parametrize("wrong", WRONG_METADATA)
def test_an_object_that_says_something_else_of_itself_fails(publish: Publish, wrong: str) -> None:
    """Each in its own way."""
    published = PublishedDataset(publish(TABLE, **WRONG_METADATA[wrong]))
    with pytest.raises(AssertionError):
        checks.test_the_object_says_what_it_is(published)


def test_an_object_of_another_run_fails(publish: Publish) -> None:
    """Also where the table is right."""
    published = PublishedDataset(publish(run_id="other"))
    with pytest.raises(AssertionError):
        checks.test_this_run_wrote_the_object(published)


def test_a_raw_copy_of_pages_is_read_in_order(publish: Publish) -> None:
    """A page a file, in the folder that the hash names."""
    first = SOURCE.replace(b',\n  {"id": 2}', b"")
    pages = {"{}/1.json.gz": first, "{}/2.json.gz": b'{"items": [{"id": 2}]}'}
    check(publish(kept=pages))
    with pytest.raises(AssertionError):
        check(publish(WRONG_VALUES["rows have another order"], kept=pages))


def test_a_raw_copy_that_is_broken_fails(publish: Publish) -> None:
    """Its name is the hash of its content."""
    with pytest.raises(pytest.fail.Exception, match="raw copy"):
        check(publish(kept={"{}.json.gz": SOURCE + b"\n"}))


def test_the_source_does_where_there_is_no_raw_copy(publish: Publish) -> None:
    """By its hash, or by what it says now."""
    variables = publish(kept={})
    with serve_json(SOURCE) as source_url:
        check(variables | {"SOURCE_URL": source_url})
        with pytest.raises(AssertionError):
            check(publish(WRONG_VALUES["a null is false"], kept={}) | {"SOURCE_URL": source_url})
    with serve_json(SOURCE.replace(b'{"id": 2}', b'{"id": 2, "unread": 1}')) as source_url:
        check(publish(kept={}) | {"SOURCE_URL": source_url})


@pytest.mark.parametrize(
    "said",
    [
        {"source_hash": f"xxh128:{xxh3_128(SOURCE).hexdigest()}"},
        {"source_hash": "", "source_sha256": hashlib.sha256(SOURCE).hexdigest()},
    ],
    ids=["no-copies", "of-version-0.1"],
)
def test_the_hash_of_the_source_tells_a_wrong_table_from_a_changed_source(
    publish: Publish, said: dict[str, str]
) -> None:
    """Whichever hash it is."""
    wrong = publish(WRONG_VALUES["a null is false"], kept={}, **said)
    with serve_json(SOURCE) as source_url, pytest.raises(AssertionError):
        check(wrong | {"SOURCE_URL": source_url})


@pytest.mark.parametrize("now", [SOURCE.replace(b'"a"', b'"b"'), b"{}"])
def test_a_source_that_has_changed_is_inconclusive(publish: Publish, now: bytes) -> None:
    """Nothing is compared that can't be compared."""
    with (
        serve_json(now) as source_url,
        pytest.raises(pytest.fail.Exception, match="INCONCLUSIVE"),
    ):
        check(publish(kept={}) | {"SOURCE_URL": source_url})


def run_integration_test(variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the integration test as a user does: by its environment."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/integration"],
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_environment_names_the_dataset(publish: Publish) -> None:
    """Only the test of that dataset runs; a wrong table fails it."""
    done = run_integration_test(publish(WRONG_VALUES["a price is rounded"]))
    assert "test_published_table" not in done.stdout
    assert (done.returncode, "row 1 differs in price" in done.stdout) == (1, True), done.stdout


def test_it_needs_nothing_of_the_application(publish: Publish, tmp_path: Path) -> None:
    """A fault that both share could not be found."""
    (tmp_path / "micro_etl.py").write_text("raise ImportError")
    done = run_integration_test(publish() | {"PYTHONPATH": str(tmp_path)})
    assert (done.returncode, "4 passed" in done.stdout) == (0, True), done.stdout


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"DATASET": "launches"}, "S3_BUCKET or TARGET_URL"),
        ({"DATASET": "not-there", "S3_BUCKET": "any"}, "DATASET is not-there"),
    ],
)
def test_a_dataset_or_place_that_is_not_there_does_not_pass(
    variables: dict[str, str], says: str
) -> None:
    """It is an error, with what is missing."""
    done = run_integration_test(variables)
    assert done.returncode != 0
    assert says in done.stdout + done.stderr
