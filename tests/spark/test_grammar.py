"""Every form of a value, place of records and recorded API: both engines say or make the same."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from micro_etl.dataset import Dataset, parse_dataset
from micro_etl.errors import ContractError
from micro_etl.log import JsonReport
from micro_etl.pipeline import run
from micro_etl.table import violation_queries as queries
from micro_etl.table.records import is_exact
from tests.cases.replay import serve_case
from tests.service.conftest import dataset
from tests.service.test_forms import RIGHT as RIGHT_FORMS
from tests.service.test_forms import WRONG as WRONG_FORMS
from tests.service.test_records import RIGHT as RIGHT_RECORDS
from tests.service.test_records import WRONG as WRONG_RECORDS
from tests.service.test_records import A
from tests.service.test_settings import read as read_settings
from tests.spark.conftest import COMPARED, Made, Refusal, SparkBench, same
from tests.spark.test_layouts import run_both
from tests.spark.test_parity import by_duckdb
from tests.test_cases import APIS, CASES, plain, read

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Both = Callable[[Dataset, str], Refusal | Made]
"""Reads a source below the test's folder with both engines, which must say or make the same."""


@pytest.fixture
def both(spark: SparkSession, tmp_path: Path, request: pytest.FixtureRequest) -> Both:
    """Both engines, in the test's folder."""
    del spark  # it is found as the one that runs

    def compare(contract: Dataset, source: str) -> Refusal | Made:
        by_spark, by_other, _ = run_both(tmp_path, source, contract)
        assert same(by_spark, by_other), f"{by_spark} by Spark, {by_other} by DuckDB"
        request.config.stash[COMPARED].append(by_spark)
        return by_spark

    return compare


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write files into a folder below another."""
    for name, text in files.items():
        file = folder / "raw" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")


def of_records(source: str, columns: str) -> Dataset:
    """The dataset of some lines of the sections `source` and `columns`."""
    text = f'name = "t"\n[source]\n{source}\n[columns]\n{columns}\n'
    return parse_dataset(text, label="t.toml")


def together(forms: list[tuple[str, str]], *, exact: bool) -> tuple[str, str]:
    """The columns of those forms that are read with all digits, or not, and a record of all."""
    chosen = [
        (f"v{number:02}", column, value)
        for number, (column, value) in enumerate(forms)
        if is_exact(dataset(f"v = {{ {column} }}")) is exact
    ]
    columns = "\n".join(f"{name} = {{ {column} }}" for name, column, _ in chosen)
    return columns, "{" + ", ".join(f'"{name}": {value}' for name, _, value in chosen) + "}"


@pytest.mark.parametrize("exact", [False, True])
def test_both_read_each_form_of_a_value(bench: SparkBench, *, exact: bool) -> None:
    columns, record = together([(column, value) for column, value, _ in RIGHT_FORMS], exact=exact)
    assert len(bench.rows(columns, "\n".join([record] * 4))) == 4


@pytest.mark.parametrize("exact", [False, True])
def test_both_refuse_each_form_that_is_wrong(
    bench: SparkBench, tmp_path: Path, *, exact: bool
) -> None:
    columns, record = together(WRONG_FORMS, exact=exact)
    body = "\n".join(["{}", record, record, "{}"])
    found, totals = by_duckdb(tmp_path, columns, body)
    assert bench.all_violations(columns, body) == (found, totals)
    assert set(totals.values()) == {2}
    assert len(totals) == columns.count("\n") + 1
    with pytest.raises(ContractError) as refused:
        bench.table(columns, body)
    assert refused.value.violations == found[: queries.SHOWN]


@pytest.mark.parametrize(("source", "columns", "body", "rows"), RIGHT_RECORDS)
def test_both_find_the_records_of_every_file(
    both: Both, tmp_path: Path, source: str, columns: str, body: str, rows: object
) -> None:
    write(tmp_path, {"a.json": body, "b.json": body})
    made = both(of_records(source, columns), "raw/")
    assert isinstance(made, Made)
    assert pq.ParquetFile(tmp_path / "t.parquet").read().to_pylist() == [*rows, *rows]  # type: ignore[misc] # a list


@pytest.mark.parametrize(("source", "columns", "body", "message"), WRONG_RECORDS)
def test_both_say_where_they_are_not(
    both: Both, tmp_path: Path, source: str, columns: str, body: str, message: str
) -> None:
    write(tmp_path, {"a.json": body, "b.json": body})
    refused = both(of_records(source, columns), "raw/")
    assert isinstance(refused, Refusal)
    assert message in refused.message


GOOD, BAD = '{"items":[{"a":1},{"a":2}]}', '{"items":[{"a":3},{"a":"x"}]}'


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (BAD, 'record 2 of b.json: a is "x"'),
        ("{}", "b.json: items is missing"),
        (GOOD + GOOD, "b.json is 2 JSON values"),
        (GOOD[:-1], "b.json can't be read as JSON"),
        ('{"items":[{"a":1}],"more":NaN}', "b.json is not JSON"),
        (BAD[:-1] + ',"more":NaN}', 'record 2 of b.json: a is "x"'),
    ],
)
def test_both_name_the_file_that_is_wrong(
    both: Both, tmp_path: Path, second: str, message: str
) -> None:
    write(tmp_path, {"a.json": GOOD, "b.json": second, "c.json": GOOD})
    refused = both(of_records('records = "items"', A), "raw/")
    assert isinstance(refused, Refusal)
    assert message in refused.message


def test_both_take_the_series_from_the_folder(both: Both, tmp_path: Path) -> None:
    each = 'records = "items"\nurl = "https://h/{s}"\n[source.each]\ns = ["z 1", "a"]'
    contract = of_records(each, f'{A}\ns = {{ from = "{{s}}", type = "string" }}')
    write(tmp_path, {"s=a/page-000002.json": GOOD, "s=z%201/page-000001.json": GOOD})
    made = both(contract, "raw/")
    assert isinstance(made, Made)
    series = pq.ParquetFile(tmp_path / "t.parquet").read()["s"].to_pylist()
    assert series == ["z 1", "z 1", "a", "a"]


def test_both_refuse_a_first_page(both: Both, tmp_path: Path) -> None:
    write(tmp_path, {"page.json": '{"items":[{"a":1}],"next":"https://h/?page=2"}'})
    refused = both(of_records('records = "items"', A), "raw/page.json")
    assert isinstance(refused, Refusal)
    assert "is one of several: next names a next page" in refused.message


@pytest.mark.parametrize("name", APIS)
def test_both_make_the_table_of_an_api_from_its_pages(
    both: Both, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The pages are those that a run with the other engine keeps."""
    for variable, value in read(CASES / "apis" / name, "env").items():
        monkeypatch.setenv(variable, value)
    with serve_case(CASES / "apis" / name) as served:
        text = served.dataset()
        contract = parse_dataset(text, label="dataset.toml")
        settings = read_settings("--raw-url", f"{tmp_path}/kept")
        settings = settings._replace(target_url=f"{tmp_path}/first.parquet", source_backoff=0.01)
        scratch = tmp_path / "scratch"
        scratch.mkdir()
        report = JsonReport(level="error", run_id=None)
        run(contract, settings, run_id="r", scratch=scratch, report=report)
    kept = tmp_path / "kept" / contract.name
    (one,) = kept.iterdir()
    made = both(contract, f"kept/{contract.name}/{f'{one.name}/' if one.is_dir() else ''}")
    assert isinstance(made, Made)
    types = {column: one["type"] for column, one in tomllib.loads(text)["columns"].items()}
    rows = [
        {column: plain(value, types[column]) for column, value in row.items()}
        for row in pq.ParquetFile(tmp_path / "t.parquet").read().to_pylist()
    ]
    assert rows == read(CASES / "apis" / name, "expected")
