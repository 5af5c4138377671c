"""Follow the pages of a series: no request twice, no key twice, and as many records as promised."""

from __future__ import annotations

from typing import Any

from micro_etl.dataset import Dataset, write_path
from micro_etl.errors import SourceError
from micro_etl.source.paging.keys import SeenKeys
from micro_etl.source.paging.page import Found
from micro_etl.source.paging.pagination import PageRequest, read_last_page, read_total


class MovedError(Exception):
    """The pages of a series are not of one state of the source."""


class Progress:
    """What has come of a series.

    Attributes:
        elements: how many elements of the source's count have come.
    """

    def __init__(self, dataset: Dataset, *, shown: str) -> None:
        """Start at nothing.

        Args:
            dataset: the contract.
            shown: what messages call the series.
        """
        self._dataset, self._shown = dataset, shown
        self._keys = SeenKeys(dataset)
        self._sent: dict[int, int] = {}
        self._promised: int | None = None
        self._last_page: int | None = None
        self.elements = 0

    def begin_page(self, request: PageRequest, number: int, *, name: str) -> bool:
        """Note a request, and tell whether it is to be sent.

        Raises:
            SourceError: it was sent before.
        """
        before = self._sent.setdefault(request.identity, number)
        if before == number:
            return True
        if self._is_complete:
            return False
        raise SourceError(
            f"the pages go round: {name} is the same request as page {before}, which was sent "
            "before"
        )

    def add_page(self, page: Any, found: Found, *, name: str) -> bool:
        """Note a page, and tell whether it counts.

        Some sources name a next page for ever: after all records that were promised, a page without
        another one ends the series, and is none of it.

        Args:
            page: the parsed page.
            found: its records.
            name: what messages call it.

        Raises:
            MovedError: it is of another state of the source than the pages before it.
            SourceError: the total or the number of the last page is not a number.
        """
        total = read_total(self._dataset.pagination, page, name=name)
        if self._is_complete and total in (None, self._promised):
            if self._keys.has_all(page, found):
                return False
        elif self._promised is not None and total not in (None, self._promised):
            raise MovedError(
                f"{name}: the total is {total:,}, and was {self._promised:,} on the pages before it"
            )
        last = read_last_page(self._dataset.pagination, page, name=name)
        if self._last_page is not None and last not in (None, self._last_page):
            raise MovedError(
                f"{name}: last_page is {last:,}, and was {self._last_page:,} on the pages before it"
            )
        self._last_page = last if self._last_page is None else self._last_page
        self._promised = total if self._promised is None else self._promised
        repeats = self._keys.add(page, found) if self._dataset.is_paged else 0
        if repeats:
            raise MovedError(f"{name} repeats {self._explain_repeats(repeats, found)}")
        self.elements += found.elements
        return True

    def _explain_repeats(self, count: int, found: Found) -> str:
        pagination = self._dataset.pagination
        if count < len(found.records) or not (pagination and pagination.param):
            return "a key of an earlier page: rows moved"
        return (
            "the records of earlier pages: rows moved, or the source does not know "
            f'source.pagination.param = "{pagination.param}"'
        )

    def check_end(self) -> None:
        """Compare the records that came with those that were promised.

        Raises:
            MovedError: they differ.
            SourceError: no page had a total.
        """
        pagination, promised = self._dataset.pagination, self._promised
        if promised is not None and promised != self.elements:
            raise MovedError(
                f"{self._shown}: {promised:,} records were promised, {self.elements:,} came"
            )
        if promised is None and pagination and pagination.total is not None:
            raise SourceError(
                f"{self._shown}: no page has {write_path(pagination.total)}, which is "
                "source.pagination.total"
            )

    @property
    def _is_complete(self) -> bool:
        """Whether all records that were promised have come, and nothing else decides."""
        pagination = self._dataset.pagination
        decides = pagination is not None and pagination.has_more is None
        return decides and self._promised is not None and self.elements == self._promised
