"""However rows move while pages are read: one state of the source is published, or nothing."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from micro_etl.dataset import Dataset, parse_dataset
from micro_etl.errors import SourceError
from micro_etl.location import Location
from micro_etl.source.limits import ExtractOptions, HttpOptions
from micro_etl.source.paging.page import find_records, parse_page
from micro_etl.source.paging.pages import Page, fetch_pages
from tests.service.command import micro_etl
from tests.service.paging_server import KINDS, PagingServer, Sequence, serve_pages

FAST = ExtractOptions(http=HttpOptions(backoff=0.0001, backoff_max=0.0001), deadline=30)
SEQUENCES = 300
TORTURED = 3_000
RUN = 12


@pytest.fixture(scope="module")
def server() -> Iterator[PagingServer]:
    """A server of pages."""
    with serve_pages() as pages:
        yield pages


def read(dataset: Dataset, folder: Path) -> list[tuple[str | None, int]]:
    """The rows of a source, as a table would have them: series and id."""
    kept: list[tuple[int, str | None, list[int]]] = []
    for one in fetch_pages(
        dataset,
        Location.parse(dataset.source_url or ""),
        folder,
        options=FAST,
        max_pages=1000,
        environ={},
    ):
        if isinstance(one, Page):
            page = parse_page(one.extract.file.read_bytes(), name=one.name)
            found = find_records(page, dataset.records)
            assert found is not None
            assert len(found.records) == one.records
            kept.append((one.number, one.series, [record["id"] for _, record in found.records]))
        else:
            kept = [page for page in kept if page[0] < one.first]
    return [(series, row) for _, series, rows in kept for row in rows]


def is_a_state(rows: list[tuple[str | None, int]], sequences: list[Sequence]) -> bool:
    """Whether rows are, for each series, those of one state that it has been in."""
    series = sequences[0].plan.series
    if not series[0]:
        return [row for _, row in rows] in sequences[0].states
    by_series = [[row for name, row in rows if name == one] for one in series]
    in_order = [name for name, _ in itertools.groupby(rows, key=lambda row: row[0])]
    return in_order == [one for one in series if one in in_order] and all(
        found in sequence.states for found, sequence in zip(by_series, sequences, strict=True)
    )


def play(server: PagingServer, seeds: range, folder: Path) -> Counter[str]:
    """Play sequences, and count how they end."""
    ends: Counter[str] = Counter()
    for seed in seeds:
        plan, url, sequences = server.start(seed)
        dataset = parse_dataset(plan.dataset(url), label="t.toml")
        what = f"seed {seed}: {plan}"
        rows, refused = [], ""
        try:
            rows = read(dataset, folder / str(seed))
        except SourceError as error:
            refused = str(error)
        ends["refused" if refused else "published"] += 1
        if refused:
            assert not plan.is_sound, f"{what}: {refused}"
            assert re.search("promised|repeats|total is|go round|has no record", refused), (
                f"{what}: {refused}"
            )
        else:
            assert is_a_state(rows, sequences), f"{what}: {rows} of {sequences}"
        ends[plan.kind] += 1
        ends["moved"] += any(len(sequence.states) > 1 for sequence in sequences)
    return ends


def test_pages_are_of_one_state_or_refused(server: PagingServer, tmp_path: Path) -> None:
    ends = play(server, range(SEQUENCES), tmp_path)
    assert min(ends[kind] for kind in KINDS) > SEQUENCES / 12
    assert ends["published"] > ends["refused"] > 0
    assert ends["moved"] > SEQUENCES / 6


@pytest.mark.torture
@pytest.mark.timeout(600)
def test_pages_of_many_sequences_are_of_one_state_or_refused(
    server: PagingServer, tmp_path: Path
) -> None:
    ends = play(server, range(SEQUENCES, SEQUENCES + TORTURED), tmp_path)
    print(f"{TORTURED:,} sequences: {json.dumps(ends)}")  # noqa: T201 - `make torture` shows it


@pytest.mark.parametrize("seed", range(10**6, 10**6 + RUN))
def test_table_is_of_one_state_or_not_published(
    seed: int, server: PagingServer, tmp_path: Path
) -> None:
    plan, url, sequences = server.start(seed)
    (tmp_path / "t.toml").write_text(plan.dataset(url), "utf-8")
    ended = micro_etl(
        tmp_path, "run", "--force", DATASET="t.toml", TARGET_URL="t.parquet", SOURCE_BACKOFF="0.001"
    )
    if ended.code == 0:
        rows: list[dict[str, Any]] = pq.read_table(tmp_path / "t.parquet").to_pylist()
        assert is_a_state([(row.get("s"), row["id"]) for row in rows], sequences), plan
    else:
        assert ended.code == SourceError.exit_code, ended.failure
        assert not plan.is_sound, ended.failure
        assert not (tmp_path / "t.parquet").exists()
