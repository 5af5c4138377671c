"""Notice that a page is one of several, where the dataset file says nothing of pages.

To miss it would publish a part of the data as the whole; to see it in a last page would refuse data
that is complete. So a page that says it is the last is believed, and what only may mean a next page
counts where nothing speaks against it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from micro_etl.dataset import Dataset, Path, write_path
from micro_etl.errors import DataError
from micro_etl.source.paging.links import next_link
from micro_etl.source.paging.page_fields import Said, is_of_pages, is_url, plain, scopes, whole
from micro_etl.source.read import may_say_more

if TYPE_CHECKING:  # it imports an HTTP client, which a source of files does without
    from micro_etl.source.paging.pagination import ArrivedPage

_WORDS = {"": None, "null": None, "none": None, "true": True, "false": False}
_RANGE = re.compile(r"\s*((?:\w+\s+)?(\d+)-(\d+)/(\d+|\*))\s*")
_AROUND_NEXT = re.compile(r"\brel\s*=\s*\"?[^\";]*\b(prev|previous|first|last)\b", re.IGNORECASE)
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
    return _judge(_read(page, records), elements)


def _read(page: Any, records: Path) -> Said:
    said = Said()
    for path, scope in scopes(page, records):
        said.add(path, scope)
    return said


def _judge(said: Said, elements: int) -> Evidence | None:
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
    for path, least in said.least:
        if least >= _end(said, elements):
            what = f"{write_path(path)} is {least:,} at least, and {elements:,} came"
            return Evidence(what, "last_record")
    return _by_pages(said, elements)


def _by_pages(said: Said, elements: int) -> Evidence | None:
    """Judge a number of pages that stands without the page's own, or is called a total."""
    is_whole = any(total == elements and "total" in str(path[-1]) for path, total in said.totals)
    if said.page is None:
        for path, count in [] if is_whole else said.pages:
            # `pages` alone may be those of a book.
            is_surely = plain(str(path[-1])) != "pages" or is_of_pages(path[:-1] and path[-2])
            if count > 1 and is_surely:
                return Evidence(f"{write_path(path)} is {count:,}", "page_number", path)
        return None
    for path, total in said.totals:
        if said.page < total < elements and is_of_pages(path[:-1] and path[-2]):
            what = f"it is page {said.page} and {write_path(path)} is {total:,}"
            return Evidence(what, "page_number", path)
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
    said = Said(is_next_null=_AROUND_NEXT.search(link) is not None)
    for name, text in headers.items():
        if may_say_more({name: text}):
            _add_header(said, name, text.strip())
    found = _judge(said, elements)
    if found:
        is_number = found.path and whole(headers.get(str(found.path[0]))) is not None
        is_cursor = found.kind == "cursor" and not is_number
        kind = "cursor" if is_cursor else "page_number"
        if found.kind == "offset" and not said.pages:
            kind = "offset"
        return Evidence(f"by its headers, {found.what}", kind)
    ranged = _RANGE.fullmatch(headers.get("content-range", ""))
    if ranged and not said.is_next_null:
        first, last = int(ranged[2]), int(ranged[3])
        # Of an unknown total, what came after others is a part.
        if last - first + 1 < (last if ranged[4] == "*" else int(ranged[4])):
            return Evidence(f"its Content-Range is {ranged[1]}", "offset")
    return None


def _add_header(said: Said, name: str, text: str) -> None:
    """Read a header; some hold an object, as .NET services send it."""
    value: Any = _WORDS.get(text.lower(), text)
    if text.startswith("{"):
        with suppress(ValueError):
            value = json.loads(text)
    if isinstance(value, dict):
        said.add((name,), value)
    else:
        said.add((), {name: value})


def refuse_first_page(dataset: Dataset, arrived: ArrivedPage) -> None:
    """Refuse a page that says there are more, where the dataset file leads to none.

    Where ``next`` leads nowhere on the only page of a series, that path may be wrong. On any page
    it must not lead nowhere where the page says in so many words that there are more.

    Args:
        dataset: the contract.
        arrived: the page that was taken for the last.

    Raises:
        DataError: it says that there are more.
    """
    pagination = dataset.pagination
    is_linked = (
        pagination is not None and pagination.kind in _LINKED and pagination.has_more is None
    )
    if pagination is not None and not is_linked:
        return
    if pagination is None or arrived.pages == 1:
        found = find_evidence(
            arrived.headers, arrived.page, arrived.elements, records=dataset.records
        )
        if found and (pagination is None or found.kind in _LINKED):
            raise DataError(f"{arrived.name} {found.advice}")
    said = _read(arrived.page, dataset.records)
    if said.more and all(value for _, value in said.more):
        raise DataError(
            f"{arrived.name} names no next page, but {write_path(said.more[0][0])} says that there "
            "are more; source.pagination should lead to what does"
        )
