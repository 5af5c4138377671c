"""What the integration test looks at: a place of the environment, or ones that it fills itself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import boto3
import pytest

from dev.loopback import CREDENTIALS, serve_json
from tests.integration.published import Place, Published
from tests.integration.published_dataset import PublishedDataset, read_dataset

_BUCKET, _DATASET = os.environ.get("S3_BUCKET"), os.environ.get("DATASET")
_NAMES_A_PLACE = bool(_BUCKET or os.environ.get("TARGET_URL"))
if _DATASET and not _NAMES_A_PLACE:
    raise pytest.UsageError("DATASET is set; S3_BUCKET or TARGET_URL should say where it is")

# Launches have a test of their own, with facts that are known; other datasets have none.
_IS_LAUNCHES = not _DATASET or read_dataset(_DATASET)["name"] == "launches"
collect_ignore = (
    [] if _IS_LAUNCHES and bool(_BUCKET) == _NAMES_A_PLACE else ["test_published_table.py"]
)

_RECORDED = Path(__file__).parents[3] / "shared" / "data" / "launches_v4_past.json"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Look where the environment says; else run the application on each source that is there."""
    if "published" in metafunc.fixturenames:
        of_environment = bool(os.environ.get("S3_BUCKET"))
        cases = ["environment"] if of_environment else ["sample", "recorded"]
        metafunc.parametrize("published", cases, indirect=True, scope="session")
    if "published_dataset" in metafunc.fixturenames:
        cases = ["environment"] if _NAMES_A_PLACE else ["source", "raw copy"]
        metafunc.parametrize("published_dataset", cases, indirect=True, scope="session")


@pytest.fixture(scope="session")
def published_dataset(request: pytest.FixtureRequest) -> Iterator[PublishedDataset]:
    """What the application has published of the dataset that the environment names."""
    case: str = request.param
    if case == "environment":
        yield PublishedDataset(os.environ)
        return
    with serve_json(_source("sample")) as source_url:
        endpoint: str = request.getfixturevalue("aws_endpoint")
        bucket = f"dataset-by-{case.replace(' ', '-')}"
        place = Place(bucket, "launches.parquet", source_url, f"run-of-{bucket}", endpoint)
        raw = {"RAW_URL": f"s3://{bucket}/raw"} if case == "raw copy" else {}
        with pytest.MonkeyPatch.context() as patch:
            for name, value in CREDENTIALS.items():
                patch.setenv(name, value)
            boto3.client("s3", endpoint_url=endpoint).create_bucket(Bucket=bucket)
            variables = _run_the_application(place, **raw)
            told = {
                "DATASET": str(_bundled("launches.toml")),
                "EXPECTED_RUN_ID": str(place.run_id),
            }
            gone = {"SOURCE_URL": "/not/there"} if raw else {}  # what the run kept must do
            yield PublishedDataset(variables | told | gone)


@pytest.fixture(scope="session")
def published(request: pytest.FixtureRequest) -> Iterator[Published]:
    """What the application has published."""
    case: str = request.param
    if case == "environment":
        yield Published(Place.of_environment(os.environ))
        return
    with serve_json(_source(case)) as source_url:
        endpoint: str = request.getfixturevalue("aws_endpoint")
        place = Place(f"{case}-bucket", "launches.parquet", source_url, f"run-of-{case}", endpoint)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in CREDENTIALS.items():
                patch.setenv(name, value)
            boto3.client("s3", endpoint_url=endpoint).create_bucket(Bucket=place.bucket)
            _run_the_application(place)
            yield Published(place)


def _source(case: str) -> bytes:
    if case == "recorded":
        if not _RECORDED.exists():
            pytest.skip(f"the recorded response of the API is not there: {_RECORDED.name}")
        return _RECORDED.read_bytes()
    return _bundled("launches.sample.json").read_bytes()


def _bundled(name: str) -> Path:
    """A file of the application; where the environment names a place, it is not installed."""
    return Path(str(resources.files("micro_etl") / "datasets" / name))


def _run_the_application(place: Place, **variables: str) -> dict[str, str]:
    """Run the command as a user would: a process, configured by its environment alone.

    Returns:
        That environment.
    """
    environment = {
        "PATH": os.environ["PATH"],
        "SOURCE_URL": place.source_url,
        "S3_BUCKET": place.bucket,
        "RUN_ID": str(place.run_id),
        "AWS_ENDPOINT_URL": str(place.endpoint),
        **CREDENTIALS,
        **variables,
    }
    done = subprocess.run(
        [sys.executable, "-m", "micro_etl", "run"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return environment
