"""Runs with too little memory end in time, and leave good data alone."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import Bucket
from tests.service.command import COMMAND, Ended, environment, finish
from tests.service.servers import Answer, serve
from tests.torture.faults import KEY, NEW, PATIENCE
from tests.torture.reliability import MEMORY_LIMITS

# The C library ends a process that has no memory for the variables of a thread; where native code
# meets an address that it could not have, it is a segmentation fault.
_DIED = {127, -signal.SIGABRT, -signal.SIGSEGV}


def run_within(megabytes: int, bucket: Bucket, folder: Path) -> Ended:
    """Run the command with so much address space, of which it takes more than of memory."""
    limit = f'ulimit -c 0; ulimit -v {megabytes}000; exec "$@"'
    with serve(Answer(body=NEW)) as source:
        environ = {
            **PATIENCE,
            **bucket.environ,
            "S3_BUCKET": bucket.name,
            "SOURCE_URL": source.url,
        }
        process = subprocess.Popen(
            ["sh", "-c", limit, "sh", *COMMAND, "run"],  # noqa: S607
            cwd=folder,
            env=environment(folder, environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return finish(process)


def squeeze(
    limits: range, published: Bucket, folder: Path, tables: tuple[bytes, bytes]
) -> Counter[int]:
    """Run within each limit; how often the runs ended with which code."""
    codes: Counter[int] = Counter()
    for megabytes in limits:
        published.client.put_object(Bucket=published.name, Key=KEY, Body=tables[0])
        ended = run_within(megabytes, published, folder)
        codes[ended.code] += 1
        where = f"{megabytes} MB: {ended}"
        now = published.read(KEY)
        assert ended.code in {0, 71, *_DIED}, where
        assert now in tables, where
        assert (now == tables[1]) == (ended.code == 0), where
        if ended.code not in _DIED:
            assert "Traceback" not in ended.err, where
            assert ended.result["event"] == ("run_failed" if ended.code else "run_finished"), where
        # To remove a folder takes memory; as after SIGKILL, what is left is harmless.
        assert all(path.name.startswith("micro-etl-") for path in (folder / "scratch").iterdir())
        assert published.list_keys() == [KEY]
        assert not published.client.list_multipart_uploads(Bucket=published.name).get("Uploads")
    return codes


def test_run_without_memory_says_so(
    published: Bucket, folder: Path, tables: tuple[bytes, bytes]
) -> None:
    assert squeeze(range(100, 101), published, folder, tables) == {71: 1}


@pytest.mark.torture
@pytest.mark.timeout(300)
def test_run_with_any_memory_ends_and_leaves_good_data_alone(
    published: Bucket, folder: Path, tables: tuple[bytes, bytes]
) -> None:
    codes = squeeze(MEMORY_LIMITS, published, folder, tables)
    print(f"{MEMORY_LIMITS}: {dict(codes)}")  # noqa: T201 - a figure to report
    assert codes[71] > len(MEMORY_LIMITS) // 5
