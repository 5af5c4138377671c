"""The recipes of docs/recipes: each is checked as far as it can be without the system it is for."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
RECIPES = ROOT / "docs" / "recipes"


def exit_codes() -> dict[int, str]:
    """Read the exit codes of docs/exit-codes.md, each with what the page says about a retry."""
    page = (ROOT / "docs" / "exit-codes.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d+(?:, \d+)*) \|.*\| ([^|]*) \|$", page, re.MULTILINE)
    return {int(code): retry for codes, retry in rows for code in codes.split(", ")}


FINAL = {code for code, retry in exit_codes().items() if retry == "no"}
"""The codes after which a retry ends in the same way."""

PASSING = {code for code, retry in exit_codes().items() if retry in ("yes", "with more")}
"""The codes that are worth a retry."""
