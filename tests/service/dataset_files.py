"""Any dataset file: right ones, and right ones in which a value or two has been changed."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, date, datetime
from typing import Any

from hypothesis import strategies as st

from micro_etl.column_types import type_names
from micro_etl.dataset.pagination import KINDS
from micro_etl.dataset.toml import write_key, write_value

_PATHS = ["a", "a.b", "a[0]", "[1].b", '""', '"a.b".c', "$", "m", "M", "id", "ID", "$.a", "$[0]"]
_WILD = ["a[*].b", "a[*]", "[*].b", "a[*].b[0][*]"]
_SIMPLE = [*type_names(), "decimal(12,2)", "decimal(38, 0)"]
_TIMES: dict[str, list[Any]] = {"timezone": ["UTC", "-05:00"], "truncate": [True, False]}

_COLUMN: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.fixed_dictionaries(
        {"type": st.sampled_from(_SIMPLE)},
        optional={"from": st.sampled_from(_PATHS), "required": st.booleans()},
    ),
    st.fixed_dictionaries(
        {"type": st.sampled_from([f"{name}[]" for name in _SIMPLE])},
        optional={"from": st.sampled_from([*_PATHS, *_WILD]), "unique": st.just(False)},
    ),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["int32", "decimal(9,2)[]", "boolean"]), "format": st.just("text")}
    ),
    st.fixed_dictionaries(
        {"type": st.just("timestamp"), "format": st.sampled_from(["epoch", "epoch_ms"])},
        optional={"null_values": st.just(["", 0, 1.5, False, [], {}])},
    ),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["timestamp", "timestamp[]"])},
        optional={key: st.sampled_from(values) for key, values in _TIMES.items()},
    ),
    st.just({"type": "boolean", "map": {"0": False, "Y": True}}),
    st.just({"type": "decimal(4,2)", "map": {"a": 1, "b": 1.25}}),
    st.just({"type": "date", "from_key": "$.rates.*"}),
    st.just({"type": "string", "from": "$.rates.*.id"}),
    st.just({"type": "string", "from": "{series}"}),
)
_ENDS = {
    key: st.sampled_from(["a.b", "[0].n", "$.a"]) for key in ("has_more", "last_page", "total")
}
_PAGINATION = st.one_of(
    st.fixed_dictionaries({"kind": st.just("link_header")}, optional=_ENDS),
    st.fixed_dictionaries({"kind": st.just("next_url"), "next": st.just("links.next")}),
    st.fixed_dictionaries(
        {"kind": st.just("cursor"), "next": st.just("n"), "param": st.just("q.after")},
        optional=_ENDS,
    ),
    st.fixed_dictionaries(
        {"kind": st.just("last_record"), "field": st.just("id"), "param": st.just("after")}
    ),
    st.fixed_dictionaries(
        {"kind": st.sampled_from(["page_number", "offset"]), "param": st.just("at")},
        optional={"start": st.integers(0, 7), **_ENDS},
    ),
    st.fixed_dictionaries({"kind": st.just("none")}, optional={"total": st.just("n")}),
)
_TOKEN = {"token_url": "https://h/t", "client_id": "a", "client_secret": "${S}"}
_SOURCE: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "url": st.sampled_from(["https://h/{series}?limit=2", "${A}/{series}"]),
        "records": st.sampled_from(["rates.*", "rates[*]", "$.rates.*", "rates.*.x[0]"]),
        "each": st.sampled_from([{"series": ["A", 1]}, {"series": ["A"]}]),
    },
    optional={
        "headers": st.sampled_from([{}, {"A": "b"}, {"A": "Bearer ${T}"}]),
        "body": st.sampled_from([{}, {"q": {"a": 1}}, {"s": "{series}", "l": [1, {"a": 1.5}]}]),
        "oauth2": st.sampled_from([_TOKEN, {**_TOKEN, "scope": "x"}]),
        "pagination": _PAGINATION,
        "expect": st.sampled_from([{}, {"a": 1}, {"a": {"b": False}}, {"a[0]": []}]),
        "columnar": st.just(False),
        "empty_arrays_as_objects": st.booleans(),
    },
)
_RIGHT: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["t", "my-things_2"]),
        "source": _SOURCE,
        "columns": st.builds(
            lambda columns: {"id": {"type": "int64", "unique": True}, **columns},
            st.dictionaries(st.sampled_from(["c", "a b", "größe", "x.y"]), _COLUMN, max_size=3),
        ),
    },
    optional={
        "description": st.just("Some things."),
        "publish": st.fixed_dictionaries(
            {},
            optional={
                "min_rows": st.integers(0, 5),
                "max_shrink": st.sampled_from([0, 0.5, 1]),
                "unique": st.just(["id"]),
            },
        ),
    },
)
_KEYS = st.sampled_from(
    [
        *("type", "from", "from_key", "required", "unique", "format", "timezone", "null_values"),
        *("truncate", "map", "url", "records", "headers", "body", "each", "oauth2", "pagination"),
        *("expect", "columnar", "empty_arrays_as_objects", "kind", "next", "param", "field"),
        *("start", "has_more", "last_page", "total", "min_rows", "max_shrink", "name", "x", " "),
        *("source", "columns", "publish", "description", "ID", "series", "A b", "a.", "\n"),
    ]
)
_VALUES: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([*_PATHS, *_WILD, *_SIMPLE, *KINDS, "$.rates.*", "$.b.*", "a.*", "{series}"]),
    st.sampled_from(["", " ", "x.json", "h.io/x", "${", "text", "epoch", "CET", "+15:00", "a."]),
    st.sampled_from(["int", "decimal(39,1)", "decimal(2,3)", "date[][]", "n" * 300, "T", "limit"]),
    st.sampled_from([{}, [], [1], ["id"], ["id", "c"], ["id", "id"], ["i"], [True], {"a": 1}]),
    st.sampled_from([date(2020, 1, 1), datetime(2020, 1, 1, tzinfo=UTC), float("nan"), 0.5, 1.5]),
    st.booleans(),
    st.integers(-2, 3),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
)


def _tables(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, dict):
        return []
    return [value, *(table for member in value.values() for table in _tables(member))]


@st.composite
def _changed(draw: st.DrawFn) -> dict[str, Any]:
    root = deepcopy(draw(_RIGHT))
    for _ in range(draw(st.integers(0, 2))):
        table = draw(st.sampled_from(_tables(root)))
        key = draw(st.one_of(_KEYS, st.sampled_from([*table, "x"])))
        if draw(st.booleans()):
            table[key] = deepcopy(draw(_VALUES))
        else:
            table.pop(key, None)
    return root


DATASETS = _changed()
"""Dataset files as TOML makes values of them."""


def write_toml(root: dict[str, Any]) -> str:
    """Write them as TOML."""
    return "".join(f"{write_key(key)} = {write_value(value)}\n" for key, value in root.items())
