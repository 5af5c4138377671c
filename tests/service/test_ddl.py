"""`ddl` writes the statements of each dialect; DuckDB's are executed here, Spark's in tests/spark.

``python -m tests.service.test_ddl`` writes the golden files again, to be read before a commit.
"""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import re
from pathlib import Path

import pytest

from micro_etl.column_types import column_type, type_names
from micro_etl.dataset import parse_dataset
from micro_etl.ddl import DIALECTS, write_ddl
from micro_etl.errors import UsageError
from micro_etl.table.engine import connect
from tests.service.command import micro_etl
from tests.service.conftest import Bench

FOLDER = Path(__file__).parent / "ddl"
LOCATIONS = {
    "athena": "s3://bucket/every-type/",
    "bigquery": "gs://bucket/every-type.parquet",
    "duckdb": "s3://bucket/every-type.parquet",
    "snowflake": "@stage/every-type.parquet",
    "spark": "s3://bucket/every-type/",
}
TYPES = [*type_names(), "decimal(12,2)", "decimal(38,10)", "decimal(9,0)[]"]
TYPES += [f"{name}[]" for name in type_names()]
"""Every type there is: one that is added comes into each golden file by itself."""

EVERY_TYPE = parse_dataset(
    'name = "every-type"\n[columns]\n'
    + "".join(
        f'"a {kind}" = {{ type = "{kind}"{", required = true" if kind == "int32" else ""} }}\n'
        for kind in TYPES
    )
    + '"Qu`o\\"te" = { type = "string" }\norder = { type = "string" }\n',
    label="every-type.toml",
)
VALUES = {
    **dict.fromkeys(("int32", "int64", "float64", "decimal(12,2)", "decimal(38,10)"), "1"),
    **dict.fromkeys(("string", "json"), '"x"'),
    "boolean": "true",
    "timestamp": '"2024-02-29T12:30:00Z"',
    "date": '"2024-02-29"',
    "decimal(9,0)[]": "[7, null]",
}
"""A value of each type, as JSON."""


def every_value() -> str:
    """A record with a value of every type, and one with as few as there may be."""
    values = {kind: VALUES.get(kind) or f"[{VALUES[kind[:-2]]}]" for kind in TYPES}
    members = ", ".join(f'"a {kind}": {value}' for kind, value in values.items())
    return f'[{{{members}, "order": "first", "Qu`o\\"te": "x"}}, {{"a int32": 2}}]'


def test_every_dialect_has_a_golden_file() -> None:
    assert {file.stem for file in FOLDER.glob("*.sql")} == DIALECTS.keys() == LOCATIONS.keys()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_dataset_of_every_type_is_the_statement_beside_it(dialect: str) -> None:
    golden = (FOLDER / f"{dialect}.sql").read_text("utf-8")
    assert write_ddl(EVERY_TYPE, dialect, location=LOCATIONS[dialect]) == golden


def test_the_documented_types_are_those_of_the_statements() -> None:
    text = (Path(__file__).parents[2] / "docs" / "commands.md").read_text("utf-8")
    documented = re.findall(r"^\| `([\w\[\](),]+)` \|" + r" `(.*?)` \|" * 4, text, re.MULTILINE)
    assert [row[0] for row in documented] == [*type_names(), "decimal(12,2)", "string[]"]
    for name, *types in documented:
        kind = column_type(name)
        assert kind
        elsewhere = kind.elsewhere
        assert types == [
            *(elsewhere.athena, elsewhere.bigquery, elsewhere.snowflake, elsewhere.spark)
        ]


def test_duckdb_fills_the_table_as_often_as_asked(bench: Bench) -> None:
    file = bench.table_of(EVERY_TYPE, every_value()).file
    statements = write_ddl(EVERY_TYPE, "duckdb", location=str(file))
    with connect(bench.folder) as engine:
        for _ in range(2):
            engine.execute(statements)
        made = engine.execute("SELECT CAST(COLUMNS(*) AS VARCHAR) FROM every_type").fetchall()
        read = engine.execute(
            f"SELECT CAST(COLUMNS(*) AS VARCHAR) FROM read_parquet('{file}')"
        ).fetchall()
        assert made == read
        assert len(made) == 2
        described = engine.execute("DESCRIBE every_type").fetchall()
        assert described[0][:3] == ("a int32", "INTEGER", "NO")
        assert described[1][:3] == ("a int64", "BIGINT", "YES")


@pytest.mark.parametrize("dialect", ["duckdb", "snowflake", "spark"])
def test_without_a_location_the_table_is_empty(dialect: str) -> None:
    text = write_ddl(EVERY_TYPE, dialect, table="lake.raw.orders")
    assert "lake" in text.lower().splitlines()[0]
    assert text.count(";") == 1
    assert "LOCATION" not in text


@pytest.mark.parametrize(
    ("dialect", "location", "message"),
    [
        ("athena", None, "--location is missing; athena takes one such as s3://bucket/launches/"),
        ("athena", "s3://b/x.parquet", "--location is 's3://b/x.parquet'; athena takes"),
        ("bigquery", "s3://b/x.parquet", "bigquery takes one such as gs://"),
        ("snowflake", "s3://b/x.parquet", "snowflake takes one such as @stage/"),
        ("duckdb", "x'); DROP TABLE y; --", "duckdb takes one such as s3://"),
        ("spark", "s3://b\\/", "spark takes one such as s3://"),
        ("snowflake", "@s;DROP", "snowflake takes"),
    ],
)
def test_a_location_that_the_database_does_not_take_is_refused(
    dialect: str, location: str | None, message: str
) -> None:
    with pytest.raises(UsageError) as refused:
        write_ddl(EVERY_TYPE, dialect, location=location)
    assert message in str(refused.value)


def test_the_command_prints_the_statement(tmp_path: Path) -> None:
    ended = micro_etl(tmp_path, "ddl", "launches", "--dialect", "spark", "--table", "a.b")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("CREATE TABLE `a`.`b` (\n  `flight_number` INT NOT NULL,\n")
    refused = micro_etl(tmp_path, "ddl", "launches", "--dialect", "athena")
    assert (refused.code, refused.out) == (64, "")
    assert micro_etl(tmp_path, "ddl", "lunches", "--dialect", "spark").code == 78


if __name__ == "__main__":
    for name, location in LOCATIONS.items():
        text = write_ddl(EVERY_TYPE, name, location=location)
        (FOLDER / f"{name}.sql").write_text(text, "utf-8")
