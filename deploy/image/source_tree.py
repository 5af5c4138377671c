"""Names what the image is built from: the commit, or the content of a tree that has none."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten

from deploy.environment import ARCHITECTURES
from deploy.image.engine import run_program
from deploy.outcome import Refused

REMOTE = re.compile(r"(https?|ssh|git)://|[\w.-]+@[\w.-]+:")
"""How an address begins that others can reach, unlike a local path."""
GENERATED = {"__pycache__", "build", "dist", "out"}
"""Folders that are not part of a project without git, beside hidden ones."""


@dataclass(frozen=True)
class Source:
    """A state of the source tree.

    Attributes:
        root: the project's folder.
        commit: the commit's full hash; empty where there is none, as in an unpacked archive.
        tree: the hash of the content, when it is not the commit's.
        changed: the paths that differ from the commit, as far as they fit on a line.
        url: the address of the repository, without credentials; empty when git knows none.
    """

    root: Path
    commit: str
    tree: str
    changed: str
    url: str

    @property
    def changes(self) -> str:
        """A short hash of the content, when it is not the commit's."""
        return self.tree[:8] if self.commit else ""

    @property
    def revision(self) -> str:
        """The commit, marked when the image holds something else."""
        return self._name(64)

    def tag(self, architecture: str) -> str:
        """The image's tag: one for each content and architecture."""
        suffix = "" if architecture == "X86_64" else f"-{ARCHITECTURES[architecture]}"
        return self._name(12) + suffix

    def _name(self, digits: int) -> str:
        name = self.commit[:digits] or f"tree-{self.tree[:digits]}"
        return f"{name}-dirty-{self.changes}" if self.changes else name


def read_source(root: Path) -> Source:
    """Read the state of the source tree: from git where it is a checkout, else from its content."""
    if not _is_checkout(root):
        with tempfile.TemporaryDirectory(prefix="micro-etl-source-") as folder:
            _copy(root, Path(folder))
            return Source(root, "", _hash(Path(folder)), "", "")
    commit, prefix = _git(root, "rev-parse", "--verify", "HEAD"), _prefix(root)
    with _index(root) as index:
        _git(root, "add", "--all", "--", ".", index=index)
        tree = _git(root, "write-tree", f"--prefix={prefix}", index=index)
    committed = _git(root, "rev-parse", f"HEAD:{prefix}")
    listed = _git(root, "diff-tree", "-r", "-z", "--name-only", committed, tree)
    url = _git(root, "config", "--default", "", "--get", "remote.origin.url")
    return Source(
        root=root,
        commit=commit,
        tree="" if tree == committed else tree,
        changed=shorten(", ".join(listed.split("\0")[:-1]), 70, placeholder=" …"),
        url=without_credentials(url) if REMOTE.match(url) else "",
    )


@contextmanager
def exported(source: Source) -> Iterator[Path]:
    """Give a folder that holds exactly what the source is named after, and no ignored file."""
    with tempfile.TemporaryDirectory(prefix="micro-etl-source-") as name:
        folder = Path(name)
        if source.commit:
            top = Path(_git(source.root, "rev-parse", "--show-toplevel"))
            tree = source.tree or f"HEAD:{_prefix(source.root)}"
            with _index(top, tree) as index:
                _git(top, "checkout-index", "--all", f"--prefix={folder}/", index=index)
        else:
            _copy(source.root, folder)
        yield folder


def file_at(root: Path, commit: str, file: Path) -> str | None:
    """A file of the project as a commit has it; nothing where git does not know that."""
    try:
        return _git(root, "show", f"{commit}:./{file.relative_to(root).as_posix()}")
    except (Refused, ValueError, OSError):
        return None


def without_credentials(url: str) -> str:
    """A repository's address without a user name, password or token in it."""
    return re.sub(r"(?<=://)[^/]*@|\?.*", "", url)


def _is_checkout(root: Path) -> bool:
    """Tell whether git tracks the project, and not only a folder around it."""
    try:
        run_program("git", "-C", str(root), "ls-files", "--error-unmatch", "Dockerfile", timeout=60)
    except Refused:
        return bool(shutil.which("git")) and (root / ".git").exists()
    return True


@contextmanager
def _index(top: Path, tree: str = "") -> Iterator[Path]:
    """Give an index for a while that holds a tree, or is a copy of the user's own."""
    with tempfile.TemporaryDirectory(prefix="micro-etl-index-") as folder:
        index, own = Path(folder) / "index", top / _git(top, "rev-parse", "--git-path", "index")
        if tree:
            _git(top, "read-tree", tree, index=index)
        elif own.exists():
            shutil.copy(own, index)
        yield index


def _prefix(root: Path) -> str:
    """Where in its repository the project is."""
    return _git(root, "rev-parse", "--show-prefix")


def _copy(root: Path, folder: Path) -> None:
    """Copy a project without git, but for hidden and generated files, sockets and the like."""

    def left_out(place: str, names: list[str]) -> set[str]:
        hidden = {name for name in names if name.startswith(".")} - {".dockerignore"}
        return hidden | GENERATED | {name for name in names if _is_special(Path(place, name))}

    shutil.copytree(root, folder, symlinks=True, ignore=left_out, dirs_exist_ok=True)


def _is_special(path: Path) -> bool:
    return not (path.is_symlink() or path.is_file() or path.is_dir())


def _hash(folder: Path) -> str:
    """A hash of the files in a folder, by their names and contents."""
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_symlink() or path.is_file()):
        digest.update(os.fsencode(file.relative_to(folder).as_posix()) + b"\0")
        content = os.fsencode(file.readlink()) if file.is_symlink() else file.read_bytes()
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()


def _git(root: Path, *arguments: str, index: Path | None = None) -> str:
    variables = {"GIT_INDEX_FILE": str(index)} if index else {}
    try:
        printed = run_program("git", "-C", str(root), *arguments, timeout=60, variables=variables)
    except Refused as error:
        raise Refused(
            f"{root}: the image is named after the commit, but {error}",
            advice="deploy from a clone that has a commit, or from an archive without git",
        ) from None
    return printed.strip()
