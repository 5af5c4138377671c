"""From a JSON API to a typed, verified Parquet file in an S3 bucket.

As a library: ``run``, ``check``, ``load_dataset``, ``Settings``, ``Dataset`` and the errors.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from micro_etl.dataset import Column, Dataset, parse_dataset
    from micro_etl.errors import (
        AccessDeniedError,
        ConfigError,
        ContractError,
        DataError,
        MachineError,
        MicroEtlError,
        RaceLostError,
        SourceError,
        SourceMissingError,
        TargetError,
        UsageError,
        Violation,
    )
    from micro_etl.events import RunFinished
    from micro_etl.library import check, load_dataset, run
    from micro_etl.log import Report
    from micro_etl.settings import Settings

__all__ = [
    "AccessDeniedError",
    "Column",
    "ConfigError",
    "ContractError",
    "DataError",
    "Dataset",
    "MachineError",
    "MicroEtlError",
    "RaceLostError",
    "Report",
    "RunFinished",
    "Settings",
    "SourceError",
    "SourceMissingError",
    "TargetError",
    "UsageError",
    "Violation",
    "check",
    "load_dataset",
    "parse_dataset",
    "run",
]

_MODULES = {
    "dataset": ("Column", "Dataset", "parse_dataset"),
    "events": ("RunFinished",),
    "library": ("check", "load_dataset", "run"),
    "log": ("Report",),
    "settings": ("Settings",),
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, so that the command pays only for what it uses."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = next((module for module, names in _MODULES.items() if name in names), "errors")
    return getattr(import_module(f"{__name__}.{module}"), name)
