"""Fetch a source page after page to disk, and notice when its rows move meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from micro_etl.dataset import Dataset, write_path, write_records
from micro_etl.errors import (
    AccessDeniedError,
    ContractError,
    DataError,
    MicroEtlError,
    SourceError,
    Violation,
    scratch_errors,
)
from micro_etl.location import Location
from micro_etl.mask import Mask
from micro_etl.source.deadline import Deadline
from micro_etl.source.evidence import find_evidence
from micro_etl.source.fetch import Extract, OnProgress, extract, ignore
from micro_etl.source.keys import SeenKeys
from micro_etl.source.limits import ExtractOptions
from micro_etl.source.oauth2 import fetch_token
from micro_etl.source.page import Found, find_records, is_same, parse_page, value_at, write_json
from micro_etl.source.pagination import Arrived, PageRequest, find_next, read_total
from micro_etl.source.request import (
    Series,
    first_requests,
    request_headers,
    secrets_of,
    to_request,
)
from micro_etl.source.send import OnRetry

_SHOWN = 100  # characters of a value


@dataclass(frozen=True, slots=True)
class Page:
    """One page on disk.

    Attributes:
        extract: the file and what the source said of it.
        name: what messages call it; it holds no secret.
        series: the value of ``source.each`` that it was fetched for, or none.
        records: how many it has.
        number: its place among all pages, from 1.
    """

    extract: Extract
    name: str
    series: str | None
    records: int
    number: int


@dataclass(frozen=True, slots=True)
class Restart:
    """A series starts again, since its rows moved while it was read.

    The files of the pages that are to be forgotten are removed when the next page is asked for.

    Attributes:
        first: the number of the first page to forget; all after it are to be forgotten as well.
        reason: in one line.
    """

    first: int
    reason: str


OnPage = Callable[[Page], None]
"""Called with each page that has come."""


class _MovedError(Exception):
    """The pages of a series are not of one state of the source."""


def fetch_pages(
    dataset: Dataset,
    source: Location,
    folder: Path,
    *,
    options: ExtractOptions,
    max_pages: int,
    environ: Mapping[str, str] = os.environ,
    on_page: OnPage = ignore,
    on_retry: OnRetry = ignore,
    on_progress: OnProgress = ignore,
    mask: Mask | None = None,
) -> Iterator[Page | Restart]:
    """Fetch all pages of all series in order; what has come when it ends is all of the source.

    It works in the thread of its caller: a page is fetched when it is asked for. A failure that
    may pass repeats that page alone. One deadline holds for everything.

    Args:
        dataset: the contract.
        source: the URL, ``${NAME}`` and ``{series}`` in it.
        folder: where to write; it is made.
        options: limits; those of sizes hold for each page.
        max_pages: the most pages of one run.
        environ: the variables.
        on_page: told of each page.
        on_retry: told of each retry, and of each restart.
        on_progress: told of the bytes that have come.
        mask: is told the secrets, and hides them.

    Raises:
        SourceError: a page can't be read, the source contradicts itself, or its rows keep moving.
        ContractError: a page doesn't have its records where they should be.
        DataError: there are more pages, of which the dataset file says nothing.
        AccessDeniedError: the source doesn't allow it.
        ConfigError: a variable is missing, or the URL is not one.
        MachineError: a file can't be written.
    """
    mask = mask or Mask()
    mask.add(secrets_of(dataset, environ, source=source))
    with _hidden(mask):
        fetcher = _Fetcher(
            dataset, folder, options, max_pages, environ, mask, on_retry, on_progress,
            Deadline(options.deadline, mask.clean(source.shown)),
        )  # fmt: skip
        with scratch_errors():
            folder.mkdir(parents=True, exist_ok=True)
        for series in first_requests(dataset, source, environ):
            for one in fetcher.series(series):
                if isinstance(one, Page):
                    on_page(one)
                yield one


@contextmanager
def _hidden(mask: Mask) -> Iterator[None]:
    """Take the secrets out of what is raised."""
    try:
        yield
    except ContractError:
        raise  # it is made here, of texts without secrets
    except MicroEtlError as error:
        error.args = (mask.clean(str(error)), *error.args[1:])
        raise


@dataclass(slots=True)
class _Fetcher:
    """Fetches series; it counts pages and bytes over all of them."""

    dataset: Dataset
    folder: Path
    options: ExtractOptions
    max_pages: int
    environ: Mapping[str, str]
    mask: Mask
    on_retry: OnRetry
    on_progress: OnProgress
    deadline: Deadline
    pages: int = 0
    received: int = 0
    token: str | None = None

    def series(self, series: Series) -> Iterator[Page | Restart]:
        """Fetch one series, again from its first page where rows moved."""
        before = self.pages
        for attempt in count(1):
            try:
                yield from self._attempt(series)
            except _MovedError as error:
                reason = self.mask.clean(str(error))
                if attempt >= self.options.http.attempts:
                    raise SourceError(f"{reason}, {_times(attempt)}") from None
                self.on_retry(attempt, reason)
                yield Restart(before + 1, reason)
                for number in range(before + 1, self.pages + 1):
                    self._file(number).unlink(missing_ok=True)
                self.pages = before
                wait = self.options.http.backoff * 2 ** (attempt - 1)
                self.deadline.sleep(min(wait, self.options.http.backoff_max))
            else:
                return

    def _attempt(self, series: Series) -> Iterator[Page]:
        """Fetch one series once.

        Raises:
            _MovedError: its pages are not of one state of the source.
        """
        pagination, keys = self.dataset.pagination, SeenKeys(self.dataset)
        request: PageRequest | None = series.first
        sent: dict[int, int] = {}
        promised, elements = None, 0
        for number in count(1):
            name = self._name(request, series, number)
            if request.identity in sent:
                raise SourceError(
                    f"the pages go round: {name} is the same request as page "
                    f"{sent[request.identity]}, which was sent before"
                )
            sent[request.identity] = number
            fetched = self._fetch(request, name)
            page = self._parse(fetched, request, name)
            self._check_expected(page, name)
            found = self._find_records(page, name)
            total = read_total(pagination, page, name=name)
            if promised is not None and total not in (None, promised):
                raise _MovedError(
                    f"{name}: the total is {total:,} and was {promised:,} on the pages before it"
                )
            promised = total if promised is None else promised
            if pagination and keys.add(page, found):
                raise _MovedError(f"{name} repeats a key of an earlier page: rows moved")
            elements += found.elements
            yield Page(fetched, name, series.value, len(found.records), self.pages)
            arrived = Arrived(
                name=name,
                request=request,
                headers={key.lower(): value for key, value in fetched.headers.items()},
                page=page,
                elements=found.elements,
                last=found.last,
                pages=number,
                total_elements=elements,
            )
            request = find_next(pagination, series.first, arrived)
            if request is None:
                self._check_evidence(arrived)
                break
        if promised is not None and promised != elements:
            raise _MovedError(
                f"{self._source_name(series)}: {promised:,} records were promised, "
                f"{elements:,} came"
            )
        if promised is None and pagination and pagination.total is not None:
            raise SourceError(
                f"{self._source_name(series)}: no page has {write_path(pagination.total)}, which "
                "source.pagination.total names"
            )

    def _fetch(self, request: PageRequest, name: str) -> Extract:
        """Fetch one page; where the token has expired, with another one."""
        if self.pages >= self.max_pages:
            raise SourceError(
                f"there are more than {self.max_pages:,} pages; SOURCE_MAX_PAGES allows no more"
            )
        self.pages += 1
        is_token_new = self.dataset.oauth2 is not None and self.token is None
        if is_token_new:
            self._renew_token()
        try:
            return self._extract(request)
        except AccessDeniedError as error:
            if self.dataset.oauth2 is None or is_token_new or "status 401" not in str(error):
                raise
            self.on_retry(1, f"{name}: the token has expired")
            self._renew_token()
            return self._extract(request)

    def _renew_token(self) -> None:
        if self.dataset.oauth2:
            self.token = fetch_token(
                self.dataset.oauth2,
                self.environ,
                options=self.options.http,
                deadline=self.deadline,
                on_retry=self._say_retry,
            )
            self.mask.add([self.token])

    def _extract(self, request: PageRequest) -> Extract:
        headers = request_headers(self.dataset, self.environ)
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        before = self.received

        def on_progress(received: int, _total: int | None) -> None:
            self.received = before + received
            self.on_progress(self.received, None)

        return extract(
            to_request(request, headers),
            self._file(self.pages),
            options=self.options,
            deadline=self.deadline,
            on_progress=on_progress,
            on_retry=self._say_retry,
        )

    def _say_retry(self, attempt: int, reason: str) -> None:
        self.on_retry(attempt, self.mask.clean(reason))

    def _file(self, number: int) -> Path:
        return self.folder / f"{number:06}"

    def _parse(self, fetched: Extract, request: PageRequest, name: str) -> Any:
        with scratch_errors():
            body = fetched.file.read_bytes()
        lines = Location.parse(request.url).names_lines(fetched.content_type)
        return parse_page(body, name=name, lines=lines and not self.dataset.records)

    def _check_expected(self, page: Any, name: str) -> None:
        for path, expected in self.dataset.expect:
            value = value_at(page, path)
            if not is_same(value, expected):
                raise SourceError(
                    f"{name}: {write_path(path)} is {self._show(value)}; source.expect says "
                    f"{write_json(expected)}"
                )

    def _find_records(self, page: Any, name: str) -> Found:
        found = find_records(page, self.dataset.records, columnar=self.dataset.columnar)
        if found is None:
            path = write_records(self.dataset.records) or "$"
            value = value_at(page, self.dataset.records)
            expected = (
                "an object of arrays of one length"
                if self.dataset.columnar
                else "an array of records"
            )
            violation = Violation(
                None, path, self._show(value), expected, file=name, whole=True
            )
            raise ContractError([violation], {path: 1})
        return found

    def _check_evidence(self, arrived: Arrived) -> None:
        """Refuse a first page that looks like one of several where nothing was said of a next.

        Where ``next`` leads nowhere on the only page, its path may be wrong.
        """
        pagination = self.dataset.pagination
        if pagination and (pagination.kind not in _LINKED or arrived.pages > 1):
            return
        if pagination and pagination.has_more is not None:
            return
        evidence = find_evidence(
            arrived.headers, arrived.page, arrived.elements, records=self.dataset.records
        )
        if evidence and (pagination is None or evidence.kind in _LINKED):
            raise DataError(f"{arrived.name} {evidence.advice}")

    def _name(self, request: PageRequest, series: Series, number: int) -> str:
        shown = self.mask.clean(Location.parse(request.url).shown)
        if not self.dataset.is_paged:
            return shown
        of = "" if series.value is None else f" of {series.value}"
        return f"page {number}{of} ({shown})"

    def _source_name(self, series: Series) -> str:
        shown = self.mask.clean(Location.parse(series.first.url).shown)
        return shown if series.value is None else f"{shown} for {series.value}"

    def _show(self, value: Any) -> str | None:
        if value is None:
            return None
        text = self.mask.clean(write_json(value))
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


_LINKED = frozenset({"link_header", "next_url", "cursor"})


def _times(attempts: int) -> str:
    return "each of 2 times" if attempts == 2 else f"in each of {attempts} attempts"
