"""The documentation can fail: whatever the program has is in it."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from deploy.calls import COMMANDS
from deploy.environment import Environment
from deploy.outcome import Exit, outcome_of

README = (Path(__file__).parents[2] / "deploy" / "README.md").read_text(encoding="utf-8")


def test_every_command_is_documented() -> None:
    """In the table of commands."""
    assert [name for name in COMMANDS if f"`./deploy.sh {name}" not in README] == []


def test_every_key_of_an_environment_is_documented() -> None:
    """In the table of settings; the name is the file's own."""
    names = [item.name for item in fields(Environment) if item.name != "name"]

    assert [name for name in names if f"`{name}`" not in README] == []


def test_every_exit_code_and_outcome_is_documented() -> None:
    """In the table of exit codes, and beside it."""
    rows = [line.split("|")[1] for line in README.splitlines() if line.startswith("| ")]
    codes = {int(number) for row in rows for number in re.findall(r"\b\d+\b", row)}

    assert set(Exit) <= codes
    assert [code for code in Exit if f"`{outcome_of(code)}`" not in README] == []
