"""Fetch both sides of the comparison for any dataset: the published object, and its source."""

from __future__ import annotations

import io
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError

from tests.integration.ask_source import Refused
from tests.integration.exact_json import Broken, canonical_json, read_values, unpack
from tests.integration.fetch_pages import fetch_pages, raw_pages
from tests.integration.plain_reading import Page, expected_rows
from tests.integration.published import has_hash, source_hash

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_ROOT = Path(__file__).parents[2]
_TYPES = {
    "int32": "int32",
    "int64": "int64",
    "float64": "double",
    "string": "string",
    "boolean": "bool",
    "timestamp": "timestamp[us, tz=UTC]",
    "date": "date32[day]",
    "json": "string",
}
"""The types of a dataset file as pyarrow names them."""
_FOLDERS = (_ROOT / "datasets", _ROOT / "src" / "micro_etl" / "datasets")


def read_dataset(reference: str) -> dict[str, Any]:
    """What TOML makes of a dataset file.

    Args:
        reference: its path, or its name in ``datasets/`` or among the bundled ones.
    """
    named = [folder / f"{reference}.toml" for folder in _FOLDERS]
    for file in (Path(reference), *named):
        if file.is_file():
            return tomllib.loads(file.read_text("utf-8-sig"))
    raise pytest.UsageError(f"DATASET is {reference}: there is no {', '.join(map(str, named))}")


@dataclass(frozen=True)
class Files:
    """Files of an S3 API or of this machine, by their URLs.

    Attributes:
        endpoint: of S3, where it is not AWS's own.
    """

    endpoint: str | None

    @cached_property
    def client(self) -> S3Client:
        """A client of S3."""
        return boto3.client("s3", endpoint_url=self.endpoint)

    def read(self, url: str) -> bytes:
        """The bytes of a file."""
        if not url.startswith("s3://"):
            return Path(url.removeprefix("file://")).read_bytes()
        bucket, key = split_s3(url)
        return self.client.get_object(Bucket=bucket, Key=key)["Body"].read()

    def list(self, url: str) -> list[str]:
        """The URL itself where it is a file, or those of the files below it."""
        if not url.startswith("s3://"):
            path = Path(url.removeprefix("file://"))
            return [str(path)] if path.is_file() else [str(p) for p in _files_below(path)]
        bucket, key = split_s3(url)
        try:
            self.client.head_object(Bucket=bucket, Key=key)
        except ClientError:  # missing, or denied: what is listed decides
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=bucket, Prefix=f"{key.rstrip('/')}/"
            )
            return [f"s3://{bucket}/{o['Key']}" for page in pages for o in page.get("Contents", [])]
        return [url]


