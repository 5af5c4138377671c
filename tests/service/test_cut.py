"""A response may be cut anywhere: the table is that of the whole, or the violation is."""

# ruff: noqa: D103, E501 - a test's name is its promise; some texts are long
from __future__ import annotations

import gzip
import hashlib
import re
from itertools import pairwise
from pathlib import Path

import pytest

import micro_etl
from micro_etl.body import Body, Layout, Part, uncut
from micro_etl.dataset import Dataset
from micro_etl.errors import ContractError, SourceError
from micro_etl.source.cut import Cutter
from micro_etl.source.hashing import Hasher, hash_text
from micro_etl.source.limits import SHA256, XXH128
from micro_etl.table.engine import start
from micro_etl.table.staging import Staging
from micro_etl.table.transform import transform, write_table
from tests.service.command import launches
from tests.service.conftest import dataset
from tests.service.servers import Answer, serve

COLUMNS = 'a = { type = "int64", required = true, unique = true }\nb = { type = "json" }'

ARRAYS = {
    "compact": '[{"a":1,"b":2},{"a":3,"b":null},{"a":5}]',
    "pretty": '[\n  {\n    "a": 1,\n    "b": [{\n "a": 7\n}, {\n    "a": 8\n}]\n  },\n  {\n    "a": 2\n  }\n]\n',
    "nested": '[{"a":1,"b":[{"a":1},{"a":2},{"a":[{"a":1},{"a":2}]}]},{"a":2,"b":[{"a":1},{"a":2}]},{"a":3}]',
    "strings": r'[{"a":1,"b":"x},{\"a\":1},{"},{"a":2,"b":"}]"},{"a":3,"b":"\\"},{"a":4,"b":"},{"}]',
    "deep": '[{"a":1,"b":{"c":[{"d":1},{"a":2},{"a":3},{"a":4},{"a":5},{"a":6},{"a":7}]}},{"a":2}]',
    "broken": '[{"a":1},{"a":2,"b":[{"a":1},{"a":2}},{"a":3},{"a":4}]',
    "closed early": '[{"a":1},{"a":2}],{"a":3},{"a":4}]',
    "cut short": '[{"a":1},{"a":2},{"a":3,"b":[{"a":1},{"a":2}]',
    "violation": '[{"a":1},{"a":2},{"a":"x","b":[{"a":1},{"a":2}]},{"a":4}]',
    "missing": '[{"a":1},{"a":2},{"b":[{"a":1},{"a":2}]},{"a":4},{}]',
    "repeated": '[{"a":1},{"a":2,"b":[{"a":1},{"a":2}]},{"a":1},{"a":2}]',
    "null": '[{"a":1},{"a":2},null,{"a":4}]',
}
LINES = {
    "lines": '{"a":1,"b":[{"a":1},{"a":2}]}\n{"a":2,"b":"\\n{"}\n\n{"a":3}\n',
    "wrong line": '{"a":1}\n{"a":2}\n{"a":3}}\n{"a":4}\n',
    "wrong value": '{"a":1}\n{"a":2}\n{"a":"x"}\n{"a":4}',
}


