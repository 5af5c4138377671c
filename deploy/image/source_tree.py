"""Names what the image is built from: the commit, or the content of a tree that has none."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from deploy.environment import ARCHITECTURES
from deploy.outcome import Refused

SHOWN_PATHS = 3
REMOTE = re.compile(r"(https?|ssh|git)://|[\w.-]+@[\w.-]+:")
"""How an address begins that others can reach, unlike a local path."""


@dataclass(frozen=True)
class Source:
    """A state of the source tree.

    Attributes:
        root: The project's folder.
        commit: The commit's full hash; empty where there is none, as in an unpacked archive.
        tree: The hash of the content, when it is not the commit's.
        changed: The paths that differ from the commit.
        version: The service's version.
        url: The address of the repository, without credentials; empty when git knows none.
    """

    root: Path
    commit: str
    tree: str
    changed: tuple[str, ...]
    version: str
    url: str

    @property
    def changes(self) -> str:
        """A short hash of the content, when it is not the commit's."""
        return self.tree[:8] if self.commit else ""

    @property
    def revision(self) -> str:
        """The commit, marked when the image holds something else."""
        if not self.commit:
            return f"tree-{self.tree}"
        return f"{self.commit}-dirty-{self.changes}" if self.changes else self.commit

    @property
    def changes_in_words(self) -> str:
        """What is not committed, as far as it fits on a line."""
        more = len(self.changed) - SHOWN_PATHS
        shown = ", ".join(self.changed[:SHOWN_PATHS])
        return f"{shown} and {more} more" if more > 0 else shown

    def tag(self, architecture: str) -> str:
        """Return the image's tag: one for each content and architecture."""
        tag = self.commit[:12] or f"tree-{self.tree[:12]}"
        if self.changes:
            tag += f"-dirty-{self.changes}"
        if architecture != "X86_64":
            tag += f"-{ARCHITECTURES[architecture]}"
        return tag


def read_source(root: Path) -> Source:
    """Read the state of the source tree: from git where it is a checkout, else from its content.

    Raises:
        Refused: git does not answer, or the checkout has no commit.
    """
    package = root / "src" / "micro_etl" / "__init__.py"
    if not _is_checkout(root):
        return Source(root, "", _hash_files(root), (), _version(package), "")
    commit = _git(root, "rev-parse", "--verify", "HEAD")
    prefix = _git(root, "rev-parse", "--show-prefix")
    tree = _write_tree(root, prefix)
    clean = tree == _git(root, "rev-parse", f"HEAD:{prefix}")
    url = _git(root, "config", "--default", "", "--get", "remote.origin.url")
    return Source(
        root=root,
        commit=commit,
        tree="" if clean else tree,
        changed=() if clean else _changed(root, f"HEAD:{prefix}", tree),
        version=_version(package),
        url=without_credentials(url) if REMOTE.match(url) else "",
    )


@contextmanager
def exported(source: Source) -> Iterator[Path]:
    """Give a folder that holds exactly what the source is named after, and no ignored file."""
    with tempfile.TemporaryDirectory(prefix="micro-etl-source-") as name:
        folder = Path(name)
        if source.commit:
            prefix = _git(source.root, "rev-parse", "--show-prefix")
            archive = _run(source.root, "archive", "--format=tar", source.tree or f"HEAD:{prefix}")
            with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
                tar.extractall(folder, filter="data")
        else:
            for file in _files(source.root):
                copy = folder / file.relative_to(source.root)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(file, copy)
        yield folder


def without_credentials(url: str) -> str:
    """Return a repository's address without a user name, password or token in it."""
    parts = urlsplit(url)
    if not parts.scheme or not parts.hostname:
        return url
    host = parts.hostname if parts.port is None else f"{parts.hostname}:{parts.port}"
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def _is_checkout(root: Path) -> bool:
    """Tell whether git tracks the project, and not only a folder around it."""
    if not shutil.which("git"):
        return False
    command = ["git", "-C", str(root), "rev-parse", "--is-inside-work-tree"]
    if subprocess.run(command, capture_output=True).returncode:
        return False
    return (root / ".git").exists() or bool(_git(root, "ls-files", "Dockerfile"))


def _write_tree(root: Path, prefix: str) -> str:
    """Return git's hash of the project's content as it is now: new files too, ignored ones not."""
    with tempfile.TemporaryDirectory(prefix="micro-etl-index-") as folder:
        index = Path(folder) / "index"
        current = root / _git(root, "rev-parse", "--git-path", "index")
        if current.exists():  # what git has hashed before it need not hash again
            shutil.copy(current, index)
        _git(root, "add", "--all", "--", ".", index=index)
        return _git(root, "write-tree", *([f"--prefix={prefix}"] if prefix else []), index=index)


def _changed(root: Path, before: str, after: str) -> tuple[str, ...]:
    """Return the files in which two trees differ."""
    listed = _run(root, "diff-tree", "-r", "-z", "--name-only", before, after)
    return tuple(sorted(name.decode() for name in listed.split(b"\0") if name))


def _files(root: Path) -> list[Path]:
    """Return the files of a folder that git knows nothing of, without hidden and generated ones."""
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and name not in GENERATED
        )
        found += [Path(folder) / name for name in sorted(names) if not _is_hidden(name)]
    return found


GENERATED = {"__pycache__", "build", "dist", "out"}


def _is_hidden(name: str) -> bool:
    return name.startswith(".") and name != ".dockerignore"


def _hash_files(root: Path) -> str:
    """Return a hash of the names and the content of a folder's files."""
    digest = hashlib.sha256()
    for file in _files(root):
        digest.update(file.relative_to(root).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _version(path: Path) -> str:
    match = re.search(r'^__version__ = "(.+)"$', path.read_text(encoding="utf-8"), re.MULTILINE)
    return match[1] if match else ""


def _git(root: Path, *arguments: str, index: Path | None = None) -> str:
    return _run(root, *arguments, index=index).decode().strip()


def _run(root: Path, *arguments: str, index: Path | None = None) -> bytes:
    try:
        return subprocess.run(
            ["git", "-C", str(root), *arguments],  # noqa: S607 - the user's own git
            check=True,
            capture_output=True,
            timeout=60,
            env=os.environ | ({"GIT_INDEX_FILE": str(index)} if index else {}),
        ).stdout
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()
        raise Refused(
            f"{root}: the image is named after the commit, but git says: "
            + (said[0] if said else f"exit code {error.returncode}"),
            advice="deploy from a clone that has a commit, or from an archive without git",
        ) from None
