"""Pages: all of them arrive, in order and of one state of the source, or none counts."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from micro_etl.dataset import parse_dataset
from micro_etl.errors import AccessDeniedError, ConfigError, DataError, MicroEtlError, SourceError
from micro_etl.location import Location
from micro_etl.mask import Mask
from micro_etl.source.limits import ExtractOptions, HttpOptions
from micro_etl.source.paging.pages import Page, Restart, fetch_pages
from micro_etl.source.read import is_paged
from tests.cases.replay import serve_case
from tests.service.servers import Answer, Request, Server, redirect, serve

CASES = Path(__file__).parent.parent / "cases"
FAST = ExtractOptions(
    http=HttpOptions(backoff=0.001, backoff_max=0.01, retry_after_max=2, read_timeout=2),
    deadline=20,
)
COLUMNS = '[columns]\nid = { type = "int64", required = true, unique = true }\n'
BY_NEXT = '[source.pagination]\nkind = "next_url"\nnext = "next"\n'


class Reader:
    """Reads pages as a table does: it keeps those that are not to be forgotten.

    Attributes:
        pages: those that count.
        restarts: how often a series started again.
        retries: the reasons of retries.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "pages"
        self.pages: list[Page] = []
        self.restarts: list[Restart] = []
        self.retries: list[str] = []

    def read(
        self,
        text: str,
        *,
        environ: dict[str, str] | None = None,
        options: ExtractOptions = FAST,
        max_pages: int = 100,
        mask: Mask | None = None,
    ) -> list[Any]:
        """Read the source of a dataset file, and give the ids of its records."""
        dataset = parse_dataset(text, label="t.toml")
        for one in fetch_pages(
            dataset,
            Location.parse(dataset.source_url or ""),
            self.folder,
            options=options,
            max_pages=max_pages,
            environ=environ or {},
            on_retry=lambda _, reason: self.retries.append(reason),
            mask=mask,
        ):
            if isinstance(one, Page):
                self.pages.append(one)
            else:
                self.restarts.append(one)
                self.pages = [page for page in self.pages if page.number < one.first]
        return [record["id"] for page in self.pages for record in _records(page)]


def _records(page: Page) -> list[Any]:
    body = json.loads(page.extract.file.read_bytes())
    return body if isinstance(body, list) else body["items"]


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """A reader in an empty folder."""
    return Reader(tmp_path)


def dataset(server: Server, pagination: str = BY_NEXT, *, path: str = "/x", more: str = "") -> str:
    """A dataset file whose records are `items` on a server."""
    return (
        f'name = "t"\n[source]\nurl = "{server.url}{path}"\nrecords = "items"\n{more}\n'
        f"{pagination}\n{COLUMNS}"
    )


def page(*ids: int, **members: Any) -> Answer:
    """A page with records of these ids, and members beside them."""
    body = {"items": [{"id": one} for one in ids], **members}
    return Answer(body=json.dumps(body).encode(), headers={"Content-Type": "application/json"})


@pytest.mark.parametrize(
    ("more", "members"),
    [
        ('next = "next"', '"next":"?p=2","next":null'),
        ('next = "n"\nhas_more = "meta.more"', '"meta":{"more":true,"more":false}'),
        ('next = "n"\nhas_more = "meta.more"', '"meta":{"more":true},"meta":{"more":false}'),
        ('next = "n"\ntotal = "total"', '"total":2,"total":1'),
        ('next = "n"\nlast_page = "last"', '"last":2,"last":1'),
        ('next = "n"\n[source.expect]\nstate = "ok"', '"state":"failed","state":"ok"'),
    ],
)
def test_key_that_decides_and_comes_twice_is_refused(
    more: str, members: str, reader: Reader
) -> None:
    answer = Answer(body=f'{{"items":[{{"id":1}}],{members}}}'.encode())
    pagination = f'[source.pagination]\nkind = "next_url"\n{more}\n'
    with serve(answer) as server, pytest.raises(DataError, match=r"page 1.* more than once"):
        reader.read(dataset(server, pagination))


