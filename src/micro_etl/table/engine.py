"""Start the engine, and turn what it says of the machine into an error of ours."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

# The engine, without the package around it, which a run has no use for: 16 ms to import, not 90.
import _duckdb as duckdb

from micro_etl.errors import MachineError

# One thread keeps the order of rows by itself. Told to keep it, the engine would hold all that it
# has read of an array until its end: two hundred bytes a row.
IN_ORDER: dict[str, str] = {"threads": "1", "preserve_insertion_order": "false"}
"""Settings with which rows keep their order in flat memory."""

_QUIET = "SET enable_progress_bar = false"  # on standard output, where Python is interactive

Error = duckdb.Error
"""What the engine raises."""

Connection = duckdb.DuckDBPyConnection
"""A connection to the engine."""


def configuration(scratch: Path) -> dict[str, str | bool | int | float | list[str]]:
    """Say how the engine works: in UTC, spilling to the scratch folder, fetching no extension."""
    return {
        "TimeZone": "UTC",
        "temp_directory": str(scratch / "spill"),
        "autoinstall_known_extensions": "false",
    }


def start(scratch: Path) -> Future[Connection]:
    """Connect in the background: 20 ms of work in which the target and the source can answer."""
    return ThreadPoolExecutor(1).submit(connect, scratch, IN_ORDER)


def connect(scratch: Path, settings: Mapping[str, str] = MappingProxyType({})) -> Connection:
    """Connect to an engine with `configuration`, and further settings.

    Raises:
        MachineError: it does not start.
    """
    try:
        connection = duckdb.connect(config={**configuration(scratch), **settings})
        connection.execute(_QUIET)
    except duckdb.Error as error:  # it is the same each time: what lacks is memory
        raise MachineError(
            f"the engine does not start: {reason_of(error)}; give the task more memory"
        ) from error
    return connection


@contextmanager
def machine_errors(*, about: Path | None = None) -> Iterator[None]:
    """Turn the engine's lack of memory or room into a `MachineError`; let its other errors through.

    Args:
        about: a file from elsewhere; what the engine says of it is no fault of the machine.

    Raises:
        MachineError: no memory, or no room in the scratch folder.
        AssertionError: the SQL is wrong, which is a defect of ours and says nothing of the data.
    """
    try:
        yield
    except (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException) as error:
        raise AssertionError(f"the engine can't read our SQL: {error}") from error
    except duckdb.OutOfMemoryException as error:
        raise MachineError(f"out of memory: {reason_of(error)}; give the task more") from error
    except duckdb.IOException as error:
        if about is not None and str(about) in str(error):
            raise
        raise MachineError(f"the scratch folder can't be used: {reason_of(error)}") from error


def reason_of(error: Exception) -> str:
    """The engine's first line, without its class and our scratch file.

    It counts records from 2, whatever it calls them.
    """
    if "maximum_object_size" in str(error):
        return "a record is larger than SOURCE_MAX_RECORD_BYTES"
    line = str(error).splitlines()[0]
    of_thread = re.search(r'"exception_message":("(?:[^"\\]|\\.)*")', line)
    if of_thread:  # what one of the engine's threads could not write comes as JSON
        line = json.loads(of_thread[1])
    line = re.sub(
        r"(Malformed JSON.*, at byte \d+ in )(?:record/value|line) (\d+)",
        lambda found: f"{found[1]}record {int(found[2]) - 1}",
        line,
    )
    noise = r"^[A-Z]\w+( \w+)* Error: |( in)? file \"[^\"]*\"| '/[^']*'| Try auto-detecting.*"
    return re.sub(noise, "", line).strip()
