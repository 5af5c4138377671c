"""Read ``[source]``: where records come from, what is sent there, and what the answer must say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from micro_etl.dataset.model import Each, OAuth2, Path
from micro_etl.dataset.pagination import read_pagination
from micro_etl.dataset.paths import placeholder
from micro_etl.dataset.section import VARIABLE, WRITE_VARIABLES, Section, is_json, is_single
from micro_etl.location import Location

KEYS = (
    "url",
    "records",
    "headers",
    "body",
    "each",
    "oauth2",
    "pagination",
    "expect",
    "columnar",
    "empty_arrays_as_objects",
)
"""The keys of ``[source]``."""

OAUTH2_KEYS = ("token_url", "client_id", "client_secret", "scope")
"""The keys of ``[source.oauth2]``."""

_HEADER = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # RFC 9110, section 5.6.2
_EACH = r"[A-Za-z_][A-Za-z0-9_]*"


def read_source(source: Section) -> dict[str, Any]:
    """Read the table ``[source]`` as fields of a `Dataset`.

    Raises:
        ConfigError: with the key, what it holds and what is allowed.
    """
    url = _read_url(source)
    body = _read_body(source)
    oauth2 = _read_oauth2(source)
    headers = _read_headers(source, oauth2)
    pagination = read_pagination(source, url=url, body=body)
    return {
        "source_url": url,
        "records": _read_records(source),
        "headers": headers,
        "body": body,
        "each": _read_each(source, url, body),
        "oauth2": oauth2,
        "pagination": pagination,
        "expect": _read_expect(source),
        "columnar": source.boolean("columnar"),
        "empty_arrays_as_objects": source.boolean("empty_arrays_as_objects"),
    }


def _read_url(source: Section) -> str | None:
    url = source.string("url")
    if url is None:
        return None
    shown = Location.parse(url).shown
    source.check_variables("url", url)
    if "://" in url or url.startswith("${"):
        return url
    only_http = [key for key in ("headers", "body", "oauth2", "pagination") if key in source.values]
    meant = Location.parse(url).without_typo or Location.parse(url).with_scheme
    if only_http or meant:
        why = f", since source.{only_http[0]} is for servers" if only_http else ""
        meant = Location.parse(meant or f"https://{url}").shown
        raise source.error(f"source.url is {shown!r}, without a scheme{why}; it should be {meant}")
    return url


def _read_records(source: Section) -> Path:
    parsed = source.parsed_path("records")
    return parsed.steps if parsed else ()


def _read_headers(source: Section, oauth2: OAuth2 | None) -> Mapping[str, str]:
    values = source.table("headers")
    section = Section(source.label, source.full("headers"), values, tuple(values), is_secret=True)
    seen: set[str] = set()
    for name in values:
        if not re.fullmatch(_HEADER, name):
            raise source.error(f"{section.full(name)} is not the name of a header")
        if name.lower() in seen:
            raise source.error(f"{section.full(name)} is there twice, in upper and lower case")
        seen.add(name.lower())
        if not re.fullmatch(r"[\t -~\x80-\xff]*", section.template(name) or ""):
            raise section.wrong(name, "text on one line, without control characters")
    if oauth2 and "authorization" in seen:
        raise source.clash("oauth2", "a header Authorization", "the token is sent in that header")
    return values


def _read_body(source: Section) -> Mapping[str, object] | None:
    if "body" not in source.values:
        return None
    body = source.table("body")
    _check_json(source, "source.body", body)
    return body


def _check_json(source: Section, path: str, value: object) -> None:
    """Refuse what JSON does not have, and a ``${`` that does not begin a variable."""
    if isinstance(value, dict | list):
        members = value.items() if isinstance(value, dict) else enumerate(value)
        for key, member in members:
            _check_json(source, f"{path}.{key}", member)
    elif not is_json(value):
        raise source.error(f"{path} is {value}, which JSON does not have; write it as text")
    elif isinstance(value, str) and "${" in VARIABLE.sub("", value):
        raise source.error(f"{path} is wrong; {WRITE_VARIABLES}")


def _read_each(source: Section, url: str | None, body: Mapping[str, object] | None) -> Each | None:
    if "each" not in source.values:
        return None
    values = source.table("each")
    if len(values) != 1:
        raise source.error("source.each should have one key, such as series = ['A', 'B']")
    ((name, listed),) = values.items()
    section = Section(source.label, source.full("each"), values, (name,))
    if not re.fullmatch(_EACH, name):
        raise source.error(f"{section.full(name)} is not a name: letters, digits and _")
    should = "an array of texts or whole numbers, each of them once"
    if not isinstance(listed, list) or not listed:
        raise section.wrong(name, should)
    texts = [str(value) for value in listed if type(value) in (str, int)]
    if len(texts) < len(listed) or len(set(texts)) < len(texts):
        raise section.wrong(name, should)
    if (url is not None or body) and placeholder(name) not in f"{url} {_texts(body)}":
        raise section.error(
            f"source.each gives {placeholder(name)}, which neither source.url nor source.body has"
        )
    return Each(name, tuple(texts))


def _texts(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(f"{key} {_texts(member)}" for key, member in value.items())
    if isinstance(value, list):
        return " ".join(map(_texts, value))
    return str(value)


def _read_oauth2(source: Section) -> OAuth2 | None:
    if "oauth2" not in source.values:
        return None
    values = source.table("oauth2")
    section = Section(source.label, source.full("oauth2"), values, OAUTH2_KEYS, is_secret=True)
    texts = {key: section.template(key) for key in OAUTH2_KEYS}
    for key in OAUTH2_KEYS[:3]:
        if texts[key] is None:
            raise section.wrong(key, "text in quotes")
    if not re.match(r"https?://|\$\{", texts["token_url"] or ""):
        raise section.wrong("token_url", "a URL that begins with https://")
    return OAuth2(
        token_url=texts["token_url"] or "",
        client_id=texts["client_id"] or "",
        client_secret=texts["client_secret"] or "",
        scope=texts["scope"],
    )


def _read_expect(source: Section) -> tuple[tuple[Path, object], ...]:
    return tuple(_expected(source, source.full("expect"), (), source.table("expect")))


def _expected(
    source: Section, name: str, before: Path, values: Mapping[str, object]
) -> list[tuple[Path, object]]:
    """List paths and values; TOML makes a table of ``a.b = 1``, which means the path ``a.b``."""
    section = Section(source.label, name, {key: key for key in values}, tuple(values))
    expected: list[tuple[Path, object]] = []
    for key, value in values.items():
        parsed = section.parsed_path(key)
        if parsed is None or not is_single(parsed.steps):
            raise source.error(f"{section.full(key)} is not the path to one value of a page")
        path = (*before, *parsed.steps)
        if isinstance(value, dict) and value:
            expected += _expected(source, section.full(key), path, value)
        elif not is_json(value):
            raise source.error(
                f"{section.full(key)} is {value}; it should be what JSON has: text, a number, true "
                "or false"
            )
        else:
            expected.append((path, value))
    return expected
