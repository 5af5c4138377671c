"""The settings of a run: environment variables, each with a flag of the same name."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from micro_etl.dataset import Dataset
from micro_etl.errors import ConfigError, UsageError
from micro_etl.location import Location
from micro_etl.source.limits import ExtractOptions, HttpOptions

F = TypeVar("F", bound=Callable[..., Any])

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30}
_DAY = 86_400


class Setting(click.ParamType[Any]):
    """A value that says what it should be when it is not."""

    name = "value"
    should = ""

    def parse(self, text: str) -> Any:
        """The value of a text; a ValueError where it is not what it should be."""
        raise NotImplementedError

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse the text, or fail with what it was and what it should be."""
        try:
            return self.parse(str(value).strip())
        except ValueError:
            self.fail(f"is {str(value)!r}; it should be {self.should}", param, ctx)


class Whole(Setting):
    """A whole number within bounds."""

    name = "number"

    def __init__(self, least: int, most: int) -> None:
        self.least, self.most = least, most
        self.should = f"a whole number from {least} to {most}"

    def parse(self, text: str) -> int:
        """Read the number."""
        if not self.least <= int(text) <= self.most:
            raise ValueError
        return int(text)


class Seconds(Setting):
    """A duration in seconds, more than none and a day at most."""

    name = "seconds"
    should = f"a number of seconds above 0, {_DAY} at most"

    def parse(self, text: str) -> float:
        """Read the number."""
        if not 0 < float(text) <= _DAY:
            raise ValueError
        return float(text)


class ByteSize(Setting):
    """A number of bytes, with a unit or without."""

    name = "bytes"
    should = "a size in bytes such as 500000, 64MiB or 2GB"

    def parse(self, text: str) -> int:
        """Read the number and its unit."""
        found = re.fullmatch(r"([1-9]\d{0,15})\s*(|[kmg]i?)b?", text.lower())
        if not found:
            raise ValueError
        return int(found[1]) * _UNITS[found[2]]


class OneOf(Setting):
    """One of some words."""

    name = "word"

    def __init__(self, *words: str) -> None:
        self.words, self.should = words, f"one of {', '.join(words)}"
        self.name = "|".join(words)

    def parse(self, text: str) -> str:
        """Find the word, whatever its case."""
        return self.words[self.words.index(text.lower())]


def _option(name: str, kind: Any, default: object, text: str) -> Callable[[F], F]:
    """A flag and the environment variable of the same name."""
    return click.option(
        "--" + name.lower().replace("_", "-"),
        type=kind,
        default=default,
        envvar=name,
        show_envvar=True,
        show_default=default is not None,
        help=text,
    )


class BucketName(Setting):
    """The name of a bucket, without a scheme or a key."""

    name = "bucket"
    should = "the name of a bucket, without s3:// and without a slash"

    def parse(self, text: str) -> str:
        """Check the characters that a name or an access point's ARN may have."""
        if not re.fullmatch(r"[\w.:-]*", text):
            raise ValueError
        return text


class RunId(Setting):
    """A name that an object's metadata can carry."""

    name = "id"
    should = "1 to 200 printable ASCII characters"

    def parse(self, text: str) -> str:
        """Check the characters."""
        if not re.fullmatch(r"[ -~]{1,200}", text):
            raise ValueError
        return text


DATASET = _option("DATASET", str, "launches", "Bundled name, path or URL of a dataset file.")

_TARGET = (
    _option("TARGET_TIMEOUT", Seconds(), 60.0, "Seconds for one request to a store."),
    _option("TARGET_DEADLINE", Seconds(), 180.0, "Seconds for such a request with its retries."),
)
_REPORT = (
    _option(
        "LOG_FORMAT",
        OneOf("auto", "text", "json"),
        "auto",
        "Text for people or JSON lines; auto is text on a terminal.",
    ),
    _option(
        "LOG_LEVEL",
        OneOf("info", "warning", "error"),
        "info",
        "The least important event that is printed; the result always is.",
    ),
)
_RUN = (
    DATASET,
    _option(
        "ENGINE",
        OneOf("duckdb", "spark"),
        "duckdb",
        "Spark, from a folder of JSON to a folder of Parquet, is for what one machine can't do.",
    ),
    _option("SOURCE_URL", str, None, "Where the records come from.  [default: the dataset's]"),
    _option("S3_BUCKET", BucketName(), None, "The bucket that the table goes to."),
    _option("S3_KEY", str, None, "The table's key in it.  [default: <dataset>.parquet]"),
    _option(
        "TARGET_URL",
        str,
        None,
        "Any other place for the table: s3://, gs://, az://, a path.  "
        "[default on a terminal: out/<dataset>.parquet]",
    ),
    _option(
        "RAW_URL",
        str,
        None,
        "Keep each distinct response in this folder of a store, gzipped and named by its hash.",
    ),
    _option("SOURCE_ATTEMPTS", Whole(1, 20), 5, "How often to ask the source."),
    _option("SOURCE_CONNECT_TIMEOUT", Seconds(), 10.0, "Seconds for a connection."),
    _option("SOURCE_READ_TIMEOUT", Seconds(), 30.0, "Seconds between two pieces of a response."),
    _option("SOURCE_DEADLINE", Seconds(), 900.0, "Seconds for a response, retries included."),
    _option("SOURCE_BACKOFF", Seconds(), 0.5, "Unit of the wait between attempts, in seconds."),
    _option("SOURCE_BACKOFF_MAX", Seconds(), 30.0, "Longest wait between attempts, in seconds."),
    _option(
        "SOURCE_RETRY_AFTER_MAX",
        Seconds(),
        60.0,
        "Longest wait that the source may ask for, in seconds.",
    ),
    _option("SOURCE_MAX_REDIRECTS", Whole(0, 20), 5, "How many redirects to follow."),
    _option("SOURCE_MAX_PAGES", Whole(1, 1_000_000), 10_000, "How many pages to fetch at most."),
    _option("SOURCE_MAX_BYTES", ByteSize(), "16GiB", "Largest response as it comes."),
    _option("SOURCE_MAX_UNPACKED_BYTES", ByteSize(), "16GiB", "Largest response, decompressed."),
    _option("SOURCE_MAX_RECORD_BYTES", ByteSize(), "16MiB", "Largest single record."),
    *_TARGET,
    _option(
        "RUN_ID",
        RunId(),
        None,
        "Names the run in its log and in the object's metadata.  [default: random]",
    ),
    _option(
        "METRICS_NAMESPACE",
        str,
        None,
        "Print metrics in CloudWatch's embedded format, under this namespace.",
    ),
    *_REPORT,
)


