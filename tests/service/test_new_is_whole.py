"""What `micro-etl new` drafts holds all records of the page, or does not run as it is."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from micro_etl.dataset import write_records
from micro_etl.draft.find_records import choose_records
from tests.service.command import micro_etl
from tests.service.servers import Answer, Request, serve


def draft_and_run(folder: Path, page: Any) -> tuple[dict[str, Any], list[list[Any]]]:
    """The file that is drafted of a page, and the rows that it makes without an edit."""
    (folder / "page.json").write_text(json.dumps(page))
    ended = micro_etl(folder, "new", "page.json", "-o", "x.toml")
    assert ended.code == 0, ended.err
    ended = micro_etl(folder, "run", DATASET="x.toml", TARGET_URL="x.parquet")
    assert ended.code == 0, ended.out
    rows = [list(row.values()) for row in pq.read_table(folder / "x.parquet").to_pylist()]
    return tomllib.loads((folder / "x.toml").read_text()), rows


@pytest.mark.parametrize(
    ("page", "records", "count"),
    [
        ({"days": {"2024-01-01": [{"a": 1}], "2024-01-02": [{"b": 2}]}}, "days.*.*", 2),
        ({"days": {"2024-01-01": [{"a": 1}, {"a": 2}]}, "links": [{"a": 1}]}, "days.*.*", 2),
        ({"data": {"DE": [{"a": 1}], "FR": [{"a": 2}], "IT": []}}, "data.*.*", 2),
        ({"12": [{"a": 1}], "13": [{"a": 2}]}, "*.*", 2),
        ({"bids": [{"p": 1}], "asks": [{"p": 2}, {"p": 3}]}, "*.*", 3),
        ({"DE": {"2024": [{"v": 1}]}, "FR": {"2023": [{"v": 1}], "2024": []}}, "*.*.*", 2),
        ({"data": {"DE": {"items": [{"v": 1}]}, "FR": {"items": [{"v": 2}]}}}, "data.*.items", 2),
        ({"tags": ["a"], "authors": ["b", "c"]}, "*.*", 3),
        ({"2023": [[1, 2]], "2024": [[3, 4], [5, 6]]}, "*.*", 3),
        (
            {"pages": {n: {"title": n, "edits": [{"by": 1}]} for n in ("12", "13")}},
            "pages.*",
            2,
        ),
        ({"users": [{"id": 1, "name": 2}], "sums": [{"n": 1, "sum": 2}]}, "users", 1),
        ({"DATA": {"ROWS": [{"a": 1}, {"a": 2}]}}, "DATA.ROWS", 2),
        ({"link": [{"relation": "next", "url": "/x"}], "entry": [{"a": 1}]}, "entry", 1),
        ({"c": [1, 2], "t": [3, 4], "s": "ok"}, "", 2),
        ({"x": {"c": [1, 2], "t": [3, 4], "meta": {"n": 1}}}, "x", 2),
        ({"c": [1, 2], "t": [3, 4, 5], "s": "ok"}, "t.*", 3),
        ({"data": [[1, 2], [3, 4]], "columns": ["a", "b"], "n": 2}, "data", 2),
    ],
)
def test_records_under_keys_that_are_data_are_found_together(
    page: Any, records: str, count: int
) -> None:
    chosen, _ = choose_records(page, shown="the page")
    assert (write_records(chosen.path), chosen.count) == (records, count)


def test_a_key_that_arrays_of_records_are_under_is_a_column(tmp_path: Path) -> None:
    days = {"2024-01-01": [{"n": 1}], "2024-01-02": [{"n": 2}, {"n": 3}]}
    drafted, rows = draft_and_run(tmp_path, {"days": days})
    assert drafted["columns"]["key"] == {"from_key": "$.days.*", "type": "date"}
    assert [(str(day), n) for day, n in rows] == [
        ("2024-01-01", 1),
        ("2024-01-02", 2),
        ("2024-01-02", 3),
    ]


def test_keys_within_keys_are_a_column_each(tmp_path: Path) -> None:
    drafted, rows = draft_and_run(
        tmp_path, {"DE": {"2023": [{"v": 1}]}, "FR": {"2023": [{"v": 2}], "2024": [{"v": 3}]}}
    )
    assert drafted["columns"]["key_2"] == {"from_key": "$.*.*", "type": "string"}
    assert rows == [["DE", "2023", 1], ["FR", "2023", 2], ["FR", "2024", 3]]


def test_parallel_arrays_beside_other_values_are_columns(tmp_path: Path) -> None:
    drafted, rows = draft_and_run(tmp_path, {"c": [1, 2], "t": [3, 4], "s": "ok"})
    assert drafted["source"]["columnar"] is True
    assert rows == [[1, 3], [2, 4]]


ONE = [{"id": 1}, {"id": 2}]
LINKS = [{"rel": "self", "href": "/x"}, {"rel": "next", "href": "/x?token=2"}]
RELATIONS = [{"relation": "next", "url": "/x?token=2"}]


@pytest.mark.parametrize(
    ("page", "query", "said"),
    [
        (ONE, "?limit=2", "# there seem to be other pages, but none of these parameters brought"),
        ({"count": 9, "items": [{"a": [1]}]}, "", "# there are other pages, but no column of this"),
        ({"features": ONE, "links": LINKS}, "", "# links lists a link to the next page, and a"),
        ({"entry": ONE, "link": RELATIONS}, "", "# link lists a link to the next page, and a"),
    ],
)
def test_a_draft_that_may_be_of_one_page_of_several_does_not_run(
    page: Any, query: str, said: str, tmp_path: Path
) -> None:
    with serve(Answer(body=json.dumps(page).encode())) as server:
        ended = micro_etl(tmp_path, "new", f"{server.url}{query}", "-o", "x.toml")
        assert ended.code == 0, ended.err
        text = (tmp_path / "x.toml").read_text()
        assert said in text
        assert tomllib.loads(text)["source"]["pagination"] == {"kind": "?"}
        asked = len(server.requests)
        ended = micro_etl(tmp_path, "run", DATASET="x.toml", TARGET_URL="x.parquet")
        assert len(server.requests) == asked
        assert ended.code == 78
        assert "source.pagination.kind is '?'; it should be one of link_header, " in ended.out
        (tmp_path / "x.toml").write_text(text.replace('"?"', '"none"'))
        ended = micro_etl(tmp_path, "run", DATASET="x.toml", TARGET_URL="x.parquet")
    assert ended.code == 0, ended.out


def test_a_list_with_a_next_link_is_a_reason_to_try_the_usual_parameters(tmp_path: Path) -> None:
    def answer(request: Request) -> Answer:
        is_second = "page=2" in request.path
        page = {"features": [{"id": 3}] if is_second else ONE, "links": [] if is_second else LINKS}
        return Answer(body=json.dumps(page).encode())

    with serve(answer) as server:
        ended = micro_etl(tmp_path, "new", server.url)
    pagination = tomllib.loads(ended.out)["source"]["pagination"]
    assert pagination == {"kind": "page_number", "param": "page"}


@pytest.mark.parametrize(
    ("record", "key"),
    [
        ({"kind": "a", "order_id": 7}, "order_id"),
        ({"kind": "a", "orderId": 7}, "orderId"),
        ({"kind": "a", "Code": "b"}, "Code"),
        ({"kind": "a", "paid": 1}, None),
    ],
)
def test_one_record_has_the_key_that_its_names_tell(
    record: dict[str, Any], key: str | None, tmp_path: Path
) -> None:
    def answer(request: Request) -> Answer:
        items = [dict.fromkeys(record, 9)] if "page=2" in request.path else [record]
        return Answer(body=json.dumps({"total": 2, "items": items}).encode())

    with serve(answer) as server:
        ended = micro_etl(tmp_path, "new", server.url)
    drafted = tomllib.loads(ended.out)
    keys = [name for name, column in drafted["columns"].items() if column.get("unique")]
    assert keys == ([key] if key else [])
    assert drafted["source"]["pagination"]["kind"] == ("page_number" if key else "?")
    assert ("by its name alone: this page has one record" in ended.out) is bool(key)
