"""The contract: the dataset file, its columns and paths; no network, no engine, no stores."""

from micro_etl.dataset.bundled import bundled_dataset, bundled_datasets
from micro_etl.dataset.model import EVERY, Column, Dataset, Origin, Path, Step
from micro_etl.dataset.parse import TYPES, parse_dataset

__all__ = [
    "EVERY",
    "TYPES",
    "Column",
    "Dataset",
    "Origin",
    "Path",
    "Step",
    "bundled_dataset",
    "bundled_datasets",
    "parse_dataset",
]
