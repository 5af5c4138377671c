"""`micro-etl datasets` lists what a name can mean, and checks and describes one file."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.service.command import micro_etl

ORDERS = """
name = "orders"
description = "Every order."

[source]
url = "https://user:hush-hush@h/{shop}?key=hush-hush"
records = "orders.*.lines"
headers = { Authorization = "Bearer ${ORDERS_TOKEN}", X-Shop = "${SHOP_KEY}" }
expect = { ok = true }

[source.each]
shop = ["a", "b", "c", "d"]

[source.pagination]
kind = "cursor"
next = "paging.next"
param = "after"
total = "total"

[columns]
id    = { type = "int64", required = true, unique = true }
order = { from = "$.orders.*.id", type = "int64" }
price = { type = "decimal(12,2)", format = "text", null_values = [""] }
shop  = { from = "{shop}", type = "string" }
paid  = { type = "boolean", map = { 0 = false, 1 = true } }
at    = { type = "timestamp", timezone = "-05:00", truncate = true }
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a dataset of its own."""
    folder = tmp_path / "datasets"
    folder.mkdir()
    (folder / "orders.toml").write_text(ORDERS)
    return tmp_path


def test_a_file_is_described_in_its_own_words(project: Path) -> None:
    ended = micro_etl(project, "datasets", "datasets/orders.toml", SHOP_KEY="a-shop-key")
    assert (ended.code, ended.err) == (0, "")
    assert "hush" not in ended.out
    assert ended.out.splitlines() == [
        "orders: Every order.",
        "  from     https://h/{shop}?key=…",
        "  sends    the headers Authorization, X-Shop, one series for each {shop}: a, b, c, …",
        "  records  orders.*.lines",
        "  pages    after = paging.next; total records in all",
        "  expects  ok = true",
        "  needs    ORDERS_TOKEN (not set), SHOP_KEY",
        "  keys     id",
        "  refuses  fewer than 1 row, or the loss of more than 10% of the published ones",
        "",
        "  id                  int64          required, unique",
        "  order               int64          from $.orders.*.id",
        '  price               decimal(12,2)  as text, null for ""',
        "  shop                string         from {shop}",
        "  paid                boolean        mapped from 0, 1",
        "  at                  timestamp      at -05:00, truncated",
    ]


def test_a_name_means_a_file_of_the_folder_first(project: Path) -> None:
    (project / "datasets" / "launches.toml").write_text(ORDERS.replace('"orders"', '"mine"'))
    assert micro_etl(project, "datasets", "orders").out.startswith("orders: Every order.\n")
    assert micro_etl(project, "datasets", "launches").out.startswith("mine: ")
    listed = micro_etl(project, "datasets").out
    assert "\norders: Every order.\n  from https://h/{shop}?key=…\n  id " in listed
    assert listed.startswith("mine: ")


def test_a_mistake_in_a_file_ends_with_78(project: Path) -> None:
    (project / "datasets" / "orders.toml").write_text(ORDERS.replace("int64", "int"))
    for arguments in (["datasets", "orders"], ["datasets"]):
        ended = micro_etl(project, *arguments)
        assert (ended.code, ended.out) == (78, "")
        assert "datasets/orders.toml: columns.id.type is 'int'" in ended.err
    ended = micro_etl(project, "datasets", "order")
    assert (ended.code, ended.out) == (78, "")
    assert "there is no datasets/order.toml; did you mean orders?" in ended.err


def test_the_schema_is_printed(project: Path) -> None:
    ended = micro_etl(project, "datasets", "--schema")
    assert json.loads(ended.out)["title"] == "micro-etl dataset"
