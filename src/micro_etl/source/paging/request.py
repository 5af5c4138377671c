"""Make the first requests of a dataset, one for each series."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from micro_etl.dataset import Dataset
from micro_etl.errors import ConfigError
from micro_etl.location import Location
from micro_etl.source.fill_variables import fill, fill_url
from micro_etl.source.http.send import Request
from micro_etl.source.paging.page import write_json
from micro_etl.source.paging.pagination import PageRequest

_JSON = "application/json"


class Series(NamedTuple):
    """One series of requests.

    Attributes:
        value: of ``source.each``, or none where the dataset has one series alone.
        first: the first request.
    """

    value: str | None
    first: PageRequest


def first_requests(
    dataset: Dataset, source: Location, environ: Mapping[str, str]
) -> tuple[Series, ...]:
    """Make the first request of each series.

    Args:
        dataset: the contract.
        source: the URL as it is written, ``${NAME}`` and ``{series}`` in it.
        environ: the variables.

    Raises:
        ConfigError: a variable is missing, or the URL has no place for the series.
    """
    values: tuple[str | None, ...] = dataset.each.values if dataset.each else (None,)
    series = tuple(
        Series(
            value,
            PageRequest(
                fill_url(source.text, environ, _placeholders(dataset, value)),
                fill(dataset.body, environ, _placeholders(dataset, value)),
            ),
        )
        for value in values
    )
    if dataset.each and len({one.first.identity for one in series}) < len(series):
        raise ConfigError(
            f"the source of dataset {dataset.name} is {source.shown}, the same for each "
            f"{dataset.each.name}; it should hold {{{dataset.each.name}}}"
        )
    return series


def to_request(page: PageRequest, headers: Mapping[str, str]) -> Request:
    """Make a request of a page's: JSON is posted, anything else is got."""
    location = Location.parse(page.url)
    if page.body is None:
        return Request(location, headers=headers)
    has_type = any(name.lower() == "content-type" for name in headers)
    typed = headers if has_type else {**headers, "Content-Type": _JSON}
    return Request(location, "POST", typed, write_json(page.body).encode())


def _placeholders(dataset: Dataset, value: str | None) -> dict[str, str]:
    return {dataset.each.name: value} if dataset.each and value is not None else {}
