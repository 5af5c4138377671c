"""What the torture shares: the tables that stand and are to come, certificates, the document."""

from __future__ import annotations

import datetime
import hashlib
import os
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import trustme

from dev.loopback import HOST
from micro_etl.dataset import bundled_dataset
from micro_etl.table.parquet import expected_schema
from tests.conftest import Bucket
from tests.service.command import micro_etl
from tests.torture.faults import KEY, NEW, OLD
from tests.torture.reliability import Row, render, write


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """The Parquet files of the old and of the new records, made by sound runs."""
    made = []
    for number, records in enumerate((OLD, NEW)):
        folder = tmp_path_factory.mktemp(f"table{number}")
        (folder / "records.json").write_bytes(records)
        assert micro_etl(folder, "run", SOURCE_URL="records.json", TARGET_URL="x").code == 0
        made.append((folder / "x").read_bytes())
    return made[0], made[1]


@pytest.fixture
def published(bucket: Bucket, tables: tuple[bytes, bytes]) -> Bucket:
    """A bucket in which the old table stands, as a run leaves it."""
    schema = repr(list(expected_schema(bundled_dataset("launches").columns)))
    said = {
        "dataset": "launches",
        "rows": "5",
        "content-sha256": hashlib.sha256(tables[0]).hexdigest(),
        "schema-sha256": hashlib.sha256(schema.encode()).hexdigest(),
        "source-sha256": hashlib.sha256(OLD).hexdigest(),
        "version": "0",
        "run-id": "the-run-before",
    }
    bucket.client.put_object(Bucket=bucket.name, Key=KEY, Body=tables[0], Metadata=said)
    return bucket


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping[str, Any]]:
    """For each kind of certificate, the server's context and the client's trust."""
    known, unknown = trustme.CA(), trustme.CA()
    file = tmp_path_factory.mktemp("tls") / "ca.pem"
    known.cert_pem.write_to_path(str(file))
    yesterday = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    certificates = {
        "good": known.issue_cert(HOST),
        "expired": known.issue_cert(HOST, not_after=yesterday),
        "of another host": known.issue_cert("other.example"),
        "of an unknown authority": unknown.issue_cert(HOST),
    }
    kinds = {}
    for kind, certificate in certificates.items():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        kinds[kind] = {"context": context, "environ": {"SSL_CERT_FILE": str(file)}}
    return kinds


@pytest.fixture(scope="session")
def rows() -> Iterator[list[Row]]:
    """What the faults have shown; `make reliability` writes it down."""
    seen: list[Row] = []
    yield seen
    if os.environ.get("WRITE_RELIABILITY"):
        write(render(seen))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The current folder of the command."""
    (tmp_path / "scratch").mkdir()
    return tmp_path
