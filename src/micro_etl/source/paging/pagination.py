"""Find the request for the next page, or the end, or an error: by the source's own words alone.

A page that is shorter than the others ends nothing. Where the source contradicts itself, the more
careful reading holds: to go on, or to refuse.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, unquote_plus, urljoin

from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from micro_etl.dataset import Pagination, Path, Step, parse_path, write_path
from micro_etl.errors import SourceError
from micro_etl.source.paging.links import next_link
from micro_etl.source.paging.page import Number, value_at, write_json
from micro_etl.source.paging.page_fields import is_least

_PORTS = {"http": 80, "https": 443}
_SHOWN = 60  # characters of a value
_HREFS = ("href", "url", "uri")


class PageRequest(NamedTuple):
    """A request for one page.

    Attributes:
        url: where to, secrets included.
        body: the JSON to post, or none for a GET.
    """

    url: str
    body: Mapping[str, Any] | None = None

    @property
    def identity(self) -> int:
        """A hash that is the same for the same request."""
        return hash((self.url.partition("#")[0], write_json(self.body)))


class ArrivedPage(NamedTuple):
    """A page that came, and how far the series is with it.

    Attributes:
        name: what messages call it.
        request: what brought it.
        headers: of the answer, their names in lower case.
        page: the parsed page.
        elements: how many elements of the source's count it has.
        last: its last record, or none.
        pages: how many pages have come, this one included.
        total_elements: how many elements have come, those of this page included.
    """

    name: str
    request: PageRequest
    headers: Mapping[str, str]
    page: Any
    elements: int
    last: Any
    pages: int
    total_elements: int


def find_next(
    pagination: Pagination | None, first: PageRequest, arrived: ArrivedPage
) -> PageRequest | None:
    """Find the request for the page after one, or none where that was the last.

    Args:
        pagination: how the pages of the source follow each other.
        first: the first request of the series.
        arrived: the page, and how far the series is.

    Raises:
        SourceError: the source doesn't say how to go on, or says what must not be followed.
    """
    if pagination is None or pagination.kind == "none":
        return None
    goes_on = _goes_on(pagination, arrived)
    if goes_on is False:
        return None
    following = _STEPS[pagination.kind](pagination, first, arrived)
    if isinstance(following, PageRequest):
        is_counting = pagination.kind in ("page_number", "offset")
        if is_counting and goes_on is None and _is_complete(pagination, arrived):
            return None
        return following
    if goes_on:
        raise SourceError(f"{arrived.name} says that there are more pages, but {following}")
    return None


def read_total(pagination: Pagination | None, page: Any, *, name: str) -> int | None:
    """Read how many elements the source promises, or none where it doesn't say.

    Raises:
        SourceError: the value is not a whole number, or says only how many there are at least.
    """
    path = pagination.total if pagination else None
    total = _whole(page, path, "total", name)
    if path and total is not None and is_least(value_at(page, path[:-1])):
        raise SourceError(
            f"{name}: {write_path(path)} says that there are {total:,} records at least, not how "
            "many; the request should ask for the exact number (Elasticsearch: track_total_hits)"
        )
    return total


def read_last_page(pagination: Pagination | None, page: Any, *, name: str) -> int | None:
    """Read the number of the last page; arguments and errors as of `read_total`."""
    return _whole(page, pagination.last_page if pagination else None, "last_page", name)


def _goes_on(pagination: Pagination, arrived: ArrivedPage) -> bool | None:
    """Whether there are more pages, by ``has_more`` and ``last_page``; none where they are silent.

    Raises:
        SourceError: they hold something else than they should.
    """
    if pagination.has_more is not None:
        says = value_at(arrived.page, pagination.has_more)
        if isinstance(says, bool):
            return says
        if says is not None:
            raise SourceError(
                f"{arrived.name}: has_more is {_show(says)}; it should lead to true or false"
            )
    last = read_last_page(pagination, arrived.page, name=arrived.name)
    if last is None:
        return None
    return _first_number(pagination) + arrived.pages - 1 < last


def _is_complete(pagination: Pagination, arrived: ArrivedPage) -> bool:
    """Whether a kind that counts is at its end: at an empty page, or at the total."""
    total = read_total(pagination, arrived.page, name=arrived.name)
    return arrived.elements == 0 or (total is not None and arrived.total_elements >= total)


def _by_link_header(_: Pagination, first: PageRequest, arrived: ArrivedPage) -> PageRequest | str:
    try:
        link = next_link(arrived.headers.get("link", ""))
    except ValueError:
        raise SourceError(
            f"{arrived.name}: the Link header names a next page, but can't be read; it should be "
            'like <https://host/path>; rel="next"'
        ) from None
    if link is None:
        return "has no Link header with rel=next"
    return _follow(link, first, arrived)


def _by_next_url(
    pagination: Pagination, first: PageRequest, arrived: ArrivedPage
) -> PageRequest | str:
    link = value_at(arrived.page, pagination.next or ())
    if isinstance(link, dict):
        link = next((link[key] for key in _HREFS if key in link), link or None)
    if _is_none(link):
        return "has no next URL"
    if not isinstance(link, str):
        raise SourceError(f"{arrived.name}: next is {_show(link)}; it should lead to a URL")
    return _follow(link.strip(), first, arrived)


def _by_cursor(
    pagination: Pagination, first: PageRequest, arrived: ArrivedPage
) -> PageRequest | str:
    cursor = value_at(arrived.page, pagination.next or ())
    if _is_none(cursor):
        return "has no cursor"
    return set_param(first, pagination.param or "", cursor)


def _by_last_record(
    pagination: Pagination, first: PageRequest, arrived: ArrivedPage
) -> PageRequest | str:
    if arrived.last is None:
        return "has no record"
    value = value_at(arrived.last, pagination.field or ())
    if _is_none(value) or isinstance(value, bool | dict):
        raise SourceError(
            f"{arrived.name}: {write_path(pagination.field or ())} of its last record, which is "
            f"source.pagination.field, is {_show(value)}; it should be a text, a number or an array"
        )
    return set_param(first, pagination.param or "", value)


def _by_page_number(
    pagination: Pagination, first: PageRequest, arrived: ArrivedPage
) -> PageRequest | str:
    return set_param(first, pagination.param or "", _first_number(pagination) + arrived.pages)


def _by_offset(
    pagination: Pagination, first: PageRequest, arrived: ArrivedPage
) -> PageRequest | str:
    return set_param(
        first, pagination.param or "", (pagination.start or 0) + arrived.total_elements
    )


_STEPS = {
    "link_header": _by_link_header,
    "next_url": _by_next_url,
    "cursor": _by_cursor,
    "last_record": _by_last_record,
    "page_number": _by_page_number,
    "offset": _by_offset,
}


def set_param(request: PageRequest, param: str, value: Any) -> PageRequest:
    """Replace a parameter of the query or, where the request has a body, of the body."""
    if request.body is not None:
        path = parse_path(param)
        return request._replace(body=_set_in(request.body, path.steps if path else (), value))
    return request._replace(url=_set_query(request.url, param, value))


def _set_in(value: Any, path: Path, new: Any) -> Any:
    if not path:
        return new
    step: Step = path[0]
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return [_set_in(one, path[1:], new) if at == step else one for at, one in enumerate(value)]
    members = value if isinstance(value, Mapping) else {}
    return {**members, str(step): _set_in(members.get(str(step)), path[1:], new)}


def _set_query(url: str, name: str, value: Any) -> str:
    base, _, query = url.partition("#")[0].partition("?")
    text = value if isinstance(value, str) else write_json(value)
    pairs, is_set = [], False
    for pair in filter(None, query.split("&")):
        key = pair.partition("=")[0]
        if unquote_plus(key) != name:
            pairs.append(pair)
        elif not is_set:
            pairs.append(f"{key}={quote(text, safe='')}")
            is_set = True
    if not is_set:
        pairs.append(f"{quote(name, safe='$')}={quote(text, safe='')}")
    return f"{base}?{'&'.join(pairs)}"


def _follow(link: str, first: PageRequest, arrived: ArrivedPage) -> PageRequest:
    """The request for a URL that the source names; its text is shown nowhere.

    Raises:
        SourceError: it is not on the origin of the first request.
    """
    try:
        text = urljoin(arrived.request.url, link).partition("#")[0]
        url, own = parse_url(text), parse_url(first.url)
    except (ValueError, LocationParseError):
        raise SourceError(f"{arrived.name}: its next page is not a URL") from None
    if _origin(url) != _origin(own):
        raise SourceError(f"{arrived.name}: {_difference(url, own)}; nothing was sent there")
    if url.auth != own.auth:
        text = url._replace(auth=own.auth).url
    return first._replace(url=text)


def _difference(url: Url, own: Url) -> str:
    if (url.host or "").lower() == (own.host or "").lower() and url.scheme == "http":
        return "its next page goes from https to http, or to another port"
    if (url.host or "").lower() == (own.host or "").lower():
        return "its next page is on another port or scheme, and so counts as another host"
    return "its next page is on another host"


def _origin(url: Url) -> tuple[str | None, str | None, int | None]:
    scheme = (url.scheme or "").lower()
    return scheme, (url.host or "").lower(), url.port or _PORTS.get(scheme)


def _first_number(pagination: Pagination) -> int:
    return 1 if pagination.start is None else pagination.start


def _whole(page: Any, path: Path | None, key: str, name: str) -> int | None:
    """A whole number of a page, also one that is written as text, or none where it has none."""
    value = None if path is None else value_at(page, path)
    if value is None:
        return None
    digits = re.fullmatch(r"([0-9]{1,18})(?:\.0+)?", str(value))
    if isinstance(value, bool | list | dict) or not digits:
        raise SourceError(f"{name}: {key} is {_show(value)}; it should lead to a whole number")
    return int(digits[1])


def _is_none(value: Any) -> bool:
    """Whether a value says that there is no next page: null, false or empty, but not 0."""
    return value is None or value is False or value in ("", [], {})


def _show(value: Any) -> str:
    text = "missing" if value is None else write_json(value)
    if isinstance(value, str) and not isinstance(value, Number):
        text = "a text"  # which may be a cursor, and some cursors open doors
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
