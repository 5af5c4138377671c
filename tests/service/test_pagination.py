"""The next request, the end, or an error: by each kind of pagination."""

# ruff: noqa: D103, E501 - a test's name is its promise, and a case is one line
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from micro_etl.dataset import Pagination
from micro_etl.errors import SourceError
from micro_etl.source.paging.links import next_link
from micro_etl.source.paging.page import Number
from micro_etl.source.paging.pagination import (
    ArrivedPage,
    PageRequest,
    find_next,
    read_total,
    set_param,
)

URL = "https://api.example.com/v1/x?limit=2"
FIRST = PageRequest(URL)
LINK, NEXT = Pagination("link_header"), Pagination("next_url", next=("next",))
CURSOR = Pagination("cursor", next=("next",), param="after")
LAST = Pagination("last_record", field=("id",), param="since")
PAGE, OFFSET = Pagination("page_number", param="page"), Pagination("offset", param="skip")
END = None
NOTHING: list[object] = [None, "", {}, [], False]
MORE, PAGES, TOTAL = ("has_more",), ("last_page",), ("total",)


def find(
    pagination: Pagination | None,
    page: Any = None,
    *,
    came: tuple[int, int, int] = (1, 2, 2),
    headers: Mapping[str, str] | None = None,
    first: PageRequest = FIRST,
    request: PageRequest | None = None,
) -> PageRequest | None:
    """The next request after a page; `came` counts pages, elements in it, elements in all."""
    records = [{"id": number} for number in range(came[1])]
    return find_next(
        pagination,
        first,
        ArrivedPage(
            name="page 1",
            request=request or first,
            headers=headers or {},
            page=page if page is not None else {},
            elements=came[1],
            last=records[-1] if records else None,
            pages=came[0],
            total_elements=came[2],
        ),
    )


def added(query: str) -> PageRequest:
    """The first request with something added to its query."""
    return PageRequest(f"{URL}&{query}")


@pytest.mark.parametrize(
    ("pagination", "page", "came", "expected"),
    [
        (None, {"next": "/x?page=2"}, (1, 2, 2), END),
        (Pagination("none"), {"next": "/x?page=2"}, (1, 2, 2), END),
        (NEXT, {"next": "/x?page=2"}, (1, 2, 2), PageRequest("https://api.example.com/x?page=2")),
        (NEXT, {"next": "?page=2"}, (1, 2, 2), PageRequest("https://api.example.com/v1/x?page=2")),
        (NEXT, {"next": {"href": "/y"}}, (1, 2, 2), PageRequest("https://api.example.com/y")),
        (NEXT, {"next": "/y#here"}, (1, 2, 2), PageRequest("https://api.example.com/y")),
        (NEXT, {"next": "/y"}, (1, 0, 0), PageRequest("https://api.example.com/y")),
        *((NEXT, {"next": nothing}, (1, 2, 2), END) for nothing in NOTHING),
        (NEXT, {"next": {"href": None}}, (1, 2, 2), END),
        (NEXT, {}, (1, 2, 2), END),
        (CURSOR, {"next": "a/b="}, (1, 2, 2), added("after=a%2Fb%3D")),
        (CURSOR, {"next": 7}, (1, 0, 0), added("after=7")),
        (CURSOR, {"next": 0}, (1, 2, 2), added("after=0")),
        (CURSOR, {"next": Number("1.50")}, (1, 2, 2), added("after=1.50")),
        (CURSOR, {"next": [1, "a"]}, (1, 2, 2), added("after=%5B1%2C%22a%22%5D")),
        (CURSOR, {"next": ""}, (1, 2, 2), END),
        (LAST, {}, (1, 2, 2), added("since=1")),
        (LAST, {}, (1, 0, 2), END),
        (PAGE, {}, (1, 1, 1), added("page=2")),
        (PAGE, {}, (4, 1, 9), added("page=5")),
        (PAGE, {}, (4, 0, 9), END),
        (Pagination("page_number", param="page", start=0), {}, (1, 2, 2), added("page=1")),
        (OFFSET, {}, (3, 1, 5), added("skip=5")),
        (OFFSET, {}, (3, 0, 5), END),
        (Pagination("offset", param="skip", start=1), {}, (3, 1, 5), added("skip=6")),
    ],
)
def test_kind_says_what_is_next(
    pagination: Pagination, page: Any, came: tuple[int, int, int], expected: PageRequest | None
) -> None:
    assert find(pagination, page, came=came) == expected


