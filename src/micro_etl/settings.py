"""The settings of a run, with their defaults."""

from __future__ import annotations

from typing import NamedTuple

from micro_etl.dataset import Dataset
from micro_etl.errors import ConfigError
from micro_etl.location import Location
from micro_etl.source.limits import ExtractOptions, HttpOptions

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


def _read_url(name: str, text: str) -> Location:
    """Take a URL or path; a scheme that misses a slash would be a folder of that name."""
    location = Location.parse(text)
    if location.without_typo:
        raise _without_scheme(name, location, location.without_typo)
    return location


def _without_scheme(name: str, location: Location, meant: str) -> ConfigError:
    meant = Location.parse(meant).shown
    return ConfigError(f"{name} is {location.shown}, without a scheme; it should be {meant}")
