"""Spark executes the statement that `ddl` writes for it, and reads what was published."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from micro_etl.ddl import write_ddl
from tests.service.conftest import Bench
from tests.service.test_ddl import EVERY_TYPE, every_value

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def test_spark_reads_every_type_where_it_is_published(spark: SparkSession, tmp_path: Path) -> None:
    folder = tmp_path / "published"
    folder.mkdir()
    made = Bench(tmp_path).table_of(EVERY_TYPE, every_value()).file
    made.rename(folder / "every-type.parquet")
    spark.sql(write_ddl(EVERY_TYPE, "spark", location=folder.as_uri(), table="made").rstrip(";\n"))
    try:
        rows = [row.asDict() for row in spark.table("made").collect()]
        published = pq.read_table(folder).to_pylist()
        assert [list(row) for row in rows] == [list(row) for row in published]
        for row, other in zip(rows, published, strict=True):
            for name in row:
                if "timestamp" not in name:  # Spark's are without a zone, in the session's
                    assert row[name] == other[name], name
        types = dict(spark.table("made").dtypes)
        assert types["a timestamp[]"] == "array<timestamp>"
        assert types["a decimal(38,10)"] == "decimal(38,10)"
    finally:
        spark.sql("DROP TABLE made")
