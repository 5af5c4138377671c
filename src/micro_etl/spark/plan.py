"""Compile a dataset and the files of its source into what Spark does: pure functions.

The work is cut into splits: a whole file, or a range of one that has a record a line. A task checks
one split with the very SQL of the other engine and writes it as one Parquet file, so that there is
one definition of what is right. What a split can't know, Spark finds out over all of them: values
that come twice, paths that no record has. Splits are numbered in the order of the records, so
every record has a number, the same as with the other engine.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from micro_etl.location import Location
from micro_etl.source.files import SourceFile
from micro_etl.table.violation_queries import SHOWN, Kind

_WHITESPACE = b" \t\r\n"
SPLIT_BYTES = 128 << 20
"""The size of a split: what a task keeps on its disk, and about the memory that it takes."""

STAGED = "summary STRING, unique_column INT, hash BIGINT"
"""What tasks say that write a split: a summary, and a hash of each value that must be unique."""

SUMMARIES = """
SELECT summary, max(times) AS times FROM (
  SELECT summary, unique_column, hash, count(*) AS times FROM staged
  GROUP BY summary, unique_column, hash
) GROUP BY summary
"""
"""Spark SQL for the summaries, and a row without one that says how often a hash comes at most.

In one pass, since a task that is done twice writes twice. Two values can have one hash: then the
queries that find violations find none, and nothing but time is lost.
"""

EXPLAINED = "summary STRING, split INT, name STRING, key STRING, record BIGINT, shown STRING"
"""What tasks say that look for violations: a summary, and each value that must be unique."""

REPEATS = f"""
SELECT name, total, split, record, shown FROM (
  SELECT *,
    count(*) OVER (PARTITION BY name) AS total,
    row_number() OVER (PARTITION BY name ORDER BY split, record) AS place
  FROM (
    SELECT *, row_number() OVER (PARTITION BY name, key ORDER BY split, record) AS nth
    FROM explained WHERE name IS NOT NULL
  ) WHERE nth > 1
) WHERE place <= {SHOWN} ORDER BY name, split, record
"""
"""Spark SQL for the first values of each column that an earlier record has, and how many there are.

An order over all values of a column takes one task; it is asked for only where it is known that
there are some.
"""


@dataclass(frozen=True, slots=True)
class Split:
    """What one task checks and writes.

    Attributes:
        number: its place in the order of the records, from 0.
        location: the file.
        name: what messages call it.
        start: the first byte; a line belongs to the split in which it starts.
        end: the byte after the last, or none for the whole file.
        etag: of the file, which must be the same for all that read a range of it.
    """

    number: int
    location: Location
    name: str
    start: int = 0
    end: int | None = None
    etag: str | None = None


def plan_splits(
    files: Iterable[SourceFile],
    find_lines: Callable[[SourceFile], SourceFile | None],
    *,
    size: int,
) -> list[Split]:
    """Cut files into splits, in order.

    Args:
        files: of the source.
        find_lines: gives a file as it is now, where it is plain text with a record a line, else
            none; asked of large files alone.
        size: the largest part of such a file that is one split.
    """
    splits: list[Split] = []
    for file in files:
        found = find_lines(file) if file.size and file.size > size else None
        if found and found.size:
            for start in range(0, found.size, size):
                end = min(start + size, found.size)
                splits.append(Split(len(splits), file.location, file.name, start, end, found.etag))
        else:
            splits.append(Split(len(splits), file.location, file.name))
    return splits


def has_lines(head: bytes) -> bool:
    """Whether a file that starts like this has a record a line, and may be cut between lines."""
    first, _, rest = head.lstrip(_WHITESPACE).partition(b"\n")
    return (
        first.startswith(b"{")
        and first.rstrip(_WHITESPACE).endswith(b"}")
        and rest.lstrip(_WHITESPACE).startswith(b"{")
    )


def lines_between(chunks: Iterable[bytes], start: int, end: int) -> Iterator[bytes]:
    """The lines that start at a byte from `start` to before `end`, of a file's bytes.

    Args:
        chunks: the file from the byte before `start` on, or from its first.
        start: the first byte of the split.
        end: the byte after its last.
    """
    position, skipping = max(start - 1, 0), start > 0
    for chunk in chunks:
        rest = chunk
        if skipping:
            cut = chunk.find(b"\n") + 1
            position += cut or len(chunk)
            skipping = not cut
            if position >= end:
                return
            rest = b"" if skipping else chunk[cut:]
        if not skipping and position + len(rest) >= end:
            stop = rest.find(b"\n", max(end - 1 - position, 0)) + 1
            if stop:
                yield rest[:stop]
                return
        yield rest
        if not skipping:
            position += len(rest)


def number_records(counts: Sequence[int]) -> list[int]:
    """How many records come before each split, and last how many there are."""
    before = [0]
    for count in counts:
        before.append(before[-1] + count)
    return before


def merge_kinds(kinds: Iterable[tuple[int, Kind]], before: Sequence[int]) -> list[Kind]:
    """The violations of all splits as if they were those of one body.

    Args:
        kinds: the number of a split, and one kind of violation in it.
        before: how many records come before each split.
    """
    merged: dict[tuple[str, str, str], tuple[int, list[Mapping[str, object]]]] = {}
    for split, (name, path, expected, count, first) in kinds:
        total, shown = merged.get((name, path, expected), (0, []))
        shown += ({**one, "record": before[split] + one["record"]} for one in first)
        merged[name, path, expected] = (total + count, shown)
    ordered = sorted(merged.items(), key=lambda item: (item[1][1][0]["record"], item[0]))
    return [(*what, count, shown[:SHOWN]) for what, (count, shown) in ordered]


def shift_records(reason: str, before: int) -> str:
    """An engine's message about one split, with the number that the record has in its file."""
    return re.sub(r"\b(record) (\d+)", lambda found: f"{found[1]} {int(found[2]) + before}", reason)
