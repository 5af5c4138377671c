"""However the records lie, both engines run over the same source and say or make the same."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from micro_etl.dataset import Dataset
from micro_etl.log import JsonReport
from micro_etl.pipeline import run
from micro_etl.spark.target import MANIFEST
from tests.service.conftest import dataset
from tests.service.test_settings import read
from tests.spark.conftest import COMPARED, Made, Refusal, outcome, same
from tests.spark.test_parity import COLUMNS, GONE, many

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Lines = list[str]


def lines(records: Lines) -> bytes:
    """One a line."""
    return "\n".join(records).encode()


def array(records: Lines) -> bytes:
    """In one array."""
    return f"[{','.join(records)}]".encode()


def spread(folder: Path, names: list[str], body: Callable[[Lines], bytes], rest: Lines) -> None:
    """The records over several files, in the order of the names."""
    (folder / "raw" / "2024").mkdir(parents=True)
    share = len(rest) // len(names) + 1
    for number, name in enumerate(names):
        data = body(rest[number * share : (number + 1) * share])
        packed = gzip.compress(data) if name.endswith(".gz") else data
        (folder / "raw" / name).write_bytes(packed)
    (folder / "raw" / "_SUCCESS").write_bytes(b"not records")


THREE = ["2024/a.ndjson", "2024/b.ndjson.gz", "c.jsonl"]
LAYOUTS: dict[str, tuple[list[str], Callable[[Lines], bytes], str]] = {
    "array": (["x.json"], array, "raw/x.json"),
    "array-gzipped": (["x.json.gz"], array, "raw/x.json.gz"),
    "lines": (["x.ndjson"], lines, "raw/x.ndjson"),
    "lines-gzipped": (["x.ndjson.gz"], lines, "raw/x.ndjson.gz"),
    "folder-of-lines": (THREE, lines, "raw/"),
    "folder-of-arrays": (["2024/a.json", "2024/b.json", "c.json.gz"], array, "raw/"),
    "pattern": ([*THREE, "d.txt"], lines, "raw/2024/*.ndjson*"),
    "pattern-of-folders": (THREE, lines, "raw/*/*"),
}


SOUND = many(9, mistakes=False)
BODIES: dict[str, tuple[str, Lines]] = {
    "sound": (COLUMNS, SOUND),
    "with mistakes": (COLUMNS, many(9, mistakes=True)),
    "without a path": (COLUMNS + GONE, SOUND),
    "not JSON": (COLUMNS, [*SOUND[:700], '{"id": }', *SOUND[700:]]),
}


def run_both(
    folder: Path, source: str, contract: Dataset
) -> tuple[Refusal | Made, Refusal | Made, list[dict[str, Any]]]:
    """What becomes of a source by each engine, and what the runs say of it."""
    said: list[dict[str, Any]] = []
    url = f"{folder}/{source}"

    def run_by(engine: str, target: Path) -> None:
        scratch = target.with_suffix(".scratch")
        scratch.mkdir()
        settings = read("--source-url", url)._replace(engine=engine, target_url=str(target))
        report = JsonReport(level="error", run_id=None)
        said.append(run(contract, settings, run_id="r", scratch=scratch, report=report).values)

    def by_duckdb() -> list[Path]:
        run_by("duckdb", folder / "t.parquet")
        return [folder / "t.parquet"]

    def by_spark() -> list[Path]:
        run_by("spark", folder / "table")
        return [Path(name) for name in (folder / "table" / MANIFEST).read_text().splitlines()]

    return outcome(by_spark), outcome(by_duckdb), said


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_both_say_and_make_the_same(
    spark: SparkSession, request: pytest.FixtureRequest, tmp_path: Path, layout: str, body: str
) -> None:
    del spark  # it is found as the one that runs
    names, write, source = LAYOUTS[layout]
    columns, records = BODIES[body]
    spread(tmp_path, names, write, records)
    by_spark, by_duckdb, said = run_both(tmp_path, source, dataset(columns))
    assert same(by_spark, by_duckdb), f"{by_spark} by Spark, {by_duckdb} by DuckDB"
    assert isinstance(by_spark, Made if body == "sound" else Refusal)
    for field in ("rows", "nulls", "source_bytes"):
        assert len({str(one[field]) for one in said}) == (body == "sound")
    request.config.stash[COMPARED].append(by_spark)


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("packed", [False, True])
def test_both_take_wrapped_records(
    spark: SparkSession, request: pytest.FixtureRequest, tmp_path: Path, packed: bool, body: str
) -> None:
    del spark
    columns, records = BODIES[body]
    data = b'{"page": 1, "docs": ' + array(records) + b', "next": null}'
    (tmp_path / "x.json").write_bytes(gzip.compress(data) if packed else data)
    contract = dataset(columns, records="docs")
    by_spark, by_duckdb, _ = run_both(tmp_path, "x.json", contract)
    assert same(by_spark, by_duckdb), f"{by_spark} by Spark, {by_duckdb} by DuckDB"
    assert isinstance(by_spark, Made if body == "sound" else Refusal)
    request.config.stash[COMPARED].append(by_spark)
