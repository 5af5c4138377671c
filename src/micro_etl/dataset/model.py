"""The contract: where records come from, which columns come out, and what must hold."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import NamedTuple, TypeAlias


class Every(Enum):
    """The step of a path that stands for every element of an array or member of an object."""

    EVERY = "*"


EVERY = Every.EVERY
"""The one value of `Every`."""

Step: TypeAlias = str | int | Every
"""One step of a path: a key of an object, an index of an array from 0, or every one of them."""

Path: TypeAlias = tuple[Step, ...]
"""The steps that lead to a value, outermost first."""


class Origin(StrEnum):
    """What a column's path starts at."""

    RECORD = "record"
    """The record."""
    ROOT = "root"
    """The root of the body (``$.``), where each `EVERY` is what it was on the way to the record."""
    KEY = "key"
    """As `ROOT`, but the value is the key or index that the last `EVERY` stood for."""
    SERIES = "series"
    """The value of ``source.each``; the path is empty."""


class Column(NamedTuple):
    """One column of the table.

    Attributes:
        name: the column's name in the file.
        path: the steps that lead to the value.
        type: as the dataset file writes it: ``int32``, ``decimal(12,2)``, ``string[]``.
        required: null and missing are violations; the Parquet column is REQUIRED.
        unique: a value that comes twice is a violation; nulls are not compared.
        origin: what the path starts at.
        format: how the value is written: ``text``, ``epoch``, ``epoch_ms``; none as JSON has it.
        timezone: the offset of timestamps that are written without one: ``UTC`` or ``-05:00``.
        null_values: values that mean null: strings, numbers, false, ``[]`` or ``{}``.
        truncate: digits of a timestamp beyond microseconds are dropped instead of refused.
        mapping: from the value, as JSON writes it, to the value of the column; others are refused.
    """

    name: str
    path: Path
    type: str
    required: bool = False
    unique: bool = False
    origin: Origin = Origin.RECORD
    format: str | None = None
    timezone: str | None = None
    null_values: tuple[object, ...] = ()
    truncate: bool = False
    mapping: Mapping[str, object] | None = None


class Each(NamedTuple):
    """One series of requests a value.

    Attributes:
        name: what ``{name}`` stands for in the URL, the body, and ``from = "{name}"``.
        values: one series each, in order.
    """

    name: str
    values: tuple[str, ...]


class OAuth2(NamedTuple):
    """Client credentials (RFC 6749, section 4.4); the texts may hold ``${NAME}``.

    Attributes:
        token_url: where the token comes from.
        client_id: who asks for it.
        client_secret: the password.
        scope: what the token is for, or none.
    """

    token_url: str
    client_id: str
    client_secret: str
    scope: str | None = None


class Pagination(NamedTuple):
    """How the next page is found.

    Attributes:
        kind: ``link_header``, ``next_url``, ``cursor``, ``last_record``, ``page_number``,
            ``offset`` or ``none``: no page follows, whatever the source says.
        next: the path to the next URL or cursor in a page.
        param: the query parameter that is replaced, or, where the request has a body, the path
            in it.
        field: the path in the last record of a page.
        start: the number of the first page, or the offset of the first record.
        has_more: the path to true or false, which then decides.
        last_page: the path to the number of the last page.
        total: the path to the number of records of all pages.
    """

    kind: str
    next: Path | None = None
    param: str | None = None
    field: Path | None = None
    start: int | None = None
    has_more: Path | None = None
    last_page: Path | None = None
    total: Path | None = None


class Dataset(NamedTuple):
    """What one table is made from and what must hold for it.

    Attributes:
        name: names the table; the default key is ``<name>.parquet``.
        description: one sentence for a reader.
        source_url: where the records come from, or none: then ``SOURCE_URL`` must say. It, the
            headers and the body may hold ``${NAME}``, an environment variable, and ``{each.name}``.
        records: the path that leads to the records; empty where the body is the array.
        min_rows: fewer rows are never published.
        max_shrink: the largest fraction of the published rows that may vanish in one run.
        columns: in the order of the file.
        unique: names of the columns that together are the key of a row; empty where there is none.
        headers: sent to the source's own origin alone.
        body: the JSON that is posted, or none for a GET.
        each: the series of requests, where there are several.
        oauth2: how to get a token.
        pagination: how pages follow each other; none where the file says nothing of pages.
        expect: paths of each page that must hold exactly this value.
        columnar: the records are an object of arrays of one length, a record a position.
        empty_arrays_as_objects: a path that goes on through ``[]`` finds null.
    """

    name: str
    description: str
    source_url: str | None
    records: Path
    min_rows: int
    max_shrink: float
    columns: tuple[Column, ...]
    unique: tuple[str, ...] = ()
    headers: Mapping[str, str] = MappingProxyType({})
    body: Mapping[str, object] | None = None
    each: Each | None = None
    oauth2: OAuth2 | None = None
    pagination: Pagination | None = None
    expect: tuple[tuple[Path, object], ...] = ()
    columnar: bool = False
    empty_arrays_as_objects: bool = False

    @property
    def keys(self) -> tuple[tuple[str, ...], ...]:
        """The keys that no two rows may share, each by the names of its columns."""
        single = tuple((column.name,) for column in self.columns if column.unique)
        return single if not self.unique or self.unique in single else (*single, self.unique)

    @property
    def is_wrapped(self) -> bool:
        """Whether each part of the source is one JSON value that holds the records."""
        return bool(self.records) or self.columnar

    @property
    def is_paged(self) -> bool:
        """Whether the source is several requests."""
        paged = self.pagination is not None and self.pagination.kind != "none"
        return paged or self.each is not None
