"""Put: large tables go from the disk, slow ones have time, too large ones are refused."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dev.loopback import HOST
from micro_etl.errors import TargetError
from micro_etl.location import Location
from micro_etl.store import open_place
from micro_etl.target.put import map_file, send
from tests.conftest import Bucket
from tests.service.backends import make_table, on_s3
from tests.service.command import launches, micro_etl
from tests.service.servers import Answer, Request, s3_error, serve

MIB = 1 << 20


@contextmanager
def slow_store(rate: int) -> Iterator[str]:
    """A store that takes so many bytes a second, and then answers."""
    listener = socket.create_server((HOST, 0))

    def take() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(1)
            fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
            left = int(fields[b"content-length"])
            while left:
                taken = len(connection.recv(65_536))
                left -= taken
                time.sleep(taken / rate)
            connection.sendall(b'HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: 0\r\n\r\n')

    thread = threading.Thread(target=take)
    thread.start()
    yield f"http://{HOST}:{listener.getsockname()[1]}"
    thread.join(60)
    listener.close()


def test_large_upload_that_is_steady_may_take_longer_than_the_time_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "large"
    file.write_bytes(bytes(12 * MIB))
    with slow_store(4 * MIB) as endpoint:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
            monkeypatch.setenv(name, "x")
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        place = open_place(Location.parse("s3://bucket/key"), timeout=0.5, deadline=1)
        began = time.monotonic()
        store = place.store_for_upload(12 * MIB)
        assert send(store, place.key, map_file(file), {}, "create") is None
    assert time.monotonic() - began > 1.5


def test_table_too_large_for_one_upload_is_refused_before_it(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = make_table(tmp_path, 5)._replace(size=(5 << 30) + 1)
    with pytest.raises(TargetError, match=r"5,368,709,121 bytes; the store takes 5,368,709,120"):
        on_s3(bucket, bucket.endpoint, tmp_path, monkeypatch).publish(table)
    assert bucket.list_keys() == []


def test_put_that_was_answered_is_not_said_to_have_written_nothing(tmp_path: Path) -> None:
    """Where every look is stale, the condition of the next put fails by the run's own table."""
    puts = iter([Answer(headers={"ETag": '"new"'}, body=b"")])

    def respond(request: Request) -> Answer:
        if request.method == "PUT":
            return next(puts, s3_error(412, "PreconditionFailed"))
        return s3_error(404, "NoSuchKey")

    (tmp_path / "launches.json").write_bytes(launches(5))
    keys = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "S3_BUCKET": "bucket"}
    with serve(respond) as server:
        environ = {**keys, "AWS_ENDPOINT_URL": server.url, "TARGET_DEADLINE": "1"}
        ended = micro_etl(tmp_path, "run", SOURCE_URL="launches.json", **environ)
    assert ended.code == 74, ended
    assert "could not be verified (PreconditionFailed" in ended.failure
    assert "nothing was written" not in ended.failure
