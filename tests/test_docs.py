"""The documentation can fail: its links, commands, settings, codes and figures are true."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import click
import pytest

import micro_etl
from deploy.calls import COMMANDS as DEPLOY_COMMANDS
from micro_etl import errors, events
from micro_etl.cli import cli
from micro_etl.dataset import parse_dataset

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
SETTINGS = (ROOT / "docs" / "settings.md").read_text("utf-8")
EXIT_CODES = (ROOT / "docs" / "exit-codes.md").read_text("utf-8")
CONTRIBUTING = (ROOT / ".github" / "CONTRIBUTING.md").read_text("utf-8")
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")

PAGES = {
    str(path.relative_to(ROOT)): path.read_text("utf-8")
    for pattern in ("*.md", "docs/**/*.md", ".github/**/*.md", "deploy/README.md")
    for path in sorted(ROOT.glob(pattern))
}
LINKS = [
    (page, link)
    for page, text in PAGES.items()
    for link in re.findall(r"\]\(([^)\s]+)\)", text)
    if not re.match(r"[a-z]+:", link)
]
FENCED = [
    (page, block)
    for page, text in PAGES.items()
    for block in re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
]
CODE = [
    *((page, line) for page, block in FENCED for line in block.replace("\\\n", " ").splitlines()),
    *((page, code) for page, text in PAGES.items() for code in re.findall(r"`([^`\n]+)`", text)),
]
"""Each line of a block and each piece of code in a line, with the page that it is on."""

MOST_WORDS = 1200
# As long as a run does: these are no settings of the service, but of what it stands on.
FOREIGN_VARIABLES = {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "NO_COLOR"}
OTHER_CODES = {0, 1, 129, 130, 143}
"""What no error of the service stands for: success, a closed pipe, signals."""


def run_options() -> dict[str, click.Option]:
    """The settings of `micro-etl run`, by the name of their variable."""
    return {
        str(parameter.envvar): parameter
        for parameter in cli.commands["run"].params
        if isinstance(parameter, click.Option) and parameter.envvar
    }


def documented_settings() -> dict[str, str]:
    """The rows of the tables of settings: a variable and its default."""
    return dict(re.findall(r"^\| `([A-Z0-9_]+)` \| ([^|]*)\|", SETTINGS, re.MULTILINE))


def anchors(page: str) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower().replace("`", "")).replace(" ", "-")
        for heading in headings
    }


def test_the_readme_is_for_five_minutes() -> None:
    """Code, tables and figure included."""
    assert len(README.split()) <= MOST_WORDS


@pytest.mark.parametrize(("page", "link"), LINKS, ids=[f"{page}-{link}" for page, link in LINKS])
def test_a_link_leads_somewhere(page: str, link: str) -> None:
    """To a file or folder of the project, and to a heading that is there."""
    path, _, anchor = link.partition("#")
    target = (ROOT / page).parent / path if path else ROOT / page
    assert target.exists()
    assert not anchor or anchor in anchors(target.read_text("utf-8"))


def test_each_page_is_in_the_index() -> None:
    """From docs/README.md a reader finds every page of docs/."""
    docs = ROOT / "docs"
    index = (docs / "README.md").read_text("utf-8")
    pages = [str(path.relative_to(docs)) for path in docs.glob("**/*.md")]
    recipes = (docs / "recipes" / "README.md").read_text("utf-8")
    assert [
        page
        for page in pages
        if page != "README.md"
        and f"]({page})" not in index
        and f"]({page.removeprefix('recipes/')})" not in recipes
    ] == []


@pytest.mark.parametrize("option", run_options().values(), ids=lambda option: option.envvar)
def test_a_setting_is_documented_with_its_default(option: click.Option) -> None:
    """Each is a row of docs/settings.md."""
    default = documented_settings()[str(option.envvar)]
    shown = option.show_default if isinstance(option.show_default, str) else option.default
    if shown is not None:
        assert default.strip(" `") == str(shown).removesuffix(".0")


def test_a_documented_setting_is_one() -> None:
    """The page has no row that `micro-etl run --help` lacks."""
    assert documented_settings().keys() == run_options().keys()


def test_a_variable_of_the_service_is_spelled_as_it_is() -> None:
    """Wherever a page names one."""
    prefixes = re.compile(r"^(SOURCE|TARGET|S3|RAW|RUN|LOG|METRICS)_[A-Z0-9_]*[A-Z0-9]$")
    named = {word for _, code in CODE for word in re.findall(r"\b[A-Z][A-Z0-9_]+\b", code)}
    assert {word for word in named if prefixes.match(word)} <= run_options().keys()


def test_the_exit_codes_are_those_of_the_service() -> None:
    """All of them, in the page and in the help of `run`, and no others."""
    ours = {
        value.exit_code
        for _, value in inspect.getmembers(errors, inspect.isclass)
        if issubclass(value, errors.MicroEtlError)
    }
    rows = re.findall(r"^\| (\d+(?:, \d+)*) \|", EXIT_CODES, re.MULTILINE)
    assert {int(code) for row in rows for code in row.split(", ")} == ours | OTHER_CODES
    epilog = cli.commands["run"].epilog or ""
    assert [code for code in ours if not re.search(rf"^  {code} ", epilog, re.MULTILINE)] == []


def test_the_events_are_documented_with_their_fields() -> None:
    """In the order in which a line has them."""
    kinds = [
        kind
        for _, kind in inspect.getmembers(events, inspect.isclass)
        if issubclass(kind, events.Event) and kind is not events.Event
    ]
    section = EXIT_CODES.partition("## Events")[2].partition("## Metrics")[0]
    rows = re.findall(r"^\| `(\w+)` \|.*\| ([^|]*) \|$", section, re.MULTILINE)
    assert dict(rows) == {
        re.sub("(?<!^)(?=[A-Z])", "_", kind.__name__).lower(): ", ".join(kind.fields())
        for kind in kinds
    }


@pytest.mark.parametrize("text", [block for page, block in FENCED if block.startswith("name = ")])
def test_a_dataset_file_of_a_page_is_valid(text: str) -> None:
    """It can be copied."""
    assert parse_dataset(text, label="docs").columns


def test_the_example_of_the_library_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Over the bundled sample."""
    example, report = (block for page, block in FENCED if page == "docs/library.md")
    sample = ROOT / "src" / "micro_etl" / "datasets" / "launches.sample.json"
    copy = tmp_path / sample.relative_to(ROOT)
    copy.parent.mkdir(parents=True)
    copy.write_bytes(sample.read_bytes())
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(f"{example}\n{report}", "docs/library.md", "exec"), names)  # noqa: S102
    printed = capsys.readouterr().out
    assert printed.startswith("published 15 ")
    assert printed.endswith("15 rows keep the contract\n")
    names["run"](
        source_url=copy, target_url=tmp_path / "x.parquet", dry_run=True, report=names["Print"]()
    )
    assert capsys.readouterr().out.startswith("run_started {'dataset': 'launches'")


