"""What the image is named after: the commit, and what differs from it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from deploy.image.source_tree import exported, read_source, without_credentials
from deploy.outcome import Refused


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder."""
    return subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments],  # noqa: S607
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with one commit."""
    package = tmp_path / "src" / "micro_etl"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('"""It."""\n\n__version__ = "1.2.3"\n')
    (tmp_path / ".gitignore").write_text("ignored\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    return tmp_path


def test_a_clean_tree_is_named_after_its_commit(checkout: Path) -> None:
    """The tag is the short commit, the revision the whole one."""
    commit = git(checkout, "rev-parse", "HEAD")

    source = read_source(checkout)

    assert (source.revision, source.tag("X86_64")) == (commit, commit[:12])
    assert source.url == ""


def test_variables_of_git_lead_to_no_other_repository(
    checkout: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a hook of another repository leaves them."""
    expected = read_source(checkout)
    other = tmp_path_factory.mktemp("other")
    git(other, "init", "--quiet")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))

    assert read_source(checkout) == expected


def test_another_architecture_has_another_tag(checkout: Path) -> None:
    """One repository may hold both."""
    source = read_source(checkout)

    assert source.tag("ARM64") == f"{source.commit[:12]}-arm64"


def test_a_changed_tree_has_a_name_of_its_own(checkout: Path) -> None:
    """The same for the same changes, and never the commit's."""
    (checkout / "new.py").write_text("1")
    one, again = read_source(checkout), read_source(checkout)
    (checkout / "new.py").write_text("2")
    other = read_source(checkout)

    tags = [source.tag("X86_64") for source in (one, again, other)]

    assert tags[0] == tags[1] != tags[2]
    assert all(tag.startswith(f"{one.commit[:12]}-dirty-") for tag in tags)
    assert one.revision == f"{one.commit}-dirty-{one.changes}"
    assert one.changed == "new.py"


def test_changed_staged_and_deleted_files_all_count(checkout: Path) -> None:
    """Also those whose names are not plain."""
    clean = read_source(checkout)
    (checkout / "naïve name.txt").write_text("1")
    git(checkout, "add", ".")
    staged = read_source(checkout)
    (checkout / ".gitignore").unlink()
    deleted = read_source(checkout)

    assert len({source.tag("X86_64") for source in (clean, staged, deleted)}) == 3
    assert deleted.changed == ".gitignore, naïve name.txt"


def test_ignored_files_do_not_count(checkout: Path) -> None:
    """They are not part of the image either."""
    (checkout / "ignored").write_text("x")

    assert read_source(checkout).changes == ""


def test_many_changes_fit_a_line(checkout: Path) -> None:
    """The first few, and that there are more."""
    for number in range(20):
        (checkout / f"{number:02}.txt").write_text("x")

    changed = read_source(checkout).changed
    assert changed.startswith("00.txt, 01.txt, ")
    assert changed.endswith(" …")


def test_a_folder_without_a_commit_is_refused(tmp_path: Path) -> None:
    """In one line with git's own words."""
    git(tmp_path, "init", "-q")

    with pytest.raises(Refused, match="named after the commit, but git ended with 128: fatal"):
        read_source(tmp_path)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:token@example.org/a.git", "https://example.org/a.git"),
        ("https://token@example.org:8443/a.git", "https://example.org:8443/a.git"),
        ("https://example.org/a.git", "https://example.org/a.git"),
        ("git@example.org:a.git", "git@example.org:a.git"),
        ("", ""),
    ],
)
def test_no_token_of_the_remote_gets_into_the_image(url: str, shown: str) -> None:
    """The image's label says where the source is, and nothing else."""
    assert without_credentials(url) == shown


