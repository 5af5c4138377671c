"""Emulators of stores, each started on a free port of loopback, and seen by plain HTTP."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote, unquote, urlencode
from urllib.request import Request as Call
from urllib.request import urlopen

import boto3
from botocore.exceptions import ClientError

from dev.loopback import CREDENTIALS, HOST, free_port
from tests.service.servers import Answer, Request, s3_error, serve

MODULES = Path(sys.prefix) / "stores" / "node_modules"
"""Where `make stores` installs what `package.json` names."""

BUCKET, KEY = "bucket", "folder/table 1.parquet"
_SECONDS = 60

Said = Mapping[str, str]


@dataclass(frozen=True)
class Emulator:
    """A store that is running.

    Attributes:
        url: of an object in a bucket that is there.
        environ: the variables that lead the service to it.
        read: the bytes of the object, by plain means; none where there is none.
        write: put bytes and metadata there as another program does.
        delete: remove the object.
        keeps_conditions: it refuses a put whose condition does not hold.
    """

    url: str
    environ: Said
    read: Callable[[], bytes | None]
    write: Callable[[bytes, Said], object]
    delete: Callable[[], object]
    keeps_conditions: bool = True


def find_module(name: str) -> Path | None:
    """Find what npm has installed."""
    folder = MODULES / name
    return folder if folder.is_dir() else None


@contextmanager
def running(command: list[str], folder: Path, is_up: Callable[[], object]) -> Iterator[None]:
    """Run an emulator while the block lasts; it begins when the emulator answers."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
    try:
        end = time.monotonic() + _SECONDS
        while True:
            try:
                is_up()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > end:
                    text = (folder / "log").read_text(errors="replace")[-2000:]
                    raise RuntimeError(f"{command[0]} did not start: {text}") from None
                time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(_SECONDS)


def on_s3(endpoint: str, *, key: str = "S3RVER", keeps_conditions: bool = True) -> Emulator:
    """A bucket of an emulator of S3."""
    environ = {**CREDENTIALS, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": key}
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=key,
        aws_secret_access_key=key,
    )
    client.create_bucket(Bucket=BUCKET)

    def write(data: bytes, said: Said) -> object:
        return client.put_object(Bucket=BUCKET, Key=KEY, Body=data, Metadata=dict(said))

    def read() -> bytes | None:
        try:
            return client.get_object(Bucket=BUCKET, Key=KEY)["Body"].read()
        except ClientError:
            return None

    return Emulator(
        f"s3://{BUCKET}/{KEY}",
        {**environ, "AWS_ENDPOINT_URL": endpoint},
        read,
        lambda data, said: client.put_object(
            Bucket=BUCKET, Key=KEY, Body=data, Metadata=dict(said)
        ),
        lambda: client.delete_object(Bucket=BUCKET, Key=KEY),
        keeps_conditions,
    )


@contextmanager
def run_moto() -> Iterator[Emulator]:
    """Run moto, in this process."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address=HOST, port=0)
    server.start()
    try:
        yield on_s3("http://{}:{}".format(*server.get_host_and_port()))
    finally:
        server.stop()


@contextmanager
def run_s3rver(folder: Path) -> Iterator[Emulator]:
    """Run s3rver, which does as it is asked whatever the condition is."""
    port = free_port()
    endpoint = f"http://{HOST}:{port}"
    script = MODULES / ".bin" / "s3rver"
    command = ["node", str(script), "-a", HOST, "-p", str(port), "-d", str(folder), "--silent"]
    with running(command, folder, lambda: _call("GET", endpoint)):
        yield on_s3(endpoint, keeps_conditions=False)


_ACCOUNT = "devstoreaccount1"
# Azurite's own, the same everywhere: it opens nothing but an emulator.
_ACCOUNT_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)


@contextmanager
def run_azurite(folder: Path) -> Iterator[Emulator]:
    """Run Azurite, the emulator of Azure's Blob Storage."""
    port = free_port()
    endpoint = f"http://{HOST}:{port}/{_ACCOUNT}"
    script = MODULES / ".bin" / "azurite-blob"
    command = ["node", str(script), "--blobHost", HOST, "--blobPort", str(port)]
    command += ["--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry", "--silent"]
    blob = f"/{BUCKET}/{quote(KEY)}"

    def ask(method: str, path: str, body: bytes = b"", query: str = "", **said: str) -> bytes:
        headers = {
            "x-ms-date": f"{datetime.now(UTC):%a, %d %b %Y %H:%M:%S GMT}",
            "x-ms-version": "2021-08-06",
            **{name.replace("_", "-", 2): value for name, value in said.items()},
        }
        named = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
        resource = f"/{_ACCOUNT}/{_ACCOUNT}{path}" + (
            f"\n{query.replace('=', ':')}" if query else ""
        )
        length, kind = str(len(body) or ""), "application/octet-stream" if body else ""
        text = f"{method}\n\n\n{length}\n\n{kind}\n\n\n\n\n\n\n{named}{resource}"
        key = base64.b64decode(_ACCOUNT_KEY)
        digest = base64.b64encode(hmac.digest(key, text.encode(), hashlib.sha256)).decode()
        headers["Authorization"] = f"SharedKey {_ACCOUNT}:{digest}"
        if kind:
            headers["Content-Type"] = kind
        return _call(method, f"{endpoint}{path}{'?' if query else ''}{query}", body, headers)

    def write(data: bytes, said: Said) -> bytes:
        metadata = {f"x_ms_meta-{name.replace('-', '_')}": value for name, value in said.items()}
        return ask("PUT", blob, data, **{"x_ms_blob-type": "BlockBlob"}, **metadata)

    with running(command, folder, lambda: ask("PUT", f"/{BUCKET}", query="restype=container")):
        yield Emulator(
            f"az://{BUCKET}/{KEY}",
            {
                "AZURE_STORAGE_ACCOUNT_NAME": _ACCOUNT,
                "AZURE_STORAGE_ACCOUNT_KEY": _ACCOUNT_KEY,
                "AZURE_STORAGE_ENDPOINT": endpoint,
            },
            lambda: _or_none(lambda: ask("GET", blob)),
            write,
            lambda: ask("DELETE", blob),
        )


