"""Infer the type of each leaf: the engine tests its values as a run does."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from micro_etl.dataset import Column
from micro_etl.draft.flatten import Leaf
from micro_etl.source.paging.page import Number, write_json
from micro_etl.table.engine import connect, machine_errors
from micro_etl.table.sql import literal
from micro_etl.table.values import is_valid

_NULLS = ("", ".", "-", "N/A", "n/a", "NA", "null", "None", "NaN")  # texts that may mean null
_MONEY, _MOST_DECIMALS = 4, 8  # decimals
_EXACT_DIGITS = 15  # that a double has at least
_TRIED = {
    **{name: Column(name, (), name) for name in ("string", "boolean", "int64", "float64")},
    **{name: Column(name, (), name) for name in ("timestamp", "date", "decimal(38,0)")},
    "truncated": Column("", (), "timestamp", truncate=True),
    "local": Column("", (), "timestamp", timezone="UTC"),
    "local truncated": Column("", (), "timestamp", timezone="UTC", truncate=True),
    "epoch": Column("", (), "timestamp", format="epoch"),
    "epoch_ms": Column("", (), "timestamp", format="epoch_ms"),
    "int64 text": Column("", (), "int64", format="text"),
    "float64 text": Column("", (), "float64", format="text"),
    "boolean text": Column("", (), "boolean", format="text"),
    **{
        name: Column(name, (), name)
        for name in ("string[]", "int64[]", "float64[]", "boolean[]", "timestamp[]", "date[]")
    },
}
_IS_TIME = re.compile(
    r"(^|_)(time|timestamp|date|datetime|created|updated|modified|published|generated|expires|ts"
    r"|unix|epoch|started|ended|since|until|at|on)($|_)"
)
_MAY_HAVE_DECIMALS = re.compile(
    r"(^|_)(lat|lng|lon|long|latitude|longitude|latlng|coordinates?|price|rate|ratio|score|percent"
    r"|pct|area|temperature|temp|speed|elevation|depth|mag|magnitude|avg|mean|average)($|_)"
)
_IS_PLACE = re.compile(r"(^|_)(lat|lng|lon|latitude|longitude)($|_)")
_YEAR_2000, _YEAR_2100 = 946_684_800, 4_102_444_800


@dataclass(frozen=True, slots=True)
class Inferred:
    """The type of a column, and how its values are written.

    Attributes:
        type: as the dataset file writes it.
        options: the other keys of the column, such as ``format``.
        why: what is not certain, and why it was chosen.
    """

    type: str
    options: dict[str, Any] = field(default_factory=dict)
    why: str = ""


def infer_types(leaves: Sequence[Leaf], *, scratch: FilePath, in_utc: bool) -> list[Inferred]:
    """Infer the type of each leaf.

    Args:
        leaves: the leaves.
        scratch: a folder for the engine.
        in_utc: the page says that its times are in UTC.

    Raises:
        MachineError: no memory, or no room in the scratch folder.
    """
    passed = _test(leaves, scratch)
    return [
        _choose(leaf, passes, but_nulls, in_utc=in_utc)
        for leaf, (passes, but_nulls) in zip(leaves, passed, strict=True)
    ]


def _test(leaves: Sequence[Leaf], scratch: FilePath) -> list[tuple[set[str], set[str]]]:
    """Find the forms that all values of each leaf have: of all, and of all but `_NULLS`."""
    file = scratch / "leaves.json"
    with file.open("w", encoding="utf-8") as lines:
        for number, leaf in enumerate(leaves):
            for text in dict.fromkeys(map(write_json, leaf.values)):
                lines.write(json.dumps({"leaf": number, "value": text}) + "\n")
    nulls = ", ".join(literal(json.dumps(text)) for text in _NULLS)
    tests = ", ".join(
        f"coalesce(bool_and(coalesce({test}, false)) {only}, false)"
        for only in ("", f"FILTER (WHERE CAST(value AS VARCHAR) NOT IN ({nulls}))")
        for test in (f"({is_valid(column, 'value')})" for column in _TRIED.values())
    )
    query = (
        f"SELECT leaf, {tests} FROM (SELECT leaf, CAST(value AS JSON) AS value FROM read_json("
        f"{literal(file)}, format = 'newline_delimited', maximum_object_size = 1073741824,"
        " columns = {'leaf': 'INTEGER', 'value': 'VARCHAR'})) GROUP BY leaf"
    )
    found: list[tuple[set[str], set[str]]] = [(set(), set()) for _ in leaves]
    with machine_errors(), connect(scratch) as connection:
        for number, *answers in connection.execute(query).fetchall() if leaves else ():
            names = [*_TRIED, *_TRIED]
            passes = [name for name, passed in zip(names, answers, strict=True) if passed]
            count = sum(answers[: len(_TRIED)])
            found[number] = (set(passes[:count]), set(passes[count:]))
    file.unlink()
    return found


def _choose(leaf: Leaf, passes: set[str], but_nulls: set[str], *, in_utc: bool) -> Inferred:
    if not leaf.values:
        return Inferred("json", why="null in every record of this page, so its type is not known")
    if isinstance(leaf.values[0], dict):
        return Inferred("json", why=leaf.why or "not an object in every record")
    name = _words(leaf)
    if "string" in passes:
        chosen = _choose_text(leaf, name, passes, in_utc=in_utc)
        nulls = [text for text in _NULLS if text in leaf.values]
        if chosen is None and nulls:
            chosen = _choose_text(leaf, name, but_nulls, in_utc=in_utc)
            if chosen and chosen.type != "string":
                options = {**chosen.options, "null_values": nulls}
                return Inferred(chosen.type, options, chosen.why or "the others mean null")
            return Inferred("string")
        return chosen or Inferred("string")
    if "boolean" in passes:
        return Inferred("boolean")
    if passes & {"int64", "float64", "decimal(38,0)"}:
        return _choose_number(leaf, name, passes)
    return _choose_list(leaf, name, passes)


def _choose_text(leaf: Leaf, name: str, passes: set[str], *, in_utc: bool) -> Inferred | None:
    if "timestamp" in passes:
        return Inferred("timestamp")
    if "truncated" in passes:
        why = "more digits than microseconds; the rest is dropped"
        return Inferred("timestamp", {"truncate": True}, why)
    if "date" in passes:
        return Inferred("date")
    if "local truncated" in passes:
        if not in_utc:
            hint = 'type = "timestamp", timezone = "UTC" or an offset such as "-05:00" reads it'
            return Inferred("string", why=f"a date and time without a zone; {hint}")
        options: dict[str, Any] = {"timezone": "UTC"}
        if "local" not in passes:
            options["truncate"] = True
        return Inferred("timestamp", options, "without a zone; the page says that it is in UTC")
    if "boolean text" in passes:
        return Inferred("boolean", {"format": "text"}, "text that was true or false in each record")
    if "int64 text" in passes:
        hint = 'type = "int64", format = "text" reads it'
        return Inferred("string", why=f"digits in each record; if these are numbers, {hint}")
    if "float64 text" in passes:
        return _choose_number_in_text(leaf, name)
    return None


def _choose_number_in_text(leaf: Leaf, name: str) -> Inferred:
    texts = [text for text in leaf.values if text not in _NULLS]
    decimals = max(len(text.partition(".")[2]) for text in texts)
    is_plain = all(re.fullmatch(r"[+-]?\d+(\.\d+)?", text) for text in texts)
    if not is_plain or decimals > _MOST_DECIMALS or _IS_PLACE.search(name):
        return Inferred("float64", {"format": "text"}, "a number in text in each record")
    why = f"a number in text, with at most {decimals} decimals on this page"
    digits = 18 if decimals <= _MONEY else 38
    return Inferred(f"decimal({digits},{decimals})", {"format": "text"}, why)


def _choose_number(leaf: Leaf, name: str, passes: set[str]) -> Inferred:
    if "int64" not in passes:
        if "decimal(38,0)" in passes and not any(isinstance(one, Number) for one in leaf.values):
            return Inferred("decimal(38,0)", why="whole numbers beyond 64 bits")
        rounded = any(
            len(re.sub(r"[eE].*|\D", "", str(one)).strip("0")) > _EXACT_DIGITS
            for one in leaf.values
        )
        hint = f"some have more than {_EXACT_DIGITS} digits; a decimal type would keep them"
        return Inferred("float64", why=hint if rounded else "")
    numbers = [int(one) for one in leaf.values]
    for form, unit in (("epoch", 1), ("epoch_ms", 1000)):
        in_range = all(_YEAR_2000 * unit <= one < _YEAR_2100 * unit for one in numbers)
        if form in passes and in_range and _IS_TIME.search(name):
            unit_name = "seconds" if unit == 1 else "milliseconds"
            why = f"by its name and range, {unit_name} since 1970"
            return Inferred("timestamp", {"format": form}, why)
    if _MAY_HAVE_DECIMALS.search(name):
        return Inferred("float64", why="whole numbers on this page; by its name they may have more")
    return Inferred("int64")


def _choose_list(leaf: Leaf, name: str, passes: set[str]) -> Inferred:
    if not all(isinstance(value, list) for value in leaf.values):
        return Inferred("json", why="values of several types")
    if not any(leaf.values):
        return Inferred("json", why="empty in every record of this page")
    if all(one is None for value in leaf.values for one in value):
        return Inferred("json", why="holds nothing but nulls on this page")
    for kind in ("timestamp[]", "date[]", "string[]", "boolean[]", "int64[]", "float64[]"):
        if kind in passes:
            if kind == "int64[]" and _MAY_HAVE_DECIMALS.search(name):
                why = "whole numbers on this page; by its name they may have more"
                return Inferred("float64[]", why=why)
            return Inferred(kind)
    return Inferred("json", why="an array of objects or of several types")


def _words(leaf: Leaf) -> str:
    """The last key of a path, its words joined by ``_``."""
    key = next((step for step in reversed(leaf.path) if isinstance(step, str)), "")
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key)
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower())
