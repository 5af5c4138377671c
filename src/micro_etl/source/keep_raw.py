"""Keep each distinct response, gzipped and named by its hash, so that a run can be replayed."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from pathlib import Path

import obstore
from obstore.exceptions import AlreadyExistsError

from micro_etl.errors import ConfigError, SourceError, scratch_errors
from micro_etl.location import Location
from micro_etl.source.fetch import Extract
from micro_etl.source.hashing import Hasher
from micro_etl.source.unpack import unpack
from micro_etl.store import Place, open_place, sync
from micro_etl.store_errors import target_errors

_CHUNK = 1 << 20


def keep_raw(
    fetched: Extract,
    raw_url: Location,
    name: str,
    *,
    pieces: Iterable[bytes] | None = None,
    scratch: Path,
    timeout: float,
    deadline: float,
) -> Location:
    """Put a response at ``<raw_url>/<name>.gz`` unless it is there already.

    A copy that is there is read back, and replaced where it is broken. A local one is on the disk
    afterwards.

    Args:
        fetched: the response.
        raw_url: a folder of a store, or a local one.
        name: of the copy, slashes and all.
        pieces: what the response is, where that is not in its file alone.
        scratch: a folder for the gzipped copy.
        timeout: seconds for one request.
        deadline: seconds for a request with its retries.

    Returns:
        The URL of the copy, which can be a ``SOURCE_URL``.

    Raises:
        TargetError: it can't be written.
        MachineError: no room in the scratch folder.
        AccessDeniedError: the store doesn't allow it.
        ConfigError: the URL is not one.
    """
    if raw_url.text.rstrip("/").endswith(":"):
        raise ConfigError(
            f"RAW_URL is {raw_url.shown}; it should name a bucket, or be a local path"
        )
    url = raw_url.join(f"{name}.gz")
    place = open_place(url, timeout=timeout, deadline=deadline)
    packed = scratch / "raw.json.gz"
    # The time stays out of the file: the same response gives the same bytes.
    with (
        scratch_errors(),
        fetched.file.open("rb") as body,
        packed.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=6, mtime=0) as file,
    ):
        for piece in pieces or iter(lambda: body.read(_CHUNK), b""):
            file.write(piece)
    with target_errors("write", url):
        try:
            obstore.put(place.store, place.key, packed, mode="create")
        except AlreadyExistsError:
            if not _holds(place, fetched.hash):
                obstore.put(place.store, place.key, packed)
        if place.local:
            sync(place.local)
    packed.unlink()
    return url


def _holds(place: Place, expected: str) -> bool:
    """Read a copy back, and say whether it holds the response of this hash."""
    hasher = Hasher(place.location.shown, expected.partition(":")[0])
    try:
        for piece in unpack(
            map(bytes, obstore.get(place.store, place.key).stream()), place.location.shown
        ):
            hasher.add(piece)
    except SourceError:  # it is no gzip, or is cut short
        return False
    return hasher.hash == expected
