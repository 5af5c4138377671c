"""Where records are in a body, and what a column takes from around them."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from micro_etl.body import Body, Layout, Part
from micro_etl.dataset import parse_dataset
from micro_etl.errors import ContractError
from micro_etl.table.transform import transform


def read(
    folder: Path, source: str, columns: str, *bodies: str, layout: Layout = Layout.WRAPPED
) -> list[dict[str, Any]]:
    """The rows of a table that is made of parts."""
    text = f'name = "t"\n[source]\n{source}\n[columns]\n{columns}\n'
    parts = []
    for number, body in enumerate(bodies, 1):
        file = folder / f"part-{number}"
        file.write_text(body)
        parts.append(Part(file, f"page {number}", f"series {number}"))
    contract = parse_dataset(text, label="t.toml")
    table = transform(Body(tuple(parts), layout, 1 << 24), contract, scratch=folder)
    rows: list[dict[str, Any]] = pq.ParquetFile(table.file).read().to_pylist()
    return rows


A = 'a = { type = "int32" }'

RIGHT: list[tuple[str, str, str, list[dict[str, Any]]]] = [
    ('records = "data.items"', A, '{"data":{"items":[{"a":1},{"a":2}]}}', [{"a": 1}, {"a": 2}]),
    ('records = "data.*"', A, '{"data":{"x":{"a":1},"y":{"a":2}}}', [{"a": 1}, {"a": 2}]),
    ('records = "data.*"', A, '{"data":[{"a":1},{"a":2}]}', [{"a": 1}, {"a": 2}]),
    ('records = "[1]"', A, '[{"page":1},[{"a":1}]]', [{"a": 1}]),
    (
        'records = "orders.*.lines"',
        f'{A}\norder = {{ from = "$.orders.*.id", type = "int32" }}',
        '{"orders":[{"id":7,"lines":[{"a":1},{"a":2}]},{"id":8,"lines":[]},'
        '{"id":9,"lines":[{"a":3}]}]}',
        [{"a": 1, "order": 7}, {"a": 2, "order": 7}, {"a": 3, "order": 9}],
    ),
    (
        'records = "rates.*"',
        'day = { from_key = "$.rates.*", type = "date" }\n'
        'base = { from = "$.base", type = "string" }\nusd = { from = "USD", type = "float64" }',
        '{"base":"EUR","rates":{"2024-01-02":{"USD":1.5}}}',
        [{"day": date(2024, 1, 2), "base": "EUR", "usd": 1.5}],
    ),
    (
        'records = "hourly"\ncolumnar = true',
        'first = { from = "t[0]", type = "int32" }\nv = { type = "float64" }',
        '{"hourly":{"t":[[1,2],[3,4]],"v":[1.5,null],"unread":["x","y"]}}',
        [{"first": 1, "v": 1.5}, {"first": 3, "v": None}],
    ),
    (
        'records = "items"',
        'm = { type = "int32" }\nlarge = { from = "M", type = "int32" }\n'
        'empty = { from = "\\"\\"", type = "int32" }',
        '{"items":[{"m":1,"M":2,"":3}]}',
        [{"m": 1, "large": 2, "empty": 3}],
    ),
    (
        'records = "items"\nempty_arrays_as_objects = true',
        'w = { from = "links.w", type = "string" }',
        '{"items":[{"links":[]},{"links":{"w":"x"}}]}',
        [{"w": None}, {"w": "x"}],
    ),
    (
        'records = "items"',
        'n = { from = "tags[*].names[*]", type = "string[]" }',
        '{"items":[{"tags":[{"names":["a","b"]},{"names":null},{"names":["c"]}]},{"tags":[]},{}]}',
        [{"n": ["a", "b", "c"]}, {"n": []}, {"n": None}],
    ),
]

WRONG = [
    ('records = "items"', A, '{"data":{"items":[]}}', 'records = "data.items"'),
    ('records = "items"', A, '{"items":{"a":1}}', "items is"),
    ('records = "items"', A, '{"items":[{"a":1}],"items":[{"a":2}]}', "items"),
    ('records = "o.*.lines"', A, '{"o":[{"lines":[{"a":1}]},{}]}', "lines is missing"),
    ('records = "h"\ncolumnar = true', A, '{"h":{"a":[1,2],"b":[1]}}', "arrays of one length"),
    ('records = "h"\ncolumnar = true', A, '{"h":{"b":[1]}}', "arrays of one length"),
    ('records = "i"', 'a = { from = "l.a", type = "int32" }', '{"i":[{"l":[]}]}', "an object"),
    ('records = "i"', 'a = { from = "l[0]", type = "int32" }', '{"i":[{"l":{"0":1}}]}', "an array"),
    (
        'records = "i"',
        'a = { from = "l[*].a", type = "int32[]" }',
        '{"i":[{"l":[{"a":1},5]}]}',
        "an array, each element",
    ),
]


@pytest.mark.parametrize(("source", "columns", "body", "rows"), RIGHT)
def test_records_are_where_the_dataset_says(
    tmp_path: Path, source: str, columns: str, body: str, rows: list[dict[str, Any]]
) -> None:
    assert read(tmp_path, source, columns, body) == rows


@pytest.mark.parametrize(("source", "columns", "body", "message"), WRONG)
def test_where_they_are_not_the_violation_says_what_is_there(
    tmp_path: Path, source: str, columns: str, body: str, message: str
) -> None:
    with pytest.raises(ContractError) as refused:
        read(tmp_path, source, columns, body)
    assert message in str(refused.value)


def test_several_parts_are_one_table_and_a_violation_names_its_part(tmp_path: Path) -> None:
    good, bad = '{"items":[{"a":1},{"a":2}]}', '{"items":[{"a":3},{"a":"x"}]}'
    assert read(tmp_path, 'records = "items"', A, good, good.replace("1", "3")) == [
        {"a": 1},
        {"a": 2},
        {"a": 3},
        {"a": 2},
    ]
    with pytest.raises(ContractError, match=r'record 2 of page 2: a is "x"'):
        read(tmp_path, 'records = "items"', A, good, bad)
    with pytest.raises(ContractError, match=r"page 2: items is missing, an array of records exp"):
        read(tmp_path, 'records = "items"', A, good, "{}")


def test_the_series_of_a_part_is_a_value(tmp_path: Path) -> None:
    source = 'records = "i"\nurl = "https://h/{s}"\n[source.each]\ns = ["series 1", "series 2"]'
    columns = f'{A}\ns = {{ from = "{{s}}", type = "string" }}'
    assert read(tmp_path, source, columns, '{"i":[{"a":1}]}', '{"i":[{"a":2}]}') == [
        {"a": 1, "s": "series 1"},
        {"a": 2, "s": "series 2"},
    ]


def test_objects_follow_each_other_with_or_without_line_breaks(tmp_path: Path) -> None:
    body = '{"a":1}{"a":2}\n\n{\n"a": 3\n}'
    assert read(tmp_path, "", A, body, layout=Layout.OBJECTS) == [{"a": 1}, {"a": 2}, {"a": 3}]


def test_a_key_of_several_columns_is_one_key(tmp_path: Path) -> None:
    columns = 'a = { type = "int32" }\nb = { type = "string" }\n[publish]\nunique = ["a", "b"]'
    good = '[{"a":1,"b":"x"},{"a":1,"b":"y"},{"a":2,"b":"x"},{"a":null,"b":"x"},{"b":"x"}]'
    assert len(read(tmp_path, "", columns, good, layout=Layout.ARRAY)) == 5
    with pytest.raises(ContractError, match=r'record 2: a, b is 1, "x", expected a value that no'):
        read(tmp_path, "", columns, '[{"a":1,"b":"x"},{"a":1,"b":"x"}]', layout=Layout.ARRAY)
