"""Pin every dependency with its hashes, from pyproject.toml and the peers' requirements.in.

usage: python3 -m dev.ci.lock UV [OPTION...]      OPTION goes to uv, such as --upgrade

A lock file includes the files below it, and pins only what those do not. Of a package's hashes it
has those that pip may choose on the platforms that `is_supported` describes.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PEERS = ROOT / "dev" / "bench" / "peers"
COMPILE = (
    *("pip", "compile", "--quiet", "--universal", "--python-version", "3.11"),
    *("--no-annotate", "--no-emit-index-url", "--no-emit-find-links"),
    *("--custom-compile-command", "make lock"),
)

_PLATFORM = re.compile(r"(?:(?:many|musl)?linux\w*_(?:x86_64|aarch64)|macosx_\w+|any)")


@dataclass(frozen=True)
class Lock:
    """A lock file.

    Attributes:
        file: its path from the root.
        sources: what uv compiles into it.
        includes: the lock files that it includes.
    """

    file: str
    sources: tuple[str, ...]
    includes: tuple[str, ...] = ()


LOCKS = (
    Lock("requirements.txt", ("pyproject.toml",)),
    Lock(
        "requirements/quickstart.txt",
        ("pyproject.toml", "--group", "quickstart"),
        ("requirements.txt",),
    ),
    Lock("requirements/deploy.txt", ("--group", "deploy")),
    Lock("requirements/otel.txt", ("pyproject.toml", "--extra", "otel"), ("requirements.txt",)),
    Lock(
        "requirements/dev.txt",
        ("pyproject.toml", "--group", "dev", "--extra", "otel"),
        ("requirements/quickstart.txt", "requirements/deploy.txt", "requirements/otel.txt"),
    ),
    Lock(
        "requirements/torture.txt",
        ("pyproject.toml", "--group", "torture"),
        ("requirements/dev.txt",),
    ),
    Lock(
        "requirements/spark.txt",
        ("pyproject.toml", "--group", "dev", "--extra", "spark"),
        ("requirements/dev.txt",),
    ),
)
"""The files of the project, each constrained by those before it: tests run what is shipped."""


def main(uv: str, *options: str) -> None:
    """Write every lock file."""
    for number, lock in enumerate(LOCKS):
        write(lock, uv, constraints=[other.file for other in LOCKS[:number]], options=options)
    for folder in sorted(path.parent for path in PEERS.glob("*/requirements.in")):
        peer = str(folder.relative_to(ROOT) / "requirements")
        lock = Lock(f"{peer}.txt", (f"{peer}.in",))
        # A peer that asks for a version of its own does not take those of the project.
        is_free = "=" in (folder / "requirements.in").read_text("utf-8")
        constraints = [] if is_free else [other.file for other in LOCKS]
        write(lock, uv, constraints=constraints, options=options)


def write(lock: Lock, uv: str, *, constraints: list[str], options: tuple[str, ...]) -> None:
    """Write one lock file."""
    sys.stdout.write(f"{lock.file}\n")
    file = ROOT / lock.file
    below = {pin for path in included(lock) for pin in pins(ROOT / path)}
    command = (uv, *COMPILE, *lock.sources, *(f"--constraint={path}" for path in constraints))
    output = ["--generate-hashes", "--output-file", lock.file]
    subprocess.run([*command, *options, *output], cwd=ROOT, check=True)
    with tempfile.TemporaryDirectory() as folder:
        # The same resolution once more, in the format that names the file of each hash.
        names = Path(folder, "pylock.toml")
        output = [f"--constraint={lock.file}", "--format=pylock.toml", "--output-file", str(names)]
        subprocess.run([*command, *output], cwd=ROOT, check=True)
        kept = supported_hashes(tomllib.loads(names.read_text("utf-8")))
    file.write_text(with_includes(prune(file.read_text("utf-8"), below, kept), lock), "utf-8")


def included(lock: Lock) -> set[str]:
    """The files that a lock file includes, also through others."""
    found = set(lock.includes)
    for other in LOCKS:
        if other.file in lock.includes:
            found |= included(other)
    return found


def pins(file: Path) -> set[str]:
    """What a lock file itself pins, each with its marker."""
    return set(re.findall(r"^([\w.-]+==.*?)(?: \\)?$", file.read_text("utf-8"), re.MULTILINE))


def is_supported(wheel: str) -> bool:
    """Say whether a wheel is for CPython 3.11 or later, on Linux or macOS, on x86-64 or ARM.

    Args:
        wheel: its file name.
    """
    python, abi, platforms = wheel.removesuffix(".whl").split("-")[-3:]
    if not any(_PLATFORM.fullmatch(platform) for platform in platforms.split(".")):
        return False
    if "py3" in python.split(".") or abi == "abi3":
        return True
    return abi in ("none", python) and re.fullmatch(r"cp3(1[1-9]|[2-9]\d)", python) is not None


def supported_hashes(lock: dict[str, Any]) -> set[str]:
    """The hashes of the files in a lock that pip may choose on a supported platform.

    A source distribution is one of them only if there is no wheel for every platform.

    Args:
        lock: the content of a pylock.toml.
    """
    found = set()
    for package in lock.get("packages", []):
        hashes = {
            wheel.get("name") or wheel["url"].rsplit("/", 1)[-1]: wheel["hashes"]["sha256"]
            for wheel in package.get("wheels", [])
        }
        found |= {digest for name, digest in hashes.items() if is_supported(name)}
        if "sdist" in package and not any(name.endswith("-none-any.whl") for name in hashes):
            found.add(package["sdist"]["hashes"]["sha256"])
    return found


def prune(text: str, below: set[str], kept: set[str]) -> str:
    """The text of a lock file without what it need not say.

    Args:
        text: as uv wrote it.
        below: what the included files pin. A pin with another marker stays: it may be for a Python
            that theirs is not for.
        kept: the hashes that stay. A package without any is for another platform, and goes.
    """
    header, *packages = re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE)
    for package in packages:
        pin, *hashes = (line.removesuffix(" \\") for line in package.splitlines())
        left = [line for line in hashes if line.rpartition(":")[2] in kept]
        if left and pin not in below:
            header += " \\\n".join((pin, *left)) + "\n"
    return header


def with_includes(text: str, lock: Lock) -> str:
    """The text of a lock file with the files that it includes, after the header."""
    folder = Path(lock.file).parent
    lines = [f"-r {os.path.relpath(path, folder)}\n" for path in lock.includes]
    header, pins = re.split(r"(?<=\n)(?!#)", text, maxsplit=1)
    return header + "".join(lines) + pins


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except subprocess.CalledProcessError as error:
        sys.exit(f"uv ended with {error.returncode}")
