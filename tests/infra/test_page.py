"""The page on CI/CD: what it tells to run is there, and what it links to exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deploy.calls import COMMANDS
from deploy.cli import OWNERS, PARAMETERS
from dev.rehearsal.workflows import FILES

PAGE = Path(__file__).parents[2] / "docs" / "cicd.md"
TEXT = PAGE.read_text(encoding="utf-8")
TYPED = re.findall(r"\./deploy\.sh((?: [^`\n]+)?)", TEXT)


@pytest.mark.parametrize("words", sorted({words.strip() for words in TYPED if words}))
def test_a_command_and_its_flags_exist(words: str) -> None:
    """Whoever copies a line from the page gets no usage error for it."""
    name = next((word for word in words.split() if word in COMMANDS), "deploy")
    known = {
        item.opts[0]
        for item in PARAMETERS
        if name in OWNERS.get(str(item.name), ()) or not OWNERS.get(str(item.name))
    }
    assert set(re.findall(r"--[a-z-]+", words)) <= known


def test_what_the_page_links_to_exists() -> None:
    """The figure, the folders and the files."""
    links = re.findall(r"\]\(([^)#]+)\)", TEXT)
    assert links
    for link in links:
        assert (PAGE.parent / link).exists(), link


def test_the_check_that_it_asks_for_is_a_job_of_ci() -> None:
    """Branch protection waits for ever for a check of another name."""
    assert "**Required**" in TEXT
    ci = next(file for file in FILES if file.name == "ci.yml")
    assert "name: Required\n" in ci.read_text(encoding="utf-8")


def test_it_is_two_pages() -> None:
    """Some 600 words fill a page."""
    assert len(TEXT.split()) < 1300
