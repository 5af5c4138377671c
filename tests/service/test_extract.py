"""Extract: what is on disk at the end is all of the source, or there is an error."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from xxhash import xxh3_128

from micro_etl.body import Layout
from micro_etl.errors import AccessDeniedError, ConfigError, MachineError, SourceError
from micro_etl.location import Location
from micro_etl.source.fetch import Extract, extract
from micro_etl.source.layout import find_layout
from micro_etl.source.limits import ExtractOptions, HttpOptions
from tests.conftest import Bucket
from tests.service.servers import Answer, gzipped, s3_error, serve

HTTP = HttpOptions(attempts=2, backoff=0.001, read_timeout=2)
RECORDS = json.dumps([{"flight": number} for number in range(2000)]).encode()
LINES = b'{"flight": 1}\n{"flight": 2}\n'
PACKED = gzip.compress(RECORDS)


def fetch(url: str, folder: Path, **limits: Any) -> Extract:
    """Extract a source into a folder."""
    return extract(
        Location.parse(url), folder / "body", options=ExtractOptions(http=HTTP, **limits)
    )


def layout(url: str, folder: Path) -> Layout:
    """What a run takes the body of a source for."""
    found = fetch(url, folder)
    one_line = Location.parse(url).names_lines(found.content_type)
    return find_layout(found.file, wrapped=False, one_line=one_line, source=url)


@pytest.fixture
def s3(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A bucket that this process finds by its environment."""
    for name, value in bucket.environ.items():
        monkeypatch.setenv(name, value)
    return bucket


def test_http_body_is_on_disk_with_what_the_source_said_of_it(tmp_path: Path) -> None:
    headers = {"ETag": '"v1"', "Last-Modified": "yesterday", "Content-Type": "application/json"}
    with serve(Answer(body=RECORDS, headers=headers)) as server:
        found = fetch(server.url, tmp_path)
    assert found == Extract(
        file=tmp_path / "body",
        size=len(RECORDS),
        received=len(RECORDS),
        hasher=found.hasher,
        etag='"v1"',
        last_modified="yesterday",
        content_type="application/json",
        headers=found.headers,
    )
    assert found.file.read_bytes() == RECORDS
    assert found.hash == f"xxh128:{xxh3_128(RECORDS).hexdigest()}"


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("encoded", [False, True], ids=["file", "encoded"])
def test_gzip_over_http_is_unpacked_however_it_was_announced(
    tmp_path: Path, encoded: bool, chunked: bool
) -> None:
    headers = {"Content-Encoding": "gzip"} if encoded else {}
    with serve(Answer(body=PACKED, headers=headers, chunked=chunked)) as server:
        found = fetch(f"{server.url}/launches.json.gz", tmp_path)
    assert found.file.read_bytes() == RECORDS
    assert (found.size, found.received) == (len(RECORDS), len(PACKED))
    assert found.hash == f"xxh128:{xxh3_128(RECORDS).hexdigest()}"


CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    "rest", [b"0", b"-0\r\n\r\n", b"0x0\r\n\r\n", b"0_0\r\n\r\n", b"\r\n", b""]
)
def test_body_ends_only_at_a_whole_chunk_of_no_size(tmp_path: Path, rest: bytes) -> None:
    """The line of a size that breaks off may begin like the last one."""
    answer = Answer(raw=CHUNKS + b"4\r\n[1]\n\r\n" + rest)
    with serve(answer) as server, pytest.raises(SourceError, match=r"IncompleteRead|broken"):
        fetch(server.url, tmp_path)


@pytest.mark.parametrize("size", [b"4", b"04", b"4;name=value", b"4 \t"])
def test_chunks_are_read(tmp_path: Path, size: bytes) -> None:
    with serve(Answer(raw=CHUNKS + size + b"\r\n[1]\n\r\n0\r\n\r\n")) as server:
        assert fetch(server.url, tmp_path).file.read_bytes() == b"[1]\n"


@pytest.mark.parametrize("status", [100, 102, 103, 199])
def test_interim_answers_are_skipped(tmp_path: Path, status: int) -> None:
    interim = b"HTTP/1.1 %d Soon\r\nLink: </x>; rel=preload\r\n\r\n" % status
    final = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[1]"
    with serve(Answer(raw=interim + interim + final)) as server:
        assert fetch(server.url, tmp_path).file.read_bytes() == b"[1]"


def test_gzip_of_several_members_is_read_to_its_end(tmp_path: Path) -> None:
    parts = [b"[1", b"", b",2" * 700_000, b"]"]
    source = tmp_path / "parts.gz"
    source.write_bytes(b"".join(gzip.compress(part) for part in parts))
    assert fetch(str(source), tmp_path).file.read_bytes() == b"".join(parts)


