"""Draft the dataset file of an API from its first page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import Any
from urllib.parse import urlsplit

from micro_etl.body import Body, Layout, Part
from micro_etl.dataset import EVERY, Dataset, Origin, Path, parse_dataset, write_path, write_records
from micro_etl.draft.choose_key import choose_key
from micro_etl.draft.find_pages import find_pages
from micro_etl.draft.find_records import Candidate, choose_records, records_of
from micro_etl.draft.flatten import Leaf, flatten
from micro_etl.draft.guess_pagination import FirstPage, guess_pagination
from micro_etl.draft.infer_types import infer_types
from micro_etl.draft.request import DraftRequest
from micro_etl.draft.source import Page, Source, source_keys
from micro_etl.draft.write_dataset import (
    Draft,
    DraftColumn,
    name_columns,
    write_dataset,
)
from micro_etl.errors import ContractError, DataError
from micro_etl.location import Location
from micro_etl.mask import Mask
from micro_etl.source.layout import largest_record
from micro_etl.source.limits import ExtractOptions
from micro_etl.source.paging.page import Found, is_same, value_at
from micro_etl.table.transform import transform
from micro_etl.tablefile import Table

_MAX_RECORD = 1 << 30
_IS_UTC = ("utc", "gmt", "etc/utc", "z", "+00:00")
_NO_NAME = re.compile(r"_?(search|query|all|list|latest|v?\d+(\.\d+)*|api|rest|json|data)")


@dataclass(frozen=True, slots=True)
class Drafted:
    """A dataset file that was drafted, and what was found on the way.

    Attributes:
        text: the file.
        dataset: what it says.
        table: what the first page becomes by it.
        found: what was found, one line each.
    """

    text: str
    dataset: Dataset
    table: Table
    found: tuple[str, ...]


def draft_dataset(
    request: DraftRequest,
    *,
    name: str | None,
    environ: Mapping[str, str],
    scratch: FilePath,
    options: ExtractOptions,
    mask: Mask,
) -> Drafted:
    """Draft a dataset file from the first page of an API.

    A guess about pages that can be tested by asking for the second page is tested so.

    Args:
        request: what to ask for.
        name: of the dataset, or none to take it from the URL.
        environ: the variables.
        scratch: a folder for pages and the engine.
        options: limits.
        mask: is told the secrets.

    Raises:
        DataError: there is no array of records.
        SourceError: the source can't be read.
        ConfigError: a variable is missing, or the URL is not one.
    """
    source = Source(request, environ, scratch=scratch, options=options, mask=mask)
    fetched = source.fetch(source.first)
    chosen, others = choose_records(fetched.page, shown=source.shown)
    found = records_of(fetched.page, chosen)
    if found is None:
        raise DataError(f"{source.shown}: {chosen.shown} can't be read as records")
    columns, leaves = _find_columns(chosen, found, fetched.page, scratch)
    headers = {key.lower(): value for key, value in fetched.extract.headers.items()}
    first = FirstPage(source.first, headers, fetched.page, chosen.path, found)
    guesses = guess_pagination(first) if source.location.is_http else []
    key, why_key = _find_key(chosen, columns, leaves, needed=bool(guesses))
    guess, why_pages = find_pages(source, first, chosen, guesses if key else [])
    if guesses and not key:
        why_pages = "there are other pages, but no column of this one could be their key"
    draft = Draft(
        name=_slug(name or "") or _name_of(source.location),
        notes=_notes(chosen, others, columns, key),
        source=source_keys(request, chosen) | _expected(fetched.page),
        body=request.body,
        pagination=guess.keys if guess else {},
        is_open=guess is None and bool(why_pages),
        why_pages=why_pages,
        columns=columns,
        key=key,
        why_key=why_key,
    )
    text, dataset, table = _check(draft, fetched, chosen, source.shown, scratch)
    lines = [f"records     {chosen.shown}", *(f"could be    {one.shown}" for one in others[:5])]
    if guess or why_pages:
        kind = f"{guess.keys['kind']}: " if guess else ""
        lines.append(f"pages       {kind}{'; '.join(why_pages.splitlines())}")
    if draft.is_open:
        lines.append("decide      source.pagination.kind, before the file runs")
    lines.append(f"key         {' + '.join(dataset.keys[0]) if dataset.keys else 'none'}")
    lines += [f"needs       {name}, which was given" for name in request.variables]
    return Drafted(text, dataset, table, tuple(lines))


def _expected(page: Any) -> dict[str, Any]:
    """What a page says of its own success, as Slack and Elasticsearch have it."""
    if not isinstance(page, dict):
        return {}
    expected: dict[str, Any] = {}
    for path, right in ((("ok",), True), (("timed_out",), False), (("_shards", "failed"), 0)):
        if is_same(value_at(page, path), right):
            expected[write_path(path)] = right
    return {"expect": expected} if expected else {}


def _find_columns(
    chosen: Candidate, found: Found, page: Any, scratch: FilePath
) -> tuple[list[DraftColumn], list[Leaf]]:
    """Find the columns of the records, and of what is around them."""
    records = [record for _, record in found.records]
    root: list[tuple[Leaf, Origin]] = []
    ends = [end for end, step in enumerate(chosen.path, 1) if step is EVERY]
    for at, end in enumerate(ends):
        keys = [bindings[at] for bindings, _ in found.records]
        if isinstance(keys[0], str):
            root.append((Leaf(chosen.path[:end], keys, 0), Origin.KEY))
    if chosen.are_values:
        there = [record for record in records if record is not None]
        root.append((Leaf(chosen.path, there, len(records) - len(there)), Origin.ROOT))
    inner = [] if chosen.are_values else flatten(records)
    leaves = [*(leaf for leaf, _ in root), *inner]
    origins = [*(origin for _, origin in root), *(Origin.RECORD for _ in inner)]
    types = infer_types(leaves, scratch=scratch, in_utc=_is_in_utc(page))
    names = name_columns(
        [
            ("key",) if origin is Origin.KEY else _without_every(leaf.path, origin)
            for leaf, origin in zip(leaves, origins, strict=True)
        ]
    )
    columns = [
        DraftColumn(name, leaf.path, kind.type, origin, kind.options, kind.why, not leaf.missing)
        for name, leaf, kind, origin in zip(names, leaves, types, origins, strict=True)
    ]
    return columns, leaves


def _without_every(path: Path, origin: Origin) -> Path:
    return ("value",) if origin is Origin.ROOT else path


def _is_in_utc(page: Any) -> bool:
    if not isinstance(page, dict):
        return False
    zone = page.get("timezone", page.get("timeZone"))
    return page.get("utc_offset_seconds", 0 if zone else None) == 0 and (
        str(zone).lower() in _IS_UTC
    )


def _find_key(
    chosen: Candidate, columns: list[DraftColumn], leaves: list[Leaf], *, needed: bool
) -> tuple[tuple[str, ...], str]:
    if columns[0].origin is Origin.KEY and columns[0].path == chosen.path:
        return (columns[0].name,), ""
    if chosen.are_values:
        return (), ""
    places, is_id = choose_key(leaves, [column.type for column in columns], needed=needed)
    differs = "different in each record of this page"
    if len(leaves[0].values) + leaves[0].missing == 1:
        differs = "by its name alone: this page has one record"
    why = "" if is_id or not places else differs
    return tuple(columns[at].name for at in places), why


def _notes(
    chosen: Candidate, others: list[Candidate], columns: list[DraftColumn], key: tuple[str, ...]
) -> list[str]:
    full = [column.name for column in columns if column.is_full and column.name not in key]
    notes = [
        f"Drafted by `micro-etl new` from {chosen.count:,} records; comments say what is a guess.",
        "All columns but the key may be null: one page can't show what is never null.",
    ]
    if full:
        notes.append(f"Never null on this page: {', '.join(full)}.")
    for other in others[:3]:
        notes.append(f"There are also {other.count:,} records in {write_records(other.path)}.")
    return notes


def _check(
    draft: Draft, fetched: Page, chosen: Candidate, shown: str, scratch: FilePath
) -> tuple[str, Dataset, Table]:
    """Write the file and make the table of the first page; what it refuses becomes json.

    What the user has to fill in is left out of what is checked, and stands in the file.
    """
    is_wrapped = bool(chosen.path) or chosen.columnar
    layout = Layout.WRAPPED if is_wrapped else Layout.ARRAY
    if not is_wrapped and not fetched.extract.file.read_bytes()[:1000].lstrip().startswith(b"["):
        layout = Layout.LINES
    size = largest_record(layout, _MAX_RECORD, size=fetched.extract.size)
    body = Body((Part(fetched.extract.file, shown),), layout, size)
    while True:
        dataset = parse_dataset(write_dataset(replace(draft, is_open=False)), label="the draft")
        try:
            table = transform(body, dataset, scratch=scratch)
            return write_dataset(draft), dataset, table
        except ContractError as error:
            draft = _loosen(draft, error)


def _loosen(draft: Draft, error: ContractError) -> Draft:
    """Make json of the columns that were refused.

    Raises:
        ContractError: that changes nothing.
    """
    columns = [
        replace(column, type="json", options={}, why="values of several kinds")
        if column.name in error.totals
        else column
        for column in draft.columns
    ]
    if columns == list(draft.columns):
        raise error
    key = () if set(draft.key) & set(error.totals) else draft.key
    return replace(draft, columns=columns, key=key)


def _name_of(location: Location) -> str:
    """Name a dataset after its URL: the last word of the path that says something."""
    parts = urlsplit(location.text)
    words = [_slug(re.sub(r"\.\w+$", "", word)) for word in parts.path.split("/")]
    saying = [word for word in words if word and not _NO_NAME.fullmatch(word)]
    return saying[-1] if saying else _slug(parts.hostname or "") or "records"


def _slug(text: str) -> str:
    """Make of a text what a dataset may be called; nothing where no letter is left."""
    return re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-_")[:60]
