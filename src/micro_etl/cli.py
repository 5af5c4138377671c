"""The commands of micro-etl."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from micro_etl import __version__
from micro_etl.errors import ConfigError, MicroEtlError, UsageError
from micro_etl.log import open_report, printing
from micro_etl.look_commands import check, completion, datasets, ddl, show
from micro_etl.look_commands import report as report_command
from micro_etl.mask import mask_of
from micro_etl.option_types import Value
from micro_etl.options import TARGET, GroupedCommand, flag, prefer_flags, run_options
from micro_etl.process import workspace
from micro_etl.run_command import run_dataset
from micro_etl.setting_types import Whole
from micro_etl.settings import Settings
from micro_etl.source.limits import ExtractOptions

_EXIT_CODES = """
\b
Exit codes:
  0    published or unchanged
  1    the output pipe was closed
  64   wrong flags
  65   the data breaks the contract, is not all of it, or a guard refused it
  66   the source is not there: status 404 or 410, no such file or object
  69   the source is down, busy or answers wrongly, after all retries
  70   a defect in micro-etl
  71   the machine has no memory, no disk, or no scratch folder
  74   the target can't be read, written or verified
  75   another run published first
  77   access denied
  78   wrong or missing setting or dataset file
  129  stopped by SIGHUP, as a closed terminal sends it; 130 by Ctrl-C, 143 by SIGTERM
"""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="micro-etl")
def cli() -> None:
    """From a JSON API to a typed, verified Parquet file in a bucket.

    A dataset file defines the source, the columns, and the rules that the data must satisfy. The
    target is either replaced by a complete, verified table or left unchanged.

    \b
      micro-etl run --target-url launches.parquet
      micro-etl show launches.parquet
    """  # noqa: D301 - click reads the escape, which keeps lines apart


@cli.command(cls=GroupedCommand, epilog=_EXIT_CODES)
@run_options
@flag("--force", TARGET, "Publish even if a guard refuses the table.")
@flag("--dry-run", TARGET, "Do everything but write; say what would be done.")
def run(*, force: bool, dry_run: bool, **values: Any) -> None:
    """Fetch the records of a dataset and publish their table.

    Every setting is an environment variable or a flag of the same name; the flag wins. In
    development, a .env file in the current folder is read as well.

    \b
      micro-etl run --dataset orders --s3-bucket my-bucket
    """  # noqa: D301 - click reads the escape, which keeps the line apart
    settings = Settings(**prefer_flags(values, _given_flags()))
    run_dataset(settings, force=force, dry_run=dry_run)


@cli.command()
@click.argument("url")
@click.option("-H", "--header", "headers", multiple=True, help="'Authorization: Bearer ${TOKEN}'.")
@click.option("-d", "--body", help="JSON to post, or @ and a file that holds it.")
@click.option("-o", "--output", help="The file to write; it must not exist.  [default: stdout]")
@click.option(
    "--rows", type=Value(Whole(1, 1000)), default=5, show_default=True, help="Rows to show."
)
def new(
    url: str, headers: tuple[str, ...], body: str | None, output: str | None, rows: int
) -> None:
    """Draft the dataset file of the API at URL.

    Fetches one page, finds the records, their columns and types, and how pages follow each other.
    Each guess is explained in a comment; one about pages is tested by asking for the second page.
    ${NAME} in the URL, a header or the body is an environment variable; a literal secret is
    replaced by ${NAME} in the file.

    \b
      micro-etl new https://api.example.com/orders -o datasets/orders.toml
    """  # noqa: D301 - click reads the escape, which keeps the line apart
    from micro_etl.draft.draft_dataset import draft_dataset
    from micro_etl.draft.request import read_request
    from micro_etl.draft.write_dataset import check_new, write_new
    from micro_etl.table.show import head

    report = open_report(log_format="text", mask=mask_of(url))
    with workspace(report) as scratch:
        file = Path(output) if output else None
        if file:
            check_new(file)
        request = read_request(url, headers, body)
        report.mask.add(request.variables.values())
        drafted = draft_dataset(
            request,
            name=file.stem if file else None,
            environ=os.environ,
            scratch=scratch,
            options=ExtractOptions(),
            mask=report.mask,
        )
        found = "\n".join((*drafted.found, head(drafted.table.file, rows=rows, scratch=scratch)))
        if file:
            write_new(file, drafted.text)
            found += f"\nwritten     {file}"
        with printing():
            if not file:
                click.echo(drafted.text, nl=False)
            click.echo(report.mask.clean(found), err=not file)


for _command in (check, show, datasets, ddl, report_command, completion):
    cli.add_command(_command)


def _given_flags() -> set[str]:
    context = click.get_current_context()
    return {
        name
        for name in context.params
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }


def run_cli() -> int:
    """Run what the command line says; gives the exit code.

    Raises:
        MicroEtlError: a wrong flag or variable, or what a command could not do.
    """
    try:
        return cli.main(prog_name="micro-etl", standalone_mode=False) or 0
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return UsageError.exit_code
    except click.UsageError as error:
        raise explain_usage(error) from error


def explain_usage(error: click.UsageError) -> MicroEtlError:
    """What a wrong flag, or a wrong environment variable, ends the command with."""
    parameter = getattr(error, "param", None)
    should = getattr(getattr(parameter, "type", None), "should", "")
    if isinstance(error, click.MissingParameter) and parameter and should:
        is_flag = isinstance(parameter, click.Option)
        name = parameter.opts[0] if is_flag else str(parameter.name).upper()
        return UsageError(f"{name} is missing; it should be {should}")
    if isinstance(error, click.BadParameter) and isinstance(parameter, click.Option) and error.ctx:
        name = parameter.name or ""
        if error.ctx.get_parameter_source(name) is ParameterSource.ENVIRONMENT:
            return ConfigError(f"{parameter.envvar} {error.message}")
        return UsageError(f"{parameter.opts[0]} {error.message}")
    command = error.ctx.command_path if error.ctx else "micro-etl"
    return UsageError(f"{error.format_message()} (see {command} --help)")
