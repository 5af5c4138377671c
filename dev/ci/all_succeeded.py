#!/usr/bin/env python3
"""Fail unless every job that another one needs has succeeded; run by the last job of CI.

usage: NEEDS='{"job": {"result": "success"}, ...}' dev/ci/all_succeeded.py

A job that was skipped or cancelled has not succeeded, though GitHub itself would let it pass.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping


def not_succeeded(needs: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Each job that did not succeed, with how it ended."""
    return [f"{name}: {job['result']}" for name, job in needs.items() if job["result"] != "success"]


if __name__ == "__main__":
    jobs = json.loads(os.environ["NEEDS"])
    if not jobs:
        sys.exit("NEEDS names no job")
    sys.exit("\n".join(not_succeeded(jobs)) or 0)
