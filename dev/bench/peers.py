"""The ways to do the job that are compared, each in an environment of its own."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_ENVIRONMENTS = _ROOT / ".venv-bench"
_PEERS = Path(__file__).with_name("peers")
_PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")


@dataclass(frozen=True)
class Peer:
    """One way to do the job.

    Attributes:
        name: of its folder, where it is not this service.
        what: it is made of.
        imports: what it imports, each timed alone.
    """

    name: str
    what: str
    imports: tuple[str, ...]

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return _ENVIRONMENTS / self.name / "bin" / "python"

    @property
    def command(self) -> list[str]:
        """What does the job; the environment says from where to where."""
        if self.name == SERVICE:
            return [str(self.python.with_name("micro-etl")), "run"]
        return [str(self.python), str(_PEERS / self.name / "job.py")]

    def install(self) -> None:
        """Make its environment, unless the same requirements are there already."""
        ours = self.name == SERVICE
        requirements = _ROOT if ours else _PEERS / self.name
        requirements /= "requirements.txt"
        wanted = hashlib.file_digest(requirements.open("rb"), "sha256").hexdigest()
        folder = _ENVIRONMENTS / self.name
        stamp = folder / "requirements.sha256"
        if not stamp.exists() or stamp.read_text() != wanted:
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
            self._pip("install", "--require-hashes", "--requirement", str(requirements))
            stamp.write_text(wanted)
        if ours:
            with tempfile.TemporaryDirectory() as wheels:
                build = ("--no-deps", "--no-build-isolation", "--wheel-dir", wheels, str(_ROOT))
                subprocess.run([*_PIP, "wheel", *build], check=True)
                (wheel,) = map(str, Path(wheels).glob("*.whl"))
                self._pip("install", "--no-deps", "--force-reinstall", wheel)

    def size(self) -> int:
        """Bytes of everything that is installed for it, bytecode included."""
        packages = next((_ENVIRONMENTS / self.name).glob("lib/python*/site-packages"))
        return sum(file.stat().st_size for file in packages.rglob("*") if file.is_file())

    def _pip(self, *arguments: str) -> None:
        subprocess.run([*_PIP, "--python", str(self.python), *arguments], check=True)


SERVICE = "micro-etl"
"""The one that is ours."""

BASELINE = "expert"
"""The one that the others are compared with."""

PEERS = (
    Peer(SERVICE, "this service, every check on", ("click", "urllib3", "_duckdb", "obstore")),
    Peer(BASELINE, "the same parts, no check", ("urllib3", "duckdb", "obstore")),
    Peer("duckdb", "DuckDB 1.5 with httpfs, one statement, no check", ("duckdb",)),
    Peer("polars", "urllib3, Polars", ("polars",)),
    Peer("pyarrow", "urllib3, json, pyarrow, boto3", ("pyarrow.parquet", "boto3")),
    Peer("pandas", "requests, pandas, boto3", ("requests", "pandas", "boto3")),
    Peer("dlt", "requests, dlt", ("dlt",)),
)
