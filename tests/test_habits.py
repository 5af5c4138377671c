"""What editors, hooks and GitHub read is right: nothing else would notice."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from micro_etl.cli import cli

ROOT = Path(__file__).parents[1]
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
TEMPLATES = ROOT / ".github" / "ISSUE_TEMPLATE"


def test_the_hooks_run_the_tools_of_make_check() -> None:
    """Each by the command that `make check` uses, so that both agree."""
    recipe = re.search(r"^check:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    assert recipe
    tools = set(re.findall(r"\$\(BIN\)/([\w-]+)", recipe[1]))
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    (repo,) = config["repos"]
    entries = " ".join(hook["entry"] for hook in repo["hooks"])
    assert repo["repo"] == "local"
    assert set(re.findall(r"\.venv/bin/([\w-]+)", entries)) - {"python"} == tools


def test_the_example_of_a_dot_env_file_names_settings() -> None:
    """With the name that each has; nothing in it is set, and nothing secret."""
    lines = (ROOT / ".env.example").read_text("utf-8").splitlines()
    names = {line[1:].partition("=")[0] for line in lines if re.match(r"#[A-Z]", line)}
    settings = {getattr(parameter, "envvar", None) for parameter in cli.commands["run"].params}
    assert names - settings == {"AWS_REGION", "AWS_PROFILE", "API_TOKEN"}
    assert [line for line in lines if line and not line.startswith("#")] == []


@pytest.mark.parametrize("form", sorted(TEMPLATES.glob("*.yml")), ids=lambda path: path.name)
def test_github_takes_the_form_of_an_issue(form: Path) -> None:
    """It keeps GitHub's schema."""
    schema = "github-issue-config" if form.stem == "config" else "github-issue-forms"
    command = Path(sys.executable).parent / "check-jsonschema"
    options = ("--quiet", "--builtin-schema", f"vendor.{schema}")
    subprocess.run((command, *options, form), check=True)


def test_the_devcontainer_is_made_by_a_target_that_is_there() -> None:
    """Its file is JSON, and `make` knows what it asks for."""
    devcontainer = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text("utf-8"))
    target = devcontainer["postCreateCommand"].removeprefix("make ")
    assert re.search(rf"^{re.escape(target)}:", MAKEFILE.replace("$(VENV)", ".venv"), re.MULTILINE)
