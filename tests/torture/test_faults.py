"""The fault matrix: the object is the old table or the new one, and one line says which."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Bucket
from tests.torture.data_faults import DATA
from tests.torture.faults import KEY, Fault, suffer
from tests.torture.machine_faults import MACHINE
from tests.torture.reliability import FILE, HEAD, TAIL, Row
from tests.torture.source_faults import SOURCE
from tests.torture.store_faults import STORE

RESULTS = ("run_failed", "run_finished")
FAULTS = [*SOURCE, *DATA, *STORE, *MACHINE]


def parameters() -> list[Any]:
    """Each fault; the slow ones are left to `make torture`."""
    return [
        pytest.param(
            fault,
            id=f"{fault.group}: {fault.name}",
            marks=() if fault.fast else pytest.mark.torture,
        )
        for fault in FAULTS
    ]


@pytest.mark.parametrize("fault", parameters())
def test_fault_leaves_good_data_alone(
    fault: Fault,
    published: Bucket,
    folder: Path,
    tables: tuple[bytes, bytes],
    tls: Mapping[str, Mapping[str, Any]],
    rows: list[Row],
) -> None:
    """The exit code, the line, the requests, and the object are what the matrix says."""
    suffered = suffer(fault, published, folder, tls)
    ended = suffered.ended

    assert (ended.code, ended.err) == (fault.code, ""), ended.out
    assert fault.says in suffered.message
    results = [event["event"] for event in ended.events if event["event"] in RESULTS]
    assert results == ["run_failed" if fault.code else "run_finished"]
    if fault.gets is not None:
        assert suffered.gets == fault.gets
    if fault.puts is not None:
        assert suffered.puts == fault.puts

    now = published.read(KEY)
    if fault.published and fault.group == "data":
        assert now not in tables
    else:
        assert now == tables[fault.published]
    assert published.list_keys() == [KEY]
    assert not published.client.list_multipart_uploads(Bucket=published.name).get("Uploads")
    assert not list((folder / "scratch").iterdir())

    rows.append(
        Row(
            fault.group,
            fault.name,
            suffered.message,
            fault.code,
            str(suffered.gets) if fault.gets is not None else "",
            "new" if fault.published else "same",
        )
    )
    if not os.environ.get("WRITE_RELIABILITY"):
        said = FILE.read_text("utf-8")
        assert rows[-1].line() in said, "docs/reliability.md: run make reliability"


@pytest.mark.parametrize("group", ["source", "data", "store", "machine"])
def test_document_has_each_fault_once(group: str) -> None:
    """Neither more rows nor fewer than the matrix has."""
    text = FILE.read_text("utf-8")
    names = [fault.name for fault in FAULTS if fault.group == group]
    assert len(set(names)) == len(names)
    assert [name for name in names if f"\n| {name} |" not in text] == []


def test_document_says_how_much_was_tried() -> None:
    """The numbers are those of the suite."""
    text = FILE.read_text("utf-8")
    assert text.endswith(TAIL)
    assert HEAD.format(faults=len(FAULTS)) in text
