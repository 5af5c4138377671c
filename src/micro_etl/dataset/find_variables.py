"""Find the variables of the environment that a dataset file needs: ``${NAME}``."""

from __future__ import annotations

from collections.abc import Iterator

from micro_etl.dataset.model import Dataset
from micro_etl.dataset.section import VARIABLE


def find_variables(dataset: Dataset) -> tuple[str, ...]:
    """Find the names of the variables that the source needs, in the order of the file."""
    oauth2 = dataset.oauth2
    parts: list[object] = [dataset.source_url or "", dict(dataset.headers), dataset.body]
    if oauth2:
        parts += [oauth2.token_url, oauth2.client_id, oauth2.client_secret, oauth2.scope]
    names = (name for text in _texts(parts) for name in VARIABLE.findall(text))
    return tuple(dict.fromkeys(names))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for member in value.values():
            yield from _texts(member)
    elif isinstance(value, list):
        for member in value:
            yield from _texts(member)
