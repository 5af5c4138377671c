"""A run on Spark: a folder of JSON becomes a folder of Parquet, whole or not at all."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import gzip
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import obstore
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from micro_etl.dataset import Dataset, bundled_dataset
from micro_etl.errors import (
    AccessDeniedError,
    ConfigError,
    ContractError,
    DataError,
    RaceLostError,
    SourceError,
    TargetError,
)
from micro_etl.location import Location
from micro_etl.log import JsonReport
from micro_etl.pipeline import run
from micro_etl.publication import Publication, State
from micro_etl.source.files import SourceFile
from micro_etl.spark import check as spark_check
from micro_etl.spark import engine as spark_engine
from micro_etl.spark import plan
from micro_etl.spark.parts import write_part
from micro_etl.spark.target import MANIFEST, publish, remove
from micro_etl.spark.work import explain_all, stage
from micro_etl.store import ENDPOINT_VARIABLES
from tests.conftest import Bucket
from tests.service.command import finish, launches, start
from tests.service.servers import Answer, serve
from tests.service.test_settings import read

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LINES = [json.dumps(record).encode() for record in json.loads(launches(60))]
DATASET = bundled_dataset("launches")._replace(min_rows=3, max_shrink=0.1)


@dataclass(frozen=True)
class Folders:
    """Where records come from and where tables go, in one kind of store.

    Attributes:
        url: of the folder that holds both.
        write: put an object there.
        read: the bytes of an object there.
        names: what is there below the target.
        scratch: a folder for the service.
    """

    url: str
    write: Callable[[str, bytes], Any]
    read: Callable[[str], bytes]
    names: Callable[[], list[str]]
    scratch: Path

    def run(self, source: str = "raw/", dataset: Dataset = DATASET, **options: Any) -> Any:
        """A run on Spark with these as source and target."""
        settings = read("--engine", "spark", "--source-url", f"{self.url}/{source}")
        settings = settings._replace(target_url=f"{self.url}/table/")
        report = JsonReport(level="error", run_id=None)
        return run(
            dataset, settings, run_id="r", scratch=self.scratch, report=report, **options
        ).values

    def published(self) -> list[str]:
        """The names of the published files, by the manifest."""
        lines = self.read(f"table/{MANIFEST}").decode().splitlines()
        assert all(line.startswith(f"{self.url}/table/") for line in lines)
        return [line.removeprefix(f"{self.url}/") for line in lines]

    def table(self) -> pa.Table:
        """What a reader of the manifest sees."""
        return pa.concat_tables(
            pq.read_table(pa.BufferReader(self.read(name))) for name in self.published()
        )


@pytest.fixture(params=["local", "s3"])
def folders(
    request: pytest.FixtureRequest,
    spark: SparkSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Folders]:
    """Each kind of store in turn, with three files of 20 launches."""
    if request.param == "s3":
        bucket: Bucket = request.getfixturevalue("bucket")
        # The tasks run in processes that were started before, with another environment.
        with_environment(monkeypatch, spark, bucket.environ)
        made = Folders(
            f"s3://{bucket.name}",
            lambda key, data: bucket.client.put_object(Bucket=bucket.name, Key=key, Body=data),
            bucket.read,
            lambda: [key for key in bucket.list_keys() if key.startswith("table/")],
            tmp_path,
        )
    else:
        made = Folders(
            str(tmp_path),
            lambda name, data: write(tmp_path / name, data),
            lambda name: (tmp_path / name).read_bytes(),
            lambda: sorted(
                str(file.relative_to(tmp_path))
                for file in (tmp_path / "table").rglob("*")
                if file.is_file()
            ),
            tmp_path,
        )
    fill(made, 20)
    yield made
    spark.catalog.clearCache()


def with_environment(
    monkeypatch: pytest.MonkeyPatch, spark: SparkSession, environ: dict[str, str]
) -> None:
    """Have this process work with these variables, and the tasks with the credentials."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
        if "KEY" in name:
            spark.sparkContext.environment[name] = value


