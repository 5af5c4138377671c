"""The head of an answer is read whole, or refused where a header may be hidden."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import pytest

from micro_etl.source.http.head import BadHeadError, parse_head

LENGTH = b"Content-Length: 990"


@pytest.mark.parametrize(
    ("lines", "headers"),
    [
        ([], {}),
        ([LENGTH, b'ETag:"a"'], {"content-length": "990", "etag": '"a"'}),
        ([b"X-Foo:  bar \t", LENGTH], {"x-foo": "bar", "content-length": "990"}),
        ([b"X-Foo: bar", b"\t more", LENGTH], {"x-foo": "bar more", "content-length": "990"}),
        (
            [b"X-F\xc3\xbc: b\xe4r", LENGTH],
            {"x-f\u00e3\u00bc": "b\u00e4r", "content-length": "990"},
        ),
        ([b": bar", b"X-Empty:", LENGTH], {"x-empty": "", "content-length": "990"}),
        ([b"X-A: b: c", LENGTH], {"x-a": "b: c", "content-length": "990"}),
        ([LENGTH, LENGTH], {"content-length": "990"}),
        ([b"Content-Length: 5, 5"], {"content-length": "5"}),
        ([b"Transfer-Encoding: Chunked", LENGTH], {"transfer-encoding": "chunked"}),
        (
            [b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked"],
            {"transfer-encoding": "chunked"},
        ),
        (
            [b"Transfer-Encoding: identity", LENGTH],
            {"transfer-encoding": "identity", "content-length": "990"},
        ),
    ],
)
def test_headers_are_read(lines: list[bytes], headers: dict[str, str]) -> None:
    assert dict(parse_head(lines)) == headers


@pytest.mark.parametrize("line", [b" X-Foo: bar", b"From me Thu Jan  1 00:00:00 1970"])
def test_a_lost_line_is_refused_only_where_it_may_be_the_length(line: bytes) -> None:
    assert dict(parse_head([line, LENGTH])) == {"content-length": "990"}
    assert parse_head([line, b"Transfer-Encoding: chunked"])
    for lines in ([line], [line, b"X-Foo: bar"]):
        with pytest.raises(BadHeadError, match="header line 1 may be the body's length"):
            parse_head(lines)


@pytest.mark.parametrize(
    "line",
    [
        b"X-Foo : bar",
        b"X-Foo\t: bar",
        b"X Foo: bar",
        b"X-Foo bar",
        b"X-Foo",
        b"X-Foo: bar\rX-Bar: foo",
        b"X-Foo: b\0r",
        b"Content-Length: 7",
    ],
)
def test_a_defect_that_can_hide_a_header_is_refused(line: bytes) -> None:
    with pytest.raises(BadHeadError):
        parse_head([line, LENGTH])


@pytest.mark.parametrize("length", ["990x", '"990"', "0x3de", "-1", "", "9_90", "1e3", "9" * 5_000])
def test_a_length_that_is_no_number_is_refused(length: str) -> None:
    with pytest.raises(BadHeadError, match=r"Content-Length .* is no number"):
        parse_head([b"Content-Length: " + length.encode()])
