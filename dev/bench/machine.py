"""Say what machine this is, and how long it takes to import things."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from dev.bench.peers import Peer

_MEASURE = Path(__file__).with_name("measure.py")
_TIMES = 9


def describe() -> str:
    """Cores, memory, versions, and how busy it is right now."""
    cpu = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC: {os.cpu_count()} cores of {cpu},"
        f" {memory:.0f} GiB, {platform.system()} {platform.release()},"
        f" Python {platform.python_version()}, load average {os.getloadavg()[0]:.1f}"
    )


def import_seconds(peer: Peer) -> dict[str, float]:
    """CPU seconds that each import adds to the bare interpreter, the least of several tries."""
    bare = _cpu(peer, "pass")
    return {name: max(0.0, _cpu(peer, f"import {name}") - bare) for name in peer.imports}


def _cpu(peer: Peer, code: str) -> float:
    command = [sys.executable, "-I", "-S", str(_MEASURE), str(peer.python), "-c", code]
    return min(
        float(json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["cpu"])
        for _ in range(_TIMES)
    )
