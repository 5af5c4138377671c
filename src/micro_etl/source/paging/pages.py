"""Fetch a source page after page to disk, and notice when its rows move meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import NamedTuple

from micro_etl.dataset import Dataset
from micro_etl.errors import ContractError, MicroEtlError, SourceError, scratch_errors
from micro_etl.location import Location
from micro_etl.mask import Mask
from micro_etl.source.deadline import Deadline
from micro_etl.source.fetch import Extract, ignore
from micro_etl.source.fill_variables import secrets_of
from micro_etl.source.http.connect import Connections
from micro_etl.source.http.send import OnRetry, Request
from micro_etl.source.limits import ExtractOptions
from micro_etl.source.paging.evidence import refuse_first_page
from micro_etl.source.paging.one_page import FetchedPage, PageFetcher
from micro_etl.source.paging.pagination import ArrivedPage, PageRequest, find_next
from micro_etl.source.paging.prefetch import ahead
from micro_etl.source.paging.progress import MovedError, Progress
from micro_etl.source.paging.request import Series, first_requests
from micro_etl.source.spool import OnProgress


class Page(NamedTuple):
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


class Restart(NamedTuple):
    """A series starts again, since its rows moved while it was read.

    The files of the pages that are to be forgotten are removed when what follows is asked for.

    Attributes:
        first: the number of the first page to forget; all after it are to be forgotten as well.
        reason: in one line.
    """

    first: int
    reason: str


OnPage = Callable[[Page], None]
"""Called with each page that has come."""


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

    The next pages are fetched while one is used, in a thread of their own. A failure that may pass
    repeats that page alone. One deadline holds for everything.

    Args:
        dataset: the contract.
        source: the URL, ``${NAME}`` and ``{series}`` in it.
        folder: where to write; it is made.
        options: limits; those of sizes hold for each page.
        max_pages: the most pages of one run.
        environ: the variables.
        on_page: told of each page.
        on_retry: told of each retry, and of each restart, in the thread that fetches.
        on_progress: told of the bytes that have come, in that thread.
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
    deadline = Deadline(options.deadline, mask.clean(source.shown))

    def fetch() -> Iterator[Page | Restart]:
        with _hidden(mask), Connections() as connections:
            fetcher = PageFetcher(
                dataset,
                environ=environ,
                options=options,
                deadline=deadline,
                mask=mask,
                connections=connections,
                on_retry=on_retry,
                on_progress=on_progress,
            )
            series = first_requests(dataset, source, environ)
            with scratch_errors():
                folder.mkdir(parents=True, exist_ok=True)
            files = (folder / f"{number:06}" for number in count(1))
            following = 1
            for one in series:
                reader = _SeriesReader(
                    one, dataset, fetcher, options, deadline, mask, max_pages, files, following
                )
                yield from reader.read()
                following = reader.following

    files: list[Path] = []
    for one in ahead(fetch(), deadline=deadline):
        if isinstance(one, Page):
            files.append(one.extract.file)
            on_page(one)
        yield one
        if isinstance(one, Restart):
            for file in files[one.first - 1 :]:
                file.unlink(missing_ok=True)
            del files[one.first - 1 :]


def prepare_one(
    dataset: Dataset,
    source: Location,
    *,
    options: ExtractOptions,
    environ: Mapping[str, str] = os.environ,
    on_retry: OnRetry = ignore,
    mask: Mask | None = None,
) -> Request:
    """Make the request of a source that is one answer; arguments and errors as of `fetch_pages`."""
    mask = mask or Mask()
    mask.add(secrets_of(dataset, environ, source=source))
    with _hidden(mask), Connections() as connections:
        fetcher = PageFetcher(
            dataset,
            environ=environ,
            options=options,
            deadline=Deadline(options.deadline, mask.clean(source.shown)),
            mask=mask,
            connections=connections,
            on_retry=on_retry,
            on_progress=ignore,
        )
        (series,) = first_requests(dataset, source, environ)
        return fetcher.prepare(series.first)


@contextmanager
def _hidden(mask: Mask) -> Iterator[None]:
    """Take the secrets out of what is raised."""
    try:
        yield
    except ContractError:
        raise  # made of texts without secrets
    except MicroEtlError as error:
        error.args = (mask.clean(str(error)),)
        raise


@dataclass(slots=True)
class _SeriesReader:
    """Reads one series.

    Attributes:
        series: which one.
        dataset: the contract.
        fetcher: fetches single pages.
        options: limits.
        deadline: when to stop.
        mask: hides secrets.
        max_pages: the most pages of a run.
        files: where to write each page.
        following: the number of the next page among those of all series.
    """

    series: Series
    dataset: Dataset
    fetcher: PageFetcher
    options: ExtractOptions
    deadline: Deadline
    mask: Mask
    max_pages: int
    files: Iterator[Path]
    following: int

    def read(self) -> Iterator[Page | Restart]:
        """Fetch the series, again from its first page where rows moved."""
        first, http = self.following, self.options.http
        for attempt in count(1):
            try:
                yield from self._read_once()
                return
            except MovedError as error:
                reason = str(error)
            if attempt >= http.attempts:
                raise SourceError(f"{reason}, in each of {attempt} attempts")
            self.fetcher.say_retry(attempt, reason)
            yield Restart(first, self.mask.clean(reason))
            self.following = first
            self.deadline.sleep(min(http.backoff * 2 ** (attempt - 1), http.backoff_max))

    def _read_once(self) -> Iterator[Page]:
        """Fetch the series once.

        Raises:
            MovedError: its pages are not of one state of the source.
        """
        pagination, first = self.dataset.pagination, self.series.first
        shown = self.mask.clean(Location.parse(first.url).shown)
        progress = Progress(self.dataset, shown=shown)
        request: PageRequest | None = first
        for number in count(1):
            name = "" if request is None else self._name(request, number)
            if request is None or not progress.begin_page(request, number, name=name):
                break
            fetched = self._fetch(request, name)
            is_counted = False
            try:
                is_counted = progress.add_page(fetched.page, fetched.found, name=name)
            finally:
                if not is_counted:
                    fetched.extract.file.unlink()
            if not is_counted:
                break
            records = len(fetched.found.records)
            yield Page(fetched.extract, name, self.series.value, records, self.following)
            self.following += 1
            arrived = _arrived(fetched, name, request, number, progress.elements)
            request = find_next(pagination, first, arrived)
            if request is None:
                refuse_first_page(self.dataset, arrived)
        progress.check_end()

    def _fetch(self, request: PageRequest, name: str) -> FetchedPage:
        if self.following > self.max_pages:
            raise SourceError(
                f"there are more than {self.max_pages:,} pages; SOURCE_MAX_PAGES allows no more"
            )
        return self.fetcher.fetch(request, next(self.files), name=name)

    def _name(self, request: PageRequest, number: int) -> str:
        shown = self.mask.clean(Location.parse(request.url).shown)
        if not self.dataset.is_paged:
            return shown
        of = "" if self.series.value is None else f" of {self.series.value}"
        return f"page {number}{of} ({shown})"


def _arrived(
    fetched: FetchedPage, name: str, request: PageRequest, number: int, elements: int
) -> ArrivedPage:
    headers = fetched.extract.headers
    return ArrivedPage(
        name=name,
        request=request,
        headers={key.lower(): headers[key] for key in headers},
        page=fetched.page,
        elements=fetched.found.elements,
        last=fetched.found.last,
        pages=number,
        total_elements=elements,
    )
