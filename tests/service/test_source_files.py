"""A source may be a folder or a pattern: its files are read in the order of their names."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from xxhash import xxh3_128

from micro_etl.dataset import bundled_dataset
from micro_etl.errors import SourceError
from micro_etl.location import Location
from micro_etl.source.files import list_files
from micro_etl.source.limits import ExtractOptions
from tests.conftest import Bucket
from tests.service.command import micro_etl
from tests.service.servers import Answer, s3_error, serve

ENDLESS = Answer(
    body=b"<ListBucketResult><Name>bucket</Name><KeyCount>0</KeyCount><IsTruncated>true"
    b"</IsTruncated><NextContinuationToken>T</NextContinuationToken></ListBucketResult>"
)
LAUNCHES = bundled_dataset("launches")
FILES = ("2024/b.json.gz", "2024/a.json", "2025/a.ndjson", "_SUCCESS", ".part.crc", "2024/_tmp/x")


def records(first: int, last: int) -> list[dict[str, object]]:
    """Launches of these numbers."""
    return [
        {"flight_number": n, "name": f"Flight {n}", "date_utc": "2020-01-01T00:00:00Z"}
        | {"success": n % 2 == 0, "links": {"webcast": None if n % 3 else "x"}}
        for n in range(first, last + 1)
    ]


def lines(first: int, last: int) -> str:
    """The same, one a line."""
    return "".join(json.dumps(record) + "\n" for record in records(first, last))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with three files of records, and others that are none."""
    root = tmp_path / "raw"
    for name in FILES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("not records")
    (root / FILES[0]).write_bytes(gzip.compress(lines(4, 5).encode()))
    (root / FILES[1]).write_text(lines(1, 3))
    (root / FILES[2]).write_text(lines(6, 6))
    return root


@pytest.mark.parametrize(
    ("url", "several"),
    [
        ("s3://bucket/raw/", True),
        ("s3://bucket/raw/*.json", True),
        ("s3://bucket/raw", False),
        ("raw/", True),
        ("raw/*.gz", True),
        ("raw/a.json", False),
        ("https://example.com/launches/", False),
        ("http://example.com/?q=*", False),
    ],
)
def test_a_folder_ends_in_a_slash_and_a_pattern_has_a_star(url: str, several: bool) -> None:
    assert Location.parse(url).is_folder is several


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("", ["2024/a.json", "2024/b.json.gz", "2025/a.ndjson"]),
        ("/", ["2024/a.json", "2024/b.json.gz", "2025/a.ndjson"]),
        ("/2024/", ["a.json", "b.json.gz"]),
        ("/*/a.*", ["2024/a.json", "2025/a.ndjson"]),
        ("/2024/*.gz", ["b.json.gz"]),
        ("/20*/*json", ["2024/a.json", "2025/a.ndjson"]),
    ],
)
def test_files_come_in_the_order_of_their_names(
    folder: Path, pattern: str, names: list[str]
) -> None:
    found = list_files(Location.parse(f"{folder}{pattern}"), LAUNCHES, options=ExtractOptions())
    assert [file.name for file in found] == names
    assert all(file.location.path.stat().st_size == file.size for file in found)


def test_a_pattern_may_be_relative(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder / "2024")
    (file,) = list_files(Location.parse("a*"), LAUNCHES, options=ExtractOptions())
    assert file.name == "a.json"


@pytest.mark.parametrize("pattern", ["/nothing/", "/*.csv", "/2024/_tmp/_*"])
def test_no_file_is_an_error(folder: Path, pattern: str) -> None:
    with pytest.raises(SourceError, match="has no files"):
        list_files(Location.parse(f"{folder}{pattern}"), LAUNCHES, options=ExtractOptions())


@pytest.mark.parametrize(
    "name", ["x#1", "a b[1]~é%20?.json", b"\xff.json".decode(errors="surrogateescape")]
)
def test_a_file_is_read_whatever_its_name(folder: Path, tmp_path: Path, name: str) -> None:
    (folder / name).write_text(lines(7, 9))
    ended = micro_etl(tmp_path, "run", "--source-url", str(folder), "--target-url", "t.parquet")
    assert ended.code == 0, ended.failure
    assert ended.result["rows"] == 9


