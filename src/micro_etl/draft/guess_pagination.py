"""Guess how the pages of a source follow each other, from the first one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl

from micro_etl.dataset import Path, write_path
from micro_etl.source.paging.links import next_link
from micro_etl.source.paging.page import Found, value_at
from micro_etl.source.paging.page_fields import Said, is_url, names_page, plain, scopes, whole
from micro_etl.source.paging.pagination import PageRequest

_HREFS = ("href", "url", "uri", "link")
# The parameter that bounds a page, and those that choose one where it is used.
_CHOOSERS = {
    "limit": ("offset", "page", "skip", "start"),
    "$limit": ("$offset",),
    "$top": ("$skip",),
    "top": ("skip",),
    "take": ("skip",),
    "perpage": ("page",),
    "pagesize": ("page", "pageNumber", "pageIndex"),
    "page[size]": ("page[number]",),
    "page[limit]": ("page[offset]",),
    "rows": ("start", "page"),
    "size": ("page", "from"),
    "count": ("offset", "start", "page"),
    "maxresults": ("startAt", "start"),
    "resultrecordcount": ("resultOffset",),
    "itemsperpage": ("page",),
    "pagelen": ("page",),
}
_PAGE_PARAMS = ("page", "p", "pageNumber", "page_number", "pageNo", "page[number]")
_OFFSETS = ("offset", "skip", "start", "from", "startat", "resultoffset", "pageoffset")
# What a page calls a cursor, and the parameters that take it.
_CURSOR_PARAMS = {
    "nextcursor": ("cursor", "start_cursor", "next_cursor", "after"),
    "cursor": ("cursor",),
    "endcursor": ("after", "cursor"),
    "after": ("after",),
    "nextpagetoken": ("pageToken", "page_token"),
    "nexttoken": ("nextToken", "next_token", "pagination_token", "token"),
    "continuationtoken": ("continuationToken", "continuation-token", "continuation_token"),
    "nextpage": ("page",),
    "nextoffset": ("offset",),
    "offset": ("offset",),
    "next": ("cursor", "next", "after", "page", "page_token"),
    "token": ("token",),
}
_AFTER_PARAMS = ("starting_after", "after", "after_id", "since_id", "last_id")


@dataclass(frozen=True, slots=True)
class Guess:
    """How pages may follow each other.

    Attributes:
        keys: of ``[source.pagination]``, in order.
        why: what speaks for it.
        probe: the parameter and the value that should bring the second page; none where it is
            certain without.
    """

    keys: dict[str, str | int]
    why: str
    probe: tuple[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class FirstPage:
    """The first page of a source, and what brought it.

    Attributes:
        request: what brought it.
        headers: of the answer.
        page: the parsed page.
        path: the path to the records.
        found: the records.
    """

    request: PageRequest
    headers: Mapping[str, str]
    page: Any
    path: Path
    found: Found


def guess_pagination(first: FirstPage) -> list[Guess]:
    """List what fits, the likeliest first; empty where nothing speaks of another page."""
    said = _read(first)
    total = _total(said, first)
    has_more = _goes_on(said, first)
    listed = listed_next(first)
    said.next = [one for one in said.next if one[0] not in listed]
    guesses = list(_guesses(first, said, has_more=has_more or bool(listed)))
    ends: dict[str, str | int] = {}
    if said.more:
        path, value = said.more[0]
        if value_at(first.page, path) is value:  # not one that says the opposite
            ends["has_more"] = write_path(path)
    if total:
        ends["total"] = write_path(total[0])
    allowed = {
        kind: ends if kind in ("cursor", "last_record", "next_url") else _without_more(ends)
        for kind in ("cursor", "last_record", "next_url", "page_number", "offset", "link_header")
    }
    return [replace(one, keys={**one.keys, **allowed[str(one.keys["kind"])]}) for one in guesses]


def listed_next(first: FirstPage) -> list[Path]:
    """Find the next links that are in a list by their relation, where no path can name them."""
    return [
        path for path, _ in _read(first).next if isinstance(value_at(first.page, path[:-1]), list)
    ]


def _read(first: FirstPage) -> Said:
    said = Said()
    for path, scope in scopes(first.page, first.path):
        said.add(path, scope)
    return said


def _without_more(ends: dict[str, str | int]) -> dict[str, str | int]:
    return {key: path for key, path in ends.items() if key != "has_more"}


def _total(said: Said, first: FirstPage) -> tuple[Path, int] | None:
    """What counts the records of all pages: at least those that came, and more than a page has.

    None where a run counts the arrays that records are in: a source counts the records.
    """
    if first.found.elements != len(first.found.records):
        return None
    for path, value in said.totals:
        is_all = value == first.found.elements and (said.more or said.is_next_null or said.next)
        if value > first.found.elements or (is_all and not any(said.more[:1]) and not said.next):
            return path, value
    return None


def _goes_on(said: Said, first: FirstPage) -> bool:
    """Whether the page says, or suggests by being full, that there are others."""
    if said.more:
        return said.more[0][1]
    if totals := [*said.totals, *said.least]:
        return any(value > first.found.elements for _, value in totals)
    if said.is_next_null:
        return False
    return any(value == first.found.elements for _, value in _limits(first.request))


def _guesses(first: FirstPage, said: Said, *, has_more: bool) -> Iterator[Guess]:
    link = first.headers.get("link", "")
    if next_link(link):
        yield Guess({"kind": "link_header"}, 'the answer has a Link header with rel="next"')
        return
    for path, value in said.next:
        if is_url(value):
            where = (*path, *_href(value))
            yield Guess(
                {"kind": "next_url", "next": write_path(where)}, f"{write_path(where)} holds a URL"
            )
            return
    last = first.found.last
    if first.path[-2:] == ("hits", "hits") and first.request.body and value_at(last, ("sort",)):
        keys: dict[str, str | int] = {"kind": "last_record", "field": "sort"}
        yield Guess(
            {**keys, "param": "search_after"},
            "Elasticsearch goes on after the sort values of the last hit",
        )
        return
    cursors = [*said.next, *_end_cursors(first)]
    for path, value in cursors:
        yield from _by_cursor(first, path, value)
    if said.more and isinstance(last, dict) and "id" in last and not cursors:
        if first.page.get("object") == "list":
            keys = {"kind": "last_record", "field": "id", "param": "starting_after"}
            yield Guess(keys, "an object of type list with has_more, as Stripe has it")
            return
        if has_more:
            yield from _by_last_record(first, last["id"])
    if has_more:
        yield from _by_counting(first, said)


def _by_cursor(first: FirstPage, path: Path, value: Any) -> Iterator[Guess]:
    while isinstance(value, dict):  # HubSpot's paging.next.after
        key = next((key for key, one in value.items() if names_page(one)), None)
        if key is None:
            return
        path, value = (*path, key), value[key]
    name = str(path[-1])
    known = _CURSOR_PARAMS.get(plain(name), (name,))
    used = [one for one in known if one in dict(parse_qsl(first.request.url.partition("?")[2]))]
    for param in dict.fromkeys((*used, *known, name)):
        placed = _place(first.request, param)
        keys: dict[str, str | int] = {"kind": "cursor", "next": write_path(path), "param": placed}
        yield Guess(keys, f"{write_path(path)} holds what looks like a cursor", (placed, value))


def _end_cursors(first: FirstPage) -> Iterator[tuple[Path, Any]]:
    """The cursors of GraphQL's connections."""
    for path, scope in scopes(first.page, first.path):
        if isinstance(scope.get("endCursor"), str):
            yield (*path, "endCursor"), scope["endCursor"]


