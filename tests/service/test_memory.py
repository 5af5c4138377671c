"""Memory does not grow with the rows; values too large for a limit are read all the same."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from micro_etl.table.transform import transform
from tests.service.conftest import Bench, dataset

PROGRAM = """
import resource, sys
from pathlib import Path
from micro_etl.dataset import parse_dataset
from micro_etl.body import Body, Layout, Part
from micro_etl.table.transform import transform
columns = 'n = { type = "int32", unique = true }\\ntext = { type = "string" }'
dataset = parse_dataset(f'name = "table"\\n[columns]\\n{columns}', label="table.toml")
body = Body((Part(Path("body"), "body"),), Layout.ARRAY, 1 << 24)
table = transform(body, dataset, scratch=Path.cwd())
print(table.rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def peak(folder: Path, rows: int) -> int:
    """The most memory that a process has which makes a table of an array of so many records."""
    with (folder / "body").open("w") as body:
        body.write("[")
        for number in range(rows):
            body.write(f'{"," * bool(number)}{{"n": {number}, "text": "{number:0100}"}}')
        body.write("]")
    (folder / "program.py").write_text(PROGRAM)
    program = [sys.executable, "program.py"]
    ended = subprocess.run(
        program, cwd=folder, capture_output=True, text=True, timeout=120, check=True
    )
    made, most = map(int, ended.stdout.split())
    assert made == rows
    return most


def test_memory_does_not_grow_with_the_rows_of_an_array(tmp_path: Path) -> None:
    """It did, by two hundred bytes a row: the engine held them to keep their order."""
    few, many = peak(tmp_path, 250_000), peak(tmp_path, 1_500_000)
    assert many < few + 80_000_000


def test_values_too_large_for_the_count_of_distinct_ones_are_counted(bench: Bench) -> None:
    records = ",".join(f'{{"text": "{number}{"x" * (1 << 20)}"}}' for number in range(70))
    table = bench.table('text = { type = "string", unique = true }', f"[{records}]")
    assert (table.rows, table.columns[0].distinct) == (70, 70)


def test_body_does_not_stay_on_the_disk_beside_its_table(bench: Bench) -> None:
    body = bench.body('[{"text": "x"}]')
    (part,) = body.parts
    transform(
        body,
        dataset('text = { type = "string" }'),
        scratch=bench.folder,
        on_read=part.file.unlink,
    )
    assert not part.file.exists()
