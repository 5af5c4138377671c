"""A mistake in a dataset file gets one line: the file, the key, what it was, what is allowed."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

from pathlib import Path

import pytest

from micro_etl.dataset import (
    Column,
    Dataset,
    bundled_dataset,
    bundled_datasets,
    parse_dataset,
    write_path,
)
from micro_etl.errors import ConfigError
from micro_etl.source.limits import ExtractOptions
from micro_etl.source.read_dataset import read_dataset
from tests.service.conftest import dataset

HEAD = 'name = "things"\n'
COLUMN = '[columns]\na = { type = "string" }\n'


def test_every_key_is_read() -> None:
    text = """
        name = "my-things_2"
        description = "Some things."
        source = { url = "s3://bucket/things.json.gz", records = "data.items" }
        publish = { min_rows = 5, max_shrink = 1 }
        [columns]
        b = { from = "x.y", type = "int32", required = true, unique = true }
        a = { type = "json" }
    """
    assert parse_dataset(text, label="things.toml") == Dataset(
        name="my-things_2",
        description="Some things.",
        source_url="s3://bucket/things.json.gz",
        records=("data", "items"),
        min_rows=5,
        max_shrink=1.0,
        columns=(
            Column("b", ("x", "y"), "int32", required=True, unique=True),
            Column("a", ("a",), "json"),
        ),
    )


def test_what_is_left_out_has_a_default() -> None:
    assert parse_dataset(HEAD + COLUMN, label="things.toml") == Dataset(
        "things", "", None, (), 1, 0.1, (Column("a", ("a",), "string"),)
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # the file itself
        ("name = things", "is not TOML: Invalid value (at line 1, column 8): name = things"),
        ("name = 'a'\nname = 'b'", "Cannot overwrite a value (at line 2, column 11): name = 'b'"),
        (
            HEAD + COLUMN + "a = { type = 'json' }",
            "Cannot overwrite a value (at line 4, column 22): a = { type = 'json' }",
        ),
        ("[columns", "is not TOML: "),
        pytest.param("a = " + "[" * 100_000, "is not TOML: ", id="nested deeply"),
        ("", "name is missing; it should be lower-case letters, digits, - and _"),
        # unknown keys, at each level
        ("colums = 1", "colums is not known; the file may hold name, description, source, publish"),
        (HEAD + "[source]\nuri = 1", "source.uri is not known; source may hold url, records"),
        (HEAD + "[publish]\nx = 1", "publish.x is not known; publish may hold min_rows, max_shr"),
        (
            HEAD + "[columns]\na = { typ = 'string' }",
            "columns.a.typ is not known; columns.a may hold from, type, required, unique",
        ),
        # names
        (COLUMN, "name is missing; it should be lower-case letters"),
        ("name = ''\n" + COLUMN, "name is ''; it should be text in quotes"),
        ("name = 5\n" + COLUMN, "name is 5; it should be text in quotes"),
        ("name = 'Things'\n" + COLUMN, "name is 'Things'; it should be lower-case letters"),
        ("name = '../a'\n" + COLUMN, "name is '../a'; it should be lower-case letters"),
        ("name = 'a\\nb'\n" + COLUMN, "name is 'a\\\\nb'; it should be lower-case letters"),
        # sections
        (HEAD + "description = 1\n" + COLUMN, "description is 1; it should be text in quotes"),
        (HEAD + "source = 'x'\n" + COLUMN, "source is 'x'; it should be a table: [source]"),
        (HEAD + "publish = []\n" + COLUMN, "publish is []; it should be a table: [publish]"),
        (HEAD + "columns = 5\n", "columns is 5; it should be a table: [columns]"),
        (HEAD + "[[columns]]\na = 1\n", "columns is [{'a': 1}]; it should be a table: [columns]"),
        (HEAD + "[source]\nurl = ''\n" + COLUMN, "source.url is ''; it should be text in quotes"),
        (HEAD + "[source]\nurl = 1\n" + COLUMN, "source.url is 1; it should be text in quotes"),
        # guards
        *(
            (
                f"{HEAD}[publish]\nmin_rows = {value}\n{COLUMN}",
                f"publish.min_rows is {shown}; it should be a whole number of rows, 0 or more",
            )
            for value, shown in [("-1", "-1"), ("true", "True"), ("1.5", "1.5"), ("'1'", "'1'")]
        ),
        *(
            (
                f"{HEAD}[publish]\nmax_shrink = {value}\n{COLUMN}",
                f"publish.max_shrink is {shown}; it should be a fraction from 0 to 1",
            )
            for value, shown in [
                ("-0.1", "-0.1"),
                ("1.01", "1.01"),
                ("10", "10"),
                ("nan", "nan"),
                ("inf", "inf"),
                ("true", "True"),
                ("'10%'", "'10%'"),
            ]
        ),
        # columns
        (HEAD, "columns is empty; it should name at least one column"),
        (HEAD + "[columns]", "columns is empty; it should name at least one column"),
        (HEAD + "[columns]\na = 'string'", "columns.a is 'string'; it should be a table such as"),
        (HEAD + "[columns]\n'' = { type = 'string' }", "columns has a column without a name"),
        (
            HEAD + "[columns]\na = { type = 'int' }",
            "columns.a.type is 'int'; it should be one of int32, int64, float64, string, boolean, "
            "timestamp, date, json",
        ),
        (HEAD + "[columns]\na = {}", "columns.a.type is missing; it should be one of int32"),
        (HEAD + "[columns]\na = { type = 5 }", "columns.a.type is 5; it should be text in quotes"),
        (
            HEAD + "[columns]\na = { type = 'string', required = 'yes' }",
            "columns.a.required is 'yes'; it should be true or false",
        ),
        (
            HEAD + "[columns]\na = { type = 'string', unique = 1 }",
            "columns.a.unique is 1; it should be true or false",
        ),
        (
            HEAD + "[columns]\na = { type = 'json', unique = true }",
            "columns.a.unique is True; it should be false for a json column",
        ),
        # names and paths that readers or the engine would take for one
        (
            HEAD + "[columns]\nName = { type = 'string' }\nname = { type = 'string' }",
            "columns.name and columns.Name are one name for readers that fold case",
        ),
    ],
)
def test_a_mistake_is_named_in_one_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_dataset(text, label="things.toml")
    assert message in str(refused.value)
    assert str(refused.value).startswith("things.toml")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("links.webcast", ("links", "webcast")),
        ("a", ("a",)),
        ("0.1", ("0", "1")),
        ('links."a.b"', ("links", "a.b")),
        ('"a b"."[0]"."*"', ("a b", "[0]", "*")),
        (r'"say \"hi\""', ('say "hi"',)),
        (r'"back\\slash".x', ("back\\slash", "x")),
        ("größe.日本.a/b~c-d'e", ("größe", "日本", "a/b~c-d'e")),
    ],
)
def test_a_path_is_keys_joined_by_dots(path: str, keys: tuple[str, ...]) -> None:
    column = f"a = {{ from = '''{path}''', type = 'string' }}"
    assert dataset(column).columns[0].path == keys
    assert dataset(column, records='x."y.z"').records == ("x", "y.z")


@pytest.mark.parametrize(
    "keys", [("a", "b"), ("a.b",), ('a"b', "c\\"), ("a b",), ("x[0]", "*"), ("日本", "'")]
)
def test_a_violation_writes_a_path_as_the_dataset_file_does(keys: tuple[str, ...]) -> None:
    assert (
        dataset(f"a = {{ from = '''{write_path(keys)}''', type = 'json' }}").columns[0].path == keys
    )


@pytest.mark.parametrize("path", [".", "a.", ".a", "a..b", '"a', 'a"', '"a"b', "a b"])
def test_a_wrong_path_is_named(path: str) -> None:
    should = r"it should be keys joined by dots, such as links\.webcast"
    with pytest.raises(ConfigError, match=rf"^table.toml: columns\.a\.from is .*; {should}"):
        dataset(f"a = {{ from = '{path}', type = 'string' }}")
    with pytest.raises(ConfigError, match=rf"^table.toml: source\.records is .*; {should}"):
        dataset("a = { type = 'string' }", records=path)


def test_the_launches_are_bundled() -> None:
    assert bundled_datasets() == ["launches"]
    launches = bundled_dataset("launches")
    assert launches.source_url == "https://api.spacexdata.com/v4/launches"
    assert launches.columns == (
        Column("flight_number", ("flight_number",), "int32", required=True, unique=True),
        Column("mission_name", ("name",), "string", required=True),
        Column("launch_date", ("date_utc",), "timestamp", required=True),
        Column("mission_successful", ("success",), "boolean"),
        Column("webcast_url", ("links", "webcast"), "string"),
    )


def read(reference: str, scratch: Path) -> Dataset:
    """The dataset that `DATASET` names."""
    return read_dataset(reference, scratch=scratch, options=ExtractOptions())


def test_a_dataset_is_found_by_name_or_path(tmp_path: Path) -> None:
    file = tmp_path / "things.toml"
    file.write_text(HEAD + COLUMN)
    assert read("launches", tmp_path) == bundled_dataset("launches")
    assert read(str(file), tmp_path).name == "things"


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("rockets", r"DATASET is 'rockets'; it should be a bundled name \(launches\) or the path"),
        ("nowhere.toml", "DATASET is .*nowhere.toml, which can't be read: No such file"),
        ("folder.toml", "DATASET is .*folder.toml, which can't be read: Is a directory"),
        ("latin.toml", "latin.toml is not UTF-8 text; it should be a TOML file"),
    ],
)
def test_a_dataset_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder.toml").mkdir()
    Path("latin.toml").write_bytes(b'name = "caf\xe9"')
    with pytest.raises(ConfigError, match=message):
        read(reference, tmp_path)
