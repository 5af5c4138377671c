"""First requests: variables, series, headers and bodies; and what of them is secret."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import base64
from urllib.parse import quote

import pytest

from micro_etl.dataset import Dataset, parse_dataset
from micro_etl.errors import ConfigError
from micro_etl.location import Location
from micro_etl.mask import Mask
from micro_etl.source.fill_variables import request_headers, secrets_of
from micro_etl.source.paging.page import Number
from micro_etl.source.paging.pagination import PageRequest
from micro_etl.source.paging.request import first_requests, to_request

ENV = {"TOKEN": "t0p/secret+=", "BASE": "https://api.example.com/v1", "EMPTY": "", "LINE": "a\n"}


def dataset(source: str) -> Dataset:
    """A dataset with these lines in its section `source`."""
    text = f'name = "t"\n[source]\n{source}\n[columns]\nid = {{ type = "int64" }}\n'
    return parse_dataset(text, label="t.toml")


def first(source: str) -> list[PageRequest]:
    """The first requests of a dataset."""
    contract = dataset(source)
    location = Location.parse(contract.source_url or "")
    return [series.first for series in first_requests(contract, location, ENV)]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a/x?limit=2", "https://a/x?limit=2"),
        ("${BASE}/x", "https://api.example.com/v1/x"),
        ("https://a/x?key=${TOKEN}", "https://a/x?key=t0p/secret%2B="),
        ("https://a/${TOKEN}/x", "https://a/t0p/secret%2B=/x"),
        ("https://a/x?q={other}", "https://a/x?q={other}"),
        ("https://me:${TOKEN}@a/${TOKEN}", "https://me:t0p%2Fsecret%2B%3D@a/t0p/secret%2B="),
    ],
)
def test_variables_are_put_into_the_url(url: str, expected: str) -> None:
    assert first(f'url = "{url}"') == [PageRequest(expected)]


def test_series_is_encoded_in_the_url_and_not_in_the_body() -> None:
    requests = first(
        'url = "https://a/{s}?q={s}&k=${TOKEN}"\nbody = { a = ["{s}", 1], b = { c = "${TOKEN}" } }'
        '\neach = { s = ["x", "ä/&b"] }'
    )
    assert requests == [
        PageRequest(
            "https://a/x?q=x&k=t0p/secret%2B=", {"a": ["x", 1], "b": {"c": "t0p/secret+="}}
        ),
        PageRequest(
            "https://a/%C3%A4%2F%26b?q=%C3%A4%2F%26b&k=t0p/secret%2B=",
            {"a": ["ä/&b", 1], "b": {"c": "t0p/secret+="}},
        ),
    ]


def test_what_a_variable_holds_is_not_filled_again() -> None:
    contract = dataset('url = "https://a/{s}/${V}"\neach = { s = ["x"] }')
    (series,) = first_requests(contract, Location.parse(contract.source_url or ""), {"V": "{s}"})
    assert series.first.url == "https://a/x/%7Bs%7D"


def test_source_without_a_place_for_the_series_is_refused() -> None:
    contract = dataset('url = "https://a/{s}"\neach = { s = ["x", "y"] }')
    with pytest.raises(ConfigError, match=r"https://b/x, the same for each s; .* \{s\}"):
        first_requests(contract, Location.parse("https://b/x"), {})


@pytest.mark.parametrize(
    "part", ['url = "https://a/${X}"', 'url = "https://a"\nbody = { a = "${X}" }']
)
@pytest.mark.parametrize(
    ("environ", "says"),
    [({}, "X is missing"), ({"X": ""}, "X is empty"), ({"Y": "1"}, "X is missing")],
)
def test_missing_variable_is_named(part: str, environ: dict[str, str], says: str) -> None:
    contract = dataset(part)
    with pytest.raises(ConfigError, match=says):
        first_requests(contract, Location.parse(contract.source_url or ""), environ)


def test_variable_of_a_header_must_be_one_line() -> None:
    contract = dataset('url = "https://a"\nheaders = { X = "${LINE}" }')
    with pytest.raises(ConfigError, match="LINE has a line break") as refused:
        request_headers(contract, ENV)
    assert "a\\n" not in str(refused.value)


def test_headers_are_filled() -> None:
    contract = dataset(
        'url = "https://a"\nheaders = { Authorization = "Bearer ${TOKEN}", A = "b" }'
    )
    assert request_headers(contract, ENV) == {"Authorization": "Bearer t0p/secret+=", "A": "b"}


def test_body_makes_a_post_with_numbers_as_they_came() -> None:
    page = PageRequest("https://a", {"a": Number("1.50"), "b": ["ä", None, True], "c": {}})
    request = to_request(page, {"X": "y"})
    assert (request.method, request.body) == (
        "POST",
        b'{"a":1.50,"b":["\\u00e4",null,true],"c":{}}',
    )
    assert request.headers == {"X": "y", "Content-Type": "application/json"}
    assert to_request(page, {"content-type": "text/json"}).headers == {"content-type": "text/json"}
    assert to_request(PageRequest("https://a"), {"X": "y"}).method == "GET"


SECRET = "p4ss/wörd+=&<\"'>"
SOURCE = """
url = "https://${SECRET}@a/${PLAIN}?key=${SECRET}"
headers = { Authorization = "Basic ${PAIR}", X = "k ${SECRET}" }
body = { deep = [{ er = "${IN_BODY}" }] }
[source.oauth2]
token_url = "https://a/${IN_TOKEN_URL}"
client_id = "${CLIENT}"
client_secret = "${SECRET}"
"""


def test_secrets_are_found_in_every_form() -> None:
    pair = base64.b64encode(b"me:hidden-in-base64").decode()
    environ = {
        "SECRET": SECRET, "PLAIN": "plain-value", "PAIR": pair, "IN_BODY": "body-value",
        "IN_TOKEN_URL": "token-value", "CLIENT": "client-value", "OTHER": "other-value",
    }  # fmt: skip
    contract = dataset(SOURCE.replace("Authorization", "Authorisation"))
    mask = Mask(secrets_of(contract, environ))
    basic = base64.b64encode(f"client-value:{quote(SECRET, safe='')}".encode()).decode()
    for text in (
        SECRET, "plain-value", "hidden-in-base64", pair, "body-value", "token-value",
        "client-value", quote(SECRET, safe=""), basic,
    ):  # fmt: skip
        assert mask.clean(f"<{text}>") == "<…>", text
    assert mask.clean("other-value") == "other-value"


def test_source_that_is_read_instead_has_secrets_too() -> None:
    contract = dataset('url = "https://a"')
    source = Location.parse("https://me:${PASSWORD}@b")
    secrets = secrets_of(contract, {"PASSWORD": "pass-word"}, source=source)
    assert {"pass-word", base64.b64encode(b"me:pass-word").decode()} <= secrets


def test_missing_variable_is_no_secret() -> None:
    assert (
        secrets_of(dataset('url = "https://a/${X}"\nheaders = { A = "Basic ${Y}" }'), {}) == set()
    )
