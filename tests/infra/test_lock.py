"""The lock files: what a lock keeps, and that each dependency is pinned once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dev.ci.lock import (
    LOCKS,
    PEERS,
    ROOT,
    Lock,
    included,
    is_supported,
    pins,
    prune,
    supported_hashes,
    with_includes,
)

FILES = [ROOT / lock.file for lock in LOCKS] + sorted(PEERS.glob("*/requirements.txt"))


@pytest.mark.parametrize(
    ("wheel", "supported"),
    [
        ("a-1-py3-none-any.whl", True),
        ("a-1-py2.py3-none-any.whl", True),
        ("a-1-py2-none-any.whl", False),
        ("a-1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", True),
        ("a-1-cp314-cp314-manylinux_2_28_aarch64.whl", True),
        ("a-1-cp313-cp313-musllinux_1_2_x86_64.whl", True),
        ("a-1-cp313-cp313-macosx_11_0_arm64.whl", True),
        ("a-1-cp312-cp312-macosx_10_13_universal2.whl", True),
        ("a-1-cp39-abi3-manylinux2014_x86_64.whl", True),
        ("a-1-py3-none-manylinux2014_x86_64.whl", True),
        ("a-1-1build-cp311-cp311-linux_x86_64.whl", True),
        ("a-1-cp310-cp310-manylinux2014_x86_64.whl", False),
        ("a-1-cp314-cp314t-manylinux2014_x86_64.whl", False),
        ("a-1-pp311-pypy311_pp73-manylinux2014_x86_64.whl", False),
        ("a-1-cp311-cp311-manylinux2014_s390x.whl", False),
        ("a-1-cp311-cp311-win_amd64.whl", False),
        ("a-1-py3-none-win32.whl", False),
        ("a-1-cp313-cp313-ios_13_0_arm64_iphoneos.whl", False),
    ],
)
def test_a_wheel_is_kept_for_the_supported_platforms_only(wheel: str, supported: bool) -> None:
    """CPython 3.11 or later, on Linux or macOS."""
    assert is_supported(wheel) is supported


def test_a_source_distribution_is_kept_unless_a_wheel_fits_everywhere() -> None:
    """Pip may build from source where a package has no wheel."""

    def package(*wheels: str) -> dict[str, object]:
        return {
            "sdist": {"url": "https://host/a-1.tar.gz", "hashes": {"sha256": "source"}},
            "wheels": [
                {"url": f"https://host/{name}", "hashes": {"sha256": name}} for name in wheels
            ],
        }

    pure, binary, windows = (
        f"a-1-{tags}.whl"
        for tags in ("py3-none-any", "cp311-cp311-macosx_11_0_arm64", "cp311-cp311-win32")
    )
    assert supported_hashes({"packages": [package(pure)]}) == {pure}
    assert supported_hashes({"packages": [package(binary, windows)]}) == {binary, "source"}
    assert supported_hashes({"packages": [package()]}) == {"source"}
    assert supported_hashes({}) == set()


def test_a_lock_file_says_only_what_it_must() -> None:
    """Nothing for other platforms, and nothing that it includes, unless for another Python."""
    text = (
        "# header\n"
        "a==1 \\\n    --hash=sha256:11 \\\n    --hash=sha256:22\n"
        "b-c==2 ; sys_platform == 'win32' \\\n    --hash=sha256:33\n"
        "d==3 \\\n    --hash=sha256:44\n"
        "e==4 \\\n    --hash=sha256:55\n"
    )
    below = {"d==3 ; python_full_version < '3.13'", "e==4"}
    assert prune(text, below, {"11", "44", "55"}) == (
        "# header\na==1 \\\n    --hash=sha256:11\nd==3 \\\n    --hash=sha256:44\n"
    )


def test_a_lock_file_includes_those_below_it() -> None:
    """By paths from its own folder, as pip reads them."""
    lock = Lock("requirements/x.txt", (), ("requirements.txt", "requirements/deploy.txt"))
    assert with_includes("# header\na==1\n", lock) == (
        "# header\n-r ../requirements.txt\n-r deploy.txt\na==1\n"
    )


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.file)
def test_no_dependency_is_pinned_again(lock: Lock) -> None:
    """A lock file pins nothing that a file which it includes pins."""
    below = {pin for path in included(lock) for pin in pins(ROOT / path)}
    assert not below & pins(ROOT / lock.file)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_pin_has_hashes_and_no_host_is_named(file: Path) -> None:
    """Where packages come from is the affair of the machine that installs them."""
    text = file.read_text("utf-8")
    assert pins(file)
    assert text == prune(text, set(), set(re.findall(r"sha256:([0-9a-f]{64})\b", text)))
    assert not re.search(r"://|index-url|find-links", text)


def test_the_lock_files_together_are_short() -> None:
    """A reader of a change to them can follow it."""
    assert sum(len(file.read_text("utf-8").splitlines()) for file in FILES) <= 4000
