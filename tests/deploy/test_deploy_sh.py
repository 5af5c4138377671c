"""The front: its environment is made once, from anywhere, and a failure is one line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(
    script: Path, *arguments: str, cwd: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a front as a user does."""
    return subprocess.run(
        [str(script), *arguments],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "HOME": str(cwd), **variables},
        capture_output=True,
        text=True,
        timeout=100,
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose program prints where it is and what it was given; it needs no package."""
    root = tmp_path / "a checkout"
    (root / "deploy").mkdir(parents=True)
    shutil.copy(ROOT / "deploy.sh", root)
    (root / "requirements").mkdir()
    (root / "requirements" / "deploy.txt").write_text("# nothing\n")
    (root / "deploy" / "__init__.py").write_text("")
    (root / "deploy" / "__main__.py").write_text(
        "import sys\nprint(sys.prefix)\nprint(sys.argv[1:])\nraise SystemExit(65)\n"
    )
    return root


def test_it_hands_over_arguments_and_exit_code(checkout: Path, tmp_path: Path) -> None:
    """From any folder, also one that has a `deploy` of its own."""
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "deploy").mkdir(parents=True)
    (elsewhere / "deploy" / "__main__.py").write_text("raise SystemExit('the wrong one')")

    done = run(checkout / "deploy.sh", "run", "--json", "a b", cwd=elsewhere, PYTHON=sys.executable)

    prefix, arguments = done.stdout.splitlines()
    assert done.returncode == 65, done.stderr
    assert prefix.startswith(f"{checkout}/.venv-deploy/")
    assert arguments == "['run', '--json', 'a b']"
    assert "making its own environment, once" in done.stderr


def test_the_environment_is_made_once_for_each_state_of_the_requirements(checkout: Path) -> None:
    """A second call is quick and quiet; other requirements get another environment."""
    script = checkout / "deploy.sh"
    first = run(script, cwd=checkout, PYTHON=sys.executable)
    second = run(script, cwd=checkout, PYTHON=sys.executable)
    (checkout / "requirements" / "deploy.txt").write_text("# something else\n")
    third = run(script, cwd=checkout, PYTHON=sys.executable)

    assert first.stdout == second.stdout != third.stdout
    assert second.stderr == ""
    made = [path.name for path in (checkout / ".venv-deploy").iterdir() if path.is_dir()]
    assert len(made) == 2
    assert (checkout / ".venv-deploy" / ".gitignore").read_text() == "*\n"


def test_requirements_that_cannot_be_installed_leave_nothing(checkout: Path) -> None:
    """Nothing half made is ever used: the next call begins anew."""
    (checkout / "requirements" / "deploy.txt").write_text("--no-index\nno-such-package==1.0\n")

    done = run(checkout / "deploy.sh", cwd=checkout, PYTHON=sys.executable)

    assert done.returncode == 10
    assert "no-such-package" in done.stderr
    assert done.stderr.splitlines()[-1] == ("deploy.sh: its requirements could not be installed")
    assert [path for path in (checkout / ".venv-deploy").iterdir() if path.is_dir()] == []


def test_without_a_recent_python_it_says_so(checkout: Path, tmp_path: Path) -> None:
    """In one line, before anything else."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("bash", "dirname", "env"):
        (programs / name).symlink_to(str(shutil.which(name)))
    for name in ("python3", "python"):
        (programs / name).write_text("#!/bin/sh\nexit 1\n")
        (programs / name).chmod(0o755)

    done = run(checkout / "deploy.sh", cwd=checkout, PATH=str(programs))

    assert done.returncode == 10
    assert done.stderr == (
        "deploy.sh: Python 3.11 or later is needed; PYTHON names another command\n"
    )


def test_a_python_that_the_requirements_are_made_for_comes_first(
    checkout: Path, tmp_path: Path
) -> None:
    """A later `python3` may have no wheels of them yet."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "python3").write_text("#!/bin/sh\necho a later one >&2; exit 0\n")
    (programs / "python3").chmod(0o755)
    (programs / "python3.13").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (programs / "python3.13").chmod(0o755)

    path = f"{programs}:{os.environ['PATH']}"
    done = run(checkout / "deploy.sh", cwd=checkout, PATH=path)

    assert done.returncode == 65, done.stderr
    assert "a later one" not in done.stderr


def test_without_its_requirements_it_says_so(checkout: Path) -> None:
    """An incomplete checkout is told as one."""
    (checkout / "requirements" / "deploy.txt").unlink()

    done = run(checkout / "deploy.sh", cwd=checkout, PYTHON=sys.executable)

    assert (done.returncode, "requirements/deploy.txt is missing" in done.stderr) == (10, True)


def test_windows_has_its_programs_elsewhere(checkout: Path, tmp_path: Path) -> None:
    """Git Bash runs it too: a virtual environment there has `Scripts`, not `bin`."""
    python = tmp_path / "python"
    python.write_text(
        "#!/bin/bash\n"
        "if [[ $1 == -m && $2 == venv ]]; then\n"
        f'    {sys.executable} "$@" && cp -r "$3/bin" "$3/Scripts" && rm -r "$3/bin"\n'
        f'else exec {sys.executable} "$@"; fi\n'
    )
    python.chmod(0o755)

    done = run(checkout / "deploy.sh", "status", cwd=tmp_path, PYTHON=str(python))

    assert (done.returncode, "['status']" in done.stdout) == (65, True), done.stderr


def test_it_shows_what_it_does_in_sixty_lines() -> None:
    """In the words of docker and aws."""
    text = (ROOT / "deploy.sh").read_text()

    assert len(text.splitlines()) <= 60
    for words in ("docker build", "docker push", "aws ecs register-task-definition",
                  "aws ecs run-task", "aws logs", "pytest", "aws scheduler"):  # fmt: skip
        assert f"#   {words}" in text or f"&& {words}" in text
