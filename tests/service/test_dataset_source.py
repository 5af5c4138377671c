"""Where records come from: requests, pages and what the answer must say."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import re

import pytest

from micro_etl.dataset import EVERY, Dataset, Each, OAuth2, Pagination, parse_dataset
from micro_etl.errors import ConfigError

URL = 'url = "https://h/x?limit=2"\n'
KEY = '[columns]\nid = { type = "int64", unique = true }\n'


def read(source: str, columns: str = KEY) -> Dataset:
    """The dataset of a section `source`."""
    return parse_dataset(f'name = "t"\n[source]\n{source}\n{columns}', label="t.toml")


def refused(source: str, columns: str = KEY) -> str:
    """What is said of a section `source` that is wrong."""
    with pytest.raises(ConfigError) as error:
        read(source, columns)
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith("t.toml: ")
    return message.removeprefix("t.toml: ")


def test_every_part_of_a_request_is_read() -> None:
    dataset = read(
        """
        url = "https://h/x?at={place}"
        records = "orders.*.lines[0]"
        headers = { X-Key = "${KEY}", Accept = "application/json" }
        each = { place = ["a b", 7] }
        columnar = true
        empty_arrays_as_objects = true
        [source.body]
        query = { size = 2, sort = ["a", { b = "asc" }] }
        [source.oauth2]
        token_url = "https://login/token"
        client_id = "me"
        client_secret = "${SECRET}"
        [source.expect]
        timed_out = false
        "_shards.failed" = 0
        _shards.total = 1
        errors = []
        """
    )
    assert dataset.source_url == "https://h/x?at={place}"
    assert dataset.records == ("orders", EVERY, "lines", 0)
    assert dataset.headers == {"X-Key": "${KEY}", "Accept": "application/json"}
    assert dataset.each == Each("place", ("a b", "7"))
    assert dataset.body == {"query": {"size": 2, "sort": ["a", {"b": "asc"}]}}
    assert dataset.oauth2 == OAuth2("https://login/token", "me", "${SECRET}")
    assert set(map(repr, dataset.expect)) == {
        "(('timed_out',), False)",
        "(('_shards', 'failed'), 0)",
        "(('_shards', 'total'), 1)",
        "(('errors',), [])",
    }
    assert (dataset.columnar, dataset.empty_arrays_as_objects) == (True, True)


@pytest.mark.parametrize(
    ("text", "pagination"),
    [
        ('kind = "link_header"', Pagination("link_header")),
        ('kind = "next_url"\nnext = "links.next"', Pagination("next_url", next=("links", "next"))),
        (
            'kind = "cursor"\nnext = "$[0].next"\nparam = "after"\nhas_more = "more"\ntotal = "n"',
            Pagination("cursor", (0, "next"), "after", has_more=("more",), total=("n",)),
        ),
        (
            'kind = "last_record"\nfield = "sort[0]"\nparam = "search_after"',
            Pagination("last_record", param="search_after", field=("sort", 0)),
        ),
        (
            'kind = "page_number"\nparam = "page"\nlast_page = "[0].pages"',
            Pagination("page_number", param="page", start=1, last_page=(0, "pages")),
        ),
        (
            'kind = "page_number"\nparam = "p"\nstart = 0',
            Pagination("page_number", param="p", start=0),
        ),
        ('kind = "offset"\nparam = "$offset"', Pagination("offset", param="$offset", start=0)),
        ('kind = "none"', Pagination("none")),
        ('kind = "none"\ntotal = "count"', Pagination("none", total=("count",))),
    ],
)
def test_every_kind_of_pagination_is_read(text: str, pagination: Pagination) -> None:
    assert read(f"{URL}[source.pagination]\n{text}").pagination == pagination


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "pagination.kind is missing; it should be one of link_header, next_url, cursor"),
        ('kind = "pages"', "kind is 'pages'; it should be one of .*, none"),
        ('kind = "page"', r"did you mean page_number\?"),
        ('kinds = "cursor"', r"pagination.kinds is not known; .*; did you mean kind\?"),
        ('kind = "cursor"\nparam = "a"', "next is missing; it should be the path to the next URL"),
        ('kind = "cursor"\nnext = "a"', "param is missing; .*kind = 'cursor' needs it"),
        (
            'kind = "last_record"\nparam = "a"',
            "field is missing; it should be the path in the last",
        ),
        ('kind = "offset"', "param is missing; it should be the parameter"),
        (
            'kind = "link_header"\nnext = "a"',
            "next can't be used together with kind = 'link_header': that kind has has_more, last_p",
        ),
        (
            'kind = "cursor"\nnext="a"\nparam="b"\nstart = 1',
            "start can't be used together with kind",
        ),
        ('kind = "none"\nhas_more = "a"', "has_more can't be used together with kind = 'none'"),
        ('kind = "next_url"\nnext = "a[*].b"', "next is .*; it should be the path to one value"),
        ('kind = "next_url"\nnext = "a."', "next is 'a.'; it should be keys joined by dots"),
        ('kind = "next_url"\nnext = 1', "next is 1; it should be text in quotes"),
        (
            'kind = "last_record"\nparam = "a"\nfield = "$.id"',
            "field is .* the last record, without",
        ),
        ('kind = "offset"\nparam = "?offset="', "param is .* it should be the name alone: offset"),
        ('kind = "offset"\nparam = "o"\nstart = -1', "start is -1; it should be a whole number, 0"),
        (
            'kind = "page_number"\nparam = "limit"',
            "source.url asks for limit = 2, and .*start is 1; they should be the same: start = 2",
        ),
    ],
)
def test_a_mistake_in_pagination_is_named(text: str, message: str) -> None:
    assert re.search(message, refused(f"{URL}[source.pagination]\n{text}"))


def test_pages_need_a_key_which_shows_that_rows_moved() -> None:
    columns = '[columns]\nid = { type = "int64" }\nat = { type = "date" }\n'
    pages = URL + '[source.pagination]\nkind = "link_header"'
    assert "source.pagination needs a key" in refused(pages, columns)
    assert read(pages, f'{columns}[publish]\nunique = ["id", "at"]').keys == (("id", "at"),)
    assert not read(pages.replace("link_header", "none"), columns).keys


BODY = "[source.body]\nlist = []\nq = { page = 3 }\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'kind = "cursor"\nnext = "n"\nparam = "q.after[*]"',
            "param is .* path of a value in source.b",
        ),
        (
            'kind = "cursor"\nnext = "n"\nparam = "list.a"',
            "param is .* through objects of source.body",
        ),
        (
            'kind = "page_number"\nparam = "q.page"',
            "source.body asks for q.page = 3, and .* start = 3",
        ),
    ],
)
def test_a_parameter_of_a_body_is_a_path_in_it(text: str, message: str) -> None:
    assert re.search(message, refused(f"{URL}{BODY}[source.pagination]\n{text}"))
    right = 'kind = "cursor"\nnext = "n"\nparam = "new.after"'
    assert read(f"{URL}{BODY}[source.pagination]\n{right}").pagination == Pagination(
        "cursor", next=("n",), param="new.after"
    )


@pytest.mark.parametrize(
    ("source", "message"),
    [
        # a scheme that is missing
        (
            'url = "api.example.com/v1/x?a=1"',
            "without a scheme; it should be https://api.example.com",
        ),
        ('url = "localhost:8000/x"', "it should be http://localhost:8000/x"),
        (
            'url = "x"\nheaders = { A = "b" }',
            "since source.headers is for servers; it should be ht",
        ),
        # headers
        ("headers = 1", r"source.headers is 1; it should be a table: \[source.headers\]"),
        ('headers = { "A b" = "c" }', "source.headers.A b is not the name of a header"),
        (
            'headers = { A = "c", a = "d" }',
            "source.headers.a is there twice, in upper and lower case",
        ),
        ("headers = { A = 5 }", "source.headers.A is wrong; it should be text in quotes"),
        ('headers = { A = "hush\\n" }', "source.headers.A is wrong; it should be text on one line"),
        (
            'headers = { A = "hush ${a-b}" }',
            "headers.A is wrong; a variable is written",
        ),
        # body
        ("body = 'x'", r"source.body is 'x'; it should be a table: \[source.body\]"),
        ("body = { a = [2020-01-01] }", "source.body.a.0 is 2020-01-01, which JSON does not have"),
        ("body = { a = nan }", "source.body.a is nan, which JSON does not have"),
        ('body = { a = "${" }', r"source.body.a is wrong; a variable is written \$\{NAME\}"),
        # each
        ("each = {}", "source.each should have one key"),
        ("each = { a = [1], b = [2] }", "source.each should have one key"),
        ("each = { a = [] }", r"source.each.a is \[\]; it should be an array of texts"),
        ("each = { a = 'x' }", "source.each.a is 'x'; it should be an array of texts"),
        (
            "each = { a = [1, '1'] }",
            "it should be an array of texts or whole numbers, each of them o",
        ),
        ("each = { a = [1.5] }", "it should be an array of texts or whole numbers"),
        ("each = { a = [true] }", "it should be an array of texts or whole numbers"),
        ("each = { 'a b' = [1] }", "source.each.a b is not a name"),
        (URL + "each = { a = [1] }", r"gives \{a\}, which neither source.url nor source.body has"),
        # oauth2
        ("oauth2 = {}", "source.oauth2.token_url is missing; it should be text"),
        (
            "oauth2 = { token_url = 'x', client_id = 'a', client_secret = 'hush' }",
            "source.oauth2.token_url is wrong; it should be a URL that begins with https://",
        ),
        (
            "oauth2 = { token_url = 'https://x', client_id = 'a', client_secret = 'hush' }\n"
            "headers = { authorization = 'hush' }",
            "oauth2 can't be used together with a header Authorization",
        ),
        (
            "oauth2 = { secret = 'hush' }",
            r"source.oauth2.secret is not known; .* token_url, client",
        ),
        # expect
        (
            "expect = { 'a[*]' = 1 }",
            r"source.expect.a\[\*\] is not the path to one value of a page",
        ),
        ("expect = { 'a.' = 1 }", r"source.expect.a. is 'a.'; it should be keys joined by dots"),
        (
            "expect = { a = 2020-01-01 }",
            "source.expect.a is 2020-01-01; it should be what JSON has",
        ),
        # the rest
        ("columnar = 1", "source.columnar is 1; it should be true or false"),
        ("record = 'a'", r"source.record is not known; .*; did you mean records\?"),
    ],
)
def test_a_mistake_in_the_source_is_named(source: str, message: str) -> None:
    said = refused(source)
    assert re.search(message, said)
    assert "hush" not in said


@pytest.mark.parametrize(
    "line", ['headers = { A = "Bearer hush }', "[source.oauth2]\nclient_secret = hush"]
)
def test_a_line_that_is_not_toml_shows_no_secret(line: str) -> None:
    with pytest.raises(ConfigError, match="is not TOML") as error:
        read(line)
    assert "hush" not in str(error.value)


@pytest.mark.parametrize(
    "url", ["data/x.json", "my.folder/x.json.gz", "x.ndjson", "dir.name/", "${BASE}/x", "s3://b/k"]
)
def test_a_local_path_is_a_source(url: str) -> None:
    assert read(f"url = '{url}'").source_url == url


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name = "' + "n" * 300 + '"\n' + KEY, "it should be at most 240 characters"),
        (
            f'name = "t"\n[columns]\na = {{ from = "{".".join("k" * 3000)}", type = "string" }}',
            "it should be a path of at most 100 steps",
        ),
        (
            'name = "t"\n[source.body.' + ".".join("k" * 3000) + f"]\na = 1\n{KEY}",
            "nested too deeply",
        ),
        ('name = "t"\n[columns]\na.' + ".".join("k" * 3000) + " = 1", "columns.a.k is not known"),
    ],
)
def test_what_is_too_long_is_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        parse_dataset(text, label="t.toml")
    assert len(str(error.value)) < 600
    assert "\n" not in str(error.value)
