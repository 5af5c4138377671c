"""The README can fail: what it says of settings, exit codes, commands and files is true."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import click
import pytest

from micro_etl import errors
from micro_etl.cli import cli

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def run_options() -> list[click.Option]:
    """The flags of `micro-etl run` that are settings."""
    return [
        parameter
        for parameter in cli.commands["run"].params
        if isinstance(parameter, click.Option) and parameter.envvar
    ]


@pytest.mark.parametrize("option", run_options(), ids=lambda option: option.envvar)
def test_a_setting_is_documented_with_its_default(option: click.Option) -> None:
    """Each stands in the table of settings."""
    row = next(line for line in README.splitlines() if re.match(rf"\|.*`{option.envvar}`", line))
    names, defaults = (cell.split(",") for cell in row.split("|")[1:3])
    listed = dict(zip(names, defaults, strict=True))[
        next(name for name in names if f"`{option.envvar}`" in name)
    ]
    if option.default is not None:
        assert listed.strip(" `") == str(option.default).removesuffix(".0")


@pytest.mark.parametrize(
    "code",
    sorted(
        {
            value.exit_code
            for _, value in inspect.getmembers(errors, inspect.isclass)
            if issubclass(value, errors.MicroEtlError)
        }
    ),
)
def test_an_exit_code_is_documented(code: int) -> None:
    """In the README and in the help of `run`."""
    assert f"| {code} |" in README
    assert re.search(rf"^  {code} ", cli.commands["run"].epilog or "", re.MULTILINE)


@pytest.mark.parametrize("command", cli.commands)
def test_a_command_is_documented(command: str) -> None:
    """Each stands in the table of commands."""
    assert f"| `micro-etl {command}" in README


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_a_link_of_the_readme_leads_somewhere(path: str) -> None:
    """To a file or folder of the project."""
    assert (ROOT / path).exists()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake ([a-z]+)\b", README))))
def test_a_make_target_of_the_readme_is_there(target: str) -> None:
    """The door has the handles that are promised."""
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize("target", re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
def test_a_make_target_is_documented(target: str) -> None:
    """Nobody has to read the Makefile."""
    assert f"make {target}" in README


@pytest.mark.parametrize("command", [cli, *cli.commands.values()], ids=lambda command: command.name)
def test_help_is_readable(command: click.Command) -> None:
    """No mark-up of the help's source shows in it."""
    text = command.get_help(click.Context(command))
    assert "\b" not in text
    assert "\\b" not in text
