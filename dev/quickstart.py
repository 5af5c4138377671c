"""Run the job of the README: on loopback, or against the real target if one is set.

The service never falls back to anything, so what stands in for the source and for S3 is here,
around it: a server of the bundled sample, and an S3 API, both on loopback.
"""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from contextlib import ExitStack
from importlib import resources
from pathlib import Path

from dotenv import load_dotenv

from dev.loopback import CREDENTIALS, HOST, serve_aws, serve_json

_SAMPLE = resources.files("micro_etl") / "datasets" / "launches.sample.json"
_BUCKET = "quickstart"
_NO_OUT = 74  # as the service says of a target that can't be written


def main() -> int:
    """Run the job and show what it made; returns the exit code of the run."""
    load_dotenv(".env")
    if os.environ.get("S3_BUCKET") or os.environ.get("TARGET_URL"):
        _say("The source and the target are those of the environment.")
        return _run(os.environ)
    out = Path("out")
    try:
        out.mkdir(exist_ok=True)
    except OSError as error:
        _say(f"error     {out.absolute()} can't be created: {error.strerror}; it is for the file")
        return _NO_OUT
    dataset = os.environ.get("DATASET") or "launches"
    key = f"{Path(dataset).stem}.parquet"
    with ExitStack() as stack:
        endpoint = stack.enter_context(serve_aws())
        stand_ins = {
            "S3_BUCKET": _BUCKET,
            "S3_KEY": key,
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ENDPOINT_URL_S3": endpoint,  # it would win
            "NO_PROXY": HOST,  # a proxy does not know our loopback
            "no_proxy": HOST,
            **CREDENTIALS,
        }
        source = os.environ.get("SOURCE_URL")
        if dataset == "launches" and not source:
            sample = serve_json(_SAMPLE.read_bytes(), path="/v4/launches")
            stand_ins["SOURCE_URL"] = stack.enter_context(sample)
            source = "the bundled sample, served over HTTP on loopback"
        _say(
            f"A trial run: {source or f'the source of {dataset}'}, published to an S3 API on"
            " loopback."
        )
        _say("To use your own API and bucket: SOURCE_URL=https://... S3_BUCKET=... make run\n")
        os.environ.update(stand_ins)
        _request("PUT", f"{endpoint}/{_BUCKET}")
        code = _run(os.environ)
        if code == 0:
            file = out / key
            file.write_bytes(_request("GET", f"{endpoint}/{_BUCKET}/{key}"))
            _say(f"file      {file}: what a reader downloads from there")
        return code


def _run(environment: Mapping[str, str]) -> int:
    return subprocess.run(
        [sys.executable, "-m", "micro_etl", "run"],
        env={"LOG_FORMAT": "text", **environment},
        check=False,
    ).returncode


def _request(method: str, url: str) -> bytes:
    request = urllib.request.Request(url, method=method)  # noqa: S310 - our own server's URL
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return bytes(answer.read())


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
