"""Notice that a page is one of several, where the dataset file says nothing of pages.

To miss it would publish a part of the data as the whole; to see it in a last page would refuse data
that is complete. So a page that says it is the last is believed, and what only may mean a next page
counts where nothing speaks against it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from micro_etl.dataset import Dataset, Path, write_path
from micro_etl.errors import DataError
from micro_etl.source.paging.links import next_link
from micro_etl.source.paging.page_fields import Said, is_url, scopes, whole

if TYPE_CHECKING:  # it imports an HTTP client, which a source of files does without
    from micro_etl.source.paging.pagination import ArrivedPage

_NEXT_HEADERS = (
    "x-next-page",
    "x-next-cursor",
    "x-next-page-token",
    "x-next-token",
    "x-continuation-token",
    "x-ms-continuation",
    "x-ms-continuationtoken",
)
_TOTAL_HEADERS = ("x-total", "x-total-count", "x-wp-total", "x-total-results", "total-count")
_LINKED = frozenset({"link_header", "next_url", "cursor"})
_KEYS = {"next_url": "next", "cursor": "next", "offset": "total", "page_number": "last_page"}


class Evidence(NamedTuple):
    """What says that there are more pages.

    Attributes:
        what: in words.
        kind: the kind of pagination that fits best.
        path: where it is in the page, or none where it is a header or a guess of the kind alone.
    """

    what: str
    kind: str
    path: Path | None = None

    @property
    def advice(self) -> str:
        """What was seen and what to do, to follow the name of the page."""
        fitting = f"kind = {json.dumps(self.kind)}"
        if self.path and self.kind in _KEYS:
            fitting += f", {_KEYS[self.kind]} = {json.dumps(write_path(self.path))}"
        return (
            f"is one of several: {self.what}; source.pagination should say how they follow each "
            f'other, perhaps {fitting}, or kind = "none" if this is all'
        )


def find_evidence(
    headers: Mapping[str, str], page: Any, elements: int, *, records: Path = ()
) -> Evidence | None:
    """Find what says that pages follow, or none.

    Args:
        headers: of the answer, their names in lower case.
        page: the parsed page; its records may have been taken out.
        elements: how many records it has.
        records: the path that leads to them.
    """
    found = _in_headers(headers, elements)
    if found:
        return found
    said = Said()
    for path, scope in scopes(page, records):
        said.add(path, scope)
    _add_json_header(said, headers.get("x-pagination", ""))
    if said.more:
        return _by_more(said)
    return _by_next(said, elements) or _by_numbers(said, elements)


def _by_more(said: Said) -> Evidence | None:
    if not all(value for _, value in said.more):
        return None
    path = said.more[0][0]
    what = f"{write_path(path)} says that there are more"
    if said.next:
        following, value = said.next[0]
        return Evidence(what, "next_url" if is_url(value) else "cursor", following)
    return Evidence(what, "last_record" if said.page is None else "page_number")


def _by_next(said: Said, elements: int) -> Evidence | None:
    if not said.next:
        return None
    is_short = said.limit is not None and elements < said.limit
    if is_short and any(total == _end(said, elements) for _, total in said.totals):
        return None  # some servers name a next page for ever
    path, value = said.next[0]
    kind = "next_url" if is_url(value) else "cursor"
    return Evidence(f"{write_path(path)} names a next page", kind, path)


def _by_numbers(said: Said, elements: int) -> Evidence | None:
    if said.page is not None and said.pages:
        path, pages = said.pages[0]
        if said.page + said.counts_from_0 >= pages or _is_at_end(said, elements):
            return None
        what = f"it is page {said.page} and {write_path(path)} is {pages:,}"
        return Evidence(what, "page_number", path)
    if said.is_next_null and not said.is_first:
        return None
    for path, total in said.totals:
        if total > max(_end(said, elements), said.to or 0):
            what = f"{write_path(path)} is {total:,} and {elements:,} came"
            return Evidence(what, "offset", path)
    return None


def _end(said: Said, elements: int) -> int:
    """How many records there are up to the last one of the page."""
    if said.offset is not None:
        return (0 if said.offset == 1 else said.offset) + elements
    if said.page is not None and said.page > 1 and said.limit:
        return (said.page - 1) * said.limit + elements
    return elements


def _is_at_end(said: Said, elements: int) -> bool:
    """Whether it is the last page by the total, if its number counts from 0."""
    if said.page is None or not said.limit:
        return False
    return any(said.page * said.limit + elements == total for _, total in said.totals)


def _in_headers(headers: Mapping[str, str], elements: int) -> Evidence | None:
    link = headers.get("link", "")
    try:
        has_next = next_link(link) is not None
    except ValueError:
        has_next = True
    if has_next:
        return Evidence("its Link header has rel=next", "link_header")
    for name in _NEXT_HEADERS:
        if headers.get(name, "").strip().lower() not in ("", "0", "null", "false"):
            kind = "page_number" if name == "x-next-page" else "cursor"
            return Evidence(f"its header {name} names a next page", kind)
    if headers.get("x-has-more", "").strip().lower() == "true":
        return Evidence("its header x-has-more is true", "page_number")
    pages, page = whole(headers.get("x-total-pages")), whole(headers.get("x-page"))
    if page is not None and pages is not None:
        what = f"it is page {page} of {pages:,} by its headers"
        return Evidence(what, "page_number") if page < pages else None
    if link or "x-next-page" in headers:
        return None  # what names next pages has just named none
    total = max((whole(headers.get(name)) or 0 for name in _TOTAL_HEADERS), default=0)
    if total > elements:
        kind = "page_number" if "x-wp-totalpages" in headers else "offset"
        return Evidence(f"its headers count {total:,} records and {elements:,} came", kind)
    ranged = re.fullmatch(r"\s*(\w+\s+\d+-(\d+)/(\d+))\s*", headers.get("content-range", ""))
    if ranged and int(ranged[2]) + 1 < int(ranged[3]):
        return Evidence(f"its Content-Range is {ranged[1]}", "offset")
    return None


def _add_json_header(said: Said, text: str) -> None:
    """Read a header that holds an object, as .NET services send it."""
    try:
        value = json.loads(text) if text else None
    except ValueError:
        return
    if isinstance(value, dict):
        said.add(("X-Pagination",), value)


def refuse_first_page(dataset: Dataset, arrived: ArrivedPage) -> None:
    """Refuse a page that says there are more, where the dataset file says nothing of pages.

    Where ``next`` leads nowhere on the only page of a series, that path may be wrong.

    Args:
        dataset: the contract.
        arrived: the page that was taken for the last.

    Raises:
        DataError: it says that there are more.
    """
    pagination = dataset.pagination
    is_doubtful = pagination is None or (
        pagination.kind in _LINKED and pagination.has_more is None and arrived.pages == 1
    )
    if not is_doubtful:
        return
    found = find_evidence(arrived.headers, arrived.page, arrived.elements, records=dataset.records)
    if found and (pagination is None or found.kind in _LINKED):
        raise DataError(f"{arrived.name} {found.advice}")
