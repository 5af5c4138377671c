"""Guards: which columns a reader would miss."""

from __future__ import annotations

import pytest

from micro_etl.tablefile import Schema
from micro_etl.target.guards import compare

N, MAYBE = ("n", "REQUIRED", "INTEGER"), ("n", "OPTIONAL", "INTEGER")
TEXT, BIG = ("t", "OPTIONAL", "VARCHAR"), ("n", "REQUIRED", "BIGINT")
OTHER = ("m", "REQUIRED", "INTEGER")


@pytest.mark.parametrize(
    ("published", "new", "differences"),
    [
        ((N,), (N,), []),
        ((N, TEXT), (TEXT, N), []),
        ((N,), (N, TEXT), []),
        ((MAYBE,), (N,), []),
        ((N,), (MAYBE,), ["'n' may be null, and never was"]),
        ((N,), (BIG,), ["'n' is BIGINT, was INTEGER"]),
        ((N, TEXT), (N,), ["'t' is gone"]),
        ((N, TEXT), (OTHER, TEXT), ["'n' is gone (renamed to 'm'?)"]),
        ((N, TEXT), (BIG,), ["'n' is BIGINT, was INTEGER", "'t' is gone"]),
        ((), (N,), []),
    ],
)
def test_columns_that_a_reader_would_miss(
    published: Schema, new: Schema, differences: list[str]
) -> None:
    """Added ones, another order and fewer nulls break no reader; all else is named."""
    assert compare(published, new) == differences
