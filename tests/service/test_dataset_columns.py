"""Columns: where a value comes from, its type, how it is written."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import re

import pytest

from micro_etl.dataset import EVERY, Column, Dataset, Origin, parse_dataset
from micro_etl.errors import ConfigError

SOURCE = """
name = "t"
[source]
url = "https://h/{series}"
records = "rates.*.lines"
each = { series = ["A", "B"] }
"""


def read(columns: str, rest: str = "") -> Dataset:
    """The dataset of some columns."""
    return parse_dataset(f"{SOURCE}\n[columns]\n{columns}\n{rest}", label="t.toml")


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ('type = "string"', Column("c", ("c",), "string")),
        ('from = "m.M", type = "string"', Column("c", ("m", "M"), "string")),
        ("from = '\"\"', type = 'json'", Column("c", ("",), "json")),
        ('from = "a[0].b", type = "date"', Column("c", ("a", 0, "b"), "date")),
        ('from = "a[*].b", type = "string[]"', Column("c", ("a", EVERY, "b"), "string[]")),
        ('type = "decimal(12,2)[]"', Column("c", ("c",), "decimal(12,2)[]")),
        ('type = "decimal(38, 38)"', Column("c", ("c",), "decimal(38,38)")),
        ('type = "decimal(1,0)"', Column("c", ("c",), "decimal(1,0)")),
        ('from = "$.at", type = "date"', Column("c", ("at",), "date", origin=Origin.ROOT)),
        (
            'from = "$.rates.*.id", type = "int64"',
            Column("c", ("rates", EVERY, "id"), "int64", origin=Origin.ROOT),
        ),
        (
            'from_key = "$.rates.*", type = "date"',
            Column("c", ("rates", EVERY), "date", origin=Origin.KEY),
        ),
        ('from = "{series}", type = "string"', Column("c", (), "string", origin=Origin.SERIES)),
        (
            'from = "{series}", type = "int64", format = "text"',
            Column("c", (), "int64", origin=Origin.SERIES, format="text"),
        ),
        *(
            (f'type = "{kind}", format = "text"', Column("c", ("c",), kind, format="text"))
            for kind in ("int32", "int64", "float64", "boolean", "decimal(9,2)", "int64[]")
        ),
        *(
            (
                f'type = "timestamp", format = "{form}"',
                Column("c", ("c",), "timestamp", format=form),
            )
            for form in ("epoch", "epoch_ms")
        ),
        *(
            (
                f'type = "timestamp", timezone = "{zone}"',
                Column("c", ("c",), "timestamp", timezone=zone),
            )
            for zone in ("UTC", "-05:00", "+14:00", "+05:45")
        ),
        ('type = "timestamp", truncate = true', Column("c", ("c",), "timestamp", truncate=True)),
        (
            'type = "string", null_values = ["", 0, -1.5, false, [], {}]',
            Column("c", ("c",), "string", null_values=("", 0, -1.5, False, [], {})),
        ),
        (
            'type = "boolean", map = { 0 = false, 1 = true, "Y" = true }',
            Column("c", ("c",), "boolean", mapping={"0": False, "1": True, "Y": True}),
        ),
        (
            'type = "date", map = { a = 2020-01-01, b = "2020-01-02" }',
            Column("c", ("c",), "date", mapping={"a": "2020-01-01", "b": "2020-01-02"}),
        ),
        (
            'type = "timestamp", map = { a = 2020-01-01T00:00:00Z }',
            Column("c", ("c",), "timestamp", mapping={"a": "2020-01-01T00:00:00+00:00"}),
        ),
        (
            'type = "decimal(4,2)", map = { a = 1, b = 2.5, c = "3.25", d = "4.00" }',
            Column("c", ("c",), "decimal(4,2)", mapping={"a": 1, "b": 2.5, "c": 3.25, "d": 4}),
        ),
    ],
)
def test_a_column_is_read(text: str, column: Column) -> None:
    assert read(f"c = {{ {text} }}").columns == (column,)


TEXT = 'type = "string"'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # types
        (
            'type = "integer"',
            r"type is 'integer'; it should be one of int32, .*; did you mean int64\?",
        ),
        ('type = "decimal"', r"did you mean decimal\(12,2\)\?"),
        ('type = "text[]"', r"did you mean string\[\]\?"),
        ('type = "timestmp"', r"did you mean timestamp\?"),
        *(
            (f'type = "{kind}"', "it should be one of int32, int64")
            for kind in (
                "decimal(39,0)",
                "decimal(2,3)",
                "decimal(0,0)",
                "decimal(a,b)",
                "int64[][]",
            )
        ),
        # where from
        (
            f'{TEXT}, from = "a", from_key = "$.rates.*"',
            "from_key can't be used together with from: ",
        ),
        ('type = "string", from = "a[*]"', r"type can't be .* \[\*\] makes a list: string\[\]"),
        (
            'type = "string[]", from = "a.*"',
            r"it should be keys joined by dots, .* with \[\*\] for",
        ),
        (f'{TEXT}, from = "$.other.*.id"', "it should be a path with only the .* 'rates.*.lines'"),
        (
            f'{TEXT}, from = "$.rates.*.lines.*.id"',
            "it should be a path with only the .* of source.re",
        ),
        (f'{TEXT}, from_key = "rates.*"', r"it should be a path that ends with \*: \$.rates.\*"),
        (f'{TEXT}, from_key = "$.rates"', r"it should be a path that ends with \*: \$.rates.\*"),
        (f'{TEXT}, from_key = "$.other.*"', "it should be a path with only the .*"),
        (
            'type = "json", from_key = "$.rates.*"',
            "type is 'json'; it should be a type of one value",
        ),
        (f'{TEXT}, from = "{{serie}}"', r"from is '\{serie\}'; it should be \{series\}, which"),
        ('type = "int64", from = "{series}"', 'that is text; add format = "text"'),
        ('type = "string[]", from = "{series}"', "it should be a type of one value"),
        # rules
        ('type = "string[]", unique = true', "unique is True; it should be false for a list"),
        # formats
        (f'{TEXT}, format = "txt"', r"format is 'txt'; it should be one of text, .*mean text\?"),
        (f'{TEXT}, format = "text"', "'text' is for int32, int64, float64, boolean, decimal"),
        ('type = "int64", format = "epoch"', "can't be used together .* 'epoch' is for timestamp"),
        (
            'type = "date", timezone = "UTC"',
            "timezone can't be used together .* it is for timestamps",
        ),
        (
            'type = "timestamp", timezone = "Europe/Berlin"',
            "summer time makes some hours ambiguous",
        ),
        ('type = "timestamp", timezone = "+15:00"', "it should be UTC or an offset"),
        (
            'type = "timestamp", timezone = "UTC", format = "epoch"',
            "timezone can't .* counts from 1970",
        ),
        (
            'type = "timestamp", truncate = true, format = "epoch"',
            "truncate can't be used together",
        ),
        (f"{TEXT}, truncate = true", "truncate can't be used together with type = 'string'"),
        # nulls and map
        *(
            (
                f"{TEXT}, null_values = {values}",
                "null_values is .*; it should be an array of strings",
            )
            for values in ("''", "[true]", "[[1]]", "[{ a = 1 }]", "[nan]", "[2020-01-01]")
        ),
        (f"{TEXT}, map = {{}}", "map is {}; it should be a table such as"),
        (f"{TEXT}, map = []", r"map is \[\]; it should be a table"),
        (f"{TEXT}, map = {{ a = 1 }}", "map maps 'a' to 1; it should be a value of type string"),
        ('type = "boolean", map = { a = 1 }', "it should be a value of type boolean"),
        ('type = "int32", map = { a = 2147483648 }', "it should be a value of type int32"),
        ('type = "int32", map = { a = true }', "it should be a value of type int32"),
        ('type = "float64", map = { a = inf }', "it should be a value of type float64"),
        ('type = "date", map = { a = 2020-01-01T00:00:00Z }', "it should be a value of type date"),
        ('type = "timestamp", map = { a = 2020-01-01T00:00:00 }', "a value of type timestamp"),
        (
            'type = "decimal(3,1)", map = { a = 1.25 }',
            r"it should be a value of type decimal\(3,1\)",
        ),
        (
            'type = "decimal(3,1)", map = { a = 100 }',
            r"it should be a value of type decimal\(3,1\)",
        ),
        ('type = "decimal(3,1)", map = { a = "1e99" }', r"a value of type decimal\(3,1\)"),
        (
            'type = "int64", format = "text", map = { a = 1 }',
            "map can't be used together with format",
        ),
        # keys
        (f'{TEXT}, form = "a"', r"columns.c.form is not known; .*; did you mean format\?"),
    ],
)
def test_a_mistake_in_a_column_is_named(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read(f"c = {{ {text} }}")
    assert str(refused.value).startswith("t.toml: columns.c.")
    assert "\n" not in str(refused.value)
    assert re.search(message, str(refused.value))


def test_names_that_differ_by_case_alone_are_renamed() -> None:
    """The engine renames the second of two columns; two keys with names of their own are fine."""
    columns = 'm = { type = "string" }\nM = { type = "string" }'
    with pytest.raises(ConfigError, match=r"columns.M and columns.m .* such as M_2 = { from = 'M'"):
        read(columns)


def test_keys_that_differ_by_case_alone_are_two_columns() -> None:
    dataset = read('m = { type = "string" }\nmaker = { from = "M", type = "string" }')
    assert [column.path for column in dataset.columns] == [("m",), ("M",)]


COLUMNS = 'a = { type = "int64" }\nb = { type = "date", unique = true }\nl = { type = "string[]" }'


@pytest.mark.parametrize(
    ("unique", "keys"),
    [
        ("[]", None),
        ("'a'", None),
        ("[1]", None),
        ("['a', 'a']", None),
        ("['c']", None),
        ("['l']", None),
        ("['a']", (("b",), ("a",))),
        ("['b']", (("b",),)),
        ("['a', 'b']", (("b",), ("a", "b"))),
    ],
)
def test_a_key_is_columns_that_can_be_compared(
    unique: str, keys: tuple[tuple[str, ...], ...] | None
) -> None:
    rest = f"[publish]\nunique = {unique}"
    if keys is None:
        with pytest.raises(ConfigError, match=r"publish.unique is .*; it should be "):
            read(COLUMNS, rest)
    else:
        assert read(COLUMNS, rest).keys == keys


def test_columnar_records_have_a_key_first() -> None:
    text = (
        'name = "t"\nsource = { columnar = true }\n[columns]\na = { from = "[0]", type = "date" }'
    )
    with pytest.raises(
        ConfigError, match=r"columns.a reads \[0\]; with source.columnar a path begins"
    ):
        parse_dataset(text, label="t.toml")


def test_a_key_of_a_record_without_wildcards_is_refused() -> None:
    text = 'name = "t"\n[columns]\na = { from_key = "$.a.*", type = "date" }'
    with pytest.raises(ConfigError, match=r"from_key is .*; it should be left out: source.records"):
        parse_dataset(text, label="t.toml")
