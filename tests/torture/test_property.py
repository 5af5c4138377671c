"""For any list of records: what is published is what plain Python reads, or both refuse."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from micro_etl.dataset import Column, Dataset
from tests.torture.contract import Refused, read
from tests.torture.fuzz_body import exact, published
from tests.torture.reliability import PROPERTY_EXAMPLES

TYPES = ("int32", "int64", "float64", "string", "boolean", "timestamp", "date")
# Few keys, so that they meet: by case alone, with dots, quotes and what SQL and JSON escape.
KEYS = st.sampled_from(["a", "A", "b", "a.b", "'", '"', "a/b", "~1", "é", "\\", "record"])

_DATES = st.dates().map(str)
_ZONES = st.sampled_from(["Z", "z", "+00:00", "-23:59", "+05:30", "", "+24:00", " Z", "-00:00"])
_TIMES = st.builds(
    lambda moment, separator, zone: str(moment).replace(" ", separator) + zone,
    st.datetimes(),
    st.sampled_from("Tt "),
    _ZONES,
)
_STRANGE = st.sampled_from(
    [
        *("2016-12-31T23:59:60Z", "2021-02-29", "2021-02-29T00:00:00Z", "2020-01-01T24:00:00Z"),
        *("0000-01-01", "+2020-01-01", "\u0662\u0660\u0662\u0660-01-01", "infinity"),
        *("0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01"),
        *("2020-01-01T00:00:00.1234567Z", "2020-01-01T00:00:00.1234560Z"),
    ]
)
_WHOLE = st.one_of(
    st.integers(-5, 5),
    st.integers(-(2**64), 2**64),
    st.sampled_from([2**31 - 1, 2**31, -(2**31) - 1, 2**63 - 1, 2**63, -(2**63) - 1, 10**30]),
)
_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    _WHOLE,
    st.floats(allow_nan=False, allow_infinity=False),
    _TEXTS,
    _DATES,
    _TIMES,
    _STRANGE,
    st.sampled_from(["true", "7", "yes", "null", "NaN"]),
    st.lists(st.integers(0, 2), max_size=2),
)
GOOD = {
    "int32": st.integers(-(2**31), 2**31 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "float64": st.one_of(st.floats(allow_nan=False, allow_infinity=False), _WHOLE),
    "string": _TEXTS,
    "boolean": st.booleans(),
    "timestamp": st.one_of(_TIMES, _STRANGE),
    "date": st.one_of(_DATES, _STRANGE),
}


@st.composite
def cases(draw: st.DrawFn) -> tuple[Dataset, str]:
    """A dataset, and a body that mostly keeps it."""
    paths = draw(
        st.lists(
            st.lists(KEYS, min_size=1, max_size=2).map(tuple),
            min_size=1,
            max_size=3,
            unique_by=lambda path: tuple(key.casefold() for key in path),
        )
    )
    columns: list[Column] = []
    for number, path in enumerate(paths):
        folded = {
            tuple(str(k).casefold() for k in column.path[:1]): column.path[:1] for column in columns
        }
        if folded.get((path[0].casefold(),), path[:1]) != path[:1]:
            continue  # the dataset file refuses paths that differ by case alone
        columns.append(
            Column(
                f"column {number}",
                path,
                draw(st.sampled_from(TYPES)),
                draw(st.booleans()),
                draw(st.booleans()),
            )
        )
    dataset = Dataset("table", "", None, (), 0, 1.0, tuple(columns))
    records = draw(st.lists(_records(tuple(columns)), min_size=1, max_size=5))
    dumps = json.JSONEncoder(
        ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1]))
    )
    return dataset, "[" + ",".join(_dump(record, dumps) for record in records) + "]"


class Pairs(list[tuple[str, Any]]):
    """An object whose keys may come twice."""


@st.composite
def _records(draw: st.DrawFn, columns: tuple[Column, ...]) -> Any:
    if draw(st.integers(0, 30)) == 0:
        return draw(VALUES)
    record = Pairs()
    for column in columns:
        odd = draw(st.integers(0, 12))
        value = draw(VALUES if odd == 0 else st.none() if odd == 1 else GOOD[column.type])
        if odd == 2:
            continue
        _place(record, tuple(map(str, column.path)), value)
    if draw(st.integers(0, 6)) == 0:
        record.append((draw(KEYS), draw(VALUES)))
    return record


def _place(record: Pairs, path: tuple[str, ...], value: Any) -> None:
    for key in path[:-1]:
        inner = next((found for name, found in record if name == key), None)
        if not isinstance(inner, Pairs):
            inner = Pairs()
            record.append((key, inner))
        record = inner
    record.append((path[-1], value))


def _dump(value: Any, encoder: json.JSONEncoder) -> str:
    if isinstance(value, Pairs):
        inner = ", ".join(f"{encoder.encode(key)}: {_dump(found, encoder)}" for key, found in value)
        return f"{{{inner}}}"
    return encoder.encode(value)


def compare(case: tuple[Dataset, str]) -> str:
    """Fail where the two readings differ; what both made of it."""
    dataset, text = case
    try:
        expected = read(text, dataset)
    except Refused:
        with pytest.raises(Refused):
            published(text.encode(), dataset)
        return "refused"
    found = published(text.encode(), dataset)
    assert [exact(row) for row in found] == [exact(row) for row in expected]
    return "published"


def examples(count: int) -> settings:
    """The same examples each time."""
    checks = list(HealthCheck)
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=checks,
    )


def compare_many(count: int) -> None:
    """Compare so many cases, of which a good part must be of either kind."""
    made: Counter[str] = Counter()

    @given(cases())
    @examples(count)
    def check(case: tuple[Dataset, str]) -> None:
        made[compare(case)] += 1

    check()
    print(f"{count} examples: {dict(made)}")  # noqa: T201 - a figure to report
    assert min(made["published"], made["refused"]) > count // 10


def test_what_is_published_is_what_plain_python_reads() -> None:
    compare_many(60)


@pytest.mark.torture
@pytest.mark.timeout(400)
def test_what_is_published_is_what_plain_python_reads_at_length() -> None:
    compare_many(PROPERTY_EXAMPLES)
