"""The settings of a run, with their defaults."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from micro_etl.dataset import Dataset
from micro_etl.errors import ConfigError, UsageError
from micro_etl.location import Location
from micro_etl.setting_types import (
    BucketName,
    ByteSize,
    DatasetReference,
    FileOrUrl,
    OneOf,
    RunId,
    Seconds,
    SettingType,
    Whole,
)
from micro_etl.source.limits import SHA256, XXH128, ExtractOptions, HttpOptions

_HTTP, _EXTRACT = HttpOptions(), ExtractOptions()


class Settings(NamedTuple):
    """The settings of a run; ``micro-etl run --help`` and docs/settings.md say what each means.

    Durations are in seconds, sizes in bytes.
    """

    dataset: str = "launches"
    engine: str = "duckdb"
    source_url: str | None = None
    s3_bucket: str | None = None
    s3_key: str | None = None
    target_url: str | None = None
    raw_url: str | None = None
    source_attempts: int = _HTTP.attempts
    source_connect_timeout: float = _HTTP.connect_timeout
    source_read_timeout: float = _HTTP.read_timeout
    source_deadline: float = _EXTRACT.deadline
    source_backoff: float = _HTTP.backoff
    source_backoff_max: float = _HTTP.backoff_max
    source_retry_after_max: float = _HTTP.retry_after_max
    source_max_redirects: int = _HTTP.max_redirects
    source_max_pages: int = 10_000
    source_max_bytes: int = _EXTRACT.max_bytes
    source_max_unpacked_bytes: int = _EXTRACT.max_unpacked_bytes
    source_max_record_bytes: int = 16 << 20
    target_timeout: float = 60
    target_deadline: float = 180
    run_id: str | None = None
    metrics_namespace: str | None = None
    log_format: str = "auto"
    log_level: str = "info"

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
            hash_algorithm=SHA256 if self.raw_url else XXH128,
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
        location = _read_url("SOURCE_URL", url)
        if location.with_scheme and not location.path.exists():
            raise _without_scheme("SOURCE_URL", location, location.with_scheme)
        return location

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
        return _read_url("TARGET_URL", self.target_url or f"out/{name}")

    @property
    def raw(self) -> Location:
        """Say where responses are kept; empty where they are not."""
        return _read_url("RAW_URL", self.raw_url or "")


TYPES: Mapping[str, SettingType] = {
    "dataset": DatasetReference(),
    "source_url": FileOrUrl(),
    "engine": OneOf("duckdb", "spark"),
    "s3_bucket": BucketName(),
    "s3_key": SettingType(),
    "target_url": FileOrUrl(),
    "raw_url": FileOrUrl(),
    "source_attempts": Whole(1, 20),
    "source_connect_timeout": Seconds(),
    "source_read_timeout": Seconds(),
    "source_deadline": Seconds(),
    "source_backoff": Seconds(),
    "source_backoff_max": Seconds(),
    "source_retry_after_max": Seconds(),
    "source_max_redirects": Whole(0, 20),
    "source_max_pages": Whole(1, 1_000_000),
    "source_max_bytes": ByteSize(),
    "source_max_unpacked_bytes": ByteSize(),
    "source_max_record_bytes": ByteSize(),
    "target_timeout": Seconds(),
    "target_deadline": Seconds(),
    "log_format": OneOf("auto", "text", "json"),
    "log_level": OneOf("info", "warning", "error"),
    "run_id": RunId(),
    "metrics_namespace": SettingType(),
}
"""What the value of each setting is."""


def read_environment(environ: Mapping[str, str]) -> Settings:
    """Read the settings from variables of their names in capitals; an empty one counts as unset.

    Raises:
        ConfigError: a variable is not what it should be.
    """
    values = {}
    for name, kind in TYPES.items():
        variable = name.upper()
        text = environ.get(variable)
        if text:
            try:
                values[name] = kind.read(text)
            except ValueError:
                raise ConfigError(f"{variable} is {text!r}; it should be {kind.should}") from None
    return Settings(**values)


def parse_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """Read settings that a program gives, as the command line reads them.

    Args:
        values: by the names of their fields; a number may be one, or a text such as ``64MiB``.

    Raises:
        UsageError: there is no such setting.
        ConfigError: a value is not what it should be.
    """
    parsed: dict[str, Any] = {}
    for name, value in values.items():
        if name not in TYPES:
            raise UsageError(f"{name} is not a setting; see micro_etl.Settings")
        kind = TYPES[name]
        text = os.fspath(value) if isinstance(value, os.PathLike) else value
        if kind.should and value is not None:
            try:
                text = kind.read(str(value))
            except ValueError:
                raise ConfigError(f"{name} is {value!r}; it should be {kind.should}") from None
        elif not isinstance(text, str | None):
            raise ConfigError(f"{name} is {value!r}; it should be text")
        parsed[name] = text
    return parsed


def _read_url(name: str, text: str) -> Location:
    """Take a URL or path; a scheme that misses a slash would be a folder of that name."""
    location = Location.parse(text)
    if location.without_typo:
        raise _without_scheme(name, location, location.without_typo)
    return location


def _without_scheme(name: str, location: Location, meant: str) -> ConfigError:
    meant = Location.parse(meant).shown
    return ConfigError(f"{name} is {location.shown}, without a scheme; it should be {meant}")
