"""Publish a table of many Parquet files: a reader sees the previous one or the new one, whole.

The folder at the target holds a folder of Parquet files for each version, and one small file, the
manifest, that lists the files of the version that is published. The manifest is replaced in one
conditional put, as a single table is; everything before that is invisible. It has the form that
Hive calls a symlink table, which Athena, Trino, Presto and Redshift Spectrum read.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import obstore

from micro_etl.dataset import Dataset
from micro_etl.errors import DataError, scratch_errors
from micro_etl.location import Location
from micro_etl.store import Place, open_place, sync
from micro_etl.store_errors import error_code, target_errors
from micro_etl.tablefile import Description, Schema, Table
from micro_etl.target.guards import refuse
from micro_etl.target.load import load
from micro_etl.target.outcome import Outcome, Previous

MANIFEST = "_symlink_format_manifest/manifest"
"""Lists the published files, one URL or absolute path a line."""

_ABOUT = "_table.json"
_NAME = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class Version:
    """A table of many files.

    Attributes:
        name: of its folder in the target's.
        files: their names, in the order of the records.
        rows: how many there are in all.
        bytes: the length of all files.
        sha256: of the hashes of the files.
        schema_sha256: of names, types and nullability of the columns.
        dataset: the dataset that it is a table of; empty where an older version wrote it.
        schema: its columns; empty where an older version wrote it.
    """

    name: str
    files: tuple[str, ...]
    rows: int
    bytes: int
    sha256: str
    schema_sha256: str
    dataset: str = ""
    schema: Schema = ()


@dataclass(frozen=True, slots=True)
class Target:
    """A folder that versions are published in.

    Attributes:
        location: its URL or path.
        timeout: seconds for one request to its store.
        deadline: seconds for a request with its retries.
    """

    location: Location
    timeout: float
    deadline: float

    def place(self, name: str) -> Place:
        """One object below it."""
        return open_place(self.location.join(name), timeout=self.timeout, deadline=self.deadline)


def new_version() -> str:
    """A name for a version that no other has, and that sorts by time."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid4().hex[:8]}"


def look(target: Target) -> tuple[Previous | None, Version | None]:
    """What is published at a target, if there is something, and if it is ours.

    Raises:
        TargetError: the store can't be read.
        AccessDeniedError: the store doesn't allow it.
    """
    manifest = target.place(MANIFEST)
    with target_errors("read", manifest.location):
        try:
            found = obstore.get(manifest.store, manifest.key)
        except FileNotFoundError as error:
            if error_code(error) == "NoSuchBucket":
                raise
            return None, None
        lines = bytes(found.bytes()).decode("utf-8", "replace").splitlines()
    etag, number = found.meta["e_tag"], found.meta["version"]
    name = lines[0].rpartition("/")[0].rpartition("/")[2] if lines else ""
    version = _read_version(target, name) if _NAME.fullmatch(name) else None
    if version is None:  # another program's: only --force replaces it
        return Previous(etag=etag, version=number, rows=None, sha256=""), None
    is_complete = lines == list_files(version, target)
    previous = Previous(
        etag=etag,
        version=number,
        rows=version.rows,
        sha256=version.sha256 if is_complete else "",
        dataset=version.dataset or None,
        schema=version.schema,
    )
    return previous, version


def list_files(version: Version, target: Target) -> list[str]:
    """List the files of a version as its manifest does."""
    location = target.location.join(version.name)
    folder = str(location.path.resolve()) if location.is_local else location.text
    return [f"{folder}/{name}" for name in version.files]


def _read_version(target: Target, name: str) -> Version | None:
    about = target.place(f"{name}/{_ABOUT}")
    with target_errors("read", about.location):
        try:
            said = bytes(obstore.get(about.store, about.key).bytes())
        except FileNotFoundError:
            return None
    try:
        fields = json.loads(said)
        fields["files"] = tuple(fields["files"])
        fields["schema"] = tuple(tuple(column) for column in fields.get("schema", ()))
        return Version(**fields)
    except (ValueError, TypeError, KeyError):
        return None


