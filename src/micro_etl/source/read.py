"""Read any source as parts: one body, every file of a folder, or page after page."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from micro_etl.body import Body, Layout, Part
from micro_etl.dataset import Dataset
from micro_etl.location import Location
from micro_etl.mask import Mask
from micro_etl.source.cut import PART_SIZE, Cutter
from micro_etl.source.fetch import Extract, extract, ignore
from micro_etl.source.http.send import OnRetry, Request
from micro_etl.source.layout import find_layout, largest_record
from micro_etl.source.limits import ExtractOptions
from micro_etl.source.spool import OnProgress

# Parts of the names of headers that speak of pages.
_OF_PAGES = re.compile(
    r"content-range|continu|count|cursor|link|more|next|page|pagin|total|truncated", re.IGNORECASE
)


class Arrived(NamedTuple):
    """One part of a source on disk, ready to be read.

    Attributes:
        extract: the file and what the source said of it.
        part: the file, and what messages call it; the last one of a response that was cut.
        layout: how its records are laid out.
        key: its name among the parts: what the hash of several parts and a raw copy call it.
        max_record: the largest record of it that is read, in bytes.
        records: how many it has, where that is known.
        cut: the parts before that one, which were given to `Ahead`.
    """

    extract: Extract
    part: Part
    layout: Layout
    key: str
    max_record: int
    records: int | None = None
    cut: tuple[Part, ...] = ()

    @property
    def body(self) -> Body:
        """The part as a body of its own."""
        return Body((self.part,), self.layout, self.max_record)


class Ahead(Protocol):
    """Takes parts of a single response while the rest of it comes; called in another thread."""

    def add(self, body: Body) -> None:
        """Take the next part."""

    def restart(self) -> None:
        """Forget all parts: the response comes again from its start."""


class Forget(NamedTuple):
    """The parts from this one on are to be forgotten: they come again, and may be others.

    Attributes:
        first: the place of the first, from 0.
    """

    first: int


def is_paged(dataset: Dataset, source: Location) -> bool:
    """Whether a source is read page after page; what is no server has its pages as files."""
    has_total = dataset.pagination is not None and dataset.pagination.total is not None
    return source.is_http and (dataset.is_paged or bool(dataset.expect) or has_total)


def read_source(
    dataset: Dataset,
    source: Location,
    folder: Path,
    *,
    options: ExtractOptions,
    max_pages: int,
    max_record: int,
    environ: Mapping[str, str] = os.environ,
    mask: Mask | None = None,
    ahead: Ahead | None = None,
    on_progress: OnProgress = ignore,
    on_retry: OnRetry = ignore,
) -> Iterator[Arrived | Forget]:
    """Fetch all parts of a source in order; what has come when it ends is all of the source.

    Args:
        dataset: the contract.
        source: where from.
        folder: where to write; it is made.
        options: limits; those of sizes hold for each part.
        max_pages: the most pages.
        max_record: the largest record that is surely read, in bytes.
        environ: the variables of ``${NAME}``.
        mask: is told the secrets.
        ahead: takes the parts that a single response is cut into, all but the last.
        on_progress: told of the bytes that have come.
        on_retry: told of each retry.

    Raises:
        SourceError: the source can't be read, answers wrongly, or takes too long.
        SourceMissingError: it is not there.
        DataError: it is not all of the data, or a page is not what it should be.
        AccessDeniedError: the source doesn't allow it.
        ConfigError: a variable is missing, or the URL is not one.
        MachineError: a file can't be written.
    """
    if is_paged(dataset, source):
        from micro_etl.source.files import raw_name
        from micro_etl.source.paging.pages import Page, fetch_pages

        for one in fetch_pages(
            dataset,
            source,
            folder,
            options=options,
            max_pages=max_pages,
            environ=environ,
            on_retry=on_retry,
            on_progress=on_progress,
            mask=mask,
        ):
            if isinstance(one, Page):
                key = raw_name(one.number, dataset, one.series)
                part = Part(one.extract.file, one.name, one.series)
                yield _arrive(dataset, source, one.extract, part, key, max_record, one.records)
            else:
                yield Forget(one.first - 1)
    elif source.is_folder:
        from micro_etl.source.files import extract_files, series_of

        for name, fetched in extract_files(
            source, dataset, folder, options=options, on_progress=on_progress, on_retry=on_retry
        ):
            part = Part(fetched.file, name, series_of(name, dataset))
            yield _arrive(dataset, source, fetched, part, name, max_record, is_file=True)
    else:
        request: Location | Request = source
        if source.is_http and needs_request(dataset, source):
            from micro_etl.source.paging.pages import prepare_one

            request = prepare_one(
                dataset, source, options=options, environ=environ, mask=mask, on_retry=on_retry
            )
        cutter = Cutter(source.shown)
        if ahead and not dataset.is_wrapped:
            cutter = Cutter(
                source.shown,
                on_part=lambda part, layout: ahead.add(
                    Body((part,), layout, largest_record(layout, max_record, size=0))
                ),
                on_restart=ahead.restart,
                size=PART_SIZE,
            )
        fetched = extract(
            request,
            folder,
            options=options,
            cutter=cutter,
            on_progress=on_progress,
            on_retry=on_retry,
        )
        *cut, last = cutter.parts
        layout = Layout.LINES if cut and cutter.layout is Layout.LINES else None
        arrived = _arrive(dataset, source, fetched, last, source.shown, max_record, layout=layout)
        yield arrived._replace(cut=tuple(cut))


def may_say_more(headers: Mapping[str, str]) -> bool:
    """Whether one of these headers may be about pages."""
    return any(map(_OF_PAGES.search, headers))


def needs_request(dataset: Dataset, source: Location) -> bool:
    """Whether a single request is more than its URL."""
    return (
        bool(dataset.headers or dataset.oauth2 or "${" in source.text) or dataset.body is not None
    )


def _arrive(
    dataset: Dataset,
    source: Location,
    fetched: Extract,
    part: Part,
    key: str,
    max_record: int,
    records: int | None = None,
    *,
    is_file: bool = False,
    layout: Layout | None = None,
) -> Arrived:
    layout = layout or find_layout(
        part.file,
        wrapped=dataset.is_wrapped,
        in_array=bool(dataset.records) and not isinstance(dataset.records[0], str),
        one_line=is_file or source.names_lines(fetched.content_type),
        source=part.name,
        largest=max_record,
    )
    largest = largest_record(layout, max_record, size=fetched.size)
    return Arrived(fetched, part, layout, key, largest, records)
