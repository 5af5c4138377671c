"""The queries ask for fields that the service logs."""

from __future__ import annotations

import re

import pytest

from micro_etl import events
from tests.recipes import RECIPES

_COMMANDS = {"fields", "filter", "stats", "sort", "limit"}
_WORDS = {"as", "asc", "avg", "bin", "by", "count", "count_distinct", "desc", "earliest"}
_WORDS |= {"in", "ispresent", "latest", "pct"}
_EVERY_LINE = {"time", "level", "event", "run_id"}
_STEPS = {"start", "look", "extract", "keep_raw", "transform", "load", "total"}
_EVENTS = {kind for kind in vars(events).values() if isinstance(kind, type)}
_KINDS = [kind for kind in _EVENTS if issubclass(kind, events.Event) and kind is not events.Event]
_NAMES = {re.sub("(?<!^)(?=[A-Z])", "_", kind.__name__).lower() for kind in _KINDS}

QUERIES = re.findall(r"```\n(.*?)```", (RECIPES / "logs-insights.md").read_text("utf-8"), re.S)


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_asks_for_fields_that_are_logged(query: str) -> None:
    """Each field is one of an event, and each event one that there is."""
    known = {field for kind in _KINDS for field in kind.fields()} | _EVERY_LINE
    known |= {f"seconds.{step}" for step in _STEPS}
    for line in query.strip().split("\n"):
        assert line.removeprefix("| ").split()[0] in _COMMANDS
    quoted = re.findall(r'"(\w+)"', query)
    assert set(quoted) <= _NAMES
    known |= set(re.findall(r" as (\w+)", query))
    words = re.findall(r"[@a-z_][\w.]*", re.sub(r'"[^"]*"|\b\d+[a-z]?\b', "", query), re.I)
    asked = {word for word in words if not word.startswith("@")}
    assert asked - known - _COMMANDS - _WORDS == set()
