"""Read ``[source.pagination]``: the keys that each kind needs, and those that it may have."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from micro_etl.dataset.model import Pagination, Path
from micro_etl.dataset.paths import parse_path
from micro_etl.dataset.section import Section, is_single, show

KINDS: Mapping[str, tuple[str, ...]] = {
    "link_header": (),
    "next_url": ("next",),
    "cursor": ("next", "param"),
    "last_record": ("field", "param"),
    "page_number": ("param",),
    "offset": ("param",),
    "none": (),
}
"""The kinds of pagination, and the keys that each one needs."""

COUNTING = {"page_number": 1, "offset": 0}
"""The kinds that count, and what they start at."""

ENDS = ("has_more", "last_page", "total")
"""The keys that any kind may have, for what says that there is no other page."""

_KEYS = ("kind", "next", "param", "field", "start", *ENDS)


def read_pagination(
    source: Section, *, url: str | None, body: Mapping[str, object] | None
) -> Pagination | None:
    """Read how pages follow each other; none where the file says nothing of it.

    Args:
        source: the table ``[source]``.
        url: the URL of the first request.
        body: what is posted, or none.

    Raises:
        ConfigError: with the key, what it holds and what is allowed.
    """
    if "pagination" not in source.values:
        return None
    section = source.section("pagination", _KEYS)
    kind = section.choice("kind", tuple(KINDS))
    _check_keys(section, kind)
    if "param" in section.values:
        _check_param(section, body)
    return Pagination(
        kind=kind,
        next=section.page_path("next"),
        param=section.string("param"),
        field=_read_field(section),
        start=_read_start(section, kind, url, body),
        has_more=section.page_path("has_more"),
        last_page=section.page_path("last_page"),
        total=section.page_path("total"),
    )


def _check_keys(section: Section, kind: str) -> None:
    needed = KINDS[kind]
    start = ("start",) if kind in COUNTING else ()
    allowed = ("kind", *needed, *start, *(ENDS if kind != "none" else ("total",)))
    for key in section.values:
        if key not in allowed:
            what = f"that kind has {', '.join(allowed[1:])}"
            raise section.clash(key, f"kind = {kind!r}", what)
    for key in needed:
        if key not in section.values:
            raise section.wrong(key, f"{_MEANING[key]}; kind = {kind!r} needs it")


def _check_param(section: Section, body: Mapping[str, object] | None) -> None:
    """Check what the next request changes: a parameter of the query, or a path of the body."""
    text = section.required_string("param")
    if body is None:
        if text.startswith(("?", "&")) or text.endswith("="):
            raise section.wrong("param", f"the name alone: {text.strip('?&=')}")
        return
    parsed = parse_path(text)
    if parsed is None or not is_single(parsed.steps):
        raise section.wrong("param", "the path of a value in source.body, such as options.page")
    value: object = body
    for step in parsed.steps[:-1]:
        value = value.get(step, {}) if isinstance(value, dict) else value
        if not isinstance(value, dict):
            raise section.wrong(
                "param", f"a path through objects of source.body, not {show(value)}"
            )


def _read_field(section: Section) -> Path | None:
    parsed = section.parsed_path("field")
    if parsed is None:
        return None
    if parsed.from_root or not is_single(parsed.steps):
        raise section.wrong("field", "the path to one value of the last record, without $. and *")
    return parsed.steps


def _read_start(
    section: Section, kind: str, url: str | None, body: Mapping[str, object] | None
) -> int | None:
    """Read ``start``; a first request that says something else would leave out a page."""
    if kind not in COUNTING:
        return None
    start = section.integer("start", default=COUNTING[kind], of="")
    sent = _sent(section.required_string("param"), url, body)
    if sent is not None and sent != start:
        where = "source.url" if body is None else "source.body"
        raise section.error(
            f"{where} asks for {section.values['param']} = {sent}, and {section.full('start')} is "
            f"{start}; they should be the same: start = {sent}"
        )
    return start


def _sent(param: str, url: str | None, body: Mapping[str, object] | None) -> int | None:
    """The number that the first request has as a parameter, where it has one."""
    value: object = None
    if body is None:
        query = (url or "").partition("#")[0].partition("?")[2]
        text = dict(parse_qsl(query, keep_blank_values=True)).get(param, "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < _DIGITS else None
    parsed = parse_path(param)
    value = body
    for step in parsed.steps if parsed else ():
        value = value.get(step) if isinstance(value, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


_DIGITS = 20  # more are no page number
_MEANING = {
    "next": 'the path to the next URL or cursor in a page, such as "paging.next"',
    "param": "the parameter that the next request changes",
    "field": 'the path in the last record of a page, such as "id"',
}
