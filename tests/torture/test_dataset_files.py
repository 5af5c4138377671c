"""Any dataset file is refused in one line, or compiles to sound SQL for any page."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from micro_etl.body import Body, Layout, Part
from micro_etl.dataset import (
    EVERY,
    Dataset,
    Origin,
    describe,
    find_variables,
    parse_dataset,
    parse_path,
    write_path,
)
from micro_etl.dataset import Path as Steps
from micro_etl.errors import ConfigError, MicroEtlError
from micro_etl.table.transform import transform
from tests.service.dataset_files import DATASETS, write_toml

pytestmark = [pytest.mark.torture, pytest.mark.timeout(800)]

VALUES = st.sampled_from(
    [
        *(None, True, False, 0, 1, -7, 1.5, 2**40, 1_700_000_000, "", "a", "Y", "true", "12.50"),
        *("2020-01-01", "2020-01-01T00:00:00Z", "2020-01-01T00:00:00.1234567", [], {}, [1, 2]),
        *(["a", None], [{"b": 1}], {"a": 1}, {"b": "x"}),
    ]
)


def put(value: Any, path: Steps, leaf: Any) -> Any:
    """A value that has something at a path; what is in its way is replaced."""
    if not path:
        return leaf
    step, rest = path[0], path[1:]
    if step is EVERY:
        inner = [put(one, rest, leaf) for one in value] if isinstance(value, list) else []
        return inner or [put(None, rest, leaf), put(None, rest, leaf)]
    if isinstance(step, int):
        items = [*value] if isinstance(value, list) else []
        items += [None] * (step + 1 - len(items))
        items[step] = put(items[step], rest, leaf)
        return items
    members = dict(value) if isinstance(value, dict) else {}
    members[str(step)] = put(members.get(str(step)), rest, leaf)
    return members


def page_of(draw: st.DataObject, dataset: Dataset) -> Any:
    """A page that has something wherever a column looks, right or wrong."""
    records = []
    for _ in range(draw.draw(st.integers(0, 2))):
        record: Any = {}
        for column in dataset.columns:
            if column.origin is Origin.RECORD and draw.draw(st.integers(0, 9)):
                record = put(record, column.path, draw.draw(VALUES))
        records.append(record)
    is_member = dataset.records[-1:] == (EVERY,)
    found: Any = (records or [{}])[0] if is_member else records
    page = put(None, dataset.records, found)
    for column in dataset.columns:
        if column.origin is Origin.ROOT and EVERY not in column.path:
            page = put(page, column.path, draw.draw(VALUES))
    return page


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(DATASETS, st.data())
def test_any_file_is_refused_in_one_line_or_reads_any_page(root: Any, data: st.DataObject) -> None:
    try:
        dataset = parse_dataset(write_toml(root), label="t.toml")
    except ConfigError:
        return
    assert describe(dataset, known=()).startswith(f"{dataset.name}: ")
    assert len(set(find_variables(dataset))) == len(find_variables(dataset))
    for column in dataset.columns:
        if column.origin is not Origin.SERIES:
            parsed = parse_path(write_path(column.path, column.origin))
            assert parsed is not None
            assert parsed.steps == column.path
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "page.json")
        file.write_text(json.dumps(page_of(data, dataset)))
        layout = Layout.WRAPPED if dataset.is_wrapped else Layout.ARRAY
        body = Body((Part(file, "page", series="A" if dataset.each else None),), layout, 1 << 20)
        with suppress(MicroEtlError):
            transform(body, dataset, scratch=Path(folder))
