"""The plain fetching of pages follows every kind of pagination, and notices missing pages."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.cases.replay import Replay, serve_case
from tests.integration.ask_source import Refused, Request
from tests.integration.exact_json import Number
from tests.integration.fetch_pages import Moved, fetch_pages, raw_pages, with_param
from tests.integration.plain_reading import Broken, Page, expected_rows

PAGING = Path(__file__).parent / "cases" / "paging"
COLUMNS = '[columns]\nid = { type = "int64", required = true, unique = true }\n'

ENDS: dict[str, type[Exception] | None] = {
    "429-on-page-2": None,
    "cursor-on-last-page": None,
    "empty-page-in-the-middle": None,
    "error-on-page-2": Broken,
    "loop": Refused,
    "one-short": Moved,
    "other-host": Refused,
    "rows-shift": Broken,
}


def read(replay: Replay) -> list[dict[str, Any]]:
    """The rows of a case that is being served."""
    dataset = tomllib.loads(replay.dataset())
    return expected_rows(dataset, fetch_pages(dataset, replay.variables()))


@pytest.mark.parametrize("case", ENDS)
def test_what_is_not_all_of_the_data_is_refused(case: str) -> None:
    error = ENDS[case]
    with serve_case(PAGING / case) as replay:
        if error is None:
            assert read(replay) == replay.expected()
        else:
            with pytest.raises(error):
                read(replay)
    requests = replay.expected("expected_run.json")["requests"]
    assert requests in (None, len(replay.asked))


def test_every_recorded_case_of_paging_is_tried() -> None:
    assert sorted(ENDS) == sorted(folder.name for folder in PAGING.iterdir())


def make_case(folder: Path, source: str, routes: list[dict[str, Any]], **pages: Any) -> Path:
    """Write a case: the dataset file's section ``source``, its routes, and pages by name."""
    text = f'name = "t"\n[source]\nurl = "{{base}}/x?limit=2"\n{source}\n{COLUMNS}'
    (folder / "dataset.toml").write_text(text)
    (folder / "env.json").write_text('{"SECRET": "s3cret"}')
    (folder / "routes.json").write_text(json.dumps({"routes": routes}))
    for name, page in pages.items():
        (folder / name).write_text(json.dumps(page))
    return folder


def route(answer: str, path: str = "/x", **more: Any) -> dict[str, Any]:
    """A route of a case."""
    return {"path": path, "answer": answer, **more}


def ids(*numbers: int, **more: Any) -> dict[str, Any]:
    """A page of records with these numbers."""
    return {"items": [{"id": number} for number in numbers], **more}


def ids_of(case: Path) -> tuple[list[int], int]:
    """The numbers of all records of a case, and how many requests that took."""
    with serve_case(case) as replay:
        rows = read(replay)
    return [row["id"] for row in rows], len(replay.asked)


COUNTED = [
    ('kind = "page_number"\nparam = "page"', "page", ["2", "3"]),
    ('kind = "page_number"\nparam = "page"\nstart = 0', "page", ["1", "2"]),
    ('kind = "offset"\nparam = "skip"', "skip", ["2", "3"]),
    ('kind = "offset"\nparam = "skip"\nstart = 1', "skip", ["3", "4"]),
    ('kind = "last_record"\nparam = "after"\nfield = "id"', "after", ["2", "3"]),
]


@pytest.mark.parametrize(("pagination", "param", "asked"), COUNTED)
def test_a_short_page_is_not_the_end_and_an_empty_one_is(
    tmp_path: Path, pagination: str, param: str, asked: list[str]
) -> None:
    source = f'records = "items"\n[source.pagination]\n{pagination}'
    routes = [
        route("1"),
        route("2", query={param: asked[0]}),
        route("3", query={param: asked[1], "limit": "2"}),
    ]
    pages = {"1": ids(1, 2), "2": ids(3), "3": ids()}
    assert ids_of(make_case(tmp_path, source, routes, **pages)) == ([1, 2, 3], 3)


STOPS = [
    ('total = "total"', {"total": 3}),
    ('last_page = "pages"', {"pages": 2}),
    ('has_more = "more"', {}),
]


@pytest.mark.parametrize(("says", "more"), STOPS)
def test_the_last_page_says_so(tmp_path: Path, says: str, more: dict[str, Any]) -> None:
    pagination = f'[source.pagination]\nkind = "page_number"\nparam = "page"\n{says}'
    routes = [route("1"), route("2", query={"page": "2"})]
    pages = {"1": ids(1, 2, more=True, **more), "2": ids(3, more=False, **more)}
    case = make_case(tmp_path, f'records = "items"\n{pagination}', routes, **pages)
    assert ids_of(case) == ([1, 2, 3], 2)


