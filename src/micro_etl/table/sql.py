"""Compile a dataset into DuckDB SQL: pure functions from a dataset to text.

The values of a record are read as JSON, leaf by leaf, since DuckDB's own conversions are lenient:
with typed columns it turns 1.5 into 2 and ``"yes"`` into true. Each type has a test, `IS`, that a
leaf must pass before `AS` converts it.

Good data is read once: `stage` aborts at the first value that is wrong. Only then is the source
read again, by the queries of `explain`, which find every violation and say where it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath

from micro_etl.body import Body, Layout
from micro_etl.dataset import Column, Dataset, Path
from micro_etl.dataset.parse import BARE_KEY

SQL_TYPES = {
    "int32": "INTEGER",
    "int64": "BIGINT",
    "float64": "DOUBLE",
    "string": "VARCHAR",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "date": "DATE",
    "json": "JSON",
}
"""Column type to the engine's type."""

EXPECTED = {
    "int32": "a whole number from -2147483648 to 2147483647",
    "int64": "a whole number from -9223372036854775808 to 9223372036854775807",
    "float64": "a finite number",
    "string": "a string",
    "boolean": "true or false",
    "timestamp": "a date and time with a zone, such as 2006-03-24T22:30:00.000Z",
    "date": "a date such as 2006-03-24",
    "json": "a JSON value without NaN or Infinity",
}
"""Column type to what a violation says should be there."""

# RFC 3339, section 5.6, with at most microseconds: a seventh digit would be dropped in silence.
_DAY = r"\d{4}-(0[1-9]|1[0-2])-[0-3]\d"
_TIME = r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6}0*)?"
_ZONE = r"([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)"

_RAW = "CAST(@ AS VARCHAR)"
_TEXT = "json_extract_string(@, '$')"
_KIND = "json_type(@)"
AS = {
    "int32": f"TRY_CAST({_RAW} AS INTEGER)",
    "int64": f"TRY_CAST({_RAW} AS BIGINT)",
    "float64": f"TRY_CAST({_RAW} AS DOUBLE)",
    "string": _TEXT,
    "boolean": f"{_RAW} = 'true'",
    # In capitals where it has to be, which takes as long as the cast itself: 40 ns.
    "timestamp": (
        f"coalesce(TRY_CAST({_TEXT} AS TIMESTAMP WITH TIME ZONE),"
        f" TRY_CAST(upper({_TEXT}) AS TIMESTAMP WITH TIME ZONE))"
    ),
    "date": f"TRY_CAST({_TEXT} AS DATE)",
    "json": "@",
}
# @ is the leaf, # what `AS` makes of it. The text of a leaf is as the engine writes it, without
# needless escapes, so a test of the text is as good as one of `json_type`, and takes a third of it.
IS = {
    "int32": f"{_KIND} IN ('UBIGINT', 'BIGINT') AND # IS NOT NULL",
    "int64": f"{_KIND} IN ('UBIGINT', 'BIGINT') AND # IS NOT NULL",
    "float64": f"{_KIND} IN ('DOUBLE', 'UBIGINT', 'BIGINT') AND isfinite(#)",
    "string": f"""starts_with({_RAW}, '"')""",
    "boolean": f"{_RAW} IN ('true', 'false')",
    "timestamp": (
        f"""regexp_full_match({_RAW}, '"{_DAY}[Tt ]{_TIME}{_ZONE}"')"""
        " AND # BETWEEN '0001-01-01 00:00:00Z' AND '9999-12-31 23:59:59.999999Z'"
    ),
    "date": f"""regexp_full_match({_RAW}, '"{_DAY}"') AND # >= '0001-01-01'""",
    # The engine reads NaN, inf and the like, which JSON does not have; in a string they do no harm.
    "json": (
        rf"""NOT regexp_matches(regexp_replace({_RAW}, '"(\\.|[^"\\])*"', '', 'g'),"""
        " '(?i)nan|inf')"
    ),
}
_ZERO = dict.fromkeys(("int32", "int64", "float64", "string"), "0") | {
    "boolean": "false",
    "timestamp": "1970-01-01",
    "date": "1970-01-01",
    "json": "{}",
}
_FORMATS = {
    Layout.ARRAY: "array",
    Layout.LINES: "newline_delimited",
    Layout.OBJECTS: "unstructured",
    Layout.WRAPPED: "unstructured",
}
# A case that no record should reach: it ends the pass, and `explain` finds out why.
_ABORT = "error('violation')"