@pytest.mark.parametrize("as_url", [False, True])
@pytest.mark.parametrize("name", ["a b.json", "ü#%20?.json", "packed.json.gz"])
def test_local_path_is_read(tmp_path: Path, name: str, as_url: bool) -> None:
    source = tmp_path / name
    source.write_bytes(PACKED if name.endswith(".gz") else RECORDS)
    assert fetch(source.as_uri() if as_url else str(source), tmp_path).file.read_bytes() == RECORDS


@pytest.mark.parametrize("key", ["launches.json", "in/a b ü#%20?.json", "packed.json.gz"])
def test_s3_object_is_read(s3: Bucket, tmp_path: Path, key: str) -> None:
    body = PACKED if key.endswith(".gz") else RECORDS
    put = s3.client.put_object(Bucket=s3.name, Key=key, Body=body, ContentType="text/x-test")
    found = fetch(f"s3://{s3.name}/{key}", tmp_path)
    assert found.file.read_bytes() == RECORDS
    assert found.received == len(body)
    assert (found.etag, found.content_type) == (put["ETag"], "text/x-test")
    assert found.last_modified is not None


@pytest.mark.parametrize(
    ("path", "content_type", "body"),
    [
        ("/x", None, LINES),
        ("/x.ndjson", None, b'{"flight": 1}'),
        ("/x.jsonl.gz?at=now", None, b'{"flight": 1}\n'),
        ("/x", "application/x-ndjson; charset=utf-8", b'{"flight": 1}\n'),
        ("/x", "application/jsonl", b'{"flight": 1}\n'),
    ],
    ids=["content", "name", "packed-name", "content-type", "other-content-type"],
)
def test_one_record_a_line_is_known(
    tmp_path: Path, path: str, content_type: str | None, body: bytes
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    with serve(Answer(body=body, headers=headers)) as server:
        assert layout(server.url + path, tmp_path) is Layout.LINES


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"", "empty body"),
        (b" \r\n\t", "empty body"),
        (b"<!DOCTYPE html>\n<title>Down</title>", "'<!DOCTYPE html> <title>Down</title>'"),
        (b'{"error": "come back later"}', """'{"error": "come back later"}'"""),
        (b'"ok"', "'\"ok\"'"),
        (b'[{"flight": 1}, {"fli', """cut short: it ends with '[{"flight": 1}, {"fli'"""),
    ],
    ids=["empty", "blank", "html", "json-error", "string", "cut"],
)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_page_with_status_200_is_an_error_that_shows_its_first_bytes(
    tmp_path: Path, body: bytes, shown: str, packed: bool
) -> None:
    with (
        serve(gzipped(body) if packed else Answer(body=body)) as server,
        pytest.raises(SourceError) as caught,
    ):
        layout(server.url, tmp_path)
    assert shown in str(caught.value)


