"""URLs are shown without their secrets."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import pytest
from micro_etl.urls import names_ndjson, redact


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://host/path", "https://host/path"),
        ("https://me:pw@host:8443/a@b", "https://host:8443/a@b"),
        ("https://me:p@w@host/", "https://host/"),
        ("https://host?token=1&b=2&flag#part", "https://host?token=…&b=…&…"),
        ("HTTPS://me@host/?", "HTTPS://host/?"),
        ("http://[::1/?t=1", "http://[::1/?t=…"),
        ("ftp://me:pw@host/?t=1", "ftp://host/?t=…"),
        ("s3://bucket/a#b?c=d@e", "s3://bucket/a#b?c=d@e"),
        ("s3://key:secret@bucket/x", "s3://bucket/x"),
        ("a path/with?odd=names", "a path/with?odd=names"),
        ("", ""),
    ],
)
def test_url_is_shown_without_user_password_and_values(url: str, shown: str) -> None:
    assert redact(url) == shown


@pytest.mark.parametrize(
    ("url", "content_type", "expected"),
    [
        ("https://h/x.ndjson?a=b.json", None, True),
        ("https://h/x.json?a=b.ndjson", None, False),
        ("X.JSONL.GZ", None, True),
        ("s3://b/x?y.jsonl", None, True),
        ("https://h/x", "application/X-NDJSON; charset=utf-8", True),
        ("https://h/x", "application/json", False),
        ("x.json", None, False),
    ],
)
def test_one_record_a_line_is_announced_by_name_or_media_type(
    url: str, content_type: str | None, expected: bool
) -> None:
    assert names_ndjson(url, content_type) is expected