@contextmanager
def run_gcs(binary: Path, folder: Path) -> Iterator[Emulator]:
    """Run fake-gcs-server behind a translator.

    It speaks Google's JSON API; of the XML API, which the service's client speaks, it has only the
    half that reads. The conditions are its own.
    """
    port = free_port()
    endpoint = f"http://{HOST}:{port}"
    command = [str(binary), "-scheme", "http", "-host", HOST, "-port", str(port)]
    command += ["-backend", "memory", "-external-url", endpoint, "-public-host", f"{HOST}:{port}"]
    known = {"Content-Type": "application/json"}
    objects = f"{endpoint}/storage/v1/b/{BUCKET}/o/{quote(KEY, safe='')}"

    def make_bucket() -> bytes:
        body = json.dumps({"name": BUCKET}).encode()
        return _call("POST", f"{endpoint}/storage/v1/b?project=p", body, known)

    with (
        running(command, folder, make_bucket),
        serve(lambda request: translate_xml(request, endpoint)) as xml,
    ):
        yield Emulator(
            f"gs://{BUCKET}/{KEY}",
            {"STORAGE_EMULATOR_HOST": xml.url},
            lambda: _or_none(lambda: _call("GET", f"{objects}?alt=media")),
            lambda data, said: _upload(endpoint, BUCKET, KEY, data, said, {}),
            lambda: _call("DELETE", objects),
        )


def translate_xml(request: Request, endpoint: str) -> Answer:
    """Answer a request of the XML API by the JSON API."""
    _, bucket, name = request.path.split("/", 2)
    key = unquote(name)
    resource = f"{endpoint}/storage/v1/b/{bucket}/o/{quote(key, safe='')}"
    said = {
        header.removeprefix("x-goog-meta-"): value
        for header, value in request.headers.items()
        if header.startswith("x-goog-meta-")
    }
    condition = request.headers.get("x-goog-if-generation-match")
    try:
        if request.method == "PUT":
            query = {"ifGenerationMatch": condition} if condition else {}
            made = json.loads(_upload(endpoint, bucket, key, request.body, said, query))
            return Answer(body=b"", headers=_name(made))
        about = json.loads(_call("GET", resource))
        body = _call("GET", f"{resource}?alt=media")
    except HTTPError as error:
        if error.code != 404:
            return Answer(status=error.code, body=error.read())
        try:
            _call("GET", f"{endpoint}/storage/v1/b/{bucket}")
        except HTTPError:
            return s3_error(404, "NoSuchBucket")
        return s3_error(404, "NoSuchKey")
    kept = {f"x-goog-meta-{name}": value for name, value in about.get("metadata", {}).items()}
    kept |= {"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT", "Content-Type": about["contentType"]}
    headers = {**_name(about), **kept}
    asked = request.headers.get("if-match", headers["ETag"])
    return Answer(body=body, headers=headers) if asked == headers["ETag"] else Answer(status=412)


def _name(about: Mapping[str, str]) -> dict[str, str]:
    return {"ETag": f'"{about["md5Hash"]}"', "x-goog-generation": about["generation"]}


def _upload(
    endpoint: str, bucket: str, key: str, data: bytes, said: Said, query: Mapping[str, str]
) -> bytes:
    about = {"name": key, "contentType": "application/octet-stream", "metadata": dict(said)}
    line = b"--part--of--many"
    body = b"\r\n".join(
        [
            line,
            b"Content-Type: application/json\r\n",
            json.dumps(about).encode(),
            line,
            b"Content-Type: application/octet-stream\r\n",
            data,
            line + b"--\r\n",
        ]
    )
    asked = urlencode({"uploadType": "multipart", **query})
    kind = {"Content-Type": f"multipart/related; boundary={line[2:].decode()}"}
    return _call("POST", f"{endpoint}/upload/storage/v1/b/{bucket}/o?{asked}", body, kind)


def _call(
    method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> bytes:
    call = Call(url, data=body or None, method=method, headers=dict(headers or {}))  # noqa: S310
    with urlopen(call, timeout=_SECONDS) as answer:  # noqa: S310 - loopback
        data: bytes = answer.read()
    return data


def _or_none(read: Callable[[], bytes]) -> bytes | None:
    try:
        return read()
    except HTTPError:
        return None


def is_required() -> bool:
    """Tell whether a store that is not installed is an error, as in the gate."""
    return os.environ.get("REQUIRE_STORES") == "true"
