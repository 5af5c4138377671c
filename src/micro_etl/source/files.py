"""The files that a source of several means: a folder, or a pattern with ``*``."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import obstore

from micro_etl.dataset import Dataset, Each
from micro_etl.errors import ConfigError, SourceMissingError, TargetError
from micro_etl.location import Location
from micro_etl.source.deadline import Deadline
from micro_etl.source.fetch import Extract, extract, ignore, source_error
from micro_etl.source.hashing import hash_text
from micro_etl.source.http.send import OnRetry
from micro_etl.source.limits import ExtractOptions
from micro_etl.source.pattern import is_hidden, parse_pattern
from micro_etl.source.spool import OnProgress
from micro_etl.store import open_place
from micro_etl.store_errors import target_errors


class SourceFile(NamedTuple):
    """One file of a source.

    Attributes:
        location: its URL or path.
        name: its path below the folder; what messages call it.
        size: its length in bytes, compressed or not; none where only a fetch tells.
        etag: the store's name for its content, where it was asked for.
    """

    location: Location
    name: str
    size: int | None
    etag: str | None = None


def list_files(url: Location, dataset: Dataset, *, options: ExtractOptions) -> list[SourceFile]:
    """The files of a folder or a pattern, in the order of their names.

    A folder means every file below it. In a pattern, ``*`` stands for any characters of one
    name. Names that start with ``_`` or ``.`` are left out, as in Hadoop: they are no records.
    Where the dataset has ``each``, the files of one of its values are in a folder such as
    ``series=A``, as `raw_name` makes it, and the values come in the order of the dataset file.

    Args:
        url: a folder or pattern on this machine or in a store.
        dataset: the contract.
        options: limits.

    Raises:
        SourceMissingError: no file is there.
        SourceError: the store can't be read, or not within the deadline.
        AccessDeniedError: the store doesn't allow it.
        ConfigError: the dataset has ``each``, and a file is in no folder of one of its values.
    """
    base, wanted = parse_pattern(url)
    try:
        if url.is_local:
            sizes = _list_local(base, wanted)
        else:  # a listing may have no end
            listing = partial(_list_store, base, wanted, options)
            sizes = Deadline(options.deadline, url.shown).run(listing)
    except TargetError as error:
        raise source_error(error) from error
    if not sizes:
        raise SourceMissingError(
            f"{url.shown} has no files; it should be a folder or a pattern of some"
        )
    files = [
        SourceFile(Location(f"{base}/{name}", url.scheme), name, size)
        for name, size in sorted(sizes.items())
    ]
    return files if dataset.each is None else _in_order(files, dataset, dataset.each)


def raw_name(number: int, dataset: Dataset, series: str | None) -> str:
    """Name the copy of a page, so that a folder of them is a source again, in the same order."""
    folder = "" if dataset.each is None or series is None else f"{_folder(dataset.each, series)}/"
    return f"{folder}page-{number:06}.json"


def series_of(name: str, dataset: Dataset) -> str | None:
    """The value of ``each`` that a file is for, by its folder; none where there is none."""
    if dataset.each is None:
        return None
    folders = name.split("/")[:-1]
    return next(
        (value for value in dataset.each.values if _folder(dataset.each, value) in folders), None
    )


def _folder(each: Each, value: str) -> str:
    return f"{each.name}={quote(value, safe='')}"


def _in_order(files: list[SourceFile], dataset: Dataset, each: Each) -> list[SourceFile]:
    """Sort files by the values of ``each``, then by name."""
    places = {value: place for place, value in enumerate(each.values)}
    sorted_files = []
    for file in files:
        series = series_of(file.name, dataset)
        if series is None:
            raise ConfigError(
                f"{file.name} is in no folder such as {_folder(each, each.values[0])}, which says "
                f"what value of source.each it is for; dataset {dataset.name} has several"
            )
        sorted_files.append((places[series], file))
    return [file for _, file in sorted(sorted_files, key=lambda one: one[0])]


def _list_store(
    base: str, wanted: Callable[[str], bool], options: ExtractOptions
) -> dict[str, int]:
    """Names and sizes of the wanted objects, without those that only mark a folder.

    Such an object, as S3's console makes it, is empty and has a name that ends in a slash, which
    the listing leaves out: there is none of the name that it gives.
    """
    place = open_place(
        Location.parse(f"{base}/_"),
        timeout=options.deadline,
        read_timeout=options.http.read_timeout,
        deadline=options.deadline,
    )
    prefix = place.key.removesuffix("_")

    def exists(path: str) -> bool:
        try:
            obstore.head(place.store, path)
        except FileNotFoundError:
            return False
        return True

    with target_errors("list", place.location):
        found = obstore.list(place.store, prefix.rstrip("/") or None).collect()
        return {
            entry["path"][len(prefix) :]: entry["size"]
            for entry in found
            if wanted(entry["path"][len(prefix) :]) and (entry["size"] or exists(entry["path"]))
        }


def _list_local(base: str, wanted: Callable[[str], bool]) -> dict[str, int]:
    """Names and sizes of the wanted files; links are followed.

    Not by the store, which leaves out in silence what it can't read or could have made itself.
    """
    folder = base or "/"
    sizes = {}
    with (
        target_errors("list", Location(f"{base}/", "file")),
        suppress(FileNotFoundError, NotADirectoryError),
    ):
        for path in _walk(folder):
            name = path.removeprefix(folder).lstrip("/")
            if wanted(name):
                with target_errors("read", Location(path, "file")):
                    sizes[name] = Path(path).stat().st_size
    return sizes


def _walk(folder: str, above: tuple[str, ...] = ()) -> Iterator[str]:
    here = os.path.realpath(folder)
    if here in above:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), folder)
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir() and not is_hidden(entry.name):
                yield from _walk(entry.path, (*above, here))
            elif not entry.is_dir():
                yield entry.path


def extract_files(
    url: Location,
    dataset: Dataset,
    folder: Path,
    *,
    options: ExtractOptions,
    on_progress: OnProgress = ignore,
    on_retry: OnRetry = ignore,
) -> Iterator[tuple[str, Extract]]:
    """Fetch the files of a folder or pattern one after the other, each with its name.

    Limits are for each.

    Raises:
        SourceError: a file can't be read or is not complete.
    """
    files = list_files(url, dataset, options=options)
    total, before = sum(file.size or 0 for file in files), 0
    folder.mkdir()
    for number, file in enumerate(files):

        def progress(received: int, _: int | None, before: int = before) -> None:
            on_progress(before + received, total)

        fetched = extract(
            file.location,
            folder / f"{number:06}",
            options=options,
            on_progress=progress,
            on_retry=on_retry,
        )
        yield file.name, fetched
        before += file.size or 0


def combine_hashes(hashes: Mapping[str, str]) -> str:
    """One hash of several by their names: of the text that ``xxh128sum`` or its like prints."""
    split = [(name, *one.split(":")) for name, one in hashes.items()]
    text = "".join(f"{digest}  {name}\n" for name, _, digest in split)
    return hash_text(text, split[0][1])