def test_a_project_in_a_subfolder_is_named_after_its_own_content(checkout: Path) -> None:
    """Each change there has a tag of its own, and one elsewhere in the repository has none."""
    project = checkout / "src"
    (project / "src" / "micro_etl").mkdir(parents=True)
    (project / "Dockerfile").write_text("FROM scratch\n")
    (project / "src" / "micro_etl" / "__init__.py").write_text('__version__ = "1"\n')
    git(checkout, "add", ".")
    git(checkout, "commit", "-qm", "two")
    tags = [read_source(project).tag("X86_64")]
    (checkout / "elsewhere").write_text("1")
    tags.append(read_source(project).tag("X86_64"))
    for content in ("1", "2"):
        (project / "new.py").write_text(content)
        tags.append(read_source(project).tag("X86_64"))

    assert tags[0] == tags[1] == git(checkout, "rev-parse", "HEAD")[:12]
    assert len(set(tags)) == 3
    with exported(read_source(project)) as folder:
        assert (folder / "new.py").read_text() == "2"
        assert not (folder / "elsewhere").exists()


def test_the_image_is_built_from_what_it_is_named_after(checkout: Path) -> None:
    """A file that git ignores, such as `.env`, is not in it; a changed one is as it is now."""
    (checkout / "ignored").write_text("SECRET=1")
    for dirty in (False, True):
        if dirty:
            (checkout / "new.py").write_text("1")
        with exported(read_source(checkout)) as folder:
            assert not (folder / "ignored").exists()
            assert (folder / "new.py").exists() is dirty
            assert (folder / "src" / "micro_etl" / "__init__.py").exists()
    assert git(checkout, "status", "--porcelain") == "?? new.py"


def test_an_archive_without_git_is_named_after_its_content(tmp_path: Path) -> None:
    """Also inside of another repository, which does not track it; hidden files do not count."""
    git(tmp_path, "init", "-q")
    root = tmp_path / "micro-etl-main"
    (root / "src" / "micro_etl").mkdir(parents=True)
    (root / "src" / "micro_etl" / "__init__.py").write_text('__version__ = "1.2.3"\n')
    (root / "Dockerfile").write_text("FROM scratch\n")
    one = read_source(root)
    (root / ".env").write_text("SECRET=1")
    (root / ".venv-deploy").mkdir()
    (root / ".venv-deploy" / "x").write_text("x")
    again = read_source(root)
    (root / "new.py").write_text("1")
    other = read_source(root)

    assert one.tag("X86_64") == again.tag("X86_64") != other.tag("X86_64")
    assert one.tag("X86_64").startswith("tree-")
    assert one.revision == f"tree-{one.tree}"
    with exported(other) as folder:
        names = sorted(path.name for path in folder.rglob("*") if path.is_file())
    assert names == ["Dockerfile", "__init__.py", "new.py"]


def test_an_archive_without_git_may_hold_what_is_no_file(tmp_path: Path) -> None:
    """Links are links; a pipe is left out; names need not be text."""
    root = tmp_path / "micro-etl-main"
    root.mkdir()
    (root / "Dockerfile").write_text("FROM scratch\n")
    plain = read_source(root)
    os.mkfifo(root / "pipe")
    assert read_source(root).tree == plain.tree
    (root / "dangling").symlink_to("nowhere")
    (root / "loop").symlink_to("loop")
    Path(os.fsdecode(bytes(root) + b"/\xff")).write_text("x")
    source = read_source(root)
    (root / "dangling").unlink()
    (root / "dangling").symlink_to("elsewhere")

    assert len({plain.tree, source.tree, read_source(root).tree}) == 3
    with exported(source) as folder:
        names = sorted(os.fsencode(path.name) for path in folder.iterdir())
    assert names == [b"Dockerfile", b"dangling", b"loop", b"\xff"]


@pytest.mark.parametrize("url", ["/home/me/micro-etl", "../micro-etl", "file:///home/me/x"])
def test_a_local_path_is_no_address_of_the_source(url: str, checkout: Path) -> None:
    """The image's label says where others find the source, or nothing."""
    git(checkout, "remote", "add", "origin", url)

    assert read_source(checkout).url == ""
