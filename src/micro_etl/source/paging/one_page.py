"""Fetch one page to disk, with a token where the source wants one, and read what it says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from micro_etl.dataset import Dataset, write_path, write_records
from micro_etl.errors import (
    AccessDeniedError,
    ContractError,
    DataError,
    SourceError,
    Violation,
    scratch_errors,
)
from micro_etl.hints import name_arrays
from micro_etl.location import Location
from micro_etl.mask import Mask
from micro_etl.source.deadline import Deadline
from micro_etl.source.fetch import Extract, extract
from micro_etl.source.fill_variables import request_headers
from micro_etl.source.http.connect import Connections
from micro_etl.source.http.send import OnRetry, Request
from micro_etl.source.limits import ExtractOptions
from micro_etl.source.paging.oauth2 import fetch_token
from micro_etl.source.paging.page import (
    Found,
    find_records,
    is_repeated,
    is_same,
    parse_page,
    value_at,
    write_json,
)
from micro_etl.source.paging.pagination import PageRequest
from micro_etl.source.paging.request import to_request
from micro_etl.source.spool import OnProgress

_ERRORS = ("error", "errors")
_SUCCESSES = ("success", "ok")
_SHOWN = 100  # characters of a value


class FetchedPage(NamedTuple):
    """A page that has come.

    Attributes:
        extract: the file, and what the source said of it.
        page: the page, parsed.
        found: its records.
    """

    extract: Extract
    page: Any
    found: Found


class PageFetcher:
    """Fetches the pages of one run, and knows the token."""

    def __init__(
        self,
        dataset: Dataset,
        *,
        environ: Mapping[str, str],
        options: ExtractOptions,
        deadline: Deadline,
        mask: Mask,
        connections: Connections,
        on_retry: OnRetry,
        on_progress: OnProgress,
    ) -> None:
        """Take what `fetch_pages` is given; nothing is sent yet.

        Raises:
            ConfigError: a variable is missing.
        """
        self._dataset, self._environ, self._mask = dataset, environ, mask
        self._options, self._deadline, self._connections = options, deadline, connections
        self._on_retry, self._on_progress = on_retry, on_progress
        self._headers = request_headers(dataset, environ)
        self._received = 0
        self._has_token = False

    def fetch(self, request: PageRequest, file: Path, *, name: str) -> FetchedPage:
        """Fetch and check one page.

        Args:
            request: what to ask for.
            file: where to write.
            name: what messages call the page.

        Raises:
            SourceError: it can't be read, or is not what ``source.expect`` says.
            DataError: a key that says whether there are more pages comes twice.
            ContractError: its records are not where they should be.
            AccessDeniedError: the source doesn't allow it.
            MachineError: the file can't be written.
        """
        fetched = self._fetch(request, file, name)
        with scratch_errors():
            body = fetched.file.read_bytes()
        is_lines = Location.parse(request.url).names_lines(fetched.content_type)
        page = parse_page(body, name=name, lines=is_lines and not self._dataset.records)
        self._check_keys(page, name)
        self._check_expected(page, name)
        self._check_errors(page, name)
        return FetchedPage(fetched, page, self._find_records(page, name))

    def prepare(self, request: PageRequest) -> Request:
        """Make a request with its headers, and with a token where the source wants one."""
        if self._dataset.oauth2 and not self._has_token:
            self._renew_token()
        return to_request(request, self._headers)

    def _fetch(self, request: PageRequest, file: Path, name: str) -> Extract:
        """Fetch a page; where the token has expired, with another one."""
        if self._dataset.oauth2 is None:
            return self._extract(request, file)
        is_new = not self._has_token
        if is_new:
            self._renew_token()
        try:
            return self._extract(request, file)
        except AccessDeniedError as error:
            if is_new or "status 401" not in str(error):
                raise
            self.say_retry(1, f"{name}: the token has expired")
        self._renew_token()
        return self._extract(request, file)

    def _renew_token(self) -> None:
        if self._dataset.oauth2:
            token = fetch_token(
                self._dataset.oauth2,
                self._environ,
                options=self._options.http,
                deadline=self._deadline,
                on_retry=self.say_retry,
                connections=self._connections,
            )
            self._mask.add([token])
            self._headers["Authorization"] = f"Bearer {token}"
            self._has_token = True

    def _extract(self, request: PageRequest, file: Path) -> Extract:
        before = self._received

        def on_progress(received: int, _total: int | None) -> None:
            self._received = before + received
            self._on_progress(self._received, None)

        return extract(
            to_request(request, self._headers),
            file,
            options=self._options,
            deadline=self._deadline,
            on_progress=on_progress,
            on_retry=self.say_retry,
            connections=self._connections,
        )

    def say_retry(self, attempt: int, reason: str) -> None:
        """Tell of a retry, without secrets."""
        self._on_retry(attempt, self._mask.clean(reason))

    def _check_keys(self, page: Any, name: str) -> None:
        """Refuse a page with two values where one decides."""
        pagination = self._dataset.pagination
        paths = [path for path, _ in self._dataset.expect]
        if pagination:
            read = (pagination.next, pagination.has_more, pagination.last_page, pagination.total)
            paths += [path for path in read if path]
        for path in paths:
            if is_repeated(page, path):
                raise DataError(
                    f"{name}: a key of {write_path(path)} comes more than once in its object, so "
                    "its value is uncertain"
                )

    def _check_expected(self, page: Any, name: str) -> None:
        for path, expected in self._dataset.expect:
            value = value_at(page, path)
            if not is_same(value, expected):
                raise SourceError(
                    f"{name}: {write_path(path)} is {self._show(value) or 'missing'}; "
                    f"source.expect says {write_json(expected)}"
                )

    def _check_errors(self, page: Any, name: str) -> None:
        """Refuse one of several pages that tells of an error beside its records."""
        dataset = self._dataset
        if not dataset.is_paged or not isinstance(page, dict):
            return
        named = {path[0] for path, _ in dataset.expect} | {*dataset.records[:1]}
        for key in _ERRORS + _SUCCESSES:
            value = page.get(key)
            is_error = bool(value) and isinstance(value, str | list | dict)
            is_failure = value is False
            if key not in named and (is_error if key in _ERRORS else is_failure):
                raise SourceError(
                    f"{name}: {key} is {self._show(value)}, so the page may not be whole; "
                    "source.expect may say what it should be"
                )

    def _find_records(self, page: Any, name: str) -> Found:
        dataset = self._dataset
        found = find_records(page, dataset.records, columnar=dataset.columnar)
        if found is None:
            path = write_records(dataset.records) or "$"
            value = self._show(value_at(page, dataset.records))
            expected = f"an array of records{name_arrays(page)}"
            if dataset.columnar:
                expected = "an object of arrays of one length"
            violation = Violation(None, path, value, expected, file=name, whole=True)
            raise ContractError([violation], {path: 1})
        return found

    def _show(self, value: Any) -> str | None:
        if value is None:
            return None
        text = self._mask.clean(write_json(value))
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
