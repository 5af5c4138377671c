"""Each distinct response is kept once, and a run can be replayed from it."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest

from micro_etl.errors import ConfigError, TargetError
from micro_etl.location import Location
from micro_etl.source.fetch import Extract, extract
from micro_etl.source.keep_raw import keep_raw
from micro_etl.source.limits import ExtractOptions
from tests.conftest import Bucket

BODY = b'[{"flight": 1}]' * 100
NAME = f"launches/{hashlib.sha256(BODY).hexdigest()}.json.gz"


@pytest.fixture
def fetched(tmp_path: Path) -> Extract:
    """A response on disk."""
    source = tmp_path / "source.json"
    source.write_bytes(BODY)
    return extract(
        Location.parse(str(source)),
        tmp_path / "body",
        options=ExtractOptions(hash_algorithm="sha256"),
    )


def keep(fetched: Extract, url: str) -> str:
    """Keep a response in the folder of a store."""
    folder = fetched.file.parent
    raw = Location.parse(url)
    name = f"launches/{fetched.hash.partition(':')[2]}.json"
    return keep_raw(fetched, raw, name, scratch=folder, timeout=5, deadline=5).text


@pytest.mark.parametrize("slash", ["", "/"])
def test_response_is_kept_in_a_local_folder(fetched: Extract, tmp_path: Path, slash: str) -> None:
    url = keep(fetched, f"{tmp_path}/raw{slash}")
    assert url == f"{tmp_path}/raw/{NAME}"
    assert gzip.decompress(Path(url).read_bytes()) == BODY


def test_response_is_kept_in_s3_once(
    fetched: Extract, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in bucket.environ.items():
        monkeypatch.setenv(name, value)
    url = keep(fetched, f"s3://{bucket.name}/raw")
    assert url == f"s3://{bucket.name}/raw/{NAME}"
    assert bucket.list_keys() == [f"raw/{NAME}"]
    first = bucket.client.head_object(Bucket=bucket.name, Key=f"raw/{NAME}")
    assert keep(fetched, f"s3://{bucket.name}/raw") == url
    second = bucket.client.head_object(Bucket=bucket.name, Key=f"raw/{NAME}")
    assert second["LastModified"] == first["LastModified"]
    assert gzip.decompress(bucket.read(f"raw/{NAME}")) == BODY


def test_same_response_gives_the_same_bytes_and_is_left_alone(
    fetched: Extract, tmp_path: Path
) -> None:
    first, second = (Path(keep(fetched, str(tmp_path / name))) for name in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()
    before = first.stat().st_mtime_ns
    assert Path(keep(fetched, str(tmp_path / "one"))) == first
    assert first.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "broken",
    [b"", b"x", gzip.compress(BODY)[:-1], gzip.compress(BODY[:-1]), BODY[:-1]],
    ids=["empty", "no-gzip", "cut", "another-body", "plain-and-cut"],
)
def test_copy_that_is_broken_is_replaced(fetched: Extract, tmp_path: Path, broken: bytes) -> None:
    copy = tmp_path / "raw" / NAME
    copy.parent.mkdir(parents=True)
    copy.write_bytes(broken)
    keep(fetched, str(tmp_path / "raw"))
    assert gzip.decompress(copy.read_bytes()) == BODY


def test_sound_copy_is_left_alone_however_it_was_packed(fetched: Extract, tmp_path: Path) -> None:
    copy = tmp_path / "raw" / NAME
    copy.parent.mkdir(parents=True)
    copy.write_bytes(gzip.compress(BODY, 1))
    keep(fetched, str(tmp_path / "raw"))
    assert copy.read_bytes() == gzip.compress(BODY, 1)


def test_what_was_kept_is_a_source(fetched: Extract, tmp_path: Path) -> None:
    url = keep(fetched, f"file://{tmp_path}/raw")
    again = extract(
        Location.parse(url), tmp_path / "again", options=ExtractOptions(hash_algorithm="sha256")
    )
    assert again.hash == fetched.hash


def test_no_copy_stays_in_the_scratch_folder(fetched: Extract, tmp_path: Path) -> None:
    keep(fetched, str(tmp_path / "raw"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["body", "raw", "source.json"]


def test_folder_that_can_not_be_written_is_an_error_of_the_target(
    fetched: Extract, tmp_path: Path
) -> None:
    (tmp_path / "raw").write_bytes(b"a file")
    with pytest.raises(TargetError, match=r"can't write .*Not a directory"):
        keep(fetched, str(tmp_path / "raw"))


@pytest.mark.parametrize("url", ["https://me:s3cret@host/raw", "s3://"])
def test_what_is_no_folder_of_a_store_is_refused(fetched: Extract, url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        keep(fetched, url)
    assert "s3cret" not in str(caught.value)