def test_other_keys_may_come_twice(reader: Reader) -> None:
    with serve(Answer(body=b'{"items":[{"id":1,"a":1,"a":2}],"x":1,"x":2,"next":null}')) as server:
        assert reader.read(dataset(server)) == [1]


@pytest.mark.parametrize(
    ("members", "is_refused"),
    [
        ({"error": {"code": 500}}, True),
        ({"errors": [{"message": "timeout"}]}, True),
        ({"error": "no"}, True),
        ({"success": False}, True),
        ({"ok": False}, True),
        ({"error": None, "errors": [], "success": True, "ok": True}, False),
        ({"error": "", "errors": {}}, False),
    ],
)
def test_page_that_tells_of_an_error_is_refused(
    members: dict[str, Any], is_refused: bool, reader: Reader
) -> None:
    with serve(page(1, next="?p=2"), page(**members)) as server:
        if not is_refused:
            assert reader.read(dataset(server)) == [1]
            return
        with pytest.raises(SourceError, match=rf"page 2.*: {next(iter(members))} is "):
            reader.read(dataset(server))


def test_error_that_is_expected_is_none(reader: Reader) -> None:
    with serve(page(1, error="none")) as server:
        assert reader.read(dataset(server, more='expect = { error = "none" }')) == [1]


@pytest.mark.parametrize("case", sorted(path.name for path in (CASES / "paging").iterdir()))
def test_paging_that_goes_wrong_ends_as_it_should(case: str, reader: Reader) -> None:
    with serve_case(CASES / "paging" / case) as replay:
        expected, code, said = replay.expected("expected_run.json"), 0, ""
        try:
            ids = reader.read(replay.dataset(), environ=replay.variables())
        except MicroEtlError as error:
            code, said = error.exit_code, str(error)
        else:
            assert ids == [row["id"] for row in replay.expected()]
    assert code == expected["code"], said
    assert expected["says"] in said
    assert expected["requests"] in (None, len(replay.asked))


@pytest.mark.parametrize("case", sorted(path.name for path in (CASES / "apis").iterdir()))
def test_every_record_of_an_api_comes(case: str, reader: Reader) -> None:
    with serve_case(CASES / "apis" / case) as replay:
        contract = parse_dataset(replay.dataset(), label=case)
        pages = fetch_pages(
            contract,
            Location.parse(contract.source_url or ""),
            reader.folder,
            options=FAST,
            max_pages=100,
            environ=replay.variables(),
        )
        assert sum(page.records for page in pages if isinstance(page, Page)) == len(
            replay.expected()
        )


def test_page_is_repeated_alone(reader: Reader) -> None:
    answers = [page(1, next="?p=2"), Answer(status=503), Answer(body=b"[1, 2]", sent=3), page(2)]
    with serve(*answers) as server:
        assert reader.read(dataset(server)) == [1, 2]
        assert [request.path for request in server.requests] == ["/x", "/x?p=2", "/x?p=2", "/x?p=2"]


def test_series_starts_again_where_rows_moved(reader: Reader) -> None:
    answers = [page(1, 2, next="?p=2"), page(2, 3), page(0, 1, next="?p=2"), page(2, 3)]
    with serve(*answers) as server:
        assert reader.read(dataset(server)) == [0, 1, 2, 3]
    assert [(restart.first, "rows moved" in restart.reason) for restart in reader.restarts] == [
        (1, True)
    ]
    assert {page.extract.file for page in reader.pages} == {*reader.folder.iterdir()}


@pytest.mark.parametrize(
    "answers",
    [
        [page(1, total=3, next="?p=2"), page(2, total=3)],
        [page(1, total=2, next="?p=2"), page(2, 3, total=2)],
        [page(1, total=2, next="?p=2"), page(2, total=3)],
        [page(1, total=1, next="?p=2"), page(2, total=1)],
    ],
)
def test_total_that_is_not_kept_is_refused(answers: list[Answer], reader: Reader) -> None:
    turns = [answer for _ in range(5) for answer in answers]
    with serve(*turns) as server, pytest.raises(SourceError, match=r"promised|the total is"):
        reader.read(dataset(server, BY_NEXT + 'total = "total"'))
    assert len(reader.restarts) == 4