def test_what_a_link_names_is_read(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x.ndjson").write_text(lines(7, 9))
    (folder / "2026").symlink_to(tmp_path / "elsewhere")
    names = [
        file.name
        for file in list_files(Location.parse(f"{folder}/"), LAUNCHES, options=ExtractOptions())
    ]
    assert names[-1] == "2026/x.ndjson"


def test_a_link_to_nothing_is_an_error(folder: Path) -> None:
    (folder / "z.json").symlink_to(folder / "nothing")
    with pytest.raises(SourceError, match=r"can't read .*/z\.json: it does not exist"):
        list_files(Location.parse(str(folder)), LAUNCHES, options=ExtractOptions())


def test_a_link_to_a_folder_above_is_an_error(folder: Path) -> None:
    (folder / "2024" / "up").symlink_to(folder)
    with pytest.raises(SourceError, match="Too many levels of symbolic links"):
        list_files(Location.parse(str(folder)), LAUNCHES, options=ExtractOptions())


def test_records_inside_objects_are_files_too(tmp_path: Path) -> None:
    (tmp_path / "dataset.toml").write_text(
        'name = "t"\n[source]\nrecords = "items"\n[columns]\na = { type = "int32" }\n'
    )
    for name, items in (("1.json", [1, 2]), ("2.json", []), ("3.json", [3])):
        body = {"items": [{"a": item} for item in items], "next": name}
        (tmp_path / "in" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_text(json.dumps(body))
    ended = micro_etl(
        tmp_path, "run", DATASET="dataset.toml", SOURCE_URL="in/", TARGET_URL="t.parquet"
    )
    assert ended.code == 0, ended.failure
    assert pq.read_table(tmp_path / "t.parquet")["a"].to_pylist() == [1, 2, 3]


def test_a_folder_becomes_one_table(folder: Path, tmp_path: Path) -> None:
    one = tmp_path / "one.ndjson"
    one.write_text(lines(1, 6))
    expected = micro_etl(tmp_path, "run", "--source-url", str(one), "--target-url", "one.parquet")
    ended = micro_etl(tmp_path, "run", "--source-url", str(folder), "--target-url", "all.parquet")
    assert ended.code == 0, ended.failure
    assert pq.read_table(tmp_path / "all.parquet")["flight_number"].to_pylist() == [*range(1, 7)]
    assert ended.result["sha256"] == expected.result["sha256"]
    assert ended.result["source_bytes"] == one.stat().st_size
    hashes = [(lines(1, 3), "2024/a.json"), (lines(4, 5), "2024/b.json.gz")]
    hashes += [(lines(6, 6), "2025/a.ndjson")]
    listed = "".join(f"{xxh3_128(t.encode()).hexdigest()}  {name}\n" for t, name in hashes)
    assert ended.result["source_hash"] == f"xxh128:{xxh3_128(listed.encode()).hexdigest()}"


def test_a_prefix_of_a_bucket_is_a_folder(bucket: Bucket, folder: Path, tmp_path: Path) -> None:
    for file in folder.rglob("*"):
        if file.is_file():
            bucket.client.upload_file(str(file), bucket.name, f"raw/{file.relative_to(folder)}")
    bucket.client.put_object(Bucket=bucket.name, Key="rawer/x.json", Body=b"not records")
    for source, rows in {"raw/": 6, "raw/2024/*.json*": 5, "raw/*/a*": 4}.items():
        url = f"s3://{bucket.name}/{source}"
        flags = ("--source-url", url, "--target-url", "t.parquet", "--force")
        ended = micro_etl(tmp_path, "run", *flags, **bucket.environ)
        assert ended.code == 0, ended.failure
        assert ended.result["rows"] == rows


def test_an_object_that_marks_a_folder_is_no_file(bucket: Bucket, tmp_path: Path) -> None:
    """As S3's console makes it: empty, with a name that ends in a slash."""
    for key in ("raw/", "raw/2024/", "raw/2025/"):
        bucket.client.put_object(Bucket=bucket.name, Key=key, Body=b"")
    bucket.client.put_object(Bucket=bucket.name, Key="raw/2024/a.json", Body=lines(1, 3).encode())
    url = f"s3://{bucket.name}/raw/"
    flags = ("--source-url", url, "--target-url", "t.parquet")
    ended = micro_etl(tmp_path, "run", *flags, **bucket.environ)
    assert ended.code == 0, ended.failure
    assert ended.result["rows"] == 3
    bucket.client.put_object(Bucket=bucket.name, Key="raw/2024/b.json", Body=b"")
    ended = micro_etl(tmp_path, "run", *flags, **bucket.environ)
    assert ended.failure == "2024/b.json answered with an empty body; it should be JSON records"


def test_a_violation_names_the_file_and_the_record_in_it(folder: Path, tmp_path: Path) -> None:
    (folder / FILES[0]).write_text(lines(4, 4) + '{"flight_number": "x"}\n' + lines(2, 2))
    ended = micro_etl(tmp_path, "run", "--source-url", str(folder), "--target-url", "t.parquet")
    assert ended.code == 65
    assert ended.result["violations"] == [
        'record 2 of 2024/b.json.gz: flight_number is "x", expected a whole number from '
        "-2147483648 to 2147483647",
        "record 2 of 2024/b.json.gz: date_utc is missing, expected a date and time with a zone, "
        "such as 2006-03-24T22:30:00.000Z",
        "record 2 of 2024/b.json.gz: name is missing, expected a string",
        "record 3 of 2024/b.json.gz: flight_number is 2, expected a value that no other record has",
    ]
    assert not (tmp_path / "t.parquet").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "2024/b.json.gz answered with an empty body"),
        ("<html>", "2024/b.json.gz answered with '<html>'"),
        ("[]", "2024/a.json is one record a line, 2024/b.json.gz an array of records"),
        ('{"flight_number": 1}\n{"name": }\n', "2024/b.json.gz can't be read as JSON: .*record 2"),
        (gzip.compress(b"x" * 99)[:-9], "2024/b.json.gz: the gzip stream is cut short"),
    ],
)
def test_a_file_that_is_wrong_is_named(
    folder: Path, tmp_path: Path, text: str | bytes, message: str
) -> None:
    (folder / FILES[0]).write_bytes(text if isinstance(text, bytes) else text.encode())
    ended = micro_etl(tmp_path, "run", "--source-url", str(folder), "--target-url", "t.parquet")
    assert ended.code == 69
    assert re.search(message, ended.failure)


