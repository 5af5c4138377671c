"""Names what the image is built from: the commit, or the content of a tree that has none."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
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
GENERATED = {"__pycache__", "build", "dist", "out"}
"""Folders that are not part of a project without git, beside hidden ones."""


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
        name = self.commit or f"tree-{self.tree}"
        return f"{name}-dirty-{self.changes}" if self.changes else name

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
        return tag if architecture == "X86_64" else f"{tag}-{ARCHITECTURES[architecture]}"


def read_source(root: Path) -> Source:
    """Read the state of the source tree: from git where it is a checkout, else from its content."""
    if not _is_checkout(root):
        return Source(root, "", _hash_files(root), (), _version(root), "")
    commit, prefix = _git(root, "rev-parse", "--verify", "HEAD"), _prefix(root)
    with _index_of(root) as index:
        _git(root, "add", "--all", "--", ".", index=index)
        tree = _git(root, "write-tree", f"--prefix={prefix}", index=index)
    committed = _git(root, "rev-parse", f"HEAD:{prefix}")
    listed = _git(root, "diff-tree", "-r", "-z", "--name-only", committed, tree)
    url = _git(root, "config", "--default", "", "--get", "remote.origin.url")
    return Source(
        root=root,
        commit=commit,
        tree="" if tree == committed else tree,
        changed=tuple(sorted(name for name in listed.split("\0") if name)),
        version=_version(root),
        url=without_credentials(url) if REMOTE.match(url) else "",
    )


@contextmanager
def exported(source: Source) -> Iterator[Path]:
    """Give a folder that holds exactly what the source is named after, and no ignored file."""
    with tempfile.TemporaryDirectory(prefix="micro-etl-source-") as name:
        folder = Path(name)
        if source.commit:
            top = Path(_git(source.root, "rev-parse", "--show-toplevel"))
            with _index_of(source.root) as index:
                tree = source.tree or f"HEAD:{_prefix(source.root)}"
                _git(top, "read-tree", tree, index=index)
                _git(top, "checkout-index", "--all", f"--prefix={folder}/", index=index)
        else:
            for file in _files(source.root):
                copy = folder / file.relative_to(source.root)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(file, copy)
        yield folder


def file_at(root: Path, commit: str, file: Path) -> str | None:
    """Return a file of the project as a commit has it; nothing where git does not know that."""
    try:
        return _git(root, "show", f"{commit}:./{file.relative_to(root).as_posix()}")
    except (Refused, ValueError, OSError):
        return None


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
    tracked = ["git", "-C", str(root), "ls-files", "--error-unmatch", "Dockerfile"]
    return (root / ".git").exists() or not subprocess.run(tracked, capture_output=True).returncode


@contextmanager
def _index_of(root: Path) -> Iterator[Path]:
    """Give a copy of git's index, so that what git has hashed before it need not hash again."""
    with tempfile.TemporaryDirectory(prefix="micro-etl-index-") as folder:
        copy = Path(folder) / "index"
        index = root / _git(root, "rev-parse", "--git-path", "index")
        if index.exists():
            shutil.copy(index, copy)
        yield copy


def _files(root: Path) -> list[Path]:
    """Return the files of a project without git, but hidden and generated ones."""
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(set(filter(_is_source, folders)) - GENERATED)
        found += [Path(folder) / name for name in sorted(filter(_is_source, names))]
    return found


def _is_source(name: str) -> bool:
    return not name.startswith(".") or name == ".dockerignore"


def _hash_files(root: Path) -> str:
    digest = hashlib.sha256()
    for file in _files(root):
        digest.update(file.relative_to(root).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _version(root: Path) -> str:
    text = (root / "src" / "micro_etl" / "__init__.py").read_text(encoding="utf-8")
    match = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    return match[1] if match else ""


def _prefix(root: Path) -> str:
    """Return where in its repository the project is."""
    return _git(root, "rev-parse", "--show-prefix")


def _git(root: Path, *arguments: str, index: Path | None = None) -> str:
    command = ["git", "-C", str(root), *arguments]
    variables = os.environ | ({"GIT_INDEX_FILE": str(index)} if index else {})
    try:
        done = subprocess.run(command, check=True, capture_output=True, timeout=60, env=variables)
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode(errors="replace").strip().splitlines()
        raise Refused(
            f"{root}: the image is named after the commit, but git says: "
            + (lines[0] if lines else f"exit code {error.returncode}"),
            advice="deploy from a clone that has a commit, or from an archive without git",
        ) from None
    return done.stdout.decode().strip()