def test_more_without_a_way_on_is_refused(tmp_path: Path) -> None:
    pagination = '[source.pagination]\nkind = "next_url"\nnext = "next"\nhas_more = "more"'
    page = ids(1, more=True, next=None)
    case = make_case(tmp_path, f'records = "items"\n{pagination}', [route("1")], **{"1": page})
    with pytest.raises(Refused, match="there is more"):
        ids_of(case)


def test_a_total_that_changes_is_refused(tmp_path: Path) -> None:
    pagination = '[source.pagination]\nkind = "next_url"\nnext = "next"\ntotal = "total"'
    pages = {"1": ids(1, total=3, next="/x?page=2"), "2": ids(2, total=2)}
    routes = [route("1"), route("2", query={"page": "2"})]
    with pytest.raises(Moved):
        ids_of(make_case(tmp_path, f'records = "items"\n{pagination}', routes, **pages))


def test_a_page_that_is_not_as_expected_is_refused(tmp_path: Path) -> None:
    source = 'records = "items"\n[source.expect]\ntimed_out = false\n"_shards.failed" = 0'
    good = ids(1, timed_out=False, _shards={"failed": 0})
    assert ids_of(make_case(tmp_path, source, [route("1")], **{"1": good})) == ([1], 1)
    wrong = ids(1, timed_out=False, _shards={"failed": 1})
    with pytest.raises(Refused, match=r"_shards\.failed is 1"):
        ids_of(make_case(tmp_path, source, [route("1")], **{"1": wrong}))


def test_a_token_is_fetched_and_once_more_where_it_has_expired(tmp_path: Path) -> None:
    oauth2 = 'token_url = "{base}/token"\nclient_id = "me"\nclient_secret = "${SECRET}"'
    form = {"grant_type": "client_credentials", "client_id": "me", "client_secret": "s3cret"}
    routes = [
        route("1", fail_first=1, fail_status=401),
        route("token", "/token", method="POST", body=form),
    ]
    case = make_case(
        tmp_path,
        f'records = "items"\n[source.oauth2]\n{oauth2}',
        routes,
        **{"1": ids(1), "token": {"access_token": "t"}},
    )
    assert ids_of(case) == ([1], 4)


def test_headers_stay_with_their_origin_through_redirects(tmp_path: Path) -> None:
    headers = 'headers = { Authorization = "Bearer ${SECRET}" }\nrecords = "items"'
    other, first = tmp_path / "other", tmp_path / "first"
    other.mkdir()
    first.mkdir()
    with serve_case(make_case(other, "", [route("1")], **{"1": ids(1)})) as elsewhere:
        away = {"Location": f"{elsewhere.base}/x"}
        case = make_case(first, headers, [route("1", status=302, send=away)], **{"1": {}})
        assert ids_of(case) == ([1], 1)
        assert "Authorization" not in elsewhere.asked[0].headers
    home = {"Location": "{base}/y"}
    routes = [route("1", status=302, send=home), route("2", "/y")]
    with serve_case(make_case(first, headers, routes, **{"2": ids(2)})) as replay:
        assert read(replay) == [{"id": 2}]
        assert replay.asked[1].headers["Authorization"] == "Bearer s3cret"


def test_a_variable_that_is_missing_is_named() -> None:
    dataset = {"source": {"url": "http://127.0.0.1/${NOT_THERE}"}, "columns": {}}
    with pytest.raises(Refused, match="NOT_THERE"):
        fetch_pages(dataset, {})


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://a/x", "http://a/x?p=v%26w"),
        ("http://a/x?q[a]=1&p=2&r=%20", "http://a/x?q[a]=1&r=%20&p=v%26w"),
    ],
)
def test_a_parameter_is_replaced_in_the_url(url: str, expected: str) -> None:
    assert with_param(Request(url), "p", "v&w").url == expected


def test_a_parameter_is_replaced_in_the_body() -> None:
    first = Request("http://a/x", {"query": {}, "options": {"limit": Number(2)}})
    changed = with_param(first, "options.page", Number(2))
    assert changed.body == {"query": {}, "options": {"limit": "2", "page": "2"}}
    assert "page" not in first.body["options"]


def test_a_raw_copy_is_read_in_the_order_of_its_names() -> None:
    kept = {"t/2.json.gz": b"[2]", "t/10.json.gz": b"[10]", "t/_notes.json": b"{}"}
    assert raw_pages(kept, kept.__getitem__, {}) == [Page(b"[10]"), Page(b"[2]")]


def test_a_raw_copy_says_what_each_page_was_asked_for() -> None:
    kept = {"t/s=b%2Fc/1.json.gz": b"[1]", "t/s=a/1.json.gz": b"[2]"}
    dataset = {"source": {"each": {"s": ["b/c", "a"]}}}
    assert raw_pages(kept, kept.__getitem__, dataset) == [Page(b"[1]", "b/c"), Page(b"[2]", "a")]
    with pytest.raises(Refused, match="s="):
        raw_pages({"t/1.json.gz": b"[]"}, kept.__getitem__, dataset)