@pytest.fixture(params=[1, 2, 1_000])
def in_a_pass(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many parts at most are staged in one pass, where several wait for it."""
    monkeypatch.setattr("micro_etl.table.staging._MOST_PARTS", request.param)
    if request.param < 1_000:  # and their rows are gathered as soon as they are staged
        monkeypatch.setattr("micro_etl.table.staging._LEAST_BYTES", 0)
        monkeypatch.setattr("micro_etl.table.gathered._TOGETHER", 1)


def result(table: Path | None, error: Exception | None) -> object:
    """What is compared: the bytes of the table, or what is said instead."""
    if isinstance(error, ContractError):
        return error.violations, error.totals
    return str(error) if error else table and hashlib.sha256(table.read_bytes()).hexdigest()


def whole(text: bytes, layout: Layout, contract: Dataset, folder: Path) -> object:
    """The result of a response in one part."""
    folder.mkdir()
    file = folder / "body"
    file.write_bytes(text)
    body = Body((Part(file, "the source"),), layout, 1 << 24)
    try:
        return result(transform(body, contract, scratch=folder).file, None)
    except (ContractError, SourceError) as error:
        return result(None, error)


def staged(parts: list[Part], layout: Layout, contract: Dataset, folder: Path) -> object:
    """The result of a response in several parts."""
    staging = Staging(contract, scratch=folder, engine=start(folder))
    for part in parts:
        staging.add(Body((part,), layout, 1 << 24))
    body = Body(tuple(parts), layout, 1 << 24)
    try:
        return result(write_table(body, contract, staging, scratch=folder).file, None)
    except (ContractError, SourceError) as error:
        return result(None, error)


def cut_at(text: bytes, places: list[tuple[int, int]], folder: Path) -> list[Part]:
    """Parts of an array that is cut where one part ends and the next starts."""
    folder.mkdir()
    bounds = [(0, 0), *places, (len(text), len(text))]
    parts = []
    for number, ((end, begin), (stop, _)) in enumerate(pairwise(bounds)):
        file = folder / f"body-{number}"
        piece = text[begin:stop]
        piece = b"[" + piece if number else piece
        file.write_bytes(piece + b"]" if stop < len(text) else piece)
        parts.append(Part(file, "the source", joint=text[end:begin] if number else None))
    return parts


def cut_by(size: int, text: bytes, layout: Layout, folder: Path, step: int = 7) -> list[Part]:
    """The parts that a cutter makes of a response that comes in pieces of some bytes."""
    folder.mkdir()
    cutter = Cutter("the source", size=size)
    with Hasher("the source") as hasher, cutter.open(folder / "body", hasher) as written:
        for at in range(0, len(text), step):
            written.write(text[at : at + step])
    assert b"".join(uncut(cutter.parts, layout)) == text
    assert hasher.hash == hash_text(text.decode("utf-8", "surrogateescape"), XXH128)
    return cutter.parts


@pytest.mark.usefixtures("in_a_pass")
@pytest.mark.parametrize("name", ARRAYS)
def test_table_or_violation_is_that_of_the_whole_wherever_an_array_is_cut(
    name: str, tmp_path: Path
) -> None:
    """At one place, at two neighbours, and at all: what looks like a boundary often is none."""
    text, contract = ARRAYS[name].encode(), dataset(COLUMNS)
    expected = whole(text, Layout.ARRAY, contract, tmp_path / "whole")
    places = [(found.start() + 1, found.end() - 1) for found in re.finditer(rb"\}\s*,\s*\{", text)]
    cuts = [[place] for place in places] + [places[at : at + 2] for at in range(len(places))]
    for number, chosen in enumerate([*cuts, places]):
        folder = tmp_path / str(number)
        parts = cut_at(text, chosen, folder)
        assert staged(parts, Layout.ARRAY, contract, folder) == expected, chosen


@pytest.mark.usefixtures("in_a_pass")
@pytest.mark.parametrize("name", ["compact", "nested", "violation"])
def test_pages_are_staged_where_one_of_them_is_cut(name: str, tmp_path: Path) -> None:
    """A page before it and one after it stand in its passes."""
    text, contract = ARRAYS[name].encode(), dataset(COLUMNS.replace(", unique = true", ""))
    places = [(found.start() + 1, found.end() - 1) for found in re.finditer(rb"\},\{", text)]
    tables = []
    for number, chosen in enumerate([[], *([place] for place in places), places]):
        folder = tmp_path / str(number)
        parts = cut_at(text, chosen, folder)
        for page in ("before", "after"):
            (folder / page).write_bytes(b'[{"a":10},{"a":11}]')
        pages = [Part(folder / "before", "before"), *parts, Part(folder / "after", "after")]
        tables.append(staged(pages, Layout.ARRAY, contract, folder))
    assert tables == tables[:1] * len(tables)


@pytest.mark.usefixtures("in_a_pass")
@pytest.mark.parametrize("name", [*ARRAYS, *LINES])
def test_cutter_makes_parts_of_which_comes_the_table_of_the_whole(
    name: str, tmp_path: Path
) -> None:
    layout = Layout.LINES if name in LINES else Layout.ARRAY
    text, contract = (ARRAYS | LINES)[name].encode(), dataset(COLUMNS)
    expected = whole(text, layout, contract, tmp_path / "whole")
    seen = set()
    for size in range(6, len(text)):
        parts = cut_by(size, text, layout, tmp_path / str(size))
        starts = tuple(part.file.stat().st_size for part in parts)
        if starts not in seen:
            seen.add(starts)
            assert staged(parts, layout, contract, tmp_path / str(size)) == expected
    assert len(seen) > 1


@pytest.mark.parametrize("kind", ["plain", "gzip"])
def test_run_publishes_the_same_table_and_keeps_the_same_copy_of_a_response_in_parts(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first answer breaks off after parts of it were staged; the second is complete."""
    text = launches(50)
    body = gzip.compress(text, 0) if kind == "gzip" else text
    broken = Answer(body=body, sent=len(body) // 2)
    found = {}
    for size in (len(text), 500):
        monkeypatch.setattr("micro_etl.source.read.PART_SIZE", size)
        folder = tmp_path / str(size)
        with serve(broken, Answer(body=body)) as server:
            finished = micro_etl.run(
                "launches",
                source_url=server.url,
                target_url=str(folder / "table.parquet"),
                raw_url=str(folder / "raw"),
            )
        assert (finished.rows, finished.source_hash) == (50, hash_text(text.decode(), SHA256))
        (copy,) = (folder / "raw").rglob("*.gz")
        assert gzip.decompress(copy.read_bytes()) == text
        found[size] = finished.sha256
    assert len(set(found.values())) == 1
