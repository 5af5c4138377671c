"""The JSON Schema of the dataset file, for editors: what can be told of a file key by key.

What depends on two keys of different tables, such as the columns that ``publish.unique`` names, is
for `parse_dataset` alone.
"""

from __future__ import annotations

from typing import Any

from micro_etl.column_types import column_type, type_names
from micro_etl.dataset.pagination import COUNTING, ENDS, KINDS

_KEY = r'("([^"\\]|\\.)*"|[^."\s\[\]*]+|\*)'
_ELEMENT = r"\[(0|[1-9][0-9]{0,8}|\*)\]"
_PATH = rf"^(\$(?=\[)|\$\.(?!\[))?({_KEY}|{_ELEMENT})(\.{_KEY}|{_ELEMENT})*$"
_DECIMAL = r"decimal\(([1-9]|[12][0-9]|3[0-8]), ?[0-9]{1,2}\)"
_TEXT = {"type": "string", "pattern": r"\S"}
_FLAG = {"type": "boolean", "default": False}
_JSON = {"type": ["string", "number", "boolean", "object", "array"]}


def dataset_schema() -> dict[str, Any]:
    """Build the schema (JSON Schema, draft 2020-12)."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "micro-etl dataset",
        "description": "Where records come from, which columns come out, and what must hold.",
        **_object(
            {
                "name": {
                    "description": "Names the table and its file.",
                    "type": "string",
                    "pattern": "^[a-z0-9][a-z0-9_-]*$",
                    "maxLength": 240,
                },
                "description": _described("One sentence for a reader.", _TEXT),
                "source": _source(),
                "columns": {
                    "description": "The columns of the table, in order.",
                    "type": "object",
                    "minProperties": 1,
                    "propertyNames": {"pattern": r"\S"},
                    "additionalProperties": _column(),
                },
                "publish": _publish(),
            },
            required=["name", "columns"],
        ),
    }


def _source() -> dict[str, Any]:
    variables = "may hold variables: ${NAME}"
    token = dict.fromkeys(("token_url", "client_id", "client_secret", "scope"), _TEXT)
    return _object(
        {
            "url": _described(f"Where the records come from; {variables}.", _TEXT),
            "records": _path("The path to the records, such as data.items or orders.*.lines."),
            "headers": {
                "description": f"Sent to the source's own origin alone; {variables}.",
                "type": "object",
                "propertyNames": {"pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"},
                "additionalProperties": _TEXT,
            },
            "body": {"description": "Posted as JSON.", "type": "object"},
            "each": {
                "description": "One series of requests a value; {name} stands for it.",
                "type": "object",
                "minProperties": 1,
                "maxProperties": 1,
                "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
                "additionalProperties": {
                    "type": "array",
                    "minItems": 1,
                    "uniqueItems": True,
                    "items": {"type": ["string", "integer"]},
                },
            },
            "oauth2": _described(
                "Client credentials.",
                _object(
                    {**token, "token_url": {"type": "string", "pattern": r"^(https?://|\$\{)"}},
                    required=["token_url", "client_id", "client_secret"],
                ),
            ),
            "pagination": _pagination(),
            "expect": {
                "description": "Paths of each page that must hold exactly this value.",
                "type": "object",
                "additionalProperties": _JSON,
            },
            "columnar": _described("The records are an object of arrays of one length.", _FLAG),
            "empty_arrays_as_objects": _described("A path through [] finds null.", _FLAG),
        }
    )


def _pagination() -> dict[str, Any]:
    keys: dict[str, Any] = {
        "next": _path("The path to the next URL or cursor in a page."),
        "param": _described("The query parameter, or path of the body, that changes.", _TEXT),
        "field": _path("The path in the last record of a page."),
        "start": {"type": "integer", "minimum": 0},
        "has_more": _path("The path to true or false, which then decides."),
        "last_page": _path("The path to the number of the last page."),
        "total": _path("The path to the number of records of all pages."),
    }
    kinds = []
    for kind, needed in KINDS.items():
        start = ("start",) if kind in COUNTING else ()
        allowed = (*needed, *start, *(ENDS if kind != "none" else ("total",)))
        kinds.append(
            _object(
                {"kind": {"const": kind}, **{key: keys[key] for key in allowed}},
                required=["kind", *needed],
            )
        )
    return {
        "description": "How the next page is found.",
        "type": "object",
        "properties": {"kind": {"enum": list(KINDS)}},
        "required": ["kind"],
        "oneOf": kinds,
    }


def _column() -> dict[str, Any]:
    types = [name for name in type_names() if name != "json"]
    comparable = "^(" + "|".join([*types, _DECIMAL]) + ")$"
    named = "|".join([*type_names(), _DECIMAL])
    rules = [
        _when("unique", {"const": True}, {"pattern": comparable}),
        _when("timezone", {}, {"pattern": r"^timestamp(\[\])?$"}),
        _when("truncate", {"const": True}, {"pattern": r"^timestamp(\[\])?$"}),
        *(
            _when("format", {"const": form}, {"pattern": rf"^({'|'.join(fitting)})(\[\])?$"})
            for form, fitting in _formats().items()
        ),
    ]
    return _object(
        {
            "type": {
                "description": "The type of the column.",
                "anyOf": [
                    {"enum": [*type_names(), *(f"{name}[]" for name in type_names())]},
                    {"type": "string", "pattern": rf"^({named})(\[\])?$"},
                ],
            },
            "from": _path("Where the value comes from; without it, the column's name is the key."),
            "from_key": {
                "description": "The key that the last * of a path such as $.rates.* stands for.",
                "type": "string",
                "pattern": r"^\$.*\*\]?$",
            },
            "required": _described("Null and missing are violations.", _FLAG),
            "unique": _described("A value that comes twice is a violation.", _FLAG),
            "format": _described("How the value is written.", {"enum": list(_formats())}),
            "timezone": {
                "description": "For timestamps that are written without a zone.",
                "type": "string",
                "pattern": r"^(UTC|[+-](0[0-9]|1[0-4]):[0-5][0-9])$",
            },
            "null_values": {
                "description": "Values that mean null.",
                "type": "array",
                "items": {
                    "anyOf": [
                        {"type": ["string", "number"]},
                        {"const": False},
                        {"const": []},
                        {"const": {}},
                    ]
                },
            },
            "truncate": _described("Digits beyond microseconds are dropped.", _FLAG),
            "map": {
                "description": "From a value, as JSON writes it, to the value of the column.",
                "type": "object",
                "minProperties": 1,
                "additionalProperties": _JSON,
            },
        },
        required=["type"],
    ) | {
        "allOf": rules,
        "dependentSchemas": {
            "from": {"properties": {"from_key": False}},
            "map": {"properties": {"format": False, "timezone": False, "truncate": False}},
        },
    }


def _publish() -> dict[str, Any]:
    return _object(
        {
            "min_rows": _described(
                "Fewer rows are never published.", {"type": "integer", "minimum": 0, "default": 1}
            ),
            "max_shrink": _described(
                "The largest fraction of the published rows that may vanish in one run.",
                {"type": "number", "minimum": 0, "maximum": 1, "default": 0.1},
            ),
            "unique": {
                "description": "The columns that together are the key of a row.",
                "type": "array",
                "minItems": 1,
                "uniqueItems": True,
                "items": {"type": "string"},
            },
        }
    )


def _formats() -> dict[str, list[str]]:
    """Each format with the patterns of the types that it is for."""
    fitting: dict[str, list[str]] = {}
    for name, pattern in {
        **{name: name for name in type_names()},
        "decimal(1,0)": _DECIMAL,
    }.items():
        known = column_type(name)
        for form in known.formats if known else ():
            fitting.setdefault(form, []).append(pattern)
    return fitting


def _when(key: str, holds: dict[str, Any], kind: dict[str, Any]) -> dict[str, Any]:
    """The rule that a key with such a value needs a type of some kind."""
    return {
        "if": {"required": [key], "properties": {key: holds}},
        "then": {"properties": {"type": kind}},
    }


def _object(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    closed = {"type": "object", "properties": properties, "additionalProperties": False}
    return closed | ({"required": required} if required else {})


def _described(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, **schema}


def _path(description: str) -> dict[str, Any]:
    return {"description": description, "type": "string", "pattern": _PATH}
