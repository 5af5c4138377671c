"""Describe a dataset for a reader, in the words of its file."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from micro_etl.dataset.find_variables import find_variables
from micro_etl.dataset.model import Column, Dataset, Origin, Pagination
from micro_etl.dataset.paths import placeholder, write_path, write_records
from micro_etl.dataset.toml import write_value
from micro_etl.location import Location


def list_columns(dataset: Dataset) -> str:
    """List the columns, one a line: name, type, rules, and how the value is found and written."""
    name_width = max(20, *(len(column.name) + 2 for column in dataset.columns))
    type_width = max(11, *(len(column.type) + 2 for column in dataset.columns))
    return "\n".join(
        f"  {column.name:<{name_width}}{column.type:<{type_width}}"
        f"{', '.join(_rules(dataset, column))}".rstrip()
        for column in dataset.columns
    )


def describe(dataset: Dataset, *, known: Collection[str]) -> str:
    """Describe all of a dataset.

    Args:
        dataset: the dataset.
        known: the names of the variables that are set.
    """
    location = Location.parse(dataset.source_url) if dataset.source_url else None
    names = find_variables(dataset)
    lines = [
        ("from", location.shown if location else "SOURCE_URL, which has to be set"),
        ("sends", _describe_request(dataset)),
        ("records", write_records(dataset.records)),
        ("pages", _describe_pages(dataset.pagination)),
        (
            "expects",
            ", ".join(
                f"{write_path(path)} = {write_value(value)}" for path, value in dataset.expect
            ),
        ),
        ("needs", ", ".join(name if name in known else f"{name} (not set)" for name in names)),
        ("keys", "; ".join(" + ".join(key) for key in dataset.keys)),
        (
            "refuses",
            f"fewer than {dataset.min_rows:,} row{'s' * (dataset.min_rows != 1)}, or the loss of "
            f"more than {dataset.max_shrink:.0%} of the published ones",
        ),
    ]
    told = "\n".join(f"  {title:<9}{text}" for title, text in lines if text)
    return f"{describe_name(dataset)}\n{told}\n\n{list_columns(dataset)}"


def as_document(dataset: Dataset, *, known: Collection[str]) -> dict[str, Any]:
    """Describe a dataset for a program, in values of JSON.

    Args:
        dataset: the dataset.
        known: the names of the variables that are set.
    """
    source, pages = dataset.source_url, dataset.pagination
    return {
        "name": dataset.name,
        "description": dataset.description,
        "source": Location.parse(source).shown if source else None,
        "pagination": pages.kind if pages else None,
        "variables": [{"name": name, "set": name in known} for name in find_variables(dataset)],
        "keys": [list(key) for key in dataset.keys],
        "min_rows": dataset.min_rows,
        "max_shrink": dataset.max_shrink,
        "columns": [
            {
                "name": column.name,
                "type": column.type,
                "required": column.required,
                "unique": column.unique,
            }
            for column in dataset.columns
        ],
    }


def describe_name(dataset: Dataset) -> str:
    """Write name and description."""
    return f"{dataset.name}: {dataset.description or 'no description'}"


def _describe_request(dataset: Dataset) -> str:
    parts = []
    if dataset.body is not None:
        parts.append("a POST with JSON")
    if dataset.headers:
        parts.append(f"the headers {', '.join(dataset.headers)}")
    if dataset.oauth2:
        parts.append(f"a token of {Location.parse(dataset.oauth2.token_url).shown}")
    if dataset.each:
        values = dataset.each.values
        shown = ", ".join(values[:3]) + (", …" if len(values) > 3 else "")
        parts.append(f"one series for each {placeholder(dataset.each.name)}: {shown}")
    return ", ".join(parts)


def _describe_pages(pagination: Pagination | None) -> str:
    if pagination is None:
        return ""
    after = write_path(pagination.next or pagination.field or ())
    words = {
        "link_header": 'the Link header, rel="next"',
        "next_url": f"the URL in {after}",
        "cursor": f"{pagination.param} = {after}",
        "last_record": f"{pagination.param} = {after} of the last record",
        "page_number": f"{pagination.param} = {pagination.start}, and so on",
        "offset": f"{pagination.param} = {pagination.start} + the records so far",
        "none": "one, whatever the source says",
    }
    ends = {
        "while {} is true": pagination.has_more,
        "up to {}": pagination.last_page,
        "{} records in all": pagination.total,
    }
    told = [words[pagination.kind]]
    told += [text.format(write_path(path)) for text, path in ends.items() if path is not None]
    return "; ".join(told)


def _rules(dataset: Dataset, column: Column) -> list[str]:
    rules = [rule for rule in ("required", "unique") if getattr(column, rule)]
    if column.origin is Origin.SERIES:
        rules.append(f"from {placeholder(dataset.each.name if dataset.each else '')}")
    elif column.origin is Origin.KEY:
        rules.append(f"key of {write_path(column.path, Origin.KEY)}")
    elif (column.path, column.origin) != ((column.name,), Origin.RECORD):
        rules.append(f"from {write_path(column.path, column.origin)}")
    if column.format:
        rules.append(f"as {column.format}")
    if column.timezone:
        rules.append(f"at {column.timezone}")
    if column.truncate:
        rules.append("truncated")
    if column.null_values:
        rules.append(f"null for {', '.join(map(write_value, column.null_values))}")
    if column.mapping:
        rules.append(f"mapped from {', '.join(column.mapping)}")
    return rules
