"""A single answer that is one of several is not published, wherever it says so."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from micro_etl.body import Body, Layout, Part
from micro_etl.dataset import parse_dataset
from micro_etl.source.paging.evidence import find_evidence
from micro_etl.table.around import Around, read_around

MANY = [{"id": number, "text": "x" * 50} for number in range(1000)]


def around(folder: Path, page: Any, *source: str) -> tuple[Around, str]:
    """What is around the records of a page, and the evidence in it."""
    file = folder / "page.json"
    file.write_text(json.dumps(page), "utf-8")
    lines = "\n".join(source)
    text = f'name = "t"\n[source]\n{lines}\n[columns]\nid = {{ type = "int64" }}\n'
    dataset = parse_dataset(text, label="t.toml")
    body = Body((Part(file, "page"),), Layout.WRAPPED, 1 << 24)
    with duckdb.connect() as connection:
        found = read_around(connection, dataset, body)
    evidence = find_evidence({}, found.page, found.elements or 1000, records=dataset.records)
    return found, evidence.what if evidence else ""


@pytest.mark.parametrize(
    ("page", "records", "says"),
    [
        ({"items": MANY, "next": "/2"}, "items", "next names a next page"),
        ({"data": {"children": MANY, "after": "t3"}}, "data.children", "data.after names a next"),
        ({"a": {"b": {"c": MANY}, "page_info": {"has_more": True}}}, "a.b.c", "a.page_info.has_m"),
        ({"entry": MANY, "link": [{"relation": "next", "url": "/2"}]}, "entry", "link.next names"),
        ([{"page": 1, "pages": 3}, MANY], "[1]", "it is page 1 and [0].pages is 3"),
        ({"rates": {"x": {}, "y": {}}, "total": 1001}, "rates.*", "total is 1,001"),
        ({"items": MANY, "total": 1000, "next": None, "other": [1]}, "items", ""),
        ({"data": {"children": MANY, "after": None}}, "data.children", ""),
    ],
)
def test_evidence_is_found_beside_many_records(
    page: Any, records: str, says: str, tmp_path: Path
) -> None:
    _, what = around(tmp_path, page, f'records = "{records}"')
    assert what.startswith(says)
    assert bool(what) == bool(says)


def test_records_and_large_members_are_left_out(tmp_path: Path) -> None:
    page = {"a": {"items": MANY, "n": 1.5, "large": "x" * 20_000}, "b": [1], "c": {"d": None}}
    found, _ = around(tmp_path, page, 'records = "a.items"')
    assert found == Around(
        {"a": {"items": [], "n": 1.5, "large": []}, "b": [1], "c": {"d": None}}, None
    )


def test_elements_that_hold_several_records_are_counted(tmp_path: Path) -> None:
    page = {"total": 3, "orders": [{"lines": [{}]}, {"lines": []}, {"lines": []}]}
    found, what = around(tmp_path, page, 'records = "orders.*.lines"')
    assert (found.elements, what) == (3, "")


def test_object_of_arrays_is_no_evidence(tmp_path: Path) -> None:
    page = {"id": [*range(1000)], "text": ["x"] * 1000}
    assert around(tmp_path, page, "columnar = true")[1] == ""