def test_each_file_is_kept_raw(folder: Path, tmp_path: Path) -> None:
    flags = ("--source-url", str(folder), "--target-url", "t.parquet", "--raw-url", "kept")
    assert micro_etl(tmp_path, "run", *flags).code == 0
    kept = (tmp_path / "kept" / "launches").iterdir()
    assert sorted(gzip.decompress(file.read_bytes()) for file in kept) == [
        text.encode() for text in (lines(1, 3), lines(4, 5), lines(6, 6))
    ]


def test_lines_and_objects_of_any_layout_are_read_together(folder: Path, tmp_path: Path) -> None:
    def write(name: str, text: str) -> None:
        (folder / name).write_text(text)

    write(FILES[0], "".join(json.dumps(record, indent=2) for record in records(4, 5)))
    write(FILES[2], json.dumps(*records(6, 6), indent=2))
    ended = micro_etl(tmp_path, "run", "--source-url", str(folder), "--target-url", "t.parquet")
    assert ended.code == 0, ended.failure
    assert pq.read_table(tmp_path / "t.parquet")["flight_number"].to_pylist() == [*range(1, 7)]


def test_a_file_may_be_one_object(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    for number in range(1, 4):
        (tmp_path / "raw" / f"{number}.json").write_text(json.dumps(*records(number, number)))
    ended = micro_etl(tmp_path, "run", "--source-url", "raw/", "--target-url", "t.parquet")
    assert ended.code == 0, ended.failure
    assert ended.result["rows"] == 3


def test_a_target_in_the_source_is_refused_at_the_start(folder: Path, tmp_path: Path) -> None:
    flags = ("--source-url", "raw/", "--target-url", "raw/launches.parquet")
    ended = micro_etl(tmp_path, "run", *flags)
    assert ended.code == 78
    assert ended.failure.startswith("the target is raw/launches.parquet, which is part of the")
    kept = micro_etl(tmp_path, "run", *flags[:2], "--target-url", "t", "--raw-url", "raw/kept")
    assert kept.failure.startswith("RAW_URL is raw/kept, which is part of the source raw/")
    assert not (folder / "kept").exists()


@pytest.mark.parametrize("name", ["a b", "a%20b", "a?b#c"])
def test_a_folder_may_be_a_url(folder: Path, tmp_path: Path, name: str) -> None:
    (folder / "2024" / f"{name}.json").write_text(lines(7, 9))
    url = f"file://{tmp_path}/r%61w/"
    ended = micro_etl(tmp_path, "run", "--source-url", url, "--target-url", "t.parquet")
    assert ended.code == 0, ended.failure
    assert ended.result["rows"] == 9


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (s3_error(403, "AccessDenied"), 77, "AccessDenied"),
        (s3_error(401, "Unauthorized"), 77, "Unauthorized"),
        (s3_error(404, "NoSuchBucket"), 66, "there is no such bucket"),
        (ENDLESS, 69, "not complete within 1 s (SOURCE_DEADLINE)"),
    ],
)
def test_a_listing_that_fails_ends_as_an_object_does(
    tmp_path: Path, answer: Answer, code: int, said: str
) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "SOURCE_DEADLINE": "1"}
    with serve(answer) as server:
        flags = ("--source-url", "s3://bucket/raw/", "--target-url", "x.parquet")
        ended = micro_etl(tmp_path, "run", *flags, AWS_ENDPOINT_URL=server.url, **keys)
    assert ended.code == code, ended
    assert said in ended.failure
