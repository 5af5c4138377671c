"""What the image is built from: the commit, and whether the work tree differs from it."""

from __future__ import annotations

import hashlib
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from deploy.environment import ARCHITECTURES
from deploy.outcome import Refused

SHOWN_PATHS = 3


@dataclass(frozen=True)
class Source:
    """A state of the source tree.

    Attributes:
        root: Where it lies.
        commit: The commit's full hash.
        changes: A hash of what differs from the commit, or an empty string.
        changed: The paths that differ.
        version: The service's version.
        url: Where the repository is, without any credentials; empty when git knows none.
    """

    root: Path
    commit: str
    changes: str
    changed: tuple[str, ...]
    version: str
    url: str

    @property
    def revision(self) -> str:
        """The commit, marked when the image holds more than it."""
        return f"{self.commit}-dirty-{self.changes}" if self.changes else self.commit

    @property
    def changes_in_words(self) -> str:
        """What is not committed, as far as fits a line."""
        more = len(self.changed) - SHOWN_PATHS
        shown = ", ".join(self.changed[:SHOWN_PATHS])
        return f"{shown} and {more} more" if more > 0 else shown

    def tag(self, architecture: str) -> str:
        """Return the image's tag: the same for the same content and architecture, and no other.

        A tag of another architecture says so, since one repository may serve both.
        """
        tag = self.commit[:12]
        if self.changes:
            tag += f"-dirty-{self.changes}"
        if architecture != "X86_64":
            tag += f"-{ARCHITECTURES[architecture]}"
        return tag


def read_source(root: Path) -> Source:
    """Read the state of the source tree from git.

    Raises:
        Refused: It is no git work tree, has no commit, or git is not installed.
    """
    commit = _git(root, "rev-parse", "--verify", "HEAD").decode().strip()
    remote = _git(root, "config", "--default", "", "--get", "remote.origin.url").decode().strip()
    changed = _changed(root)
    return Source(
        root=root,
        commit=commit,
        changes=_hash(root, changed) if changed else "",
        changed=changed,
        version=_version(root / "src" / "micro_etl" / "__init__.py"),
        url=without_credentials(remote),
    )


def _changed(root: Path) -> tuple[str, ...]:
    """Return the files that git would commit beyond HEAD: changed or new, not ignored ones."""
    listed = _git(root, "status", "--porcelain", "-z", "--untracked-files=all", "--no-renames")
    return tuple(sorted(entry[3:].decode() for entry in listed.split(b"\0") if entry))


def _hash(root: Path, changed: tuple[str, ...]) -> str:
    """Hash these files' names and content; a deleted one counts by its name."""
    digest = hashlib.sha256()
    for name in changed:
        digest.update(name.encode() + b"\0")
        if (root / name).is_file():
            digest.update(hashlib.sha256((root / name).read_bytes()).digest())
    return digest.hexdigest()[:8]


def _version(path: Path) -> str:
    match = re.search(r'^__version__ = "(.+)"$', path.read_text(encoding="utf-8"), re.MULTILINE)
    return match[1] if match else ""


def without_credentials(url: str) -> str:
    """Return a repository's address without a user name, password or token in it."""
    parts = urlsplit(url)
    if not parts.scheme or not parts.hostname:
        return url
    host = parts.hostname if parts.port is None else f"{parts.hostname}:{parts.port}"
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def _git(root: Path, *arguments: str) -> bytes:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],  # noqa: S607 - the user's own git
            check=True,
            capture_output=True,
            timeout=60,
        )
    except FileNotFoundError:
        raise Refused("git is not installed: the image is named after the commit") from None
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()
        raise Refused(
            f"{root}: the image is named after the commit, but git says: "
            + (said[0] if said else f"exit code {error.returncode}"),
            advice="deploy from a clone that has a commit",
        ) from None
    return done.stdout