def write(file: Path, data: bytes) -> None:
    """Write a file and its folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


def fill(folders: Folders, count: int) -> None:
    """So many launches in three files: two with a record a line, one gzipped."""
    lines = [json.dumps(record).encode() for record in json.loads(launches(count))]
    third = count // 3
    folders.write("raw/a.ndjson", b"\n".join(lines[:third]))
    folders.write("raw/b.ndjson.gz", gzip.compress(b"\n".join(lines[third : 2 * third])))
    folders.write("raw/c.ndjson", b"\n".join(lines[2 * third :]))


def test_a_folder_becomes_a_folder(folders: Folders) -> None:
    result = folders.run()
    assert (result["result"], result["rows"], result["files"]) == ("published", 20, 3)
    assert result["nulls"] == {
        "flight_number": 0,
        "mission_name": 0,
        "launch_date": 0,
        "mission_successful": 14,
        "webcast_url": 0,
    }
    table = folders.table()
    assert table["flight_number"].to_pylist() == list(range(1, 21))
    assert [field.nullable for field in table.schema] == [False, False, False, True, True]
    assert str(table.schema.field("launch_date").type) == "timestamp[us, tz=UTC]"
    assert len(folders.names()) == 5  # the files, what they are, and the manifest


def test_a_part_outlives_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is on the disk, and so is its name, before any manifest can list it."""
    part, folder, synced = tmp_path / "part", tmp_path / "table" / "version", []

    def fsync(opened: int) -> None:
        synced.append(os.fstat(opened).st_ino)

    write(part, b"PAR1")
    monkeypatch.setattr(os, "fsync", fsync)
    write_part(part, Location.parse(str(folder)), timeout=10, deadline=10)
    paths = (folder / "part", folder, folder.parent)
    assert set(synced) >= {path.stat().st_ino for path in paths}


def test_the_same_records_are_not_published_again(folders: Folders) -> None:
    first = folders.run()
    before = folders.names()
    again = folders.run()
    assert (again["result"], again["sha256"]) == ("unchanged", first["sha256"])
    assert (again["etag"], again["previous_rows"]) == (first["etag"], 20)
    assert folders.names() == before


def test_the_version_before_the_last_is_kept_for_whoever_reads_it(folders: Folders) -> None:
    published: list[list[str]] = []
    for count in (20, 21, 24):
        fill(folders, count)
        assert folders.run()["result"] == "published"
        published.append(folders.published())
        assert folders.table().num_rows == count
    names = set(folders.names())
    assert names.isdisjoint(published[0])
    assert names.issuperset(published[1])
    assert names.issuperset(published[2])
    assert len(names) == 2 * 4 + 1


@pytest.mark.parametrize(
    ("count", "why"),
    [
        (2, "the table has 2 rows; min_rows is 3"),
        (17, "the table has 17 rows, the published one 20; at most 10% may be lost (max_shrink)"),
    ],
)
def test_a_guard_refuses_and_leaves_the_table(folders: Folders, count: int, why: str) -> None:
    folders.run()
    before = folders.names()
    for name in ("b.ndjson.gz", "c.ndjson"):
        folders.write(f"raw/{name}", b"[]")
    folders.write("raw/a.ndjson", b"[]")
    lines = [json.dumps(record) for record in json.loads(launches(count))]
    folders.write("more/a.ndjson", "\n".join(lines).encode())
    with pytest.raises(DataError, match=re.escape(f"not published: {why}; --force")):
        folders.run("more/")
    assert folders.names() == before
    with pytest.raises(DataError, match="the table is empty"):
        folders.run()
    assert folders.names() == before
    assert folders.run("more/", force=True)["result"] == "published"
    assert folders.table().num_rows == count
    assert folders.run(force=True)["rows"] == 0
    assert folders.table().num_rows == 0
    assert folders.table().schema.names == [column.name for column in DATASET.columns]


def test_a_dry_run_writes_nothing(folders: Folders) -> None:
    result = folders.run(dry_run=True)
    assert (result["result"], result["rows"]) == ("would publish", 20)
    assert folders.names() == []


