"""Compile what a column takes from a value: its test, its conversion, what should be there."""

from __future__ import annotations

import json

from micro_etl.column_types import ColumnType, Form, column_type, truncated, with_timezone
from micro_etl.dataset import EVERY, Column, Path
from micro_etl.table.sql import json_literal, literal, member, pointer, restore_digits, unrepeated


def type_of(column: Column) -> ColumnType:
    """Find the type of a column.

    Raises:
        KeyError: there is none of that name, which the parser of dataset files refuses.
    """
    found = column_type(column.type)
    if found is None:
        raise KeyError(column.type)
    return found


def expected(column: Column) -> str:
    """Say what a violation of a column says should be there."""
    if column.mapping is not None:
        return f"one of {', '.join(column.mapping)}"
    return _form(column, type_of(column)).expected


def converted(column: Column, leaf: str, *, exact: bool = False) -> str:
    """Convert a value that passes `is_valid`.

    Args:
        column: the column.
        leaf: an expression, JSON that is not null.
        exact: the numbers of an array are marked by `keep_digits`.
    """
    kind = type_of(column)
    if kind.element is None:
        return _convert(column, kind, leaf)
    items = _items(column, leaf, exact=exact)
    return f"list_transform({items}, lambda item: {_convert(column, kind.element, 'item')})"


def is_valid(column: Column, leaf: str, value: str | None = None, *, exact: bool = False) -> str:
    """Test that a value keeps the contract of a column.

    Args:
        column: the column.
        leaf: an expression, JSON that is not null.
        value: what is `converted` of it, where that is at hand.
        exact: the numbers of an array are marked by `keep_digits`.
    """
    kind = type_of(column)
    if kind.element is None:
        return _is_valid(column, kind, leaf, value)
    _, sound = elements(leaf, tail(column.path))
    valid = f"item IS NULL OR ({_is_valid(column, kind.element, 'item', None)})"
    return f"{sound} AND {_every(_items(column, leaf, exact=exact), valid, 'item')}"


def nulled(column: Column, leaf: str) -> str:
    """Make NULL of the values that mean null."""
    if not column.null_values:
        return leaf
    tests = " OR ".join(_is_value(leaf, value) for value in column.null_values)
    return f"CASE WHEN {tests} THEN NULL ELSE {leaf} END"


def head(path: Path) -> Path:
    """Take the steps before the first that stands for every element."""
    return path[: path.index(EVERY)] if EVERY in path else path


def tail(path: Path) -> Path:
    """Take the steps after it."""
    return path[path.index(EVERY) + 1 :] if EVERY in path else ()


def elements(array: str, path: Path, depth: int = 0) -> tuple[str, str]:
    """Compile what stands at a path in every element of an array.

    Returns:
        A list of JSON values, NULL where an element has none, and the test that the array is one
        and that the path goes through objects and arrays alone.
    """
    item, steps = f"item_{depth}", head(path)
    items = f"json_extract({array}, '$[*]')"
    sound = f"json_type({array}) = 'ARRAY' AND {_every(items, leads(item, steps), item)}"
    found = member(item, steps) if steps else f"NULLIF({item}, 'null')"
    leaves = f"list_transform({items}, lambda {item}: {found})"
    if EVERY not in path:
        return leaves, sound
    inner, inner_sound = elements(f"array_{depth}", tail(path), depth + 1)
    nested = (
        f"flatten(list_transform({leaves}, lambda array_{depth}:"
        f" CASE WHEN array_{depth} IS NULL THEN [] ELSE {inner} END))"
    )
    inner_sound = _every(leaves, f"array_{depth} IS NULL OR ({inner_sound})", f"array_{depth}")
    return nested, f"{sound} AND {inner_sound}"


def _items(column: Column, array: str, *, exact: bool) -> str:
    """The elements of a column's list as JSON."""
    items, _ = elements(array, tail(column.path))
    item = nulled(column, restore_digits("item") if exact else "item")
    return items if item == "item" else f"list_transform({items}, lambda item: {item})"


def leads(value: str, path: Path, *, empty_arrays: bool = False) -> str:
    """Test that each step of a path is taken from an array or an object that has the key once.

    Args:
        value: an expression, JSON.
        path: keys and indexes.
        empty_arrays: an empty array may stand where an object is meant.
    """
    tests = []
    for depth, step in enumerate(path):
        at = pointer(path[:depth])
        if isinstance(step, int):
            tests.append(f"coalesce(json_type({value}, {at}), 'NULL') IN ('ARRAY', 'NULL')")
            continue
        empty = f" OR json_array_length({value}, {at}) = 0" if empty_arrays else ""
        tests.append(f"(coalesce(json_type({value}, {at}), 'NULL') IN ('OBJECT', 'NULL'){empty})")
        keys = f"json_keys({value}, {at})"
        tests.append(f"coalesce({unrepeated(keys, [str(step)])}, true)")
    return " AND ".join(tests) or "true"


def _every(items: str, condition: str, name: str) -> str:
    return f"len(list_filter({items}, lambda {name}: ({condition}) IS NOT TRUE)) = 0"


def _form(column: Column, kind: ColumnType) -> Form:
    form = kind.formats[column.format] if column.format else kind.form
    if column.timezone:
        form = with_timezone(kind, column.timezone)
    return truncated(form) if column.truncate else form


def _convert(column: Column, kind: ColumnType, leaf: str) -> str:
    if column.mapping is None:
        return _form(column, kind).convert.replace("@", leaf)
    cases = " ".join(
        f"WHEN {_is_written(leaf, key)} THEN {kind.form.convert.replace('@', json_literal(value))}"
        for key, value in column.mapping.items()
    )
    return f"CASE {cases} END"


def _is_valid(column: Column, kind: ColumnType, leaf: str, value: str | None) -> str:
    if column.mapping is not None:
        return " OR ".join(_is_written(leaf, key) for key in column.mapping)
    form = _form(column, kind)
    return form.test.replace("#", value or form.convert).replace("@", leaf)


def _is_written(leaf: str, key: str) -> str:
    """Test that JSON writes a value as a key of ``map``; a word that is not JSON means a string."""
    try:
        json.loads(key)
    except ValueError:
        return f"CAST({leaf} AS VARCHAR) = CAST(to_json({literal(key)}) AS VARCHAR)"
    return f"CAST({leaf} AS VARCHAR) = {literal(key)}"


def _is_value(leaf: str, value: object) -> str:
    """Test that a JSON value is this string, number, false, empty array or empty object."""
    if isinstance(value, str):
        text = f"json_extract_string({leaf}, '$')"
        return f"(json_type({leaf}) = 'VARCHAR' AND {text} = {literal(value)})"
    if value == [] and isinstance(value, list):
        return f"(json_type({leaf}) = 'ARRAY' AND json_array_length({leaf}) = 0)"
    if value == {} and isinstance(value, dict):
        return f"(json_type({leaf}) = 'OBJECT' AND len(json_keys({leaf})) = 0)"
    if isinstance(value, bool):
        return f"CAST({leaf} AS VARCHAR) = '{str(value).lower()}'"
    number = f"TRY_CAST(CAST({leaf} AS VARCHAR) AS DOUBLE)"
    return f"(json_type({leaf}) IN ('UBIGINT', 'BIGINT', 'DOUBLE') AND {number} = {value!r})"