def identifier(name: str) -> str:
    """Quote a name, so that nothing in it is read as SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str | FilePath) -> str:
    """Quote a text, so that nothing in it is read as SQL."""
    return "'" + str(text).replace("'", "''") + "'"


def dotted(path: Path) -> str:
    """Write a path as the dataset file does."""
    return ".".join(
        key
        if re.fullmatch(BARE_KEY, key)
        else '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'
        for key in map(str, path)
    )


def stage(dataset: Dataset, body: Body, table: FilePath) -> str:
    """The pass that reads the body, checks each value and writes a first table.

    It aborts at the first value that breaks the contract. What it can't see, such as a null where
    a record should be, shows in `profile`.

    Args:
        dataset: the contract.
        body: what holds the records.
        table: the Parquet file to write.
    """
    tree = _tree(dataset.columns)
    leaves, columns = [], []
    for number, column in enumerate(dataset.columns, 1):
        leaf = _leaf(tree, column.path)
        value = converted(column.type, leaf)
        leaves.append(f"  {leaf} AS leaf_{number}, {value} AS value_{number}")
        columns.append(f"  {_strict(column, number)} AS {identifier(column.name)}")
    # Two levels, so that each leaf is converted once, though both test and result need its value.
    return (
        "COPY (\nSELECT\n" + ",\n".join(columns) + "\nFROM (SELECT\n" + ",\n".join(leaves) + "\n"
        f"FROM {_records(dataset, tree, body)})\n"
        f") TO {literal(table)} (FORMAT parquet, COMPRESSION uncompressed)"
    )


def converted(column_type: str, leaf: str) -> str:
    """The value of a leaf that passes the test of its type."""
    return AS[column_type].replace("@", leaf)


def is_of_type(column_type: str, leaf: str, value: str | None = None) -> str:
    """The test that a leaf is of a type.

    Args:
        column_type: the type.
        leaf: an expression.
        value: what is `converted` of it, where that is at hand.
    """
    return IS[column_type].replace("#", value or AS[column_type]).replace("@", leaf)


def profile(columns: Sequence[Column], table: FilePath) -> str:
    """One row about a table: rows, empty rows, then nulls, distinct, least and greatest of each.

    Distinct values are counted where the contract needs it: in columns that are unique.
    """
    empty = " AND ".join(f"{identifier(column.name)} IS NULL" for column in columns)
    parts = ["count(*)", f"count(*) FILTER (WHERE {empty})"]
    for column in columns:
        name = identifier(column.name)
        ranged = column.type != "json"
        parts += [
            f"count(*) - count({name})",
            f"count(DISTINCT {name})" if column.unique else "NULL",
            f"left(CAST(min({name}) AS VARCHAR), 100)" if ranged else "NULL",
            f"left(CAST(max({name}) AS VARCHAR), 100)" if ranged else "NULL",
        ]
    return f"SELECT {', '.join(parts)} FROM read_parquet({literal(table)})"


def publish(columns: Sequence[Column], staged: FilePath, table: FilePath) -> str:
    """Write the file that readers get, from the one that `stage` wrote.

    DuckDB writes a column as REQUIRED when it knows from statistics that it has no null, as it does
    of the staged file. Where the contract allows nulls, a condition that always holds, and that no
    optimizer can see through, hides it: the schema follows from the dataset, not the day's data.
    """
    selected = ", ".join(
        name if column.required else f"CASE WHEN random() < 2 THEN {name} END AS {name}"
        for column in columns
        for name in [identifier(column.name)]
    )
    return (
        f"COPY (SELECT {selected} FROM read_parquet({literal(staged)}))"
        f" TO {literal(table)} (FORMAT parquet, COMPRESSION snappy)"
    )


def publish_empty(columns: Sequence[Column], table: FilePath) -> str:
    """Write the file of a table without rows, whose statistics know nothing of nulls."""
    selected = ", ".join(
        f"CAST({literal(_ZERO[column.type]) if column.required else 'NULL'}"
        f" AS {SQL_TYPES[column.type]}) AS {identifier(column.name)}"
        for column in columns
    )
    return (
        f"COPY (SELECT {selected} FROM range(0))"
        f" TO {literal(table)} (FORMAT parquet, COMPRESSION snappy)"
    )


def schema(table: FilePath) -> str:
    """Name, repetition and engine's type of each column of a Parquet file, in order."""
    return (
        "SELECT name, repetition_type, duckdb_type"
        f" FROM parquet_schema({literal(table)}) WHERE column_id > 0 ORDER BY column_id"
    )


