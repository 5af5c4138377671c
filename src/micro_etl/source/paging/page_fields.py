"""The names under which APIs say something of their pages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from micro_etl.dataset import EVERY, Path
from micro_etl.source.paging.page import value_at

_DIGITS = 18  # of a number that counts something
_DEEPEST = 3  # meta.pagination.links
_HREFS = ("href", "url", "uri", "link")
_PLACES = re.compile(
    r"(response)?meta(data)?|links?|urls|(paging|pagination)(meta(data)?)?|pages?(info)?"
    r"|(query|search|result)?info|additionaldata|cursor|summary|hydraview"
)
# What comes before a name: a namespace (`@odata.`, `hydra:`), and what headers begin with.
_PREFIX = re.compile(r"(.*[:.])?(x[-_])?((ms|wp|pagination)[-_])?", re.DOTALL)
_INNER_PLACES = re.compile(r"results?|next")  # only within another place: openFDA's meta.results
_NEXT = re.compile(
    r"(odata|atom)?next(page|set|results|batch|records)?(url|uri|link|href|token|cursor|id|marker"
    r"|offset|start|key|number|startingafter|continuationtoken|pagetoken|pagecursor|after|range)?"
    r"|continuation\w*|continue|lastevaluatedkey|cursor|after|(page|pagination)?token|more\w*url"
)
_PREVIOUS = re.compile(r"prev(ious)?(page|set)?(url|uri|link|token|cursor)?")
_MORE = re.compile(
    r"(has|is|are)?more(results|items|records|pages|data|available|itemsincollection)?"
    r"|has(more|next)\w*|(is)?truncated|exceededtransferlimit|next"
)
_INCOMPLETE = re.compile(r"incomplete(results|search)")
_LAST = re.compile(r"(is)?(last|lastpage|final|done|complete|endofrecords|endreached)|finished")
_COUNTED = r"(results?|items?|elements?|records?|hits|docs|documents|rows|entries|objects|count)"
_TOTAL = re.compile(
    rf"(opensearch|estimated|approximate)?(total|nb|n|num|number)?(of)?{_COUNTED}(count|found|available)?"
    r"|total|totalsize|found|numfound|(total)?matches|records(total|filtered)"
)
_PAGES = re.compile(
    r"(total|num|nb|number)(of)?pages?|pages(count|total)?|(last|max)page|pagecount"
)
_PAGE = re.compile(r"(current|this|effective)?page(number|no|index|num)?|number")
_OFFSET = re.compile(r"(effective)?offset|skip(ped)?|start(at|index|position)?|from")
_LIMIT = re.compile(
    rf"(effective)?limit|(per|max)page|pagesize|{_COUNTED}perpage|max{_COUNTED}|rows|pagelen|size"
)


@dataclass(slots=True)
class Said:
    """What a page says of the pages; a path is where it says so.

    Attributes:
        next: what names the next page.
        more: whether there are more.
        totals: how many records there are on all pages.
        least: how many there are at least, where an exact number is not given.
        pages: how many pages there are.
        is_next_null: a next page has a place, which is empty, or only the previous one has a URL.
        is_first: it has no page before it.
        page: its own number.
        counts_from_0: whether that number is likely to count from 0.
        offset: how many records are before it.
        limit: how many records a page may have.
        to: the number of its last record.
    """

    next: list[tuple[Path, Any]] = field(default_factory=list)
    more: list[tuple[Path, bool]] = field(default_factory=list)
    totals: list[tuple[Path, int]] = field(default_factory=list)
    least: list[tuple[Path, int]] = field(default_factory=list)
    pages: list[tuple[Path, int]] = field(default_factory=list)
    is_next_null: bool = False
    is_first: bool = False
    page: int | None = None
    counts_from_0: bool = False
    offset: int | None = None
    limit: int | None = None
    to: int | None = None

    def add(self, path: Path, scope: Mapping[str, Any]) -> None:
        """Read an object that may say something."""
        place = str(path[-1]) if path else ""
        for key, value in scope.items():
            here, name, number = (*path, key), _name(key, place), whole(value)
            if isinstance(value, bool):
                self._add_bool(here, name, value)
            elif number in (0, 1) and name != "next" and _MORE.fullmatch(name):
                self.more.append((here, number == 1))
            elif number is not None and self._add_number(name, number):
                continue
            elif _PREVIOUS.fullmatch(name):
                self.is_first |= not names_page(value)
                self.is_next_null |= is_url(value)
            elif _NEXT.fullmatch(name) or name == "offset":  # Airtable's is a token
                if names_page(value):
                    self.next.append((here, value))
                self.is_next_null |= not names_page(value)
            elif number is not None and _PAGES.fullmatch(name):
                self.pages.append((here, number))
            elif name == "recordstotal" and "recordsFiltered" in scope:
                continue  # DataTables: before the filter of the request
            elif _TOTAL.fullmatch(name):
                self._add_total(here, scope)

    def _add_total(self, here: Path, scope: Mapping[str, Any]) -> None:
        value = scope[str(here[-1])]
        if isinstance(value, dict):
            here, scope = (*here, "value"), value
        total = whole(scope.get(str(here[-1])))
        if total is not None:
            (self.least if is_least(scope) else self.totals).append((here, total))

    def _add_bool(self, here: Path, name: str, value: bool) -> None:
        if _MORE.fullmatch(name):
            self.more.append((here, value))
        elif _LAST.fullmatch(name):
            self.more.append((here, not value))
        elif value and _INCOMPLETE.fullmatch(name):
            self.more.append((here, True))

    def _add_number(self, name: str, number: int) -> bool:
        """Take a number that says where the page is; the first of a kind counts."""
        if _PAGE.fullmatch(name):
            self.counts_from_0 |= name == "number" or number == 0
            self.page = number if self.page is None else self.page
            self.is_first |= number <= 1 and name != "number"
        elif _OFFSET.fullmatch(name):
            self.offset = number if self.offset is None else self.offset
            self.is_first |= number == 0
        elif _LIMIT.fullmatch(name):
            self.limit = number if self.limit is None else self.limit
        elif name == "to":
            self.to = number
        else:
            return False
        return True


def is_least(scope: Any) -> bool:
    """Whether the total in an object is the least it can be: Elasticsearch and Solr say so."""
    return isinstance(scope, dict) and (
        scope.get("relation") == "gte" or scope.get("numFoundExact") is False
    )


def scopes(page: Any, records: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """The objects on the way to the records, and in each of them the usual places.

    Args:
        page: the parsed page.
        records: the path to the records.
    """
    way = records[: records.index(EVERY)] if EVERY in records else records
    for depth in range(max(len(way), 1)):
        scope = value_at(page, way[:depth])
        if isinstance(scope, dict):
            yield from _within(way[:depth], scope, skipped=way[depth : depth + 1])
        elif isinstance(scope, list) and records:
            for at, one in enumerate(scope):  # the World Bank's [about, records]
                if isinstance(one, dict) and at != way[depth]:
                    yield from _within((*way[:depth], at), one, skipped=())


def _within(
    path: Path, scope: Mapping[str, Any], *, skipped: Path, depth: int = 0
) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    yield path, scope
    for key, value in scope.items():
        name = plain(key)
        is_place = _PLACES.fullmatch(name) or (depth > 0 and _INNER_PLACES.fullmatch(name))
        if depth == _DEEPEST or not is_place or (key,) == skipped:
            continue
        if isinstance(value, dict):
            yield from _within((*path, key), value, skipped=(), depth=depth + 1)
        elif isinstance(value, list):
            yield (*path, key), _by_relation(value)


def _by_relation(links: list[Any]) -> dict[str, Any]:
    """The URLs of links that are listed, as FHIR does, each with its relation."""
    named = {}
    for link in links:
        if isinstance(link, dict):
            relation = link.get("rel", link.get("relation"))
            if relation in ("next", "prev", "previous"):
                named[relation] = link
    return named


def names_page(value: Any) -> bool:
    """Whether what stands for the next page names one: no null, nothing empty, no 0."""
    if isinstance(value, dict):
        hrefs = [value[key] for key in _HREFS if key in value]
        return any(map(names_page, hrefs or value.values()))
    number = whole(value)
    return isinstance(value, str | int) and bool(value) and number != 0


def is_url(value: Any) -> bool:
    """Whether it is a URL, or an object that holds one."""
    if isinstance(value, dict):
        return any(key in value for key in _HREFS)
    return isinstance(value, str) and re.match(r"https?://|/|\?", value) is not None


def whole(value: Any) -> int | None:
    """A whole number, also one that is written as text, or none."""
    text = str(value).strip() if isinstance(value, str | int) else ""
    is_number = text.isascii() and text.isdigit() and len(text) <= _DIGITS
    return int(text) if is_number else None


def _name(key: str, place: str) -> str:
    """A key without prefixes; `total` within `pages` is a number of pages."""
    prefix = _PREFIX.match(key)
    name = plain(key[prefix.end() :] if prefix else key)
    if name == "current" and is_of_pages(place):
        return "currentpage"
    return "totalpages" if name == "total" and plain(place) == "pages" else name


def is_of_pages(place: object) -> bool:
    """Whether what has this key, an object or a header, is about pages alone."""
    return plain(str(place)) in ("pages", "paging", "pagination", "xpagination")


def plain(key: str) -> str:
    """A key without what spellings differ in."""
    return re.sub(r"[^a-z0-9]", "", key.lower())