def publish(
    version: Version,
    target: Target,
    previous: Previous | None,
    *,
    dataset: Dataset,
    metadata: Mapping[str, str],
    scratch: Path,
    is_whole: Callable[[], bool],
    force: bool,
    dry_run: bool,
) -> Outcome:
    """Publish a version whose files are in place, and only over the one that `look` saw.

    Args:
        version: what to publish.
        target: where.
        previous: what stood there before the records were read.
        dataset: its guards.
        metadata: what the manifest says of itself, where the store keeps such.
        scratch: a folder.
        is_whole: reads the parts that are published; false where one is broken or missing.
        force: publish what the guards refuse.
        dry_run: do everything but write.

    Raises:
        DataError: a guard refused.
        RaceLostError: another run published meanwhile.
        TargetError: the store can't be read or written.
    """
    refusal = refuse(version.rows, version.schema, previous, dataset)
    if refusal and not force:
        raise DataError(f"not published: {refusal}; --force publishes anyway")
    if previous and previous.sha256 == version.sha256 and is_whole():
        return Outcome("unchanged", previous.etag)
    if not dry_run:
        about = target.place(f"{version.name}/{_ABOUT}")
        with target_errors("write", about.location):
            obstore.put(about.store, about.key, json.dumps(asdict(version), indent=1).encode())
            if about.local:
                sync(about.local)
    location = target.location.join(version.name)
    # With the scheme in lower case: readers of the manifest know no other.
    remote = f"{location.scheme}://{location.bucket}/{location.key}"
    folder = str(location.path.resolve()) if location.is_local else remote
    manifest = scratch / "manifest"
    content = "".join(f"{folder}/{name}\n" for name in version.files).encode()
    with scratch_errors():
        manifest.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    return load(
        Table(manifest, version.rows, len(content), digest, version.schema_sha256, ()),
        target.place(MANIFEST),
        previous,
        dataset=dataset,
        metadata=metadata,
        scratch=scratch,
        describe=_describe,
        content_type="text/plain; charset=utf-8",
        force=True,  # the guards were asked above
        dry_run=dry_run,
    )


def _describe(manifest: Path) -> Description | None:
    """Say that a file is a manifest; of the table that it lists, nothing has to be known."""
    first = manifest.read_bytes().partition(b"\n")[0].decode("utf-8", "replace")
    name = first.rpartition("/")[0].rpartition("/")[2]
    return Description(0, ()) if _NAME.fullmatch(name) else None


def find_unread(target: Target, published: Version | None) -> list[str]:
    """List the versions that no reader sees once another is published over what stands there.

    They were left by runs that were killed, or were published before the last one. Of a run that
    is under way only if it looked at the target before: then it finds that it lost the race.

    Args:
        target: where.
        published: what stands there, which may be read right now.

    Raises:
        TargetError: the store can't be read.
        AccessDeniedError: the store doesn't allow it.
    """
    place = target.place(MANIFEST)
    folder = place.key.removesuffix(MANIFEST)
    with target_errors("list", target.location):
        found = obstore.list_with_delimiter(place.store, folder.rstrip("/"))
    names = (prefix.rstrip("/").rpartition("/")[2] for prefix in found["common_prefixes"])
    known = published and published.name
    return sorted(name for name in names if _NAME.fullmatch(name) and name != known)


def remove(target: Target, version: str) -> None:
    """Remove the files of a version that no reader sees.

    Raises:
        TargetError: the store can't be written.
        AccessDeniedError: the store doesn't allow it.
    """
    place = target.place(f"{version}/{_ABOUT}")
    with target_errors("remove", place.location):
        if place.local:  # as a folder: it may hold parts of files, which the store does not list
            if place.local.parent.is_dir():
                shutil.rmtree(place.local.parent)
            return
        found = obstore.list(place.store, place.key.rpartition("/")[0]).collect()
        obstore.delete(place.store, [entry["path"] for entry in found])


def describe(parts: Sequence[Mapping[str, Any]]) -> tuple[int, str]:
    """Length of all files together, and a hash of their hashes, in order."""
    return sum(part["bytes"] for part in parts), combine([part["sha256"] for part in parts])


def combine(hashes: Sequence[str | None]) -> str:
    """The hash of the hashes of some files, in order."""
    return hashlib.sha256("".join(f"{one}\n" for one in hashes).encode()).hexdigest()
