"""How pages follow each other is guessed from the first one, as well-known APIs do it."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

from typing import Any

import pytest

from micro_etl.draft.find_records import choose_records
from micro_etl.draft.guess_pagination import FirstPage, Guess, guess_pagination
from micro_etl.source.paging.page import find_records
from micro_etl.source.paging.pagination import PageRequest

ONE = [{"id": 7}, {"id": 8}]


def guesses(
    page: Any, url: str = "https://h/x", body: dict[str, Any] | None = None, **headers: str
) -> list[Guess]:
    """The guesses about a page."""
    chosen, _ = choose_records(page, shown="the page")
    found = find_records(page, chosen.path, columnar=chosen.columnar)
    assert found
    return guess_pagination(FirstPage(PageRequest(url, body), headers, page, chosen.path, found))


@pytest.mark.parametrize(
    ("page", "url", "keys"),
    [
        pytest.param(
            {"count": 9, "next": "https://h/x?page=2", "previous": None, "results": ONE},
            "https://h/x",
            {"kind": "next_url", "next": "next", "total": "count"},
            id="Django REST framework",
        ),
        pytest.param(
            {"@odata.nextLink": "https://h/x?$skiptoken=a", "value": ONE},
            "https://h/x",
            {"kind": "next_url", "next": '"@odata.nextLink"'},
            id="OData",
        ),
        pytest.param(
            {"totalSize": 9, "done": False, "nextRecordsUrl": "/query/01g-2", "records": ONE},
            "https://h/query?q=x",
            {"kind": "next_url", "next": "nextRecordsUrl", "total": "totalSize"},
            id="Salesforce",
        ),
        pytest.param(
            {"data": ONE, "links": {"next": {"href": "/x?page[offset]=2"}}},
            "https://h/x",
            {"kind": "next_url", "next": "links.next.href"},
            id="JSON:API 1.1",
        ),
        pytest.param(
            {"results": ONE, "_links": {"next": "/rest?start=2", "base": "https://h"}, "size": 2},
            "https://h/rest",
            {"kind": "next_url", "next": "_links.next"},
            id="Confluence",
        ),
        pytest.param(
            {"object": "list", "data": ONE, "has_more": True},
            "https://h/x",
            {
                "kind": "last_record",
                "field": "id",
                "param": "starting_after",
                "has_more": "has_more",
            },
            id="Stripe",
        ),
        pytest.param(
            {"links": {"next": "https://h/y"}, "element_count": 3, "days": {"1": ONE, "2": ONE}},
            "https://h/x",
            {"kind": "next_url", "next": "links.next"},
            id="NASA's objects by day, whose count is not of days",
        ),
    ],
)
def test_what_names_its_next_page_is_certain(page: Any, url: str, keys: dict[str, Any]) -> None:
    first, *others = guesses(page, url)
    assert (first.keys, first.probe, others) == (keys, None, [])


@pytest.mark.parametrize(
    ("page", "url", "body", "keys", "probe"),
    [
        pytest.param(
            {"ok": True, "members": ONE, "response_metadata": {"next_cursor": "dXNlcg=="}},
            "https://h/x",
            None,
            {"kind": "cursor", "next": "response_metadata.next_cursor", "param": "cursor"},
            ("cursor", "dXNlcg=="),
            id="Slack",
        ),
        pytest.param(
            {"results": ONE, "paging": {"next": {"after": "NTI1"}}},
            "https://h/x",
            None,
            {"kind": "cursor", "next": "paging.next.after", "param": "after"},
            ("after", "NTI1"),
            id="HubSpot",
        ),
        pytest.param(
            {"items": ONE, "nextPageToken": "t"},
            "https://h/x",
            None,
            {"kind": "cursor", "next": "nextPageToken", "param": "pageToken"},
            ("pageToken", "t"),
            id="Google",
        ),
        pytest.param(
            {"records": ONE, "offset": "itr/rec"},
            "https://h/x",
            None,
            {"kind": "cursor", "next": "offset", "param": "offset"},
            ("offset", "itr/rec"),
            id="Airtable",
        ),
        pytest.param(
            {"object": "list", "results": ONE, "next_cursor": "n", "has_more": True},
            "https://h/x",
            {"page_size": 2},
            {
                "kind": "cursor",
                "next": "next_cursor",
                "param": "start_cursor",
                "has_more": "has_more",
            },
            ("start_cursor", "n"),
            id="Notion",
        ),
        pytest.param(
            {"data": {"items": ONE, "pageInfo": {"hasNextPage": True, "endCursor": "e"}}},
            "https://h/graphql",
            {"query": "…", "variables": {"first": 2, "after": ""}},
            {
                "kind": "cursor",
                "next": "data.pageInfo.endCursor",
                "param": "variables.after",
                "has_more": "data.pageInfo.hasNextPage",
            },
            ("variables.after", "e"),
            id="GraphQL",
        ),
        pytest.param(
            [{"page": 1, "pages": 5, "per_page": "2", "total": 9}, ONE],
            "https://h/x?per_page=2",
            None,
            {"kind": "page_number", "param": "page", "total": "[0].total"},
            ("page", 2),
            id="World Bank",
        ),
        pytest.param(
            {"content": ONE, "page": {"size": 2, "totalElements": 9, "number": 0}},
            "https://h/x?size=2",
            None,
            {"kind": "page_number", "param": "page", "start": 0, "total": "page.totalElements"},
            ("page", 1),
            id="Spring",
        ),
        pytest.param(
            {"startAt": 0, "maxResults": 2, "total": 9, "issues": ONE},
            "https://h/search?maxResults=2",
            None,
            {"kind": "offset", "param": "startAt", "total": "total"},
            ("startAt", 2),
            id="Jira",
        ),
        pytest.param(
            {"data": ONE, "meta": {"page": 3, "total": 9}},
            "https://h/x?page=3",
            None,
            {"kind": "page_number", "param": "page", "start": 3, "total": "meta.total"},
            ("page", 4),
            id="a first page that is not the first",
        ),
        pytest.param(
            ONE,
            "https://h/x?$limit=2",
            None,
            {"kind": "offset", "param": "$offset"},
            ("$offset", 2),
            id="Socrata",
        ),
    ],
)
def test_what_has_to_be_asked_for_is_among_the_guesses(
    page: Any, url: str, body: dict[str, Any] | None, keys: dict[str, Any], probe: Any
) -> None:
    found = guesses(page, url, body)
    assert (keys, probe) in [(guess.keys, guess.probe) for guess in found]
    assert len(found) <= 8


@pytest.mark.parametrize(
    ("page", "url"),
    [
        (ONE, "https://h/x"),
        (ONE, "https://h/x?limit=3"),
        ({"count": 2, "next": None, "results": ONE}, "https://h/x?limit=2"),
        ({"has_more": False, "items": ONE}, "https://h/x"),
        ({"total": 2, "items": ONE}, "https://h/x?limit=2"),
        ({"metadata": {"count": 2}, "features": ONE}, "https://h/x"),
    ],
)
def test_a_page_that_is_all_has_no_next(page: Any, url: str) -> None:
    assert guesses(page, url) == []


def test_a_link_header_goes_before_all() -> None:
    (only,) = guesses({"next": "a", "items": ONE}, link='<https://h/x?p=2>; rel="next"')
    assert only.keys["kind"] == "link_header"
