"""AWS Lambda: one run. The function's environment has the settings (S3_BUCKET, DATASET, …)."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

_STOP_SECONDS = 15  # before Lambda's own time-out, so that the run still says why it ended
_SUCCEEDED = (0, 75)  # 75: another run published first


def handle(_event: object, context: Any) -> dict[str, Any]:
    """Run micro-etl, copy its log, and return its result; raise where it failed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "micro_etl", "run", "--run-id", context.aws_request_id],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        seconds = context.get_remaining_time_in_millis() / 1000 - _STOP_SECONDS
        log, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.terminate()
        log, _ = process.communicate()
    sys.stdout.write(log)
    sys.stdout.flush()
    result: dict[str, Any] = json.loads(log.splitlines()[-1])
    if process.returncode not in _SUCCEEDED:
        raise RuntimeError(f"exit code {process.returncode}: {result['error']}")
    return result