@pytest.mark.parametrize("length", [3, 10, len(PACKED) // 2, len(PACKED) - 1])
def test_cut_gzip_is_an_error(tmp_path: Path, length: int) -> None:
    with (
        serve(Answer(body=PACKED[:length])) as server,
        pytest.raises(SourceError, match="the gzip stream is cut short"),
    ):
        fetch(server.url, tmp_path)


def test_broken_gzip_is_an_error(tmp_path: Path) -> None:
    broken = bytearray(PACKED)
    broken[len(broken) // 2] ^= 0xFF
    with (
        serve(Answer(body=bytes(broken))) as server,
        pytest.raises(SourceError, match="the gzip stream is broken"),
    ):
        fetch(server.url, tmp_path)


def test_attempt_that_was_cut_short_leaves_nothing_of_itself(tmp_path: Path) -> None:
    with serve(Answer(body=b"#" * 9000, sent=8000), Answer(body=RECORDS)) as server:
        found = fetch(server.url, tmp_path)
    assert found.file.read_bytes() == RECORDS
    assert found.received == len(RECORDS)


@pytest.mark.parametrize("length", ["abc", "-5", "²"])
def test_length_that_is_no_number_is_refused(tmp_path: Path, length: str) -> None:
    """What would tell of a body that is cut short says nothing."""
    answer = Answer(body=RECORDS, headers={"Content-Length": length})
    with (
        serve(answer) as server,
        pytest.raises(SourceError, match=r"its Content-Length .* is no number"),
    ):
        fetch(server.url, tmp_path)


def test_progress_tells_how_much_came_and_how_much_will(tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    with serve(Answer(body=RECORDS)) as server:
        extract(
            Location.parse(server.url),
            tmp_path / "body",
            options=ExtractOptions(http=HTTP),
            on_progress=lambda received, total: seen.append((received, total)),
        )
    assert seen[-1] == (len(RECORDS), len(RECORDS))


def test_body_over_its_limit_is_refused_before_it_is_all_there(tmp_path: Path) -> None:
    with serve(Answer(body=RECORDS)) as server:
        assert fetch(server.url, tmp_path, max_bytes=len(RECORDS)).size == len(RECORDS)
        with pytest.raises(SourceError, match=r"more than 1,000 bytes; SOURCE_MAX_BYTES"):
            fetch(server.url, tmp_path, max_bytes=1000)


def test_bomb_is_refused_before_it_fills_the_disk(tmp_path: Path) -> None:
    packer = zlib.compressobj(wbits=31)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(64)) + packer.flush()
    assert len(bomb) < 100_000
    with (
        serve(Answer(body=bomb)) as server,
        pytest.raises(SourceError, match=r"unpacks to more than 3,000,000 bytes; SOURCE_MAX_U"),
    ):
        fetch(server.url, tmp_path, max_unpacked_bytes=3_000_000)
    assert (tmp_path / "body").stat().st_size <= 3_000_000


@pytest.mark.parametrize(
    "answer",
    [
        Answer(trickle=0.02),
        Answer(body=b"x" * 9999, trickle_body=0.02),
        Answer(status=404, body=b"x" * 199, trickle_body=0.02),
        Answer(stall=True),
        Answer(status=503, headers={"Retry-After": "30"}),
    ],
    ids=["headers", "body", "error-body", "stall", "retry-after"],
)
def test_deadline_holds_whatever_the_source_does(tmp_path: Path, answer: Answer) -> None:
    started = time.monotonic()
    with (
        serve(answer) as server,
        pytest.raises(SourceError, match=r"not complete within 0.3 s \(SOURCE_DEADLINE"),
    ):
        fetch(server.url, tmp_path, deadline=0.3)
    assert time.monotonic() - started < 1.5


def test_deadline_ends_with_the_extract(tmp_path: Path) -> None:
    before = signal.getitimer(signal.ITIMER_REAL)[0], signal.getsignal(signal.SIGALRM)
    with serve(Answer(body=RECORDS)) as server:
        fetch(server.url, tmp_path, deadline=0.5)
    after = signal.getitimer(signal.ITIMER_REAL)[0], signal.getsignal(signal.SIGALRM)
    assert before[1] is after[1]
    assert before[0] - 60 < after[0] <= before[0]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere.json", "nowhere.json can't be read: No such file or directory"),
        (".", "can't be read: Is a directory"),
    ],
)
def test_path_that_can_not_be_read_is_an_error_of_the_source(
    tmp_path: Path, source: str, message: str
) -> None:
    with pytest.raises(SourceError, match=message):
        fetch(source, tmp_path)


def test_scratch_folder_that_can_not_be_written_is_the_machines_fault(tmp_path: Path) -> None:
    (tmp_path / "body").mkdir()
    with (
        serve(Answer(body=RECORDS)) as server,
        pytest.raises(MachineError, match="scratch folder can't be written: Is a directory"),
    ):
        fetch(server.url, tmp_path)


@pytest.mark.parametrize("url", ["ftp://me:s3cret@host/x?token=s3cret", "x://"])
def test_source_of_an_unknown_kind_says_which_are_known(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match=r"can't be a source.*https, http, s3") as caught:
        fetch(url, tmp_path)
    assert "s3cret" not in str(caught.value)


def test_missing_s3_source_is_an_error_of_the_source(s3: Bucket, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=f"can't read s3://{s3.name}/x: it does not exist"):
        fetch(f"s3://{s3.name}/x", tmp_path)
    with pytest.raises(SourceError, match="there is no such bucket"):
        fetch("s3://no-such-bucket/x", tmp_path)


def test_s3_source_that_is_denied_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(s3_error(403, "AccessDenied", "not for you")) as server:
        for name, value in Bucket("b", server.url, None).environ.items():  # type: ignore[arg-type]
            monkeypatch.setenv(name, value)
        with pytest.raises(AccessDeniedError, match="AccessDenied: not for you"):
            fetch("s3://bucket/x", tmp_path)


_CHILD = r"""
import re, sys
from pathlib import Path
from micro_etl.location import Location
from micro_etl.source.fetch import extract
from micro_etl.source.limits import ExtractOptions
extract(Location.parse(sys.argv[1]), Path(sys.argv[2]), options=ExtractOptions())
print(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
@pytest.mark.parametrize("kind", ["plain", "gzip", "s3"])
def test_memory_does_not_grow_with_the_body(tmp_path: Path, s3: Bucket, kind: str) -> None:
    body = b"[" + b"1234567," * (25 << 20) + b"1]"  # 200 MiB
    url = f"s3://{s3.name}/large"
    if kind == "s3":
        s3.client.put_object(Bucket=s3.name, Key="large", Body=body)
    packed = gzip.compress(body, 1) if kind == "gzip" else body
    with serve(Answer(body=packed)) as server:
        source = url if kind == "s3" else server.url
        command = [sys.executable, "-c", _CHILD, source, str(tmp_path / "body")]
        peak = int(subprocess.check_output(command, timeout=60)) * 1024
    assert (tmp_path / "body").stat().st_size == len(body)
    assert peak < len(body) * 3 // 4  # an interpreter and what the store reads ahead: 95 MiB
