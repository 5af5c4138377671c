"""A dataset and the SQL that it compiles to, side by side; that SQL is also executed.

For each dataset in the folder ``sql`` there is a file of SQL, and one of a body and the rows that
come of it. ``python -m tests.service.test_sql`` writes the SQL anew, to be read before a commit.
"""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from micro_etl.body import Body, Layout, Part
from micro_etl.dataset import bundled_dataset, parse_dataset
from micro_etl.table import parquet, sql
from micro_etl.table import violation_queries as queries
from micro_etl.table.engine import connect
from micro_etl.table.stage import stage
from micro_etl.table.wrapper import levels

FOLDER = Path(__file__).parent / "sql"
NAMES = sorted(file.stem for file in FOLDER.glob("*.toml"))
SEPARATOR = ";\n\n"


def example(name: str) -> dict[str, Any]:
    """Layout, body and rows."""
    parts: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return parts


def compile_all(name: str) -> str:
    """Every statement of a run, and of a run that finds something wrong."""
    dataset = parse_dataset((FOLDER / f"{name}.toml").read_text("utf-8"), label=name)
    body = Body((Part(Path("body.json"), "body.json"),), Layout(example(name)["layout"]), 1 << 24)
    staged, table = Path("staged.parquet"), Path("table.parquet")
    columns = dataset.columns
    statements = {
        "stage": stage(dataset, body, staged),
        "profile": parquet.profile(dataset, parquet.rows_of([staged])),
        "publish": parquet.publish(columns, f"read_parquet({sql.literal(staged)})", table),
        "publish_empty": parquet.publish_empty(columns, Path("empty.parquet")),
        "schema": parquet.schema(table),
        "findings": queries.findings(dataset, body),
        "presence": queries.presence(dataset, body),
    }
    for key in dataset.keys:
        statements[f"repeats of {', '.join(key)}"] = queries.repeats(key, dataset, body)
    if body.layout is Layout.WRAPPED:
        for level in levels(dataset, body):
            statements[f"wrapper at {level.path}"] = (
                f"SELECT {level.container} FROM ({level.rows}) WHERE ({level.sound}) IS NOT TRUE"
            )
    return "".join(f"-- {title}\n{text}{SEPARATOR}" for title, text in statements.items())


@pytest.mark.parametrize("name", NAMES)
def test_a_dataset_compiles_to_the_sql_beside_it(name: str) -> None:
    assert compile_all(name) == (FOLDER / f"{name}.sql").read_text("utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_the_sql_beside_a_dataset_gives_the_rows_beside_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = example(name)
    lines = parts["layout"] == Layout.LINES
    body = "\n".join(map(json.dumps, parts["body"])) if lines else json.dumps(parts["body"])
    monkeypatch.chdir(tmp_path)
    Path("body.json").write_text(body)
    results = {}
    with connect(tmp_path) as engine:
        for statement in (FOLDER / f"{name}.sql").read_text("utf-8").split(SEPARATOR)[:-1]:
            title = statement.splitlines()[0].removeprefix("-- ")
            results[title] = engine.execute(statement).fetchall()
    table = pq.ParquetFile("table.parquet")
    rows = [
        [cell if isinstance(cell, int | float | None) else str(cell) for cell in row.values()]
        for row in table.read().to_pylist()
    ]
    assert rows == parts["rows"]
    assert results["profile"][0][0] == results["presence"][0][0] == len(rows)
    assert results["findings"] == []
    wrong = ("repeats of", "wrapper at")
    assert all(not found for title, found in results.items() if title.startswith(wrong))
    empty = pq.ParquetFile("empty.parquet")
    assert empty.metadata.num_rows == 0
    assert empty.schema.equals(table.schema)


def test_the_bundled_launches_are_among_them() -> None:
    text = (FOLDER / "launches.toml").read_text("utf-8")
    assert parse_dataset(text, label="launches.toml") == bundled_dataset("launches")


@pytest.mark.parametrize(
    ("text", "identifier", "literal"),
    [
        ("a", '"a"', "'a'"),
        ('a"b', '"a""b"', "'a\"b'"),
        ("it's", '"it\'s"', "'it''s'"),
        ('"; DROP TABLE x; --', '"""; DROP TABLE x; --"', "'\"; DROP TABLE x; --'"),
        ("\\'", '"\\\'"', "'\\'''"),
    ],
)
def test_names_and_texts_are_quoted(text: str, identifier: str, literal: str) -> None:
    assert sql.identifier(text) == identifier
    assert sql.literal(text) == literal


def test_a_file_may_have_any_name(tmp_path: Path) -> None:
    """Nothing in it is read as SQL."""
    dataset = parse_dataset('name = "x"\n[columns]\na = { type = "int32" }', label="x")
    for name in ("it's.json", 'a "b".json', "[ab].json", "{x}; --.json", "é.json"):
        file = tmp_path / name
        file.write_text('[{"a": 7}]')
        staged = tmp_path / f"{name}.parquet"
        with connect(tmp_path) as engine:
            engine.execute(
                stage(dataset, Body((Part(file, "the source"),), Layout.ARRAY, 1 << 24), staged)
            )
            assert (
                engine.execute(parquet.profile(dataset, parquet.rows_of([staged]))).fetchall()[0][0]
                == 1
            )
        assert staged.exists()


if __name__ == "__main__":
    for golden in NAMES:
        (FOLDER / f"{golden}.sql").write_text(compile_all(golden), "utf-8")
