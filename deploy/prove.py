"""Proves what a task did: that the pushed image ran, that it wrote the object, that it is right."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as Xml

from botocore.exceptions import ClientError

from deploy.aws import is_denied, message_of
from deploy.discover import Target
from deploy.outcome import Unproven
from deploy.run_task import TaskRun

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def prove_digest(run: TaskRun, *, container: str, pushed: str) -> str:
    """Return in words that the digest which ran is the one that was pushed.

    Raises:
        Unproven: Another one ran.
    """
    found = next(item for item in run.task["containers"] if item["name"] == container)
    ran = found.get("imageDigest", "")
    if ran and ran != pushed:
        raise Unproven(
            f"another image ran: {ran}, pushed was {pushed}",
            advice="see whether somebody deployed at the same time: `./deploy.sh status`",
        )
    if ran:
        return f"the pushed image ran: {short(pushed)}"
    # Fargate reports the digest that it ran. Where ECS does not, the reference tells: the task
    # names its image by digest, and no engine runs anything else under one.
    if found.get("image", "").partition("@")[2] != pushed:
        raise Unproven(
            f"the task ran {found.get('image', 'an unknown image')}, pushed was {pushed}"
        )
    return f"the pushed image ran, by its reference: {short(pushed)}"


def prove_written(s3: S3Client, target: Target, run: TaskRun) -> tuple[str, str]:
    """Return in words that this run wrote the object, and the run id which the object must have.

    An unchanged table is not written again. Then the run says so, with the ETag of the object that
    it compared with, and that must be the object which is there.

    Raises:
        Unproven: The object is missing, or of another run.
    """
    head = head_object(s3, target)
    writer = head["Metadata"].get("run-id", "")
    where = f"s3://{target.environment.bucket}/{target.environment.key}"
    if writer == run.run_id:
        return f"this run wrote {where}", run.run_id
    finished = run.finished
    if finished.get("result") == "unchanged":
        if _plain(str(finished.get("etag", ""))) == _plain(head["ETag"]):
            return f"nothing had changed: {where} is what this run compared with", writer
        raise Unproven(
            f"{where} was replaced after this run had found it unchanged",
            advice="see whether another run was under way, and test again: `./deploy.sh test`",
        )
    whose = f"{where} is not of this run ({run.run_id}), but of {writer or 'one without an id'}"
    if finished:
        raise Unproven(
            whose,
            advice="see whether another run was under way, and run again: `./deploy.sh run`",
        )
    raise Unproven(
        f"{whose}; whether this run found it unchanged can't be told without the end of its log",
        advice="the caller needs logs:GetLogEvents"
        if run.log_denied
        else "the log came too late, or not at all: `./deploy.sh logs`, then run again",
    )


def head_object(s3: S3Client, target: Target) -> Mapping[str, Any]:
    """Return the published object's description.

    Raises:
        Unproven: It is not there, or may not be looked at.
    """
    where = f"s3://{target.environment.bucket}/{target.environment.key}"
    try:
        return s3.head_object(Bucket=target.environment.bucket, Key=target.environment.key)
    except ClientError as error:
        if is_denied(error):
            raise Unproven(
                f"{where} may not be read", advice="the caller needs s3:GetObject on it"
            ) from None
        raise Unproven(f"{where} is not there: {message_of(error)}") from None


def _plain(etag: str) -> str:
    return etag.strip('"')


def short(digest: str) -> str:
    """Return a digest as short as people can still tell it from others."""
    return digest[:19]


@dataclass(frozen=True)
class Report:
    """What the integration test said."""

    passed: int
    failed: tuple[str, ...]
    skipped: tuple[str, ...]


def integration_test(target: Target, *, root: Path, expected_run_id: str, timeout: float) -> Report:
    """Run the integration test against what was published.

    Where no run is expected, the test of which run it was can only be skipped.

    Raises:
        Unproven: A test failed, was skipped although a run is expected, or none ran.
    """
    with tempfile.TemporaryDirectory(prefix="micro-etl-") as folder:
        report = Path(folder) / "report.xml"
        try:
            done = subprocess.run(
                pytest_command(report),
                cwd=root,
                env=pytest_variables(target, os.environ, expected_run_id=expected_run_id),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=timeout,
            )
        except subprocess.TimeoutExpired:
            raise Unproven(
                f"the integration test was not done after {timeout:.0f} s",
                advice="--test-timeout gives it longer",
            ) from None
        if not report.exists():
            end = "\n".join(done.stdout.strip().splitlines()[-10:])
            raise Unproven(f"the integration test did not start:\n{end}")
        found = read_report(report.read_text(encoding="utf-8"))
    if found.failed:
        raise Unproven("the integration test failed:\n" + "\n".join(found.failed))
    if found.skipped and expected_run_id:
        raise Unproven("the integration test could not tell:\n" + "\n".join(found.skipped))
    if not found.passed:
        raise Unproven("the integration test holds no test")
    return found


def pytest_command(report: Path) -> list[str]:
    """Return the command that runs the integration test, with no other test's settings."""
    return [
        *(sys.executable, "-m", "pytest", "tests/integration", "--quiet"),
        *("--confcutdir", "tests/integration", "--junit-xml", str(report)),
        *("-p", "no:cacheprovider", "-o", "addopts=", "-o", "filterwarnings="),
    ]


NOT_PASSED_ON = {"SOURCE_URL", "TARGET_URL", "DATASET", "EXPECTED_RUN_ID", "PYTEST_ADDOPTS"}


def pytest_variables(
    target: Target, environ: Mapping[str, str], *, expected_run_id: str
) -> dict[str, str]:
    """Return the variables that tell the integration test where to look."""
    environment = target.environment
    # What the user's own shell names is not what the task was given, nor how it is tested.
    kept = {name: text for name, text in environ.items() if name not in NOT_PASSED_ON}
    variables = kept | {
        "S3_BUCKET": environment.bucket,
        "S3_KEY": environment.key,
        "AWS_REGION": target.region,
        "AWS_DEFAULT_REGION": target.region,
    }
    if environment.source_url:
        variables["SOURCE_URL"] = environment.source_url
    if expected_run_id:
        variables["EXPECTED_RUN_ID"] = expected_run_id
    return variables


def read_report(xml: str) -> Report:
    """Read the report that pytest wrote: names of tests, and the first line of what they say."""
    passed = 0
    failed: list[str] = []
    skipped: list[str] = []
    for case in Xml.fromstring(xml).iter("testcase"):  # noqa: S314
        name = case.get("name", "?")
        trouble = case.find("failure")
        if trouble is None:
            trouble = case.find("error")
        skip = case.find("skipped")
        if trouble is not None:
            failed.append(f"{name}: {_first_line(trouble)}")
        elif skip is not None:
            skipped.append(f"{name}: {_first_line(skip)}")
        else:
            passed += 1
    return Report(passed=passed, failed=tuple(failed), skipped=tuple(skipped))


def _first_line(element: Xml.Element) -> str:
    """Return what pytest says of a test in one line, even where the test could not be read."""
    lines = (element.text or "").splitlines()
    if element.get("message") == "collection failure":
        return next((line[1:].strip() for line in reversed(lines) if line.startswith("E")), "")
    return (element.get("message") or "\n".join(lines)).strip().partition("\n")[0]