def split_s3(url: str) -> tuple[str, str]:
    """The bucket and the key of an ``s3://`` URL."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return bucket, key


def _files_below(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


class _Hidden(dict[str, str]):
    """Variables that a failing test does not show: some of them are secrets."""

    def __repr__(self) -> str:
        return f"{len(self)} variables"


class PublishedDataset:
    """The object that a dataset was published to, downloaded once, and what it was made from.

    Args:
        environ: the variables that say where they are: ``DATASET``; ``S3_BUCKET`` and ``S3_KEY``
            or ``TARGET_URL``; ``RAW_URL`` and ``SOURCE_URL``; ``EXPECTED_RUN_ID``.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = _Hidden(environ)
        self.dataset = read_dataset(environ.get("DATASET") or "launches")
        self.run_id = environ.get("EXPECTED_RUN_ID") or None
        self._files = Files(environ.get("AWS_ENDPOINT_URL") or None)
        bucket, key = self._target()
        answer = self._files.client.get_object(Bucket=bucket, Key=key)
        self.body = answer["Body"].read()
        self.metadata = answer["Metadata"]
        self.content_type = answer["ContentType"]
        self.file = pq.ParquetFile(io.BytesIO(self.body))

    def _target(self) -> tuple[str, str]:
        target = self._environ.get("TARGET_URL")
        if not target:
            key = self._environ.get("S3_KEY") or f"{self.dataset['name']}.parquet"
            return self._environ["S3_BUCKET"], key
        if not target.startswith("s3://"):
            raise pytest.UsageError("TARGET_URL is not in S3, which alone this test can read")
        return split_s3(target)

    @property
    def json_columns(self) -> list[str]:
        """The columns whose text is JSON."""
        columns = self.dataset["columns"]
        return [name for name, column in columns.items() if column["type"].startswith("json")]

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """The rows that readers see; JSON in a form that is equal for equal values."""
        batches = self.file.iter_batches()
        return [self._comparable(row) for batch in batches for row in batch.to_pylist()]

    @cached_property
    def expected_rows(self) -> list[dict[str, Any]]:
        """What the rows must be: by the raw copy that the run kept, or by the source as it is now.

        Where the table is not what the source says now, and the hash does not show that the run
        read the same, nothing can be said of the values: that is a failure with a message of its
        own. (A table that did not change keeps the hash of what it was first made from.)
        """
        published = source_hash(self.metadata)
        kept = self._raw_pages(published)
        if kept:
            return self._expected(kept)
        try:
            pages = self._source_pages()
            rows = self._expected(pages)
            same = len(pages) == 1 and has_hash(unpack(pages[0].body), published)
            if rows == self.rows or same:
                return rows
            reason = "the source has changed since the run, or the table is wrong"
        except (Refused, Broken) as error:
            reason = str(error)
        pytest.fail(
            f"INCONCLUSIVE: {reason}. Run the application with RAW_URL, which keeps what it "
            "reads, then this test again",
            pytrace=False,
        )

    def _expected(self, pages: list[Page]) -> list[dict[str, Any]]:
        return [self._comparable(row) for row in expected_rows(self.dataset, pages)]

    def _comparable(self, row: dict[str, Any]) -> dict[str, Any]:
        texts = {name: row[name] for name in self.json_columns if row.get(name) is not None}
        return row | {name: _canonical(text) for name, text in texts.items()}

    def _raw_pages(self, published: str) -> list[Page]:
        """The pages of the run that made the table; none where they were not kept."""
        if not self._environ.get("RAW_URL"):
            return []
        name = published.partition(":")[2]
        raw = f"{self._environ['RAW_URL'].rstrip('/')}/{self.dataset['name']}/{name}"
        files = self._files.list(f"{raw}.json.gz")
        if not files:
            return raw_pages(self._files.list(raw), self._files.read, self.dataset)
        (page,) = raw_pages(files, self._files.read, self.dataset)
        if not has_hash(unpack(page.body), published):
            pytest.fail(f"the raw copy is not what its name says: {files[0]}", pytrace=False)
        return [page]

    def _source_pages(self) -> list[Page]:
        url = self._environ.get("SOURCE_URL")
        if not url or url.startswith(("http://", "https://")):
            return fetch_pages(self.dataset, self._environ, url=url)
        return raw_pages(self._files.list(url), self._files.read, self.dataset)


def _canonical(text: Any) -> Any:
    if isinstance(text, list):
        return [None if element is None else _canonical(element) for element in text]
    (value,) = read_values(text.encode())
    return canonical_json(value)


def columns_of_file(schema: Any) -> list[tuple[str, str, bool]]:
    """Name, type and nullability of each column of a Parquet file."""
    return [(field.name, _type_of_file(field.type), field.nullable) for field in schema]


def columns_of_dataset(dataset: Mapping[str, Any]) -> list[tuple[str, str, bool]]:
    """The same of each column of a dataset file: what a table of it must have."""
    return [
        (name, _type_of_dataset(column["type"]), not column.get("required", False))
        for name, column in dataset["columns"].items()
    ]


def _type_of_file(kind: Any) -> str:
    """The name of a type of pyarrow; JSON, which is text, as the text that it is."""
    storage = getattr(kind, "storage_type", kind)
    if hasattr(storage, "value_type"):
        return f"list<{_type_of_file(storage.value_type)}>"
    return str(storage)


def _type_of_dataset(kind: str) -> str:
    if kind.endswith("[]"):
        return f"list<{_type_of_dataset(kind[:-2])}>"
    digits = re.fullmatch(r"decimal\(\s*(\d+)\s*,\s*(\d+)\s*\)", kind)
    return f"decimal128({digits[1]}, {digits[2]})" if digits else _TYPES[kind]
