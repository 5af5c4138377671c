"""What the tests of the Spark engine share: a session, and a bench that compares both engines."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import obstore
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from obstore.store import LocalStore

from micro_etl.dataset import Dataset, Pagination
from micro_etl.errors import ContractError, MicroEtlError, Violation
from micro_etl.location import Location
from micro_etl.source.files import SourceFile
from micro_etl.source.limits import ExtractOptions
from micro_etl.spark.check import check, find_violations
from micro_etl.spark.engine import assemble
from micro_etl.spark.job import Job
from micro_etl.spark.plan import has_lines, plan_splits
from micro_etl.spark.session import missing, open_session
from micro_etl.tablefile import Table
from tests.service.conftest import Bench, dataset

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

COMPARED = pytest.StashKey[list[Any]]()
"""Every input that both engines have read, for the last line of the tests."""


def pytest_configure(config: pytest.Config) -> None:
    """Start to count."""
    config.stash[COMPARED] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what needs Spark where it is not here, with the reason."""
    lacking = missing()
    for item in items:
        if "spark" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.filterwarnings("ignore:PySpark:FutureWarning"))
            if lacking:
                item.add_marker(pytest.mark.skip(reason=f"Spark is not here; it needs {lacking}"))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say how many inputs both engines have read alike: one that they had not fails its test.

    And where Spark is not here, that nothing of it was tested.
    """
    lacking = missing()
    if lacking:
        terminalreporter.write_line(
            f"Spark's tests were left out, since it needs {lacking}; make spark runs them",
            yellow=True,
        )
    compared = config.stash[COMPARED]
    if compared:
        refused = sum(isinstance(outcome, Refusal) for outcome in compared)
        terminalreporter.write_line(
            f"both engines: {len(compared)} inputs, {refused} of them refused; compared whole"
        )


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A session on this machine, opened as the command does it."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setattr(tempfile, "tempdir", None)
        environment.setenv("TMPDIR", "")
        session = open_session(tmp_path_factory.mktemp("spark"))
        session.conf.set("spark.sql.shuffle.partitions", "2")
        yield session
        session.stop()


@dataclass(frozen=True)
class Refusal:
    """Why an engine made no table of its input: everything that a user is told."""

    kind: type[MicroEtlError]
    message: str
    violations: list[Violation] = field(default_factory=list)
    totals: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Made:
    """The table that an engine made of its input: each value with its type, in order."""

    schema: pq.ParquetSchema
    rows: str


def refusal(error: MicroEtlError) -> Refusal:
    """What an error says."""
    if isinstance(error, ContractError):
        return Refusal(type(error), str(error), error.violations, error.totals)
    return Refusal(type(error), str(error))


def outcome(make: Callable[[], list[Path]]) -> Refusal | Made:
    """What comes of an input: the table in some files, or the error that kept it from being."""
    try:
        parts = [pq.ParquetFile(file) for file in make()]
    except MicroEtlError as error:
        return refusal(error)
    schemas = [part.schema for part in parts]
    assert all(schema.equals(schemas[0]) for schema in schemas)
    # As text, in which 1 and 1.0 differ, and 0.0 from -0.0.
    return Made(schemas[0], repr(pa.concat_tables(part.read() for part in parts).to_pylist()))


def same(one: Refusal | Made, other: Refusal | Made) -> bool:
    """Whether two engines made the same of an input."""
    if isinstance(one, Made) and isinstance(other, Made):
        return one.rows == other.rows and one.schema.equals(other.schema)
    return one == other


def etag(file: Path) -> str | None:
    """The ETag of a local file."""
    return obstore.head(LocalStore(), str(file).lstrip("/"))["e_tag"]


@dataclass(frozen=True)
class SparkBench(Bench):
    """Does with Spark what `Bench` does, and compares what comes out with what `Bench` makes.

    A body with a record a line is cut in three or four.

    Attributes:
        spark: the session.
        compared: takes what came of each input.
    """

    spark: SparkSession
    compared: list[Any]

    def job(self, contract: Dataset, text: str | bytes) -> Job:
        """What the tasks of a run over one body do."""
        shutil.rmtree(self.folder / "parts", ignore_errors=True)  # a part replaces no other
        file = self.folder / "body"
        size = file.write_bytes(text if isinstance(text, bytes) else text.encode())
        source = SourceFile(Location.parse(str(file)), "the source", size)

        def lines(source: SourceFile) -> SourceFile | None:
            cut = not contract.records and has_lines(file.read_bytes())
            return source._replace(etag=etag(file)) if cut else None

        return Job(
            # Whether there are more pages is asked by a run, not by `Bench`.
            dataset=contract._replace(pagination=Pagination("none")),
            splits=plan_splits([source], lines, size=size // 3 + 1),
            options=ExtractOptions(),
            max_record=1 << 24,
            parts=Location.parse(str(self.folder / "parts")),
            timeout=10,
            deadline=10,
        )

    def table(self, columns: str, text: str | bytes, *, records: str | None = None) -> Table:
        """The table of a body; where it is several files, the first of them."""
        return self.table_of(dataset(columns, records=records), text)

    def table_of(self, contract: Dataset, text: str | bytes) -> Table:
        """The table of a body by a dataset, after a comparison of both engines."""
        files: list[Path] = []
        errors: list[MicroEtlError] = []
        versions = []

        def by_spark() -> list[Path]:
            job = self.job(contract, text)
            try:
                version = assemble(check(self.spark, job), "version", job, scratch=self.folder)
            except MicroEtlError as error:
                errors.append(error)
                raise
            versions.append(version)
            files.extend(self.folder / "parts" / name for name in version.files)
            return files

        found = outcome(by_spark)
        alone = Bench(Path(tempfile.mkdtemp(dir=self.folder)))
        expected = outcome(lambda: [alone.table_of(contract, text).file])
        assert same(found, expected), f"{found} by Spark, {expected} by DuckDB"
        self.compared.append(found)
        if errors:
            raise errors[0]
        (version,) = versions
        return Table(
            files[0], version.rows, version.bytes, version.sha256, version.schema_sha256, ()
        )

    def rows(
        self, columns: str, text: str | bytes, *, records: str | None = None
    ) -> list[dict[str, Any]]:
        """The rows of all its files, in the order of their names."""
        self.table(columns, text, records=records)
        files = sorted((self.folder / "parts").iterdir())
        return [row for file in files for row in pq.ParquetFile(file).read().to_pylist()]

    def all_violations(
        self, columns: str, text: str | bytes
    ) -> tuple[list[Violation], dict[str, int]]:
        """The first violations of each kind, and totals."""
        return find_violations(self.spark, replace(self.job(dataset(columns), text), parts=None))


@pytest.fixture
def bench(tmp_path: Path, spark: SparkSession, request: pytest.FixtureRequest) -> Bench:
    """A bench in an empty folder; the tests of the other engine take it for theirs."""
    return SparkBench(tmp_path, spark, request.config.stash[COMPARED])