def test_last_page_that_changes_is_refused(reader: Reader) -> None:
    turns = [answer for _ in range(5) for answer in (page(1, last=3), page(2, last=2))]
    by_number = '[source.pagination]\nkind = "page_number"\nparam = "p"\nlast_page = "last"\n'
    with serve(*turns) as server, pytest.raises(SourceError, match="last_page is 2, and was 3"):
        reader.read(dataset(server, by_number))
    assert len(reader.restarts) == 4


def test_only_answer_is_compared_with_its_total(reader: Reader) -> None:
    with serve(page(1, total=2)) as server:
        text = dataset(server, '[source.pagination]\nkind = "none"\ntotal = "total"')
        assert is_paged(parse_dataset(text, label="t.toml"), Location.parse(server.url))
        with pytest.raises(SourceError, match="2 records were promised, 1 came"):
            reader.read(text)


def test_total_that_no_page_has_is_refused(reader: Reader) -> None:
    with serve(page(1)) as server, pytest.raises(SourceError, match="no page has count"):
        reader.read(dataset(server, BY_NEXT + 'total = "count"'))


def test_total_that_is_on_the_first_page_alone_is_enough(reader: Reader) -> None:
    with serve(page(1, total=2, next="?p=2"), page(2)) as server:
        assert reader.read(dataset(server, BY_NEXT + 'total = "total"')) == [1, 2]


@pytest.mark.parametrize(
    "after_all",
    [
        page(total=2, next="?p=4"),  # an empty page, with a next one for ever
        page(1, total=2, next="?p=2"),  # from the start
        page(2, next="?p=3"),
    ],
)
def test_next_page_after_the_total_ends_where_it_has_nothing_new(
    after_all: Answer, reader: Reader
) -> None:
    answers = [page(1, total=2, next="?p=2"), page(2, total=2, next="?p=3"), after_all]
    with serve(*answers) as server:
        assert reader.read(dataset(server, BY_NEXT + 'total = "total"')) == [1, 2]
        assert len(server.requests) == 3
    assert not reader.restarts
    assert {page.extract.file for page in reader.pages} == {*reader.folder.iterdir()}


def test_request_that_was_sent_before_ends_what_is_complete(reader: Reader) -> None:
    with serve(page(1, total=2, next="?p=2"), page(2, total=2, next="?p=2")) as server:
        assert reader.read(dataset(server, BY_NEXT + 'total = "total"')) == [1, 2]
        assert len(server.requests) == 2


def test_only_the_series_whose_rows_moved_starts_again(reader: Reader) -> None:
    answers = [page(1, next="/a?p=2"), page(2), page(3, next="/b?p=2"), page(3)]
    answers += [page(3, next="/b?p=2"), page(4)]
    with serve(*answers) as server:
        text = dataset(server, path="/{s}", more='each = { s = ["a", "b"] }')
        assert reader.read(text) == [1, 2, 3, 4]
    assert [page.series for page in reader.pages] == ["a", "a", "b", "b"]
    assert reader.restarts[0].first == 3
    assert reader.pages[2].name.startswith("page 1 of b (")


def test_pages_are_bounded(reader: Reader) -> None:
    numbers = iter(range(100))

    def answer(_: Request) -> Answer:
        number = next(numbers)
        return page(number, next=f"?p={number}")

    with serve(answer) as server, pytest.raises(SourceError, match="more than 7 pages; SOURCE_MAX"):
        reader.read(dataset(server), max_pages=7)