@pytest.mark.parametrize(
    ("pagination", "page", "came", "goes_on"),
    [
        (Pagination("cursor", next=("next",), param="p", has_more=MORE), {"next": "a", "has_more": False}, (1, 2, 2), False),
        (Pagination("cursor", next=("next",), param="p", has_more=MORE), {"next": "a", "has_more": True}, (1, 0, 0), True),
        (Pagination("cursor", next=("next",), param="p", has_more=MORE), {"next": "a"}, (1, 2, 2), True),
        (Pagination("page_number", param="p", has_more=MORE), {"has_more": True}, (1, 0, 0), True),
        (Pagination("page_number", param="p", has_more=MORE), {"has_more": False}, (1, 2, 2), False),
        (Pagination("last_record", field=("id",), param="p", has_more=MORE), {"has_more": False}, (1, 2, 2), False),
        (Pagination("page_number", param="p", last_page=PAGES), {"last_page": 3}, (2, 2, 4), True),
        (Pagination("page_number", param="p", last_page=PAGES), {"last_page": 3}, (2, 0, 4), True),
        (Pagination("page_number", param="p", last_page=PAGES), {"last_page": "3"}, (3, 2, 6), False),
        (Pagination("page_number", param="p", last_page=PAGES), {"last_page": 0}, (1, 0, 0), False),
        (Pagination("page_number", param="p", start=0, last_page=PAGES), {"last_page": 2}, (2, 2, 4), True),
        (Pagination("next_url", next=("next",), last_page=PAGES), {"next": "/x", "last_page": 1}, (1, 2, 2), False),
        (Pagination("page_number", param="p", total=TOTAL), {"total": 4}, (1, 2, 2), True),
        (Pagination("page_number", param="p", total=TOTAL), {"total": 4}, (2, 2, 4), False),
        (Pagination("offset", param="p", total=TOTAL), {"total": "4"}, (2, 2, 4), False),
        (Pagination("offset", param="p", total=TOTAL), {"total": 4}, (2, 0, 2), False),
        # A total that is capped, as Elasticsearch's, must not end what can go on.
        (Pagination("last_record", field=("id",), param="p", total=TOTAL), {"total": 2}, (1, 2, 2), True),
        (Pagination("next_url", next=("next",), total=TOTAL), {"next": "/x", "total": 2}, (1, 2, 2), True),
    ],
)  # fmt: skip
def test_end_is_where_the_source_says_so(
    pagination: Pagination, page: Any, came: tuple[int, int, int], goes_on: bool
) -> None:
    assert (find(pagination, page, came=came) is not None) == goes_on


@pytest.mark.parametrize(
    ("pagination", "page", "says"),
    [
        (Pagination("cursor", next=("next",), param="p", has_more=MORE), {"has_more": True}, "has no cursor"),
        (Pagination("next_url", next=("next",), has_more=MORE), {"has_more": True}, "has no next URL"),
        (Pagination("link_header", has_more=MORE), {"has_more": True}, "has no Link header"),
        (Pagination("next_url", next=("next",), last_page=PAGES), {"last_page": 2}, "has no next URL"),
        (Pagination("cursor", next=("next",), param="p", has_more=MORE), {"has_more": 1}, "has_more is 1"),
        (Pagination("cursor", next=("next",), param="p", last_page=PAGES), {"last_page": []}, "last_page is"),
        (Pagination("last_record", field=("key",), param="p"), {}, "is missing"),
        (NEXT, {"next": 7}, "next is 7; it should lead to a URL"),
        (NEXT, {"next": {"page": 2}}, "it should lead to a URL"),
        (NEXT, {"next": "http://[::1"}, "is not a URL"),
        (NEXT, {"next": "http://api.example.com/v1/x?t=secret"}, "from https to http"),
        (NEXT, {"next": "https://api.example.com:8443/x?t=secret"}, "another port"),
        (NEXT, {"next": "https://evil.example/x?t=secret"}, "another host"),
        (NEXT, {"next": "//evil.example/x?t=secret"}, "another host"),
        (NEXT, {"next": "https://api.example.com@evil.example/x?t=secret"}, "another host"),
        (NEXT, {"next": "https://evil.example\\@api.example.com/x?t=secret"}, "another host"),
        (NEXT, {"next": "https://api.example.com.evil.example/x?t=secret"}, "another host"),
        (NEXT, {"next": "javascript:alert(1)"}, "another host"),
    ],
)  # fmt: skip
def test_source_that_must_not_be_followed_is_refused(
    pagination: Pagination, page: Any, says: str
) -> None:
    with pytest.raises(SourceError, match=r"^page 1") as refused:
        find(pagination, page)
    assert says in str(refused.value)
    assert "secret" not in str(refused.value)
    assert "evil" not in str(refused.value)


@pytest.mark.parametrize(
    "link", ["https://api.example.com:443/x", "HTTPS://API.EXAMPLE.COM/x", "//api.example.com/x"]
)
def test_same_origin_in_another_spelling_is_followed(link: str) -> None:
    assert find(NEXT, {"next": link}) is not None