@dataclass(slots=True)
class _Node:
    """A key of a record; `whole` where a column takes all that it holds."""

    whole: bool = False
    children: dict[str, _Node] = field(default_factory=dict)

    def type(self) -> str:
        if self.whole:
            return "JSON"
        inner = ", ".join(f"{identifier(key)} {node.type()}" for key, node in self.children.items())
        return f"STRUCT({inner})"


def _tree(columns: Iterable[Column]) -> _Node:
    root = _Node()
    for column in columns:
        node = root
        for key in map(str, column.path):
            node = node.children.setdefault(key, _Node())
        node.whole = True
    return root


def _records(dataset: Dataset, tree: _Node, body: Body) -> str:
    if body.layout is not Layout.WRAPPED:
        fields = {key: node.type() for key, node in tree.children.items()}
        return f"{read_json(body, fields)} AS record"
    outer, *inner = map(str, dataset.records)
    nested = f"{tree.type()}[]"
    for key in reversed(inner):
        nested = f"STRUCT({identifier(key)} {nested})"
    array = ".".join(identifier(key) for key in ("body", *map(str, dataset.records)))
    # One array: a body that lacks it, or objects after the first, would lose records in silence.
    alone = f"{array} IS NOT NULL AND row_number() OVER () = 1"
    one = f"CASE WHEN {alone} THEN {array} ELSE {_ABORT} END"
    return f"(SELECT unnest({one}) AS record FROM {read_json(body, {outer: nested})} AS body)"


def read_json(body: Body, fields: dict[str, str], *, whole: bool = False) -> str:
    """The table function that reads a body.

    Args:
        body: what holds the records.
        fields: the fields to read, or the one column that takes each element `whole`.
        whole: read elements whole, whatever they are.
    """
    columns = ", ".join(f"{literal(key)}: {literal(kind)}" for key, kind in fields.items())
    return (
        f"read_json({_files(body)}, format = '{_FORMATS[body.layout]}', columns = {{{columns}}},"
        f" maximum_object_size = {body.max_record}, records = {str(not whole).lower()})"
    )


def _files(body: Body) -> str:
    return f"[{', '.join(literal(part.file) for part in body.parts)}]"


def _leaf(tree: _Node, path: Path) -> str:
    """What stands at a path of `record`: JSON, or NULL where it is null or missing."""
    expression, node, whole = "record", tree, False
    for key in map(str, path):
        whole = whole or node.whole
        if whole:
            expression = (
                f"CASE WHEN {expression} IS NULL THEN NULL"
                f" WHEN json_type({expression}) = 'OBJECT'"
                f" AND {unrepeated(expression, node.children)}"
                f" THEN {_member(expression, key)} ELSE {_ABORT} END"
            )
        else:
            expression = f"{expression}.{identifier(key)}"
        node = node.children[key]
    return expression


def _strict(column: Column, number: int) -> str:
    leaf, value = f"leaf_{number}", f"value_{number}"
    null = "" if column.required else f"WHEN {leaf} IS NULL THEN NULL "
    return f"CASE {null}WHEN {is_of_type(column.type, leaf, value)} THEN {value} ELSE {_ABORT} END"


def _member(value: str, key: str) -> str:
    """The member of a JSON object, or NULL where it is null or missing."""
    return f"NULLIF(json_extract({value}, {pointer((key,))}), 'null')"


def unrepeated(value: str, keys: Iterable[str]) -> str:
    """The test that none of these keys comes twice in a JSON object; no other key is read."""
    listed = ", ".join(literal(key) for key in keys)
    read = f"list_filter(json_keys({value}), lambda key: key IN ({listed}))"
    return f"len({read}) = len(list_distinct({read}))"


def pointer(path: Path) -> str:
    """A JSON pointer (RFC 6901) as an SQL literal."""
    return literal(
        "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in map(str, path))
    )