def test_one_deadline_holds_for_all_pages(reader: Reader) -> None:
    numbers = iter(range(10**6))

    def answer(_: Request) -> Answer:
        number = next(numbers)
        return page(number, next=f"?p={number}")

    options = ExtractOptions(http=FAST.http, deadline=0.5)
    with serve(answer) as server, pytest.raises(SourceError, match=r"within 0\.5 s"):
        reader.read(dataset(server), options=options, max_pages=10**6)


@pytest.mark.parametrize(
    ("expect", "is_met"),
    [
        ("timed_out = false", True),
        ("failed = 0", True),
        ("timed_out = true", False),
        ("failed = false", False),
        ("missing = 0", False),
    ],
)
def test_page_that_is_not_as_expected_is_refused(expect: str, is_met: bool, reader: Reader) -> None:
    with serve(page(1, timed_out=False, failed=0)) as server:
        text = dataset(server, BY_NEXT + f"[source.expect]\n{expect}")
        if is_met:
            assert reader.read(text) == [1]
        else:
            with pytest.raises(SourceError, match=r"source\.expect says"):
                reader.read(text)


@pytest.mark.parametrize(
    ("answer", "pagination", "is_refused"),
    [
        (page(1, has_more=True), "", True),
        (page(1, has_more=False), "", False),
        (page(1, has_more=True), '[source.pagination]\nkind = "none"', False),
        (page(1, nxt="?p=2"), BY_NEXT, False),
        (page(1, links={"next": "/x?p=2"}), BY_NEXT, True),
        (page(1, links={"next": None}), BY_NEXT, False),
    ],
)
def test_first_page_is_not_taken_for_all(
    answer: Answer, pagination: str, is_refused: bool, reader: Reader
) -> None:
    with serve(answer) as server:
        if is_refused:
            with pytest.raises(DataError, match="is one of several"):
                reader.read(dataset(server, pagination))
        else:
            assert reader.read(dataset(server, pagination)) == [1]


@pytest.mark.parametrize("said", [{"has_more": True}, {"pageInfo": {"hasNextPage": True}}])
def test_page_that_says_there_are_more_but_names_none_is_refused(
    said: dict[str, Any], reader: Reader
) -> None:
    more = "names no next page, but .* says that there are more"
    two = serve(page(1, next="?p=2"), page(2, **said))
    with two as server, pytest.raises(DataError, match=rf"page 2 .*{more}"):
        reader.read(dataset(server))
    with serve(page(1, **said)) as server, pytest.raises(DataError, match=more):
        reader.read(dataset(server))


def test_last_page_may_say_more_of_itself(reader: Reader) -> None:
    with serve(page(1, next="?p=2", has_more=True), page(2, has_more=False, total=9)) as server:
        assert reader.read(dataset(server)) == [1, 2]


def test_several_link_headers_are_read(reader: Reader) -> None:
    first = page(1)
    first.headers["Link"] = '</x?p=0>; rel="prev"\r\nLink: </x?p=2>; rel="last next"'
    with serve(first, page(2)) as server:
        pagination = '[source.pagination]\nkind = "link_header"'
        assert reader.read(dataset(server, pagination)) == [1, 2]


SECRET = "s3cr3t/with+signs="


@pytest.mark.parametrize(
    "repeat",
    [
        lambda: Answer(status=400, body=f"no token {SECRET}".encode()),
        lambda: Answer(status=403, body=b"s3cr3t%2Fwith%2Bsigns%3D"),
        lambda: page(1, failed=SECRET),
        lambda: Answer(body=f"[{SECRET}".encode()),
        lambda: Answer(body=json.dumps({"items": SECRET}).encode()),
        lambda: redirect(f"http://127.0.0.1:1/{SECRET}"),
    ],
)
def test_no_error_repeats_a_secret(repeat: Callable[[], Answer], reader: Reader) -> None:
    with serve(repeat()) as server:
        more = 'headers = { X-Token = "${TOKEN}" }\nexpect = { failed = 0 }'
        text = dataset(server, path="/${TOKEN}/x?key=${TOKEN}", more=more)
        with pytest.raises(MicroEtlError) as refused:
            reader.read(text, environ={"TOKEN": SECRET})
    assert server.requests[0].headers["x-token"] == SECRET
    for form in (SECRET, "s3cr3t%2F", "with+signs", "with%2Bsigns"):
        assert form not in f"{refused.value}{reader.retries}"


