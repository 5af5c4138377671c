"""Runs the integration test against what was published, as a second reading of the dataset."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from deploy.outcome import Unproven
from deploy.target import Target

PYTEST = (
    *(sys.executable, "-m", "pytest", "tests/integration", "--confcutdir", "tests/integration"),
    # A line for each test, and none of the project's settings for its other tests.
    *("-rfEsp", "--tb=short", "--show-capture=no", "--color=no", "-p", "no:cacheprovider"),
    *("-o", "addopts=", "-o", "filterwarnings="),
)
NO_TEST = 5
"""What pytest ends with when it has found none."""


def integration_test(
    target: Target, *, root: Path, expected_run_id: str, timeout: float
) -> tuple[int, list[str]]:
    """Run the integration test; return how many checks passed, and what could not be checked.

    Raises:
        Unproven: a test failed, was skipped though a run is expected, or there is none.
    """
    try:
        done = subprocess.run(
            PYTEST,
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
    said = done.stdout.strip().splitlines()
    failed = [line for line in said if line.startswith(("E  ", "FAILED ", "ERROR "))]
    skipped = [line.partition(": ")[2] for line in said if line.startswith("SKIPPED ")]
    passed = sum(line.startswith("PASSED ") for line in said)
    if done.returncode not in {0, NO_TEST}:
        raise Unproven("the integration test failed:\n" + "\n".join(failed or said[-10:]))
    if skipped and expected_run_id:
        raise Unproven("the integration test could not tell:\n" + "\n".join(skipped))
    if not passed:
        raise Unproven("the integration test holds no test")
    return passed, skipped


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
        # What the user's own shell names is not what the task was given, nor how it is tested.
        **dict.fromkeys(("TARGET_URL", "PYTEST_ADDOPTS"), ""),
        "COLUMNS": "1000",  # so that pytest does not cut its lines
    }
    return {name: text for name, text in {**environ, **given}.items() if text}
