"""Find the dataset that a name, a path or a URL means."""

from __future__ import annotations

from pathlib import Path

from micro_etl.dataset import LOCAL_FOLDER, Dataset, bundled_dataset, parse_dataset
from micro_etl.errors import ConfigError
from micro_etl.location import Location
from micro_etl.source.limits import ExtractOptions


def read_dataset(reference: str, *, scratch: Path, options: ExtractOptions) -> Dataset:
    """The dataset that ``DATASET`` names.

    Args:
        reference: the name of a file in ``./datasets`` or of a bundled dataset, or the path or URL
            of a ``.toml`` file.
        scratch: a folder for a file that has to be fetched.
        options: how to fetch it.

    Raises:
        ConfigError: there is no such dataset, or its file is wrong.
        SourceError: its URL can't be read.
    """
    location = Location.parse(reference)
    file, label = location.path if location.is_local else Path(), location.shown
    if "://" not in reference and not reference.endswith(".toml"):
        file = LOCAL_FOLDER / f"{reference}.toml"
        if "/" in reference or not file.is_file():
            return bundled_dataset(reference)
        label = str(file)
    if "://" in reference:
        from micro_etl.source.fetch import extract  # HTTP is imported while the engine starts

        file = extract(location, scratch / "dataset.toml", options=options).file
    try:
        text = file.read_text("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"DATASET is {label}, which can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{label} is not UTF-8 text; it should be a TOML file") from None
    return parse_dataset(text, label=label)