def test_page_is_named_without_secrets(reader: Reader) -> None:
    with serve(page(1, next=f"/{SECRET}/x?key={SECRET}&p=2"), page(2)) as server:
        reader.read(dataset(server, path="/${TOKEN}/x"), environ={"TOKEN": SECRET})
    assert [page.name for page in reader.pages] == [
        f"page 1 ({server.url}/…/x)",
        f"page 2 ({server.url}/…/x?key=…&p=…)",
    ]


OAUTH2 = """[source.oauth2]
token_url = "{base}/token"
client_id = "me"
client_secret = "${{SECRET}}"
scope = "read all"
"""


def test_token_is_fetched_first_and_again_when_it_has_expired(reader: Reader) -> None:
    tokens = iter(["token-one", "token-two"])
    valid = ["token-one"]

    def answer(request: Request) -> Answer:
        if request.path == "/token":
            valid[:] = [next(tokens)]
            return Answer(body=json.dumps({"access_token": valid[0]}).encode())
        if request.path == "/x?p=2" and request.headers["authorization"] == "Bearer token-one":
            return Answer(status=401)
        assert request.headers["authorization"] == f"Bearer {valid[0]}"
        return page(2) if "p=2" in request.path else page(1, next="?p=2")

    mask = Mask()
    with serve(answer) as server:
        text = dataset(server, BY_NEXT + OAUTH2.format(base=server.url))
        assert reader.read(text, environ={"SECRET": "hush/hush"}, mask=mask) == [1, 2]
    assert [request.path for request in server.requests] == [
        "/token", "/x", "/x?p=2", "/token", "/x?p=2",
    ]  # fmt: skip
    assert server.requests[0].body == (
        b"grant_type=client_credentials&client_id=me&client_secret=hush%2Fhush&scope=read+all"
    )
    assert mask.clean("token-one token-two hush/hush") == "… … …"


def test_credentials_go_into_a_header_where_the_form_is_refused(reader: Reader) -> None:
    answers = [Answer(status=401, body=b'{"error": "invalid_client"}')]
    answers += [Answer(body=b'{"access_token": "t"}'), page(1)]
    with serve(*answers) as server:
        text = dataset(server, BY_NEXT + OAUTH2.format(base=server.url))
        assert reader.read(text, environ={"SECRET": "hush hush"}) == [1]
    _, second, _ = server.requests
    assert second.headers["authorization"] == "Basic bWU6aHVzaCUyMGh1c2g="
    assert b"hush" not in second.body


@pytest.mark.parametrize("status", [400, 401, 403])
def test_credentials_that_are_refused_are_told_apart(status: int, reader: Reader) -> None:
    with serve(Answer(status=status)) as server:
        text = dataset(server, BY_NEXT + OAUTH2.format(base=server.url))
        with pytest.raises(AccessDeniedError, match=f"/token: status {status}"):
            reader.read(text, environ={"SECRET": "hush hush"})


def test_token_that_is_refused_at_once_is_not_renewed(reader: Reader) -> None:
    with serve(Answer(body=b'{"access_token": "t"}'), Answer(status=401)) as server:
        text = dataset(server, BY_NEXT + OAUTH2.format(base=server.url))
        with pytest.raises(AccessDeniedError, match="/x: status 401"):
            reader.read(text, environ={"SECRET": "hush hush"})
    assert len(server.requests) == 2


def test_missing_variable_is_named_before_anything_is_sent(reader: Reader) -> None:
    with serve(page(1)) as server:
        text = dataset(server, more='headers = { X-Token = "${NO_TOKEN}" }')
        with pytest.raises(ConfigError, match="NO_TOKEN is missing"):
            reader.read(text)
        assert not server.requests
