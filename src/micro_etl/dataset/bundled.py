"""Find the dataset files that a name means: those of the working folder, then the bundled ones."""

from __future__ import annotations

from pathlib import Path

from micro_etl.dataset.model import Dataset
from micro_etl.dataset.parse import parse_dataset
from micro_etl.dataset.section import did_you_mean
from micro_etl.errors import ConfigError

LOCAL_FOLDER = Path("datasets")
"""Where a project keeps its dataset files."""

BUNDLED_FOLDER = Path(__file__).parent.with_name("datasets")
"""Where the bundled ones are, and the JSON Schema of them all."""

SCHEMA_FILE = BUNDLED_FOLDER / "dataset.schema.json"
"""The JSON Schema of a dataset file."""


def bundled_datasets() -> list[str]:
    """The names of the datasets that ship with the package, sorted."""
    return _names(BUNDLED_FOLDER)


def local_datasets() -> list[str]:
    """The names of the dataset files in the folder ``datasets``, sorted."""
    return _names(LOCAL_FOLDER)


def bundled_dataset(name: str) -> Dataset:
    """The bundled dataset of that name.

    Raises:
        ConfigError: no dataset of that name is bundled.
    """
    if name not in bundled_datasets():
        known = [*bundled_datasets(), *local_datasets()]
        raise ConfigError(
            f"DATASET is {name!r}; it should be a bundled name ({', '.join(bundled_datasets())}) "
            f"or the path or URL of a .toml file; there is no {LOCAL_FOLDER / f'{name}.toml'}"
            f"{did_you_mean(name, known)}"
        )
    return parse_dataset((BUNDLED_FOLDER / f"{name}.toml").read_text("utf-8"), label=f"{name}.toml")


def _names(folder: Path) -> list[str]:
    return sorted(file.stem for file in folder.glob("*.toml"))