def test_user_and_password_stay_those_of_the_first_url() -> None:
    first = PageRequest("https://me:pass@api.example.com/x")
    assert find(NEXT, {"next": "https://api.example.com/y?p=2"}, first=first) == PageRequest(
        "https://me:pass@api.example.com/y?p=2"
    )
    assert find(NEXT, {"next": "https://you:else@api.example.com/y"}) == PageRequest(
        "https://api.example.com/y"
    )


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('<https://a/x?page=2>; rel="next"', "https://a/x?page=2"),
        ('<x?page=1>; rel="prev", <x?page=3>; rel="next", <x?page=9>; rel="last"', "x?page=3"),
        ("<x>; rel=next", "x"),
        ("<x> ; REL = NEXT", "x"),
        ('<x>;rel="last next"', "x"),
        ('<x>; title="a, <b>; rel=next"; rel="prev"', None),
        ('<x>; title="a \\" b"; rel="next"', "x"),
        ('<x,y>; rel="next"', "x,y"),
        ('<x>; rel="prev"; rel="next"', None),
        ("<x>; rel=nextpage", None),
        ('<x>; rel="https://a/rels/next"', None),
        ('<>; rel="next"', ""),
        ('<x>; rel="next";', "x"),
        ('<x>; rel="next"; results="true"; cursor="0:100:0"', "x"),
        ("", None),
        ("</style.css>; rel=preload; as=style", None),
    ],
)
def test_link_header_is_read_as_the_rfc_writes_it(header: str, expected: str | None) -> None:
    assert next_link(header) == expected


@pytest.mark.parametrize("header", ["https://a/x; rel=next", '<x; rel="next"', "x; rel='next'"])
def test_link_header_that_cannot_be_read_is_no_end(header: str) -> None:
    with pytest.raises(SourceError, match="Link header names a next page, but can't be read"):
        find(LINK, headers={"link": header})


BODY = PageRequest("https://a/x?page=1", {"query": {}, "options": {"limit": 2, "page": 1}})


@pytest.mark.parametrize(
    ("request_", "param", "value", "expected"),
    [
        (FIRST, "limit", 3, "https://api.example.com/v1/x?limit=3"),
        (FIRST, "page[offset]", 3, f"{URL}&page%5Boffset%5D=3"),
        (FIRST, "$offset", 3, f"{URL}&$offset=3"),
        (PageRequest("https://a/x"), "p", "a b&c", "https://a/x?p=a%20b%26c"),
        (PageRequest("https://a/x?q=a%20b&p=1&p=2&r#f"), "p", 3, "https://a/x?q=a%20b&p=3&r"),
        (PageRequest("https://a/x?page%5Bn%5D=1"), "page[n]", 2, "https://a/x?page%5Bn%5D=2"),
        (PageRequest("https://a/x?"), "p", True, "https://a/x?p=true"),
    ],
)
def test_parameter_of_the_query_is_replaced(
    request_: PageRequest, param: str, value: Any, expected: str
) -> None:
    assert set_param(request_, param, value) == PageRequest(expected)


@pytest.mark.parametrize(
    ("param", "value", "expected"),
    [
        ("options.page", 2, {"query": {}, "options": {"limit": 2, "page": 2}}),
        ("search_after", [1, "d2"], {**(BODY.body or {}), "search_after": [1, "d2"]}),
        ("a.b", "c", {**(BODY.body or {}), "a": {"b": "c"}}),
        ('"a.b"', "c", {**(BODY.body or {}), "a.b": "c"}),
    ],
)
def test_parameter_of_the_body_is_replaced(param: str, value: Any, expected: Any) -> None:
    assert set_param(BODY, param, value) == PageRequest(BODY.url, expected)
    assert BODY.body == {"query": {}, "options": {"limit": 2, "page": 1}}


def test_next_url_keeps_the_body() -> None:
    assert find(NEXT, {"next": "/y"}, first=BODY) == PageRequest("https://a/y", BODY.body)


def test_next_url_is_relative_to_the_page_that_names_it() -> None:
    request = PageRequest("https://api.example.com/other/path")
    assert find(NEXT, {"next": "two"}, request=request) == PageRequest(
        "https://api.example.com/other/two"
    )


@pytest.mark.parametrize(
    ("value", "expected"), [(3, 3), ("3", 3), (Number("3.0"), 3), (None, None), (0, 0)]
)
def test_total_is_read(value: Any, expected: int | None) -> None:
    assert read_total(Pagination("none", total=TOTAL), {"total": value}, name="x") == expected


@pytest.mark.parametrize(
    ("page", "path"),
    [
        ({"hits": {"total": {"value": 10_000, "relation": "gte"}}}, ("hits", "total", "value")),
        ({"numFound": 10_000, "numFoundExact": False}, ("numFound",)),
    ],
)
def test_total_that_is_a_least_number_is_refused(page: Any, path: Any) -> None:
    """Elasticsearch counts to 10,000 unless it is asked to go on: to end there would be a part."""
    with pytest.raises(SourceError, match=r"^x: .* 10,000 records at least, not how many"):
        read_total(Pagination("none", total=path), page, name="x")


@pytest.mark.parametrize("value", [True, -1, "3 records", [3], {"value": 3}, Number("3.5"), ""])
def test_total_that_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(SourceError, match=r"^x: total is"):
        read_total(Pagination("none", total=TOTAL), {"total": value}, name="x")