def _by_last_record(first: FirstPage, last_id: Any) -> Iterator[Guess]:
    for name in _AFTER_PARAMS:
        param = _place(first.request, name)
        keys: dict[str, str | int] = {"kind": "last_record", "field": "id", "param": param}
        yield Guess(keys, "the page says that there are more", (param, last_id))


def _by_counting(first: FirstPage, said: Said) -> Iterator[Guess]:
    names: list[str] = []
    if said.page is not None:
        names += _PAGE_PARAMS
    for limit, _ in _limits(first.request):
        names += _CHOOSERS[_chooser(limit)]
    if said.offset is not None:
        names += ("offset", "start", "skip", "startAt", "from")
    names += ("page", "offset")
    elements = first.found.elements
    for name in dict.fromkeys(names):
        param = _place(first.request, name)
        if plain(name) in _OFFSETS:
            start = _sent(first.request, param) or 0
            keys: dict[str, str | int] = {"kind": "offset", "param": param}
            keys |= {"start": start} if start else {}
            yield Guess(keys, "the page is not all", (param, start + elements))
        else:
            start = _first_page(first, said, param)
            keys = {"kind": "page_number", "param": param}
            keys |= {} if start == 1 else {"start": start}
            yield Guess(keys, "the page is not all", (param, start + 1))


def _first_page(first: FirstPage, said: Said, param: str) -> int:
    sent = _sent(first.request, param)
    if sent is not None:
        return sent
    return 0 if said.page == 0 else 1


def _href(value: Any) -> Path:
    """The key of an object that holds a URL."""
    return next(((key,) for key in _HREFS if isinstance(value, dict) and key in value), ())


def _limits(request: PageRequest) -> list[tuple[str, int | None]]:
    """The parameters of a request that bound a page."""
    if request.body is None:
        pairs: list[tuple[str, Any]] = parse_qsl(request.url.partition("#")[0].partition("?")[2])
        return [(name, whole(value)) for name, value in pairs if _chooser(name)]
    members = [request.body, *(one for one in request.body.values() if isinstance(one, dict))]
    return [
        (name, whole(value)) for one in members for name, value in one.items() if _chooser(name)
    ]


def _chooser(name: str) -> str:
    """The name of a parameter that bounds a page in the table of them, or nothing."""
    lowered = name.lower()
    return next((one for one in (lowered, plain(name)) if one in _CHOOSERS), "")


def _place(request: PageRequest, param: str) -> str:
    """Where a parameter belongs: in a body, beside the one that bounds a page."""
    for name, value in (request.body or {}).items():
        is_graphql = name == "variables" and "query" in (request.body or {})
        if isinstance(value, dict) and (is_graphql or param in value or any(map(_chooser, value))):
            return write_path((name, param))
    return param if request.body is None else write_path((param,))


def _sent(request: PageRequest, param: str) -> int | None:
    """What the request says of a parameter already."""
    if request.body is None:
        return whole(dict(parse_qsl(request.url.partition("?")[2])).get(param, ""))
    path = param.split(".")
    value: Any = value_at(request.body, tuple(path))
    return whole(value) if not isinstance(value, bool) else None
