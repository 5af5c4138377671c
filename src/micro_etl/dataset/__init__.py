"""The contract: the dataset file, its columns and paths; no network, no engine, no stores."""

from micro_etl.dataset.bundled import bundled_dataset, bundled_datasets
from micro_etl.dataset.model import (
    EVERY,
    Column,
    Dataset,
    Each,
    OAuth2,
    Origin,
    Pagination,
    Path,
    Step,
)
from micro_etl.dataset.parse import TYPES, parse_dataset
from micro_etl.dataset.paths import parse_path, write_path, write_records

__all__ = [
    "EVERY",
    "TYPES",
    "Column",
    "Dataset",
    "Each",
    "OAuth2",
    "Origin",
    "Pagination",
    "Path",
    "Step",
    "bundled_dataset",
    "bundled_datasets",
    "parse_dataset",
    "parse_path",
    "write_path",
    "write_records",
]
