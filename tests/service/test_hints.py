"""A path that no record has: what may be meant, and what is beside it."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

from pathlib import Path

import pytest

from micro_etl.dataset import parse_path
from micro_etl.hints import list_paths, name_arrays, suggest_path
from tests.service.command import micro_etl

RECORDS = [{"id": 1, "address": {"city": "Bern", "zip": 3000}}, {"id": 2, "rank": None}]


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("city", "; did you mean address.city? there is address, id, rank"),
        ("address.street", "; there is address.city, address.zip"),
        ("address.citty", "; did you mean address.city? there is address.city, address.zip"),
        ("ident", "; there is address, id, rank"),
        ("adress.zip", "; did you mean address.zip?"),
        ("a.b", ""),
    ],
)
def test_what_is_near_is_suggested(path: str, hint: str) -> None:
    parsed = parse_path(path)
    assert parsed is not None
    assert suggest_path(parsed.steps, list_paths(RECORDS)) == hint
    assert suggest_path(parsed.steps, ()) == ""


def test_arrays_of_a_wrapper_are_named() -> None:
    page = {"data": {"items": [], "more": {"rows": [1]}}, "count": 2}
    assert (
        name_arrays(page)
        == ' (there are arrays at records = "data.items" or records = "data.more.rows")'
    )
    assert name_arrays([]) == name_arrays({}) == ""


def test_a_wrong_path_says_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "d.toml").write_text(
        'name = "d"\n[columns]\n'
        'id = { type = "int32" }\ntown = { type = "string", from = "city" }\n'
    )
    (tmp_path / "x.json").write_text('[{"id": 1, "address": {"city": "Bern"}}]')
    ended = micro_etl(
        tmp_path,
        "run",
        "--dataset",
        "d.toml",
        "--source-url",
        "x.json",
        "--target-url",
        "t.parquet",
    )
    assert ended.code == 65
    assert (
        "city is missing, expected a path that at least one record has; did you mean address.city?"
        " there is address, id" in ended.failure
    )


def test_a_record_that_is_too_deep_for_a_hint_is_still_refused(tmp_path: Path) -> None:
    (tmp_path / "d.toml").write_text('name = "d"\n[columns]\nid = { type = "int32" }\n')
    (tmp_path / "x.json").write_text('[{"x": ' + "[" * 5000 + "]" * 5000 + "}]")
    flags = ("--dataset", "d.toml", "--source-url", "x.json", "--target-url", "t.parquet")
    ended = micro_etl(tmp_path, "run", *flags)
    assert ended.code in (65, 69)
    assert "a defect" not in ended.failure
