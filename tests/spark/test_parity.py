"""Both engines over the same inputs: the same violations of the same records, the same tables."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given

from micro_etl.dataset import TYPES, Dataset
from micro_etl.errors import ContractError, MicroEtlError, Violation
from micro_etl.table import violation_queries as queries
from micro_etl.table.engine import connect
from micro_etl.table.violations import find_violations
from tests.service.conftest import Bench, dataset
from tests.spark.conftest import COMPARED, SparkBench
from tests.torture.test_property import cases, examples

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

VALUES = (Path(__file__).parents[1] / "service" / "values.txt").read_text("utf-8").splitlines()
RECORDS = 2_000


def by_duckdb(folder: Path, columns: str, text: str) -> tuple[list[Violation], dict[str, int]]:
    """What the other engine finds."""
    body = Bench(folder).body(text)
    with connect(folder) as connection:
        return find_violations(connection, dataset(columns), body)


def record_of(values: dict[str, str]) -> str:
    """A record of these values, written as they are."""
    return "{" + ", ".join(f'"{name}": {value}' for name, value in values.items()) + "}"


@pytest.mark.parametrize("column_type", TYPES)
def test_both_refuse_the_same_values_and_make_the_same_of_the_others(
    bench: SparkBench, tmp_path: Path, column_type: str
) -> None:
    """Each value in a column of its own, of this type."""
    columns = {f"v{n:03}": value for n, value in enumerate(VALUES)}
    declared = "\n".join(f'{name} = {{ type = "{column_type}" }}' for name in columns)
    body = "\n".join([record_of(columns)] * 4)
    expected = by_duckdb(tmp_path, declared, body)
    assert bench.all_violations(declared, body) == expected
    wrong = {violation.path for violation in expected[0]}
    assert 0 < len(wrong) < len(VALUES)
    assert all(total == 4 for total in expected[1].values())

    good = "\n".join(line for line in declared.splitlines() if line.split()[0] not in wrong)
    sound = {name: value for name, value in columns.items() if name not in wrong}
    body = "\n".join([record_of(sound)] * 4)  # of the others, some are not JSON
    table = pq.ParquetFile(Bench(tmp_path).table(good, body).file)
    rows = bench.rows(good, body)
    assert repr(rows) == repr(table.read().to_pylist())
    part = pq.ParquetFile(bench.table(good, body).file)
    assert part.schema.equals(table.schema)


COLUMNS = """
    id = { type = "int64", required = true, unique = true }
    name = { from = "who.name", type = "string", required = true }
    score = { type = "float64", unique = true }
    at = { type = "timestamp" }
    who = { type = "json" }
"""
GONE = 'gone = { from = "who.gone", type = "date" }'
"""A column whose path no record has."""


def many(seed: int, *, mistakes: bool) -> list[str]:
    """Records of these columns, with a few mistakes of every kind or none, made from a seed."""
    dice = random.Random(seed)

    def record(n: int) -> object:
        made: dict[str, Any] = {
            "id": n,
            "who": {"name": f"n{n}"},
            "score": n / 4,
            "at": "2020-01-01T00:00:00+01:00",
            "filler": "x" * dice.randrange(60),
        }
        wrong: list[dict[str, Any]] = [
            {"id": dice.randrange(n + 1)},
            {"id": str(n)},
            {"id": None},
            {"who": {"name": None}},
            {"who": []},
            {"score": -0.0 if n % 2 else 0},
            {"at": "2020-01-01"},
        ]
        kind = dice.randrange(400) if mistakes else len(wrong)
        if kind == 399:
            return None if n % 2 else [n]
        return made | wrong[kind] if kind < len(wrong) else made

    lines = [json.dumps(record(n)) for n in range(RECORDS)]
    if mistakes:  # and what `json.dumps` does not write: a key that comes twice
        lines[dice.randrange(1, RECORDS)] = '{"id": 1, "who": {"name": "a", "name": "b"}, "id": 2}'
    return [json.dumps({"id": -1, "who": {"name": "first"}}), *lines]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("layout", ["lines", "array"])
def test_both_find_the_same_violations_in_the_same_records(
    bench: SparkBench, tmp_path: Path, seed: int, layout: str
) -> None:
    columns, records = COLUMNS + GONE, many(seed, mistakes=True)
    body = f"[{','.join(records)}]" if layout == "array" else "\n".join(records)
    expected, totals = by_duckdb(tmp_path, columns, body)
    assert bench.all_violations(columns, body) == (expected, totals)
    assert len(totals) > 4
    assert max(violation.record or 0 for violation in expected) > RECORDS / 3
    with pytest.raises(ContractError) as refused:
        bench.table(columns, body)
    assert refused.value.violations == expected[: queries.SHOWN]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n \n"])
def test_both_make_the_same_table_of_many_records(
    bench: SparkBench, tmp_path: Path, end: str
) -> None:
    columns = """
        n = { type = "int32", required = true, unique = true }
        text = { type = "string" }
        at = { type = "timestamp", required = true }
        rest = { type = "json" }
    """
    body = end.join(
        json.dumps(
            {
                "n": n,
                "text": None if n % 7 == 0 else "ü" * (n % 50),
                "at": f"{1 + n % 9999:04}-06-01T00:00:00.{n % 1000000:06}+05:30",
                "rest": {"n": n / 3, "x": [n]},
            }
        )
        for n in range(20_000)
    )
    table = pq.ParquetFile(Bench(tmp_path).table(columns, body).file)
    bench.table(columns, body)
    parts = [pq.ParquetFile(file) for file in sorted((tmp_path / "parts").iterdir())]
    assert len(parts) == 3
    assert all(part.schema.equals(table.schema) for part in parts)
    assert pa.concat_tables(part.read() for part in parts).equals(table.read())


@pytest.mark.timeout(300)
@pytest.mark.parametrize("layout", ["array", "lines"])
@given(case=cases())
@examples(25)
def test_both_read_any_list_of_records_alike(
    spark: SparkSession, layout: str, case: tuple[Dataset, str], pytestconfig: pytest.Config
) -> None:
    contract, text = case
    if layout == "lines":
        text = "\n".join(element.replace("\n", "") for element in elements(text))
    with tempfile.TemporaryDirectory() as folder, suppress(MicroEtlError):
        SparkBench(Path(folder), spark, pytestconfig.stash[COMPARED]).table_of(contract, text)


def elements(text: str) -> Iterator[str]:
    """The text of each element of an array."""
    decoder, at = json.JSONDecoder(), 1
    while at < len(text):
        _, end = decoder.raw_decode(text, at)
        yield text[at:end]
        at = end + 1