def test_the_errors_of_the_library_are_documented() -> None:
    """Each public one with its exit code."""
    rows = re.findall(r"^\| (`\w+Error`.*) \| (\d+) \|$", PAGES["docs/library.md"], re.MULTILINE)
    listed = {name: int(code) for names, code in rows for name in re.findall(r"`(\w+)`", names)[:2]}
    public = {name: getattr(micro_etl, name) for name in micro_etl.__all__ if "Error" in name}
    del public["MicroEtlError"]
    assert listed.keys() - {"SourceError"} == public.keys() - {"SourceError"}
    assert {name: public[name].exit_code for name in public} == listed


def test_a_command_is_one_with_its_flags() -> None:
    """Each `micro-etl …` of a page could be typed."""
    wrong = []
    for page, line in CODE:
        for name, rest in re.findall(r"(?:^|[ /])micro-etl ([a-z]+)\b([^#|&]*)", line):
            command = cli.commands.get(name)
            known = {flag for option in command.params for flag in option.opts} if command else ()
            flags = set(re.findall(r" (--[a-z][a-z0-9-]*)", rest)) - {"--help"}
            if not command or not flags <= set(known):
                wrong.append((page, line))
    assert wrong == []


@pytest.mark.parametrize("command", cli.commands)
def test_a_command_is_documented(command: str) -> None:
    """The README names each."""
    assert re.search(rf"micro-etl {command}\b", README)


def test_a_command_of_the_deploy_tool_is_one() -> None:
    """Each `./deploy.sh …` of a page could be typed."""
    words = {
        word
        for _, line in CODE
        for word in re.findall(r"\./deploy\.sh(?: --[a-z-]+(?: [A-Z0-9|]+)?)* ([a-z]+)", line)
    }
    assert words <= set(DEPLOY_COMMANDS)


def test_a_make_target_is_one() -> None:
    """Each `make …` of a page could be typed."""
    words = {
        word for _, line in CODE for word in re.findall(r"(?:^|[ :])make ([a-z.]\S*)", line.strip())
    }
    targets = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))
    assert {word.strip("`,") for word in words} <= targets


@pytest.mark.parametrize("target", re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))
def test_a_make_target_is_documented(target: str) -> None:
    """For those who change the project."""
    assert f"| `make {target}`" in CONTRIBUTING


def test_no_command_takes_a_package_that_no_registry_has() -> None:
    """The package is installed from a clone."""
    assert [
        (page, line) for page, line in CODE if re.search(r"pip install\b.*[ '\"]micro.etl\b", line)
    ] == []


def test_the_figures_of_the_readme_are_measured() -> None:
    """They are those of docs/benchmarks.md, rounded."""
    benchmarks = PAGES["docs/benchmarks.md"]
    peers = {"micro-etl": "micro-etl", "DuckDB": "expert", "Only": "duckdb"}
    peers |= {name: name for name in ("dlt", "pandas", "Polars")}
    rows = re.findall(
        r"^\| \**(\w[\w-]*).*? \| ([\d.]+) s \| ([\d.]+) s \| ([\d,]+) MiB", README, re.MULTILINE
    )
    assert {name for name, *_ in rows} == peers.keys()
    for name, small, large, memory in rows:
        measured = re.findall(
            rf"^\| {peers[name].lower()} \| \d+ \| ([\d.]+) \(.*\| ([\d,]+) \|$",
            benchmarks,
            re.MULTILINE,
        )
        (seconds, _), (more_seconds, most_memory) = measured
        assert float(small) == pytest.approx(float(seconds), abs=0.006)
        assert float(large) == pytest.approx(float(more_seconds), abs=0.06)
        assert memory == most_memory


@pytest.mark.parametrize("command", [cli, *cli.commands.values()], ids=lambda command: command.name)
def test_help_is_readable(command: click.Command) -> None:
    """No mark-up of the help's source shows in it."""
    text = command.get_help(click.Context(command))
    assert "\b" not in text
    assert "\\b" not in text
    name = "micro-etl" if command is cli else f"micro-etl {command.name}"
    assert re.search(rf"^ +{name} \S", text, re.MULTILINE), "an example of its use"
