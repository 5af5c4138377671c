"""The datasets that ship with the package."""

from __future__ import annotations

from pathlib import Path

from micro_etl.dataset.model import Dataset
from micro_etl.dataset.parse import parse_dataset
from micro_etl.errors import ConfigError

_BUNDLED = Path(__file__).parent.with_name("datasets")


def bundled_datasets() -> list[str]:
    """The names of the datasets that ship with the package, sorted."""
    return sorted(file.stem for file in _BUNDLED.glob("*.toml"))


def bundled_dataset(name: str) -> Dataset:
    """The bundled dataset of that name.

    Raises:
        ConfigError: no dataset of that name is bundled.
    """
    if name not in bundled_datasets():
        raise ConfigError(
            f"DATASET is {name!r}; it should be a bundled name ({', '.join(bundled_datasets())}) "
            "or the path or URL of a .toml file"
        )
    return parse_dataset((_BUNDLED / f"{name}.toml").read_text("utf-8"), label=f"{name}.toml")
