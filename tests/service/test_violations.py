"""What breaks the contract is refused, with record number, path and value; nothing is converted."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import json

import pytest

from micro_etl.errors import ContractError, SourceError
from tests.service.conftest import Bench

INT = 'a = { type = "int32" }'
TEXT = 'a = { type = "string" }'
DEEP = 'url = { from = "links.webcast", type = "string" }'
BESIDE = f'{DEEP}\nlinks = {{ type = "json" }}'


def broken(column_type: str, *values: str) -> list[tuple[str, str]]:
    """Each value with the type that it is not of."""
    return [(column_type, value) for value in values]


@pytest.mark.parametrize(
    ("column_type", "value"),
    [
        *broken("int32", "1.5", '"7"', "true", str(2**40), "1.0", "[7]", '{"a":7}'),
        *broken("int64", "1.5", '"7"', "false", str(2**63), str(-(2**63) - 1)),
        *broken("float64", '"1.5"', "true", "NaN", "Infinity", "-Infinity", "1e999", "[]"),
        *broken("string", "5", '{"a":1}', "[]", "true", "1.5"),
        *broken("boolean", '"true"', "1", '"yes"', "0", '""', "[true]"),
        *broken("timestamp", '"2006-03-24"', '"2006-03-24T22:30:00"', "1143239400", "true"),
        *broken("timestamp", '"24/03/2006"', '""', '"2006-03-24T22:30:00.1234567Z"'),
        *broken("timestamp", '"2016-12-31T23:59:60Z"', '"9999-12-31T23:59:59-00:01"'),
        *broken("date", '"2006-03-24T00:00:00Z"', '"24/03/2006"', "20060324", '"2006-02-30"'),
        *broken("json", "NaN", '{"b":[1,-Infinity]}'),
    ],
)
def test_a_value_of_another_type_is_a_violation(bench: Bench, column_type: str, value: str) -> None:
    body = f'[{{"a": null}}, {{"a": {value}}}, {{}}]'
    assert bench.violations(f'a = {{ type = "{column_type}" }}', body) == [(2, "a", value)]


@pytest.mark.parametrize("value", ["[]", '["x"]', '"x"', "5", "true"])
def test_a_violation_is_where_an_object_is_meant(bench: Bench, value: str) -> None:
    body = f'[{{"links": {{"webcast": "x"}}}}, {{"links": {value}}}, {{"links": null}}, {{}}]'
    assert bench.violations(DEEP, body) == [(2, "links", value)]
    assert bench.violations(BESIDE, body) == [(2, "links", value)]


def test_null_and_missing_are_violations_where_a_value_is_required(bench: Bench) -> None:
    columns = 'url = { from = "links.webcast", type = "string", required = true }'
    body = '[{"links": {"webcast": ""}}, {"links": {"webcast": null}}, {"links": {}}, {}]'
    assert bench.violations(columns, body) == [
        (2, "links.webcast", "null"),
        (3, "links.webcast", None),
        (4, "links.webcast", None),
    ]


@pytest.mark.parametrize(
    ("column_type", "first", "same"),
    [
        ("int32", "7", "7"),
        ("float64", "7", "7.0"),
        ("string", '"é"', '"\\u00e9"'),
        ("boolean", "true", "true"),
        ("timestamp", '"2006-03-24T22:30:00Z"', '"2006-03-25T04:00:00+05:30"'),
        ("date", '"2006-03-24"', '"2006-03-24"'),
    ],
)
def test_a_repeated_value_is_a_violation_where_it_must_be_unique(
    bench: Bench, column_type: str, first: str, same: str
) -> None:
    columns = f'a = {{ type = "{column_type}", unique = true }}'
    body = f'[{{"a": {first}}}, {{"a": null}}, {{"a": {same}}}, {{"a": null}}, {{}}]'
    shown = json.dumps(json.loads(same), ensure_ascii=False)
    assert bench.violations(columns, body) == [(3, "a", shown)]


def test_strings_that_differ_by_case_or_form_are_not_repeated(bench: Bench) -> None:
    body = '[{"a": "x"}, {"a": "X"}, {"a": "x "}, {"a": "\u00e9"}, {"a": "e\u0301"}]'
    assert len(bench.rows('a = { type = "string", unique = true }', body)) == 5


def test_a_path_that_no_record_has_is_a_violation(bench: Bench) -> None:
    columns = f"{TEXT}\n{DEEP}"
    with pytest.raises(ContractError) as refused:
        bench.table(columns, '[{"a": "x", "links": {"video": "y"}}, {"a": "z", "Links": {}}]')
    (violation,) = refused.value.violations
    assert violation[:3] == (None, "links.webcast", None)
    assert refused.value.totals == {"url": 1}
    assert "links.webcast is missing, expected a path that at least one record has" in str(
        violation
    )


def test_a_path_that_one_record_has_as_null_is_there(bench: Bench) -> None:
    assert bench.rows(TEXT, '[{}, {"a": null}]') == [{"a": None}, {"a": None}]


@pytest.mark.parametrize("element", ["null", "5", '"x"', "true", "[]", '[{"a":"x"}]'])
@pytest.mark.parametrize("columns", [TEXT, 'a = { type = "json" }'])
def test_an_element_that_is_not_an_object_is_a_violation(
    bench: Bench, columns: str, element: str
) -> None:
    record = '{"a": "x"}'
    assert bench.violations(columns, f"[{record}, {element}]") == [(2, "$", element)]
    assert bench.violations(columns, f"[{element}, {element}]") == [
        (1, "$", element),
        (2, "$", element),
    ]
    assert bench.violations(columns, f"{record}\n{record}\n{element}\n") == [(3, "$", element)]


@pytest.mark.parametrize(
    ("columns", "record", "path"),
    [
        (TEXT, '{"a":"x","a":"x"}', "$"),
        (TEXT, '{"a":null,"a":"x"}', "$"),
        (DEEP, '{"links":{},"links":{"webcast":"x"}}', "$"),
        (DEEP, '{"links":{"webcast":"x","webcast":"y"}}', "links"),
        (BESIDE, '{"links":{"webcast":"x","webcast":"x"}}', "links"),
    ],
)
def test_a_key_that_comes_twice_where_a_column_reads_it_is_a_violation(
    bench: Bench, columns: str, record: str, path: str
) -> None:
    found = bench.violations(columns, f"[{record}]")
    assert [violation[:2] for violation in found[:1]] == [(1, path)]


def test_what_no_column_reads_is_not_looked_at(bench: Bench) -> None:
    body = '[{"a": "x", "b": [], "c": 1, "c": 2, "A": 5}, {"a": null, "b": 1e999}]'
    assert bench.rows(TEXT, body) == [{"a": "x"}, {"a": None}]


def test_the_first_ten_are_shown_and_all_are_counted(bench: Bench) -> None:
    columns = """
        number = { from = "n", type = "int32", required = true, unique = true }
        name = { type = "string" }
    """
    records = [{"n": i // 2, "name": i if i % 3 == 0 else "x"} for i in range(3000)]
    with pytest.raises(ContractError) as refused:
        bench.table(columns, json.dumps([*records, {"n": None}, 5]))
    assert refused.value.totals == {"name": 1000, "number": 1501, "$": 1}
    assert [violation[:3] for violation in refused.value.violations] == [
        (1, "name", "0"),
        (2, "n", "0"),
        (4, "name", "3"),
        (4, "n", "1"),
        (6, "n", "2"),
        (7, "name", "6"),
        (8, "n", "3"),
        (10, "name", "9"),
        (10, "n", "4"),
        (12, "n", "5"),
    ]
    assert str(refused.value) == (
        "the data breaks the contract (name 1,000, number 1,501, $ 1); first, "
        "record 1: name is 0, expected a string"
    )


@pytest.mark.parametrize("layout", ["array", "lines", "wrapped"])
def test_the_number_of_a_record_is_right_in_a_large_body(bench: Bench, layout: str) -> None:
    """The engine reads it in parallel, in blocks."""
    wrong = {1: '"1"', 70_000: "null", 149_999: "1.5", 200_000: "[]"}
    columns = 'a = { type = "int32", required = true }'
    records = [f'{{"a": {wrong.get(i, i)}, "filler": "{i:0200}"}}' for i in range(1, 200_001)]
    if layout == "lines":
        found = bench.violations(columns, "\n".join(records))
    elif layout == "array":
        found = bench.violations(columns, f"[{','.join(records)}]")
    else:
        body = f'{{"items": [{",".join(records[:40_000])}, {{"a": "x"}}]}}'
        found = bench.violations(columns, body, records="items")
        wrong = {1: '"1"', 40_001: '"x"'}
    assert found == [(number, "a", value) for number, value in wrong.items()]


def test_a_long_value_is_shortened(bench: Bench) -> None:
    assert bench.violations(INT, f'[{{"a": "{"é" * 5000}"}}]') == [(1, "a", '"' + "é" * 99)]


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("{}", None),
        ('{"data": null}', None),
        ('{"data": []}', None),
        ('{"data": {"Items": []}}', None),
        ('{"data": {"items": null}}', "null"),
        ('{"data": {"items": {"a": "x"}}}', '{"a":"x"}'),
        ('{"data": {"items": "x"}}', '"x"'),
        ('{"data": {"items": 5}}', "5"),
    ],
)
def test_something_else_where_the_records_should_be_is_a_violation(
    bench: Bench, body: str, value: str | None
) -> None:
    found = bench.violations(TEXT, body, records="data.items")
    assert found == [(None, "data.items", value)]


def test_elements_of_wrapped_records_are_counted_from_one(bench: Bench) -> None:
    body = '{"data": {"items": [{"a": "x"}, null, {"a": 5}, [], {}]}, "next": null}'
    found = bench.violations(TEXT, body, records="data.items")
    assert found == [(2, "$", "null"), (3, "a", "5"), (4, "$", "[]")]


@pytest.mark.parametrize("second", ['{"items": [{"a": "y"}]}', '{"items": null}', "{}", "null"])
@pytest.mark.parametrize("between", ["", "\n"])
def test_a_second_object_after_the_wrapped_records_is_an_error(
    bench: Bench, between: str, second: str
) -> None:
    """Else what it holds would be lost in silence."""
    with pytest.raises(SourceError, match="is 2 JSON values; it should be one that holds items"):
        bench.table(TEXT, f'{{"items": [{{"a": "x"}}]}}{between}{second}', records="items")


@pytest.mark.parametrize("depth", [200, 100_000])
def test_a_value_may_be_nested_deeply(bench: Bench, depth: int) -> None:
    deep = "[" * depth + "]" * depth
    assert bench.violations(TEXT, f'[{{"a": {deep}}}, {deep}]') == [
        (1, "a", "[" * 100),
        (2, "$", "[" * 100),
    ]
    body = f'[{{"a": {deep}, "b": {deep}}}]'
    assert bench.rows('a = { type = "json" }', body) == [{"a": deep}]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'[{"a": "x"}, {"a": "\xff"}]', "in record 2: invalid UTF-8"),
        (b'[{"a": "x", "b\xc3": 1}]', "in record 1: invalid UTF-8"),
        (b'[{"a": "\xed\xa0\x80"}]', "in record 1: invalid UTF-8"),
        (b'[{"a": "\\ud800"}]', "in record 1: no low surrogate"),
        (b'[{"a": "x", "b": "\\udc00"}]', "in record 1: .*surrogate"),
        (b'[{"a": "x\x00"}]', "in record 1: unexpected control character"),
        (b'{"a": "x"}\n\xef\xbb\xbf{"a": "y"}\n{"a": "z"}', "one object"),
        (b'{"a": "x"}\n{"a": "y"}\n{"a":', "in record 3: unexpected end of data"),
        (b'{"a": "x"}\n{"a": "y"}{"a": "z"}\n', "in record 2: unexpected content after document"),
        (b'[{"a": "x"},]', "Malformed JSON"),
        (b'[{"a": "x"}][{"a": "y"}]', "Malformed JSON"),
        (b'[{"a": "x"} {"a": "y"}]', "Malformed JSON"),
        (b"[{'a': 'x'}]", "in record 1: unexpected character"),
        (b'[{"a": 01}]', "in record 1: number with leading zero"),
        (b'[{"a": 0x10}]', "Malformed JSON"),
        (b'[{"a": ' + b"[" * 2_000_000 + b"]", "Malformed JSON"),
        (b'[{"a": "' + b"x" * 40_000_000 + b'"}]', "is larger than SOURCE_MAX_RECORD_BYTES"),
    ],
)
def test_a_body_that_is_not_sound_json_is_an_error_that_says_where(
    bench: Bench, body: bytes, message: str
) -> None:
    with pytest.raises(SourceError, match=message) as refused:
        bench.table(TEXT, body)
    assert "\n" not in str(refused.value)
    assert str(bench.folder) not in str(refused.value)
