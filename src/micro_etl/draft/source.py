"""Ask an API for pages, as the dataset file that is drafted will."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from micro_etl.dataset import parse_dataset
from micro_etl.draft.find_records import Candidate
from micro_etl.draft.request import DraftRequest
from micro_etl.draft.write_dataset import Draft, DraftColumn, records_key, write_dataset
from micro_etl.errors import AccessDeniedError
from micro_etl.location import Location
from micro_etl.mask import Mask
from micro_etl.source.fetch import Extract, extract
from micro_etl.source.fill_variables import request_headers, secrets_of
from micro_etl.source.limits import ExtractOptions
from micro_etl.source.paging.page import parse_page
from micro_etl.source.paging.pagination import PageRequest
from micro_etl.source.paging.request import first_requests, to_request

_OF_A_FILE = "; a token can be sent by the dataset file"
_OF_THE_COMMAND = "; -H 'Authorization: Bearer ${API_TOKEN}' sends a token"


@dataclass(frozen=True, slots=True)
class Page:
    """A page that has come.

    Attributes:
        extract: the file, and what the source said of it.
        request: what brought it.
        page: the page, parsed.
    """

    extract: Extract
    request: PageRequest
    page: Any


class Source:
    """Asks an API for pages.

    Attributes:
        location: the URL, its secrets as variables.
        first: the first request.
        shown: what messages call it.
    """

    def __init__(
        self,
        request: DraftRequest,
        environ: Mapping[str, str],
        *,
        scratch: FilePath,
        options: ExtractOptions,
        mask: Mask,
    ) -> None:
        """Fill the variables; nothing is sent yet.

        Raises:
            ConfigError: a variable is missing, or the URL is not one.
        """
        self._environ = {**environ, **request.variables}
        self._scratch, self._options, self._count = scratch, options, 0
        dataset = parse_dataset(write_dataset(_empty(request)), label="the request")
        self.location = Location.parse(request.url)
        mask.add(secrets_of(dataset, self._environ))
        mask.add(self.location.secrets)
        self._headers = request_headers(dataset, self._environ)
        (series,) = first_requests(dataset, self.location, self._environ)
        self.first = series.first
        self.shown = mask.clean(self.location.shown)

    def fetch(self, request: PageRequest) -> Page:
        """Fetch a page and parse it.

        Raises:
            AccessDeniedError: the source wants a token, or another one.
            SourceError: it can't be read.
        """
        self._count += 1
        file = self._scratch / f"page-{self._count}.json"
        location = Location.parse(request.url)
        asked = to_request(request, self._headers) if location.is_http else location
        try:
            fetched = extract(asked, file, options=self._options)
        except AccessDeniedError as error:
            said, told, _ = str(error).partition(_OF_A_FILE)
            if not told:
                raise
            raise AccessDeniedError(f"{said}{_OF_THE_COMMAND}") from None
        is_lines = location.names_lines(fetched.content_type)
        page = parse_page(file.read_bytes(), name=self.shown, lines=is_lines)
        return Page(fetched, request, page)


def source_keys(request: DraftRequest, chosen: Candidate | None) -> dict[str, Any]:
    """Write the simple keys of ``[source]``; those of the records where they are known."""
    keys: dict[str, Any] = {"url": request.url}
    if request.headers:
        keys["headers"] = request.headers
    if chosen:
        keys |= records_key(chosen.path)
        keys |= {"columnar": True} if chosen.columnar else {}
    return keys


def _empty(request: DraftRequest) -> Draft:
    return Draft(
        name="draft",
        notes=(),
        source=source_keys(request, None),
        body=request.body,
        pagination={},
        why_pages="",
        columns=(DraftColumn("x", ("x",), "json"),),
        key=(),
        why_key="",
    )
