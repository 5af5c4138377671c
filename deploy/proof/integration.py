"""Runs the integration test against what was published, as a second reading of the dataset."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as Xml

from deploy.outcome import Unproven
from deploy.target import Target


@dataclass
class Report:
    """The result of the integration test: a count, and a line a test."""

    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def integration_test(target: Target, *, root: Path, expected_run_id: str, timeout: float) -> Report:
    """Run the integration test against what was published.

    Where no run is expected, the test of which run it was can only be skipped.
    """
    with tempfile.TemporaryDirectory(prefix="micro-etl-") as folder:
        report = Path(folder) / "report.xml"
        # With no other test's settings.
        command = [
            *(sys.executable, "-m", "pytest", "tests/integration", "--quiet"),
            *("--confcutdir", "tests/integration", "--junit-xml", str(report)),
            *("-p", "no:cacheprovider", "-o", "addopts=", "-o", "filterwarnings="),
        ]
        try:
            done = subprocess.run(
                command,
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


def pytest_variables(
    target: Target, environ: Mapping[str, str], *, expected_run_id: str
) -> dict[str, str]:
    """The variables that tell the integration test where to look."""
    environment = target.environment
    given = {
        "DATASET": environment.dataset,
        "S3_BUCKET": environment.bucket,
        "S3_KEY": environment.key,
        "AWS_REGION": target.region,
        "AWS_DEFAULT_REGION": target.region,
        "SOURCE_URL": environment.source_url,
        "RAW_URL": environment.variables.get("RAW_URL", ""),
        "EXPECTED_RUN_ID": expected_run_id,
    }
    # What the user's own shell names is not what the task was given, nor how it is tested.
    unused = given.keys() | {"TARGET_URL", "PYTEST_ADDOPTS"}
    kept = {name: text for name, text in environ.items() if name not in unused}
    return kept | {name: text for name, text in given.items() if text}


def read_report(xml: str) -> Report:
    """Read the report that pytest wrote: names of tests, and the first line of each message."""
    report = Report()
    for case in Xml.fromstring(xml).iter("testcase"):  # noqa: S314
        results = {result.tag: result for result in case}
        trouble = results.get("failure", results.get("error"))
        if trouble is not None:
            report.failed.append(f"{case.get('name')}: {_first_line(trouble)}")
        elif "skipped" in results:
            report.skipped.append(f"{case.get('name')}: {_first_line(results['skipped'])}")
        else:
            report.passed += 1
    return report


def _first_line(element: Xml.Element) -> str:
    """What pytest says of a test in one line, even where the test could not be read."""
    text = element.text or ""
    if element.get("message") == "collection failure":
        return next((line[1:].strip() for line in text.splitlines()[::-1] if line[:1] == "E"), "")
    return (element.get("message") or text).strip().partition("\n")[0]