def run_options(command: F) -> F:
    """Give a command every setting of a run."""
    return _apply(_RUN, command)


def store_options(command: F) -> F:
    """Give a command the settings of a store."""
    return _apply(_TARGET, command)


def prefer_flags(values: dict[str, Any], flags: Collection[str]) -> dict[str, Any]:
    """Drop the target that the environment names where a flag names another.

    Args:
        values: the settings by the names of their fields.
        flags: the fields that come from a flag.

    Raises:
        UsageError: two targets, or half of one, by flags; an empty flag.
    """
    for name in flags:
        if values.get(name) == "":
            raise UsageError(f"--{name.replace('_', '-')} is empty; it should be given a value")
    bucket = {"s3_bucket", "s3_key"}
    by_url, by_bucket = "target_url" in flags, not bucket.isdisjoint(flags)
    if by_url and by_bucket:
        raise UsageError(
            "--target-url names a target, and so do --s3-bucket and --s3-key; "
            "only one of them should be given"
        )
    if by_bucket and not values["s3_bucket"]:
        raise UsageError(f"--s3-key is {values['s3_key']}, but --s3-bucket is missing")
    dropped = bucket if by_url else {"target_url"} if by_bucket else set()
    return {name: None if name in dropped else value for name, value in values.items()}


def _apply(options: tuple[Callable[[F], F], ...], command: F) -> F:
    for option in reversed(options):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of a run, read once; see ``micro-etl run --help`` for what each means."""

    dataset: str
    engine: str
    source_url: str | None
    s3_bucket: str | None
    s3_key: str | None
    target_url: str | None
    raw_url: str | None
    source_attempts: int
    source_connect_timeout: float
    source_read_timeout: float
    source_deadline: float
    source_backoff: float
    source_backoff_max: float
    source_retry_after_max: float
    source_max_redirects: int
    source_max_pages: int
    source_max_bytes: int
    source_max_unpacked_bytes: int
    source_max_record_bytes: int
    target_timeout: float
    target_deadline: float
    run_id: str | None
    metrics_namespace: str | None
    log_format: str
    log_level: str

    @property
    def extract_options(self) -> ExtractOptions:
        """What an extract may take."""
        return ExtractOptions(
            http=HttpOptions(
                connect_timeout=self.source_connect_timeout,
                read_timeout=self.source_read_timeout,
                attempts=self.source_attempts,
                backoff=self.source_backoff,
                backoff_max=self.source_backoff_max,
                retry_after_max=self.source_retry_after_max,
                max_redirects=self.source_max_redirects,
            ),
            deadline=self.source_deadline,
            max_bytes=self.source_max_bytes,
            max_unpacked_bytes=self.source_max_unpacked_bytes,
        )

    def source(self, dataset: Dataset) -> Location:
        """Say where the records come from.

        Raises:
            ConfigError: neither the settings nor the dataset say.
        """
        url = self.source_url or dataset.source_url
        if url is None:
            raise ConfigError(
                f"SOURCE_URL is missing, and dataset {dataset.name} has no source.url; "
                "one of them should say where the records come from"
            )
        return Location.parse(url)

    def target(self, dataset: Dataset, *, attended: bool) -> Location:
        """Say where the table goes.

        Args:
            dataset: names the table.
            attended: a person sees the folder ``out``, which is where it goes without a setting.

        Raises:
            ConfigError: two targets, half of one, or none in a run that is not attended.
        """
        name = dataset.name if self.engine == "spark" else f"{dataset.name}.parquet"
        if self.target_url and self.s3_bucket:
            raise ConfigError(
                f"TARGET_URL is {Location.parse(self.target_url).shown} and S3_BUCKET is "
                f"{self.s3_bucket}; only one of them should be set"
            )
        if self.s3_bucket:
            return Location.parse(f"s3://{self.s3_bucket}/{self.s3_key or name}")
        if self.s3_key:
            raise ConfigError(f"S3_KEY is {self.s3_key}, but S3_BUCKET is missing")
        if self.target_url is None and not attended:
            raise ConfigError(
                "the target is missing; S3_BUCKET or TARGET_URL should say where the table goes"
            )
        return Location.parse(self.target_url or f"out/{name}")

    @property
    def raw(self) -> Location:
        """Say where responses are kept; empty where they are not."""
        return Location.parse(self.raw_url or "")
