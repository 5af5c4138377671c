"""The contract: the dataset file, its columns and paths; no network, no engine, no stores."""

from micro_etl.dataset.bundled import (
    LOCAL_FOLDER,
    bundled_dataset,
    bundled_datasets,
    local_datasets,
)
from micro_etl.dataset.describe import as_document, describe, describe_name, list_columns
from micro_etl.dataset.find_variables import find_variables
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
    "LOCAL_FOLDER",
    "TYPES",
    "Column",
    "Dataset",
    "Each",
    "OAuth2",
    "Origin",
    "Pagination",
    "Path",
    "Step",
    "as_document",
    "bundled_dataset",
    "bundled_datasets",
    "describe",
    "describe_name",
    "find_variables",
    "list_columns",
    "local_datasets",
    "parse_dataset",
    "parse_path",
    "write_path",
    "write_records",
]
