"""Fetch every page of a source by plain Python, as the dataset file describes its pagination."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, urljoin, urlsplit, urlunsplit

from tests.integration.ask_source import Answer, Refused, Request, Source, fill, origin
from tests.integration.exact_json import Json, Number, canonical_json, from_python, write_json
from tests.integration.paths import Every, Step, find, parse_path
from tests.integration.plain_reading import Page, Record, page_value, records_of

_MOST_PAGES = 10_000


class Moved(Refused):
    """The source changed between two of its pages."""


class Seen(NamedTuple):
    """A page that came, as the next request needs it.

    Attributes:
        request: what was asked.
        answer: what came.
        root: the value of the body; none where it holds several.
        records: of this page.
        number: how many pages came before it.
        came: the records of all pages so far.
    """

    request: Request
    answer: Answer
    root: Json
    records: list[Record]
    number: int
    came: int


def fetch_pages(
    dataset: Mapping[str, Any], environ: Mapping[str, str], *, url: str | None = None
) -> list[Page]:
    """Every page of a source, in order.

    Args:
        dataset: what TOML makes of the dataset file.
        environ: the variables that the file names.
        url: the first request's, where it is not the dataset file's.

    Raises:
        Refused: the answers are not all of the data, or not of one moment.
    """
    section = dataset.get("source", {})
    each = section.get("each") or {"": [None]}
    ((name, values),) = each.items()
    source = Source(section, environ)
    pages = []
    for value in values:
        stands_for = {name: value} if name else {}
        first = Request(
            fill(url or section["url"], environ, stands_for, in_url=True),
            from_python(fill(section["body"], environ, stands_for)) if "body" in section else None,
        )
        pages += [Page(body, value) for body in _fetch_series(source, dataset, first)]
    return pages


def raw_pages(
    keys: Iterable[str], read: Callable[[str], bytes], dataset: Mapping[str, Any]
) -> list[Page]:
    """The pages of a raw copy: one file, or a folder of one a page, by their names.

    Where the dataset has an ``each``, the pages of one of its values are in a folder such as
    ``series=A``, and the values are in the order of the dataset file.

    Args:
        keys: the names of the files; those that start with ``_`` or ``.`` are no pages.
        read: returns the bytes of one.
        dataset: what TOML makes of the dataset file.

    Raises:
        Refused: a name does not say which value of ``each`` the page was asked for.
    """
    kept = [key for key in sorted(keys) if not key.rpartition("/")[2].startswith(("_", "."))]
    each = dataset.get("source", {}).get("each")
    if not each:
        return [Page(read(key)) for key in kept]
    ((name, values),) = each.items()
    folders = {f"{name}={quote(str(value), safe='')}": value for value in values}
    pages: dict[str, list[Page]] = {folder: [] for folder in folders}
    for key in kept:
        folder = next((part for part in key.split("/") if part in folders), None)
        if folder is None:
            raise Refused(f"{key} of the raw copy has no folder {name}=... of the dataset's each")
        pages[folder].append(Page(read(key), folders[folder]))
    return [page for several in pages.values() for page in several]


def _fetch_series(source: Source, dataset: Mapping[str, Any], first: Request) -> list[bytes]:
    """The bodies of the pages that start with one request."""
    section = dataset.get("source", {})
    pagination = section.get("pagination", {"kind": "none"})
    bodies: list[bytes] = []
    asked: list[str] = []
    totals: set[int | None] = set()
    request: Request | None = first
    came = 0
    while request:
        text = f"{request.url} {write_json(request.body)}"
        if text in asked:
            raise Refused("a request was sent before: the pages go round in a circle")
        if len(asked) == _MOST_PAGES:
            raise Refused(f"there are more than {_MOST_PAGES} pages")
        asked.append(text)
        answer = source.ask(request)
        bodies.append(answer.body)
        root = page_value(answer.body)
        _check_expected(root, section.get("expect", {}))
        records = list(records_of(section, answer.body, dataset["columns"]))
        came += len(records)
        seen = Seen(request, answer, root, records, len(bodies) - 1, came)
        if "total" in pagination:
            totals.add(_number_at(root, pagination["total"]))
        request = _next_request(pagination, first, seen)
    if totals and totals != {came}:
        raise Moved(f"{came} records came, the pages promised {', '.join(map(str, totals))}")
    return bodies


def _next_request(pagination: Mapping[str, Any], first: Request, seen: Seen) -> Request | None:
    """The request for the page that follows; none where there is none."""
    if pagination["kind"] == "none":
        return None
    if "has_more" in pagination:
        more = _at(seen.root, pagination["has_more"])
        if not isinstance(more, bool):
            raise Refused(f"{pagination['has_more']} is {more!r}, which is not true or false")
        following = _way_on(pagination, first, seen) if more else None
        if more and following is None:
            raise Refused("the page says that there is more, but not where")
        return following
    if _is_last(pagination, seen):
        return None
    if _is_counting(pagination) and not seen.records:
        return None
    return _way_on(pagination, first, seen)


def _is_last(pagination: Mapping[str, Any], seen: Seen) -> bool:
    """Whether the page says by its numbers that it is the last one."""
    if "last_page" in pagination:
        last = _number_at(seen.root, pagination["last_page"])
        start = pagination.get("start", 1) if pagination["kind"] == "page_number" else 1
        return last is not None and seen.number + start >= last
    if "total" in pagination:
        total = _number_at(seen.root, pagination["total"])
        return total is not None and seen.came >= total
    return False


def _is_counting(pagination: Mapping[str, Any]) -> bool:
    return pagination["kind"] in ("page_number", "offset")


def _way_on(pagination: Mapping[str, Any], first: Request, seen: Seen) -> Request | None:
    """The request that the page leads to; none where it leads nowhere."""
    kind = pagination["kind"]
    if kind in ("link_header", "next_url"):
        link = seen.answer.next_link if kind == "link_header" else _link_at(pagination, seen)
        return seen.request._replace(url=_same_origin(link, seen)) if link else None
    value: Json
    if kind == "cursor":
        value = _at(seen.root, pagination["next"])
    elif kind == "last_record":
        steps = parse_path(pagination["field"]).steps
        value = find(seen.records[-1].value, steps)[0] if seen.records else None
    elif kind == "page_number":
        value = Number(pagination.get("start", 1) + seen.number + 1)
    elif kind == "offset":
        value = Number(pagination.get("start", 0) + seen.came)
    else:
        raise ValueError(f"{kind} is not a kind of pagination")
    return None if value in (None, "", [], {}) else with_param(first, pagination["param"], value)


def _link_at(pagination: Mapping[str, Any], seen: Seen) -> str | None:
    """The URL of the next page, which JSON:API may write as an object."""
    link = _at(seen.root, pagination["next"])
    return link.get("href") if isinstance(link, dict) else link


def _same_origin(link: str, seen: Seen) -> str:
    url = urljoin(seen.request.url, link)
    if origin(url) != origin(seen.request.url):
        raise Refused("the next page is on another host")
    return url


def with_param(request: Request, param: str, value: Json) -> Request:
    """A request with one parameter: of the query, or in the body where there is one."""
    if request.body is not None:
        return request._replace(body=_with_member(request.body, parse_path(param).steps, value))
    url = urlsplit(request.url)
    kept = [
        part
        for part in url.query.split("&")
        if part and parse_qsl(part, keep_blank_values=True)[0][0] != param
    ]
    text = value if isinstance(value, str) else write_json(value)
    kept.append(f"{quote(param, safe='$[]')}={quote(text, safe='')}")
    return request._replace(url=urlunsplit(url._replace(query="&".join(kept))))


def _with_member(body: Json, steps: tuple[Step, ...], value: Json) -> Json:
    """A copy of a body that has the value at a path."""
    changed = copy.deepcopy(body)
    inner = changed
    for step in steps[:-1]:
        inner = inner.setdefault(step, {}) if isinstance(step, str) else inner[step]
    inner[steps[-1]] = value
    return changed


def _check_expected(root: Json, expect: Mapping[str, Any]) -> None:
    for path, value in expect.items():
        found = _at(root, path)
        if canonical_json(found) != canonical_json(from_python(value)):
            raise Refused(f"{path} is {write_json(found)}, it should be {value!r}")


def _at(root: Json, path: str) -> Json:
    """What stands at a path from the root of a page; none where it is missing."""
    steps = parse_path(path).steps
    if any(isinstance(step, Every) for step in steps):
        raise ValueError(f"{path} should lead to one value")
    return find(root, steps)[0]


def _number_at(root: Json, path: str) -> int | None:
    """The whole number at a path, also one in a string; none where it is missing."""
    found = _at(root, path)
    if found is None:
        return None
    if isinstance(found, str) and found.isdecimal():
        return int(found)
    raise Refused(f"{path} is {write_json(found)}, it should be a whole number")
