"""A run does not write where it reads."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

from pathlib import Path

import pytest

from micro_etl.errors import ConfigError
from micro_etl.location import Location
from micro_etl.source.apart import check_apart


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with a source in it, and a link to that."""
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to("in")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("in/", "in/x.parquet"),
        ("in", "in/deep/x.parquet"),
        ("in/", "./in/../in//x.parquet"),
        ("in/", "link/x.parquet"),
        ("link/", "in/x.parquet"),
        ("in/", "file:///{}/in/x.parquet"),
        ("file:///{}/in/", "in/x.parquet"),
        ("in/", "in"),
        ("in/*", "in/x.parquet"),
        ("in/*.json.gz", "in/x.json.gz"),
        ("in/*/*.json.gz", "in"),
        ("x.json", "./x.json"),
        ("s3://b/in/", "s3://b/in/x.parquet"),
        ("s3://b/in/*/x", "s3://b/in/deep/x"),
        ("s3://b/x", "s3://b/x"),
        ("s3://b/", "s3://b/x"),
    ],
)
def test_a_place_in_the_source_is_refused(folder: Path, source: str, place: str) -> None:
    source, place = (text.replace("/{}", str(folder)) for text in (source, place))
    with pytest.raises(ConfigError, match=r"^the target is .*, which is part of the source"):
        check_apart(Location.parse(source), {"the target": Location.parse(place)})


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("in/", "inside/x.parquet"),
        ("in/", "x.parquet"),
        ("in/", "in/_out/x.parquet"),
        ("in/*.json", "in/x.parquet"),
        ("in/deep/", "in"),
        ("s3://b/in/", "s3://b/inside"),
        ("s3://b/in/", "s3://c/in/x"),
        ("s3://b/in/", "in/x"),
        ("https://host/in/", "in/x"),
        ("x.json", "y.json"),
    ],
)
def test_a_place_elsewhere_is_fine(source: str, place: str) -> None:
    check_apart(Location.parse(source), {"the target": Location.parse(place)})
