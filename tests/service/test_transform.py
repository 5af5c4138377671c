"""Good records become rows: each value as it is, in the order of the records."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import hashlib
import json
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from micro_etl.body import Body, Layout, Part
from micro_etl.dataset import bundled_dataset, write_path
from micro_etl.table.parquet import describe_alone
from micro_etl.table.transform import transform
from micro_etl.tablefile import ColumnProfile
from tests.service.conftest import Bench

RECORDED = Path(__file__).parents[3] / "shared" / "data" / "launches_v4_past.json"


def test_columns_and_rows_come_in_their_order(bench: Bench) -> None:
    columns = 'b = { type = "int32" }\nC = { from = "a", type = "int32" }\na = { type = "int64" }'
    rows = bench.rows(columns, '[{"a": 3, "b": 9}, {"b": 7, "a": 1}, {"x": 0, "b": 8, "a": 2}]')
    assert [list(row.items()) for row in rows] == [
        [("b", 9), ("C", 3), ("a", 3)],
        [("b", 7), ("C", 1), ("a", 1)],
        [("b", 8), ("C", 2), ("a", 2)],
    ]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2006-03-24T22:30:00.000Z", datetime(2006, 3, 24, 22, 30, tzinfo=UTC)),
        ("2006-03-25T04:00:00+05:30", datetime(2006, 3, 24, 22, 30, tzinfo=UTC)),
        ("2006-03-24t22:30:00.5z", datetime(2006, 3, 24, 22, 30, 0, 500_000, tzinfo=UTC)),
        ("2006-03-24 18:00:00.123456-04:30", datetime(2006, 3, 24, 22, 30, 0, 123456, UTC)),
        ("2006-03-24T22:30:00.123456000Z", datetime(2006, 3, 24, 22, 30, 0, 123456, UTC)),
        ("2024-03-31T02:30:00+01:00", datetime(2024, 3, 31, 1, 30, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("0000-12-31T23:59:00-00:01", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59.999999Z", datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC)),
        ("1582-10-10T12:00:00Z", datetime(1582, 10, 10, 12, tzinfo=UTC)),
    ],
)
def test_a_timestamp_is_the_instant_in_utc(bench: Bench, text: str, moment: datetime) -> None:
    assert bench.rows('a = { type = "timestamp" }', f'[{{"a": "{text}"}}]') == [{"a": moment}]


def test_values_are_taken_as_they_are(bench: Bench) -> None:
    texts = ["", " x ", "null", "é", "e\u0301", "日本", "🚀", "a\u0000b", 'q"\\/\n\t', "x" * 99_999]
    columns = 'text = { type = "string" }\nday = { type = "date" }\nbig = { type = "int64" }'
    records = [{"text": text, "day": "0001-01-01", "big": -(2**63)} for text in texts]
    assert bench.rows(columns, json.dumps(records)) == [
        {"text": text, "day": date(1, 1, 1), "big": -(2**63)} for text in texts
    ]


def test_an_object_is_taken_whole_beside_its_members(bench: Bench) -> None:
    columns = """
        url = { from = "links.webcast", type = "string" }
        links = { type = "json" }
        article = { from = "links.press.article", type = "string" }
    """
    body = """[
        {"links": {"webcast": "x", "press": {"article": "y"}}},
        {"links": {"webcast": null, "other": [1.50, "é"]}},
        {"links": {}},
        {"links": null},
        {}
    ]"""
    assert [tuple(row.values()) for row in bench.rows(columns, body)] == [
        ("x", '{"webcast":"x","press":{"article":"y"}}', "y"),
        (None, '{"webcast":null,"other":[1.50,"é"]}', None),
        (None, "{}", None),
        (None, None, None),
        (None, None, None),
    ]


KEYS = [
    *("a.b", "a b", "a'b", 'a"b', "a/b", "~1", "0", "-", "$", "*", "é", "日本", "🚀", "a\\b", "@"),
    *("select", "record", "element", "a\tb", "'); DROP TABLE x; --", '"a".b', "[0]", "%s", "{x}"),
    *("null", "\\u0041", "a,b: JSON", "body", "name"),
]


@pytest.mark.parametrize("key", KEYS)
def test_nothing_in_a_name_or_a_path_is_read_as_anything_else(bench: Bench, key: str) -> None:
    def quoted(text: str) -> str:
        return json.dumps(text, ensure_ascii=False)

    path, nested, member = map(write_path, [(key,), ("deep", key, key), ("whole", key)])
    columns = f"""
        {quoted(key)} = {{ from = {quoted(path)}, type = "string", unique = true }}
        nested = {{ from = {quoted(nested)}, type = "int32", required = true }}
        whole = {{ type = "json" }}
        member = {{ from = {quoted(member)}, type = "int32" }}
    """
    good = {key: "x", "deep": {key: {key: 1}}, "whole": {key: 2}}
    body = json.dumps([good], ensure_ascii=False)
    rows = [{key: "x", "nested": 1, "whole": f"{{{quoted(key)}:2}}", "member": 2}]
    assert bench.rows(columns, body) == rows
    wrapped = f'{{{quoted(key)}: {{"x": {body}}}}}'
    assert bench.rows(columns, wrapped, records=write_path((key, "x"))) == rows
    bad = {key: 5, "deep": {key: {key: "1"}}, "whole": {key: "2"}}
    found = bench.violations(columns, json.dumps([good, bad, good], ensure_ascii=False))
    assert sorted((record, value) for record, _, value in found) == [
        (2, '"1"'), (2, '"2"'), (2, "5"), (3, '"x"')]  # fmt: skip


@pytest.mark.parametrize("path", [("items",), ("data", "items"), ("a.b", "c d", "e")])
def test_wrapped_records_are_found(bench: Bench, path: tuple[str, ...]) -> None:
    body = '[{"a": 1}, {"a": null}, {"a": 3}]'
    for key in reversed(path):
        body = f'{{"page": [1], "{key}": {body}, "next": {{"items": 5}}}}'
    rows = bench.rows('a = { type = "int32" }', body, records=write_path(path))
    assert rows == [{"a": 1}, {"a": None}, {"a": 3}]


def test_no_wrapped_record_is_an_empty_table(bench: Bench) -> None:
    assert bench.table('a = { type = "int32" }', '{"items": []}', records="items").rows == 0


def test_a_profile_says_what_the_columns_hold(bench: Bench) -> None:
    columns = """
        number = { type = "int32", unique = true }
        time = { type = "timestamp" }
        name = { type = "string" }
        rest = { type = "json" }
    """
    records = [
        {"number": 2, "time": "2006-03-24T22:30:00Z", "name": "b", "rest": {}},
        {"number": None, "time": None, "name": "a" * 500, "rest": None},
        {"number": 1, "time": "2006-03-24T22:30:00+01:00", "name": "B", "rest": 1},
    ]
    assert bench.table(columns, json.dumps(records)).columns == (
        ColumnProfile("number", 1, 2, "1", "2"),
        ColumnProfile("time", 1, None, "2006-03-24 21:30:00+00", "2006-03-24 22:30:00+00"),
        ColumnProfile("name", 0, None, "B", "b"),
        ColumnProfile("rest", 1, None, None, None),
    )
    assert bench.table('name = { type = "string" }', json.dumps([records[1]])).columns == (
        ColumnProfile("name", 0, None, "a" * 100, "a" * 100),
    )


def test_a_table_says_what_its_file_is(bench: Bench) -> None:
    table = bench.table('a = { type = "int32" }', '[{"a": 1}, {"a": 2}]')
    content = table.file.read_bytes()
    assert table.file == bench.folder / "table.parquet"
    assert (table.size, table.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    described = describe_alone(table.file, scratch=bench.folder)
    assert described is not None
    assert described.rows == table.rows == 2
    assert describe_alone(bench.folder / "body", scratch=bench.folder) is None


@pytest.mark.skipif(not RECORDED.exists(), reason=f"no recorded response at {RECORDED}")
def test_the_recorded_launches_become_the_known_table(bench: Bench) -> None:
    body = Body((Part(RECORDED, "the source"),), Layout.ARRAY, 1 << 24)
    table = transform(body, bundled_dataset("launches"), scratch=bench.folder)
    rows = pq.ParquetFile(table.file).read().to_pylist()
    assert [row["flight_number"] for row in rows] == list(range(1, 188))
    successes = Counter(row["mission_successful"] for row in rows)
    assert successes == {True: 181, False: 5, None: 1}
    assert rows[171]["mission_name"] == "Starlink 3-1 (v1.5)"
    assert rows[171]["mission_successful"] is None
    assert Counter(row["webcast_url"] is None for row in rows) == {False: 185, True: 2}
    assert rows[186]["mission_name"] == "Crew-5"
    assert rows[186]["launch_date"] == datetime(2022, 10, 5, 16, tzinfo=UTC)
    names = {row["mission_name"] for row in rows if not row["mission_name"].isascii()}
    assert names == {"TürkmenÄlem 52°E / MonacoSAT", "Es\u2019hail 2", "Türksat 5B"}
    assert [column.nulls for column in table.columns] == [0, 0, 0, 1, 2]