def test_a_violation_names_file_and_record_and_nothing_is_left(folders: Folders) -> None:
    folders.run()
    before = folders.names()
    good = json.loads(launches(30))
    bad = [good[20], {**good[22], "name": 5}, good[21]]
    folders.write("raw/b.ndjson.gz", gzip.compress("\n".join(map(json.dumps, bad)).encode()))
    with pytest.raises(ContractError) as refused:
        folders.run()
    assert [(one.file, one.record, one.path, one.value) for one in refused.value.violations] == [
        ("b.ndjson.gz", 2, "name", "5")
    ]
    assert folders.names() == before


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "b.ndjson.gz answered with an empty body"),
        (b"[]", "a.ndjson is one record a line, b.ndjson.gz an array of records"),
        (b'{"name": "x"}\n{"name": "y', "b.ndjson.gz can't be read as JSON: .*record 2"),
        (gzip.compress(b"{}" * 99)[:-9], "b.ndjson.gz: the gzip stream is cut short"),
    ],
)
def test_a_file_that_is_wrong_is_named(folders: Folders, data: bytes, message: str) -> None:
    folders.write("raw/b.ndjson.gz", data)
    with pytest.raises(SourceError, match=message):
        folders.run()
    assert folders.names() == []


def test_a_manifest_has_the_scheme_that_its_readers_know(folders: Folders) -> None:
    if folders.url.startswith("s3://"):
        capitals = replace(folders, url=folders.url.replace("s3://", "S3://"))
        assert capitals.run()["result"] == "published"
        assert len(folders.published()) == 3


