"""The command as a user runs it: a process with a folder and an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev.loopback import HOST

COMMAND = (sys.executable, "-m", "micro_etl")
_SECONDS = 60

NO_TARGET = "NO_TARGET"
"""Set in the environment of a run that has no target."""


@dataclass(frozen=True)
class Ended:
    """A process that has ended.

    Attributes:
        code: its exit code.
        out: its standard output.
        err: its standard error.
    """

    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """Its standard output, read as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def failure(self) -> str:
        """The one line that says why it failed, from standard output or standard error."""
        if self.out:
            assert self.result["event"] == "run_failed"
            assert self.result["exit_code"] == self.code
            return str(self.result["error"])
        (line,) = self.err.splitlines()
        return line.removeprefix("error     ")

    @property
    def result(self) -> dict[str, Any]:
        """The last event."""
        return self.events[-1]


def environment(folder: Path, extra: Mapping[str, str]) -> dict[str, str]:
    """A clean environment whose home and scratch folder are in a folder of the test's own.

    A run has a target, unless the test names one or says that there is none.
    """
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    named = {"S3_BUCKET", "S3_KEY", "TARGET_URL", NO_TARGET}.intersection(extra)
    return {
        **({} if named else {"TARGET_URL": "out/launches.parquet"}),
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TMPDIR": str(scratch),
        "AWS_REGION": "us-east-1",
        "AWS_METADATA_ENDPOINT": f"http://{HOST}:1",  # a closed port: nothing leaves the machine
        **extra,
    }


def start(folder: Path, *arguments: str, **extra: str) -> subprocess.Popen[str]:
    """Start the command with these arguments and, on top of a clean environment, variables."""
    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environment(folder, extra),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str], *, seconds: float = _SECONDS) -> Ended:
    """Wait for a process; one that does not end is an error, and ended."""
    with process:
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return Ended(process.returncode, out, err)


def micro_etl(folder: Path, *arguments: str, **extra: str) -> Ended:
    """Run the command to its end."""
    return finish(start(folder, *arguments, **extra))


def made(folder: Path) -> set[str]:
    """The files and folders that a command has made in its current folder."""
    return {path.name for path in folder.iterdir()} - {"launches.json", "scratch", ".env"}


def launches(count: int) -> bytes:
    """Records of so many launches, in the schema of the bundled dataset."""
    records = [
        {
            "flight_number": number,
            "name": f"Flight {number} ü",
            "date_utc": f"2020-01-01T00:00:{number % 60:02}.000Z",
            "success": None if number % 3 else True,
            "links": {"webcast": f"https://example.com/{number}"},
        }
        for number in range(1, count + 1)
    ]
    return json.dumps(records).encode()
