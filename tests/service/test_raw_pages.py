"""The pages that a run keeps are a source again: the same rows in the same order, byte for byte."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

from pathlib import Path

import pytest

from micro_etl.dataset import Each, parse_dataset
from micro_etl.errors import ConfigError
from micro_etl.location import Location
from micro_etl.source.files import list_files, raw_name, series_of
from micro_etl.source.limits import ExtractOptions
from tests.cases.replay import serve_case
from tests.service.command import micro_etl

APIS = Path(__file__).parent.parent / "cases" / "apis"


@pytest.mark.parametrize("case", ["github-issues", "open-meteo", "shopify-order-lines"])
def test_kept_pages_give_the_same_table(case: str, tmp_path: Path) -> None:
    with serve_case(APIS / case) as served:
        (tmp_path / "dataset.toml").write_text(served.dataset(), "utf-8")
        settings = {"DATASET": "dataset.toml", **served.variables()}
        first = micro_etl(tmp_path, "run", TARGET_URL="1.parquet", RAW_URL="raw", **settings)
    assert first.code == 0, first.failure
    (folder,) = (tmp_path / "raw" / case).iterdir()
    assert f"sha256:{folder.name}" == first.result["source_hash"]
    again = micro_etl(tmp_path, "run", TARGET_URL="2.parquet", SOURCE_URL=str(folder), **settings)
    assert again.code == 0, again.failure
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "2.parquet").read_bytes()


def test_one_kept_page_of_several_is_not_all(tmp_path: Path) -> None:
    with serve_case(APIS / "pokeapi") as served:
        (tmp_path / "dataset.toml").write_text(served.dataset(), "utf-8")
    page = (APIS / "pokeapi" / "page-1.json").read_text("utf-8")
    (tmp_path / "page.json").write_text(page, "utf-8")
    ended = micro_etl(
        tmp_path, "run", DATASET="dataset.toml", SOURCE_URL="page.json", TARGET_URL="t.parquet"
    )
    assert ended.code == 65
    assert "page.json is one of several: next names a next page" in ended.failure


DATASET = parse_dataset(
    'name = "t"\n[source]\nurl = "https://a/{s}"\nrecords = "items"\n[source.each]\n'
    's = ["b/1", "a"]\n[columns]\nid = { type = "int64" }\n',
    label="t.toml",
)


def test_name_says_the_series() -> None:
    assert raw_name(12, DATASET, "b/1") == "s=b%2F1/page-000012.json"
    assert series_of("s=b%2F1/page-000012.json", DATASET) == "b/1"
    assert series_of("page-000012.json", DATASET) is None
    assert DATASET.each == Each("s", ("b/1", "a"))


def test_files_come_in_the_order_of_the_series(tmp_path: Path) -> None:
    for number, series in ((1, "b/1"), (2, "b/1"), (3, "a")):
        file = tmp_path / raw_name(number, DATASET, series)
        file.parent.mkdir(exist_ok=True)
        file.write_text("{}")
    files = list_files(Location.parse(str(tmp_path)), DATASET, options=ExtractOptions())
    assert [file.name for file in files] == [
        "s=b%2F1/page-000001.json",
        "s=b%2F1/page-000002.json",
        "s=a/page-000003.json",
    ]


def test_file_of_no_series_is_refused(tmp_path: Path) -> None:
    (tmp_path / "page-000001.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"page-000001\.json is in no folder such as s=b%2F1"):
        list_files(Location.parse(str(tmp_path)), DATASET, options=ExtractOptions())
