"""On a terminal, one line says how far a run is; elsewhere nothing does."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from micro_etl import run
from micro_etl.log import Report
from micro_etl.progress import ProgressLine, progress_text
from micro_etl.text_log import TextReport
from tests.service.command import launches
from tests.service.servers import Answer, serve
from tests.service.test_cli import on_terminal


@pytest.mark.parametrize(
    ("come", "text"),
    [
        ({}, "2 s"),
        ({"received": 1000}, "1.0 kB, 500 B/s, 2 s"),
        (
            {"received": 1000, "total": 4000, "pages": 3, "records": 1234},
            "1.0 kB of 4.0 kB (25%), 500 B/s, 3 pages, 1,234 records, 2 s",
        ),
        ({"received": 5000, "total": 4000}, "5.0 kB of 4.0 kB (100%), 2.5 kB/s, 2 s"),
        ({"pages": 1, "records": 1}, "1 page, 1 record, 2 s"),
        ({"total": 20_000_000}, "20.0 MB, 2 s"),
    ],
)
def test_the_line_has_phase_percent_pages_and_records(come: dict[str, int], text: str) -> None:
    assert progress_text("upload", seconds=2, **come) == f"upload    {text}"


def test_each_phase_is_drawn_while_it_lasts_and_nothing_is_left_of_it(tmp_path: Path) -> None:
    with serve(Answer(body=launches(3), trickle_body=0.001)) as server:
        code, screen = on_terminal(
            tmp_path, "run", SOURCE_URL=server.url, TARGET_URL="made.parquet", COLUMNS="60"
        )
    assert code == 0, screen
    drawn = re.findall(r"\r\x1b\[K(source {4}[^\r\n\x1b]*B/s[^\r\n\x1b]*)(?=\r)", screen)
    assert len(drawn) > 2, screen
    assert re.fullmatch(r"source    \d+ B of \d+ B \(\d+%\), \d+ B/s, \d s", drawn[-1])
    assert drawn[-1] != drawn[0]
    assert "published" in screen.splitlines()[-1]


def test_table_and_upload_are_drawn_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    """Of an upload only its size is known: the client takes it as a whole."""
    line = ProgressLine(live=True)
    for phase, total, drawn in (
        ("table", None, "table     0 s"),
        ("upload", 5, "upload    5 B, 0 s"),
    ):
        line.begin(phase, total)
        end, screen = time.monotonic() + 5, ""
        while drawn not in screen and time.monotonic() < end:
            time.sleep(0.01)
            screen += capsys.readouterr().err
        assert f"\r\x1b[K{drawn}" in screen
    with line.hidden(for_good=True):
        assert capsys.readouterr().err.endswith("\r\x1b[K")


class Phases(Report):
    """Notes the phases of a run."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, bool]] = []

    def phase(self, name: str, total: int | None = None) -> None:
        """Note one, and whether its size is known."""
        self.seen.append((name, total is not None))


def test_a_run_has_three_phases_and_a_dry_run_uploads_nothing(tmp_path: Path) -> None:
    (tmp_path / "launches.json").write_bytes(launches(3))
    for dry_run, last in ((True, "check"), (False, "upload")):
        phases = Phases()
        run(
            dry_run=dry_run,
            report=phases,
            source_url=str(tmp_path / "launches.json"),
            target_url=str(tmp_path / "launches.parquet"),
        )
        assert phases.seen == [("source", False), ("table", False), (last, True)]


def test_nothing_is_drawn_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    report = TextReport(level="info", color=None, live=False)
    report.phase("source")
    report.progress(1, 2)
    report.arrived(1, 2)
    report.preview(lambda: "rows")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("\nrows\n\n", "")
