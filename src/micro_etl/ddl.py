"""Write the SQL that makes the table of a dataset where people query it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from micro_etl.column_types import ColumnType, column_type
from micro_etl.dataset import Column, Dataset
from micro_etl.errors import UsageError


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a database wants its table to be made.

    Attributes:
        create: what comes before the name.
        type_of: the name that it has for a type.
        quote: how it quotes a name.
        not_null: whether its columns may be ``NOT NULL``.
        close: what comes after the columns; of the quoted name of the table and the location.
        location: a pattern that locations match; empty where the table may have none.
        example: a location.
    """

    create: str
    type_of: Callable[[ColumnType], str]
    quote: Callable[[str], str]
    not_null: bool
    close: Callable[[str, str], str]
    location: str
    example: str


def write_ddl(
    dataset: Dataset, dialect: str, *, location: str | None = None, table: str | None = None
) -> str:
    """Write the statements that make the table of a dataset.

    Athena, BigQuery and Spark read it where it is published; DuckDB and Snowflake copy it, each
    time that the statements are executed.

    Args:
        dataset: the dataset.
        dialect: a key of `DIALECTS`.
        location: where the table is published, in the words of the database. With none, the table
            is empty.
        table: the name of the table, with dots between its parts; by default the dataset's, with
            ``_`` for ``-``.

    Raises:
        UsageError: the location is missing, or none that the database takes.
    """
    words = DIALECTS[dialect]
    if not re.fullmatch(words.location, location or "") or re.search(r"['\\\s]", location or ""):
        given = f"is {location!r}" if location else "is missing"
        raise UsageError(f"--location {given}; {dialect} takes one such as {words.example}")
    parts = (table or dataset.name.replace("-", "_")).split(".")
    name = ".".join(map(words.quote, parts))
    columns = ",\n".join(f"  {_write_column(column, words)}" for column in dataset.columns)
    return f"{words.create} {name} (\n{columns}\n){words.close(name, location or '')};\n"


def _write_column(column: Column, words: Dialect) -> str:
    kind = column_type(column.type)
    if kind is None:
        raise KeyError(column.type)  # which the parser of dataset files refuses
    rule = " NOT NULL" if column.required and words.not_null else ""
    return f"{words.quote(column.name)} {words.type_of(kind)}{rule}"


def _double_quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _as_snowflake(name: str) -> str:
    """Quote in capitals what has none, so that it is found without quotes and in any case."""
    return _double_quoted(name if re.search("[A-Z]", name) else name.upper())


def _backticked(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _escaped(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _fill_duckdb(name: str, location: str) -> str:
    if not location:
        return ""
    return f";\nINSERT INTO {name} BY NAME\nSELECT * FROM read_parquet('{location}')"


def _fill_snowflake(name: str, location: str) -> str:
    if not location:
        return ""
    return (
        f";\nCOPY INTO {name} FROM {location}\n"
        "FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE)\n"
        "MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE"
    )


DIALECTS = {
    "athena": Dialect(
        create="CREATE EXTERNAL TABLE",
        type_of=lambda kind: kind.elsewhere.athena,
        quote=_backticked,
        not_null=False,
        close=lambda _, location: f"\nSTORED AS PARQUET\nLOCATION '{location}'",
        location="s3://.+/",
        example="s3://bucket/launches/, a folder that holds nothing else",
    ),
    "duckdb": Dialect(
        create="CREATE OR REPLACE TABLE",
        type_of=lambda kind: kind.sql,
        quote=_double_quoted,
        not_null=True,
        close=_fill_duckdb,
        location=".*",
        example="s3://bucket/launches.parquet",
    ),
    "snowflake": Dialect(
        create="CREATE OR REPLACE TABLE",
        type_of=lambda kind: kind.elsewhere.snowflake,
        quote=_as_snowflake,
        not_null=True,
        close=_fill_snowflake,
        location="(@[^;]+)?",
        example="@stage/launches.parquet",
    ),
    "bigquery": Dialect(
        create="CREATE OR REPLACE EXTERNAL TABLE",
        type_of=lambda kind: kind.elsewhere.bigquery,
        quote=_escaped,
        not_null=False,
        close=lambda _, location: (
            "\nOPTIONS (\n  format = 'PARQUET',\n  enable_list_inference = TRUE,\n"
            f"  uris = ['{location}']\n)"
        ),
        location="gs://.+",
        example="gs://bucket/launches.parquet",
    ),
    "spark": Dialect(
        create="CREATE TABLE",
        type_of=lambda kind: kind.elsewhere.spark,
        quote=_backticked,
        not_null=True,
        close=lambda _, location: "\nUSING PARQUET" + (location and f"\nLOCATION '{location}'"),
        location=".*",
        example="s3://bucket/launches/",
    ),
}
"""The databases, by name."""
