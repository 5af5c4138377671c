"""The entry point: run a command and end with its exit code."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from click.core import ParameterSource

from micro_etl.cli import cli
from micro_etl.errors import ConfigError, UsageError
from micro_etl.process import block_stop_signals


def main() -> None:
    """Run the command line; no traceback reaches a user except for a defect.

    Raises:
        SystemExit: always, with one of the exit codes of `micro_etl.errors`.
    """
    block_stop_signals()
    if Path(".env").is_file():
        from dotenv import load_dotenv

        load_dotenv(".env")
    try:
        sys.exit(cli.main(prog_name="micro-etl", standalone_mode=False) or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(UsageError.exit_code)
    except click.UsageError as error:
        line, code = explain_usage(error)
        click.echo(click.style("error", fg="red", bold=True) + f"     {line}", err=True)
        sys.exit(code)


def explain_usage(error: click.UsageError) -> tuple[str, int]:
    """The line and the exit code for a wrong flag, or for a wrong environment variable."""
    parameter = getattr(error, "param", None)
    if isinstance(error, click.BadParameter) and isinstance(parameter, click.Option) and error.ctx:
        name = parameter.name or ""
        if error.ctx.get_parameter_source(name) is ParameterSource.ENVIRONMENT:
            return f"{parameter.envvar} {error.message}", ConfigError.exit_code
        return f"{parameter.opts[0]} {error.message}", UsageError.exit_code
    command = error.ctx.command_path if error.ctx else "micro-etl"
    return f"{error.format_message()} (see {command} --help)", UsageError.exit_code


if __name__ == "__main__":
    main()
