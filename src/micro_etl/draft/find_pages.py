"""Find how the pages of a source follow each other: test what was guessed."""

from __future__ import annotations

from micro_etl.dataset import write_path
from micro_etl.draft.find_records import Candidate, records_of
from micro_etl.draft.guess_pagination import FirstPage, Guess, listed_next
from micro_etl.draft.source import Source
from micro_etl.errors import SourceError
from micro_etl.source.paging.evidence import find_evidence
from micro_etl.source.paging.page import write_json
from micro_etl.source.paging.pagination import PageRequest, set_param


def find_pages(
    source: Source, first: FirstPage, chosen: Candidate, guesses: list[Guess]
) -> tuple[Guess | None, str]:
    """Find the first guess that holds; one that needs a test is tested."""
    tried = []
    for guess in guesses:
        if guess.probe is None:
            return guess, guess.why
        param, value = guess.probe
        tried.append(param)
        if _brings_others(source, first, chosen, set_param(first.request, param, value)):
            return guess, f"a second page was asked for with {param}, and it has other records"
    why = [
        f"{write_path(path[:-1])} lists a link to the next page, and a path can't choose from a "
        "list by a relation"
        for path in listed_next(first)
    ]
    if tried:
        params = ", ".join(dict.fromkeys(tried))
        why.append(
            f"there seem to be other pages, but none of these parameters brought one: {params}"
        )
    if why:
        return None, "\n".join(why)
    evidence = find_evidence(first.headers, first.page, first.found.elements, records=first.path)
    if evidence:
        return None, f"there are other pages: {evidence.what}; how they follow is not known"
    return None, ""


def _brings_others(
    source: Source, first: FirstPage, chosen: Candidate, request: PageRequest
) -> bool:
    """Whether a request brings a page whose records are not those of the first."""
    try:
        page = source.fetch(request).page
    except SourceError:
        return False
    found = records_of(page, chosen)
    if found is None:
        return False
    before = {write_json(record) for _, record in first.found.records}
    return not any(write_json(record) in before for _, record in found.records)
