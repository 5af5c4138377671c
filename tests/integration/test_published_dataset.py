"""The table of any dataset is what its file and its source say, value for value."""

from __future__ import annotations

import hashlib

import pytest

from tests.integration.published_dataset import (
    PublishedDataset,
    columns_of_dataset,
    columns_of_file,
)


def test_the_schema_is_exactly_the_datasets(published_dataset: PublishedDataset) -> None:
    """Columns in their order, with types and nullability, and no other."""
    assert columns_of_file(published_dataset.file.schema_arrow) == columns_of_dataset(
        published_dataset.dataset
    )


def test_every_row_is_what_the_source_says(published_dataset: PublishedDataset) -> None:
    """All values of all rows, in the order of the source; neither a row too few nor too many."""
    found, expected = published_dataset.rows, published_dataset.expected_rows
    for number, (is_, should) in enumerate(zip(found, expected, strict=False), 1):
        differing = [name for name in should if is_.get(name) != should[name]]
        assert not differing, (
            f"row {number} differs in {', '.join(differing)}: it is {is_}, and should be {should}"
        )
    assert len(found) == len(expected)


def test_the_object_says_what_it_is(published_dataset: PublishedDataset) -> None:
    """Dataset, media type, rows and hash of the object are those of its bytes."""
    metadata = published_dataset.metadata
    assert published_dataset.content_type == "application/vnd.apache.parquet"
    assert metadata["dataset"] == published_dataset.dataset["name"]
    assert metadata["rows"] == str(published_dataset.file.metadata.num_rows)
    assert metadata["content-sha256"] == hashlib.sha256(published_dataset.body).hexdigest()
    assert metadata["version"]


def test_this_run_wrote_the_object(published_dataset: PublishedDataset) -> None:
    """The object is of the run that the caller has just made, not of an earlier one."""
    if published_dataset.run_id is None:
        pytest.skip("EXPECTED_RUN_ID is not set: the caller does not know which run to expect")
    assert published_dataset.metadata["run-id"] == published_dataset.run_id
