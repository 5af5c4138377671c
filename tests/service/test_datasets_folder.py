"""The dataset files of the project are right, and the example reads pages as its API sends them."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from jsonschema import Draft202012Validator

from micro_etl.dataset import parse_dataset
from micro_etl.dataset.schema import dataset_schema
from tests.service.command import micro_etl
from tests.service.servers import Answer, Request, serve

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "datasets").glob("*.toml"))
DOCS = (ROOT / "docs" / "datasets.md").read_text("utf-8")
LAUNCHES = 120


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_dataset_file_of_the_project_is_right(file: Path) -> None:
    text = file.read_text("utf-8")
    assert parse_dataset(text, label=file.name).name == file.stem
    Draft202012Validator(dataset_schema()).validate(tomllib.loads(text))
    schema = re.match(r"#:schema (\S+)\n", text)
    assert schema
    assert (file.parent / schema[1]).is_file()


def launch(number: int) -> dict[str, Any]:
    """A launch as the API has it; now and then one without a booster."""
    core = {
        "core": f"5e9e{number:04}",
        "flight": number % 9 + 1,
        "landing_success": None if number % 5 == 0 else number % 5 > 1,
        "landing_type": None if number % 5 == 0 else "ASDS",
    }
    return {
        "flight_number": number,
        "name": f"Mission {number}",
        "date_unix": 1_143_239_400 + number * 86_400,
        "cores": [] if number % 7 == 0 else [core],
        "payloads": [f"5eb0{number}", f"5eb1{number}"][: number % 3],
        "links": {"webcast": None},
    }


def answer(request: Request) -> Answer:
    """A page of the query that the dataset file sends."""
    options = json.loads(request.body)["options"]
    page, limit = options.get("page", 1), options["limit"]
    numbers = range(1, LAUNCHES + 1)[(page - 1) * limit : page * limit]
    has_next = page * limit < LAUNCHES
    return Answer(
        body=json.dumps(
            {
                "docs": [launch(number) for number in numbers],
                "totalDocs": LAUNCHES,
                "limit": limit,
                "page": page,
                "hasNextPage": has_next,
                "nextPage": page + 1 if has_next else None,
            }
        ).encode()
    )


def test_the_example_reads_every_page_of_its_api(tmp_path: Path) -> None:
    text = (ROOT / "datasets" / "boosters.toml").read_text("utf-8")
    with serve(answer) as server:
        url = "https://api.spacexdata.com/v4/launches/query"
        (tmp_path / "boosters.toml").write_text(text.replace(url, server.url))
        ended = micro_etl(
            tmp_path, "run", "--dataset", "boosters.toml", "--target-url", "boosters.parquet"
        )
        assert ended.code == 0, ended.out
        assert len(server.requests) == 3
    rows = pq.read_table(tmp_path / "boosters.parquet").to_pylist()
    assert [row["flight_number"] for row in rows] == list(range(1, LAUNCHES + 1))
    assert rows[0]["booster"] == "5e9e0001"
    assert rows[6]["booster"] is None
    assert rows[1]["payloads"] == ["5eb02", "5eb12"]
    assert rows[2]["payloads"] == []
    assert rows[0]["launched"].isoformat() == "2006-03-25T22:30:00+00:00"


def _files_in_docs() -> list[str]:
    """The dataset files of the page, and its parts of one, made whole."""
    files = []
    for block in re.findall(r"^```toml\n(.*?)^```", DOCS, re.MULTILINE | re.DOTALL):
        text = block
        if not re.search(r"^\[?columns", text, re.MULTILINE):
            text += '\n[columns]\nid = { type = "int64", required = true, unique = true }\n'
        if not re.search(r"^name", text, re.MULTILINE):
            text = 'name = "t"\n' + text
        files.append(text)
    return files


@pytest.mark.parametrize("text", _files_in_docs())
def test_every_example_of_the_documentation_is_right(text: str) -> None:
    parse_dataset(text, label="docs/datasets.md")
    Draft202012Validator(dataset_schema()).validate(tomllib.loads(text))


def test_the_documentation_explains_every_key() -> None:
    schema = dataset_schema()
    keys = set(schema["properties"])
    source = schema["properties"]["source"]["properties"]
    keys |= set(source) | set(source["oauth2"]["properties"])
    for kind in source["pagination"]["oneOf"]:
        keys |= set(kind["properties"])
        assert f'kind = "{kind["properties"]["kind"]["const"]}"' in DOCS
    keys |= set(schema["properties"]["columns"]["additionalProperties"]["properties"])
    keys |= set(schema["properties"]["publish"]["properties"])
    assert [key for key in sorted(keys) if f"`{key}`" not in DOCS] == []


def test_the_documentation_explains_the_example_as_it_is() -> None:
    shown = re.search(r"```toml\n(name = \"boosters\".*?)```", DOCS, re.DOTALL)
    assert shown
    text = (ROOT / "datasets" / "boosters.toml").read_text("utf-8")
    assert shown[1] == text.partition("\n")[2]


def test_a_total_is_compared_where_no_page_follows_too(tmp_path: Path) -> None:
    body = json.dumps({"items": [{"id": 1}], "count": 2}).encode()
    with serve(Answer(body=body)) as server:
        source = f'url = "{server.url}"\nrecords = "items"\npagination = {{ kind = "none"'
        columns = '[columns]\nid = { type = "int64" }\n'
        for name, total in (("t", ', total = "count" }'), ("u", " }")):
            text = f'name = "{name}"\n[source]\n{source}{total}\n{columns}'
            (tmp_path / f"{name}.toml").write_text(text)
            ended = micro_etl(
                tmp_path,
                "run",
                "--dataset",
                f"{name}.toml",
                "--target-url",
                "t.parquet",
                SOURCE_ATTEMPTS="1",
            )
            assert ended.code == (69 if name == "t" else 0), ended.out
            assert (tmp_path / "t.parquet").exists() == (name == "u")