def test_a_run_knows_when_it_has_published(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it removes old versions, a stopped run said that the target was untouched."""
    for count in (20, 21):
        fill(folders, count)
        folders.run()
    publication, seen = Publication(), []

    def watched(step: Callable[..., Any]) -> Callable[..., Any]:
        def watch(*args: Any, **options: Any) -> Any:
            seen.append((step, publication.state))
            return step(*args, **options)

        return watch

    monkeypatch.setattr(spark_engine, "publish", watched(publish))
    monkeypatch.setattr(spark_engine, "remove", watched(remove))
    fill(folders, 22)
    folders.run(publication=publication)
    assert seen == [(publish, State.UNDER_WAY), (remove, State.DONE)]


def test_of_two_runs_at_once_one_is_told_that_it_lost(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders.run()
    fill(folders, 21)
    others: list[Any] = []

    def race(*args: Any, **options: Any) -> Any:
        monkeypatch.setattr(spark_engine, "publish", publish)
        fill(folders, 22)
        others.append(folders.run())
        return publish(*args, **options)

    monkeypatch.setattr(spark_engine, "publish", race)
    with pytest.raises(RaceLostError):
        folders.run()
    assert others[0]["result"] == "published"
    assert folders.table().num_rows == 22
    assert len(folders.names()) == 2 * 4 + 1


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"not a manifest\n",
        b"s3://lake/launches/part-00000-c000.snappy.parquet\n",  # as Delta Lake writes it
        b"/x/20261123T155253Z-a2307d71/part-000000.parquet\n",  # of a version that is gone
        b"../../part-000000.parquet\n",
    ],
)
def test_what_somebody_else_put_there_is_replaced_by_force_alone(
    folders: Folders, manifest: bytes
) -> None:
    folders.write(f"table/{MANIFEST}", manifest)
    with pytest.raises(DataError, match="not published"):
        folders.run()
    assert folders.names() == [f"table/{MANIFEST}"]
    assert folders.run(force=True)["rows"] == 20


def test_a_reader_never_sees_half_of_a_version(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each thing that the driver writes, what the manifest lists is there and whole."""
    folders.run()
    fill(folders, 22)
    seen: list[int] = []

    def observe(write: Callable[..., Any]) -> Callable[..., Any]:
        def observed(*args: Any, **options: Any) -> Any:
            made = write(*args, **options)
            seen.append(folders.table().num_rows)
            return made

        return observed

    monkeypatch.setattr(obstore, "put", observe(obstore.put))
    monkeypatch.setattr(Path, "replace", observe(Path.replace))  # a local manifest
    folders.run()
    assert seen == [20, 22]


@pytest.mark.parametrize("layout", ["array", "wrapped"])
def test_one_file_is_a_source_too(folders: Folders, layout: str) -> None:
    body, dataset = launches(20), DATASET
    if layout == "wrapped":
        body, dataset = b'{"docs": ' + body + b"}", DATASET._replace(records=("docs",))
    folders.write("one.json", body)
    assert folders.run("one.json", dataset)["rows"] == 20
    assert folders.published()[0].endswith("part-000000.parquet")


def test_a_file_that_is_cut_is_one_table(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    folders.write("raw/d.ndjson", b"\n".join(LINES[20:60]))
    monkeypatch.setattr(plan, "SPLIT_BYTES", 3000)
    assert folders.run()["files"] == 3 + 1 + sum(map(len, LINES[20:60])) // 3000
    assert folders.table()["flight_number"].to_pylist() == list(range(1, 61))


def test_a_file_that_changes_while_it_is_read_is_an_error(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the table would be of neither: some splits of the old file, some of the new."""

    def late(job: Any) -> Any:
        folders.write("raw/d.ndjson", b"\n".join(reversed(LINES[20:60])))
        return stage(job)

    folders.write("raw/d.ndjson", b"\n".join(LINES[20:60]))
    monkeypatch.setattr(plan, "SPLIT_BYTES", 3000)
    monkeypatch.setattr(spark_check, "stage", late)
    with pytest.raises(SourceError, match=r"^d\.ndjson has changed while it was read$"):
        folders.run()
    assert folders.names() == []


def test_a_violation_that_is_gone_when_it_is_looked_for_is_an_error(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the table would be published with what was wrong in the records it was made of."""

    def mended(job: Any) -> Any:
        folders.write("raw/d.ndjson", LINES[20])
        return explain_all(job)

    folders.write("raw/d.ndjson", LINES[0])
    monkeypatch.setattr(spark_check, "explain_all", mended)
    with pytest.raises(SourceError, match=r"^d\.ndjson has changed while it was read$"):
        folders.run()
    assert folders.names() == []


def test_a_large_file_that_is_gone_is_an_error_of_the_source(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = [SourceFile(Location.parse(f"{folders.url}/raw/z.ndjson"), "z.ndjson", 1)]
    monkeypatch.setattr(spark_engine, "list_files", lambda *_, **__: gone)
    monkeypatch.setattr(plan, "SPLIT_BYTES", 0)
    with pytest.raises(SourceError, match=r"can't read .*/z\.ndjson: it does not exist"):
        folders.run()


def test_no_source_is_an_error(folders: Folders) -> None:
    with pytest.raises(SourceError, match="has no files"):
        folders.run("nothing/")
    with pytest.raises(SourceError, match="can't"):
        folders.run("nothing.json")
    assert folders.names() == []


def test_a_store_that_is_closed_to_the_tasks_is_an_error(
    bucket: Bucket, tmp_path: Path, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a task meets reaches the user as the error of that kind, not as one of Spark."""
    with_environment(monkeypatch, spark, bucket.environ)
    write(tmp_path / "raw" / "a.ndjson", launches(5))

    def denied(job: Any) -> Any:
        return stage(replace(job, parts=Location.parse("s3://no-such-bucket-at-all/x")))

    monkeypatch.setattr(spark_check, "stage", denied)
    local = Folders(str(tmp_path), lambda *_: None, lambda _: b"", list, tmp_path)
    with pytest.raises((AccessDeniedError, TargetError), match="no-such-bucket"):
        local.run()


def test_tasks_are_told_where_the_stores_are_but_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_SECRET_ACCESS_KEY", *ENDPOINT_VARIABLES):
        monkeypatch.setenv(name, "http://localhost:1")
    settings = read("--engine", "spark", "--source-url", f"{tmp_path}/raw.json")
    job = spark_engine.plan_job(DATASET, settings, Location.parse(f"{tmp_path}/raw.json"), None)
    assert set(job.environ) >= {"AWS_REGION", *ENDPOINT_VARIABLES}
    assert "AWS_SECRET_ACCESS_KEY" not in job.environ


@pytest.mark.usefixtures("spark")
def test_raw_url_has_no_use(tmp_path: Path) -> None:
    flags = ("--engine", "spark", "--source-url", "raw/", "--target-url", "table")
    settings = read(*flags, "--raw-url", "kept")
    report = JsonReport(level="error", run_id=None)
    with pytest.raises(ConfigError, match="RAW_URL is kept and ENGINE is spark"):
        run(DATASET, settings, run_id="r", scratch=tmp_path, report=report)


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("spark")
def test_the_engine_is_one_flag(tmp_path: Path) -> None:
    """The same command with the other engine gives the same table."""
    write(tmp_path / "raw" / "a.json.gz", gzip.compress(launches(7)))
    tables, extracted = {}, []
    for engine, target in (("duckdb", "out/launches.parquet"), ("spark", "out/launches")):
        flags = ("--engine", engine, "--source-url", "raw/", "--target-url", target)
        process = start(tmp_path, "run", *flags)
        ended = finish(process, seconds=120)  # a Java machine starts slowly on a busy one
        assert ended.code == 0, ended.err
        tables[engine] = ended.result
        extracted += [event for event in ended.events if event["event"] == "extracted"]
        assert tables[engine]["rows"] == 7
    for field in ("source", "bytes", "received"):
        assert extracted[0][field] == extracted[1][field]
    assert tables["duckdb"]["target"] == "out/launches.parquet"
    assert tables["spark"]["target"] == "out/launches"
    (part,) = (tmp_path / "out" / "launches").rglob("*.parquet")
    assert part.read_bytes() == (tmp_path / "out" / "launches.parquet").read_bytes()
    assert list((tmp_path / "scratch").glob("micro-etl-*")) == []


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("spark")
def test_no_secret_comes_out_of_a_run_whose_source_says_it(tmp_path: Path) -> None:
    secrets = {name: f"Zq8{name}7Kp2" for name in ("password", "token", "key")}
    with serve(Answer(status=404, body=" ".join(secrets.values()).encode())) as server:
        url = server.url.replace("://", f"://me:{secrets['password']}@")
        source = f"{url}/x.ndjson?token={secrets['token']}"
        environ = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": secrets["key"]}
        process = start(tmp_path, "run", ENGINE="spark", SOURCE_URL=source, **environ)
        ended = finish(process, seconds=120)
    assert (ended.code, ended.err) == (66, "")
    assert "404" in ended.failure
    assert [name for name, value in secrets.items() if value in ended.out] == []
    assert not (tmp_path / "out").exists()


def test_parts_are_read_before_a_run_says_unchanged(folders: Folders) -> None:
    """One that was altered is noticed, and the table is published again."""
    folders.run()
    broken = next(name for name in folders.published() if name.endswith(".parquet"))
    folders.write(broken, b"half a part")
    assert folders.run()["result"] == "published"
    assert folders.table().num_rows == 20
    assert folders.run()["result"] == "unchanged"


def test_a_part_of_another_attempt_stays_and_is_compared(tmp_path: Path) -> None:
    part, folder = tmp_path / "part", Location.parse(str(tmp_path / "version"))
    write(part, b"PAR1 first")
    first = write_part(part, folder, timeout=10, deadline=10)
    assert write_part(part, folder, timeout=10, deadline=10) == first
    part.write_bytes(b"PAR1 late")
    with pytest.raises(TargetError, match=r"holds .* where .* was sent"):
        write_part(part, folder, timeout=10, deadline=10)
    assert (tmp_path / "version" / "part").read_bytes() == b"PAR1 first"


def test_spark_reads_a_table_of_the_other_engine(spark: SparkSession, bundled_table: Path) -> None:
    """Values, instants and nulls are those that other readers see."""
    rows = [row.asDict() for row in spark.read.parquet(str(bundled_table)).collect()]
    expected = pq.read_table(bundled_table).to_pylist()
    assert [row["flight_number"] for row in rows] == [row["flight_number"] for row in expected]
    instants = [row["launch_date"].timestamp() for row in rows]
    assert instants == [row["launch_date"].timestamp() for row in expected]
    assert [row["mission_successful"] for row in rows] == [
        row["mission_successful"] for row in expected
    ]


@pytest.fixture
def bundled_table(tmp_path: Path) -> Path:
    """The table of some launches, made by the command."""
    (tmp_path / "scratch").mkdir()
    (tmp_path / "launches.json").write_bytes(launches(20))
    ended = finish(start(tmp_path, "run", SOURCE_URL="launches.json", TARGET_URL="x.parquet"))
    assert ended.code == 0
    return tmp_path / "x.parquet"
