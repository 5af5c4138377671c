"""The entry point: run a command and end with its exit code."""

from __future__ import annotations

import gc

gc.set_threshold(100_000)  # there is no garbage in what is imported: looking for it takes 3 %

import io
import os
import sys
from pathlib import Path
from typing import NoReturn

import click
from click.core import ParameterSource

from micro_etl.cli import cli
from micro_etl.errors import ConfigError, MachineError, MicroEtlError, UsageError
from micro_etl.events import RunFailed
from micro_etl.process import block_stop_signals
from micro_etl.log import open_report, printing

_PIPE_CLOSED = 1  # click's own, where it meets that


def main() -> NoReturn:
    """Run the command line and end the process with one of the codes of `micro_etl.errors`.

    No traceback reaches a user except for a defect. Nothing is left to do by then, so the
    interpreter is not taken apart first, which would take a tenth of a short run.
    """
    try:
        with printing():
            run_command()
    except SystemExit as ending:
        code = int(ending.code or 0)
    except BrokenPipeError:
        code = _PIPE_CLOSED
    except MemoryError:  # so little is left that not even this could be said
        code = MachineError.exit_code
    os._exit(code)


def run_command() -> NoReturn:
    """Run the command line.

    Raises:
        SystemExit: always, with the exit code.
    """
    block_stop_signals()
    if sys.stdout is None:  # closed by the caller
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - to the end of the process
    if isinstance(sys.stdout, io.TextIOWrapper):  # a name that can't be encoded is no defect
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        _load_dotenv(Path(".env"))
        sys.exit(cli.main(prog_name="micro-etl", standalone_mode=False) or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(UsageError.exit_code)
    except click.UsageError as error:
        _fail(explain_usage(error))
    except MicroEtlError as error:
        _fail(error)


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


def _fail(error: MicroEtlError) -> NoReturn:
    """Say why nothing ran: to a person, or to a program that reads the log of a run."""
    asked = os.environ.get("LOG_FORMAT", "").lower()
    unattended = isinstance(error, ConfigError) and sys.argv[1:2] == ["run"]
    report = open_report(
        log_format=(asked if asked in ("text", "json") else "auto") if unattended else "text",
        run_id=os.environ.get("RUN_ID"),
    )
    report.event(RunFailed(exit_code=error.exit_code, error=str(error)))
    sys.exit(error.exit_code)


def _load_dotenv(file: Path) -> None:
    if not file.is_file():
        return
    from dotenv import load_dotenv
    from dotenv.parser import parse_stream

    try:
        text = file.read_text("utf-8")
        wrong = next((line for line in parse_stream(io.StringIO(text)) if line.error), None)
        if wrong:
            blank = len(wrong.original.string) - len(wrong.original.string.lstrip())
            number = wrong.original.line + wrong.original.string[:blank].count("\n")
            # Not what is in it, which may be a secret.
            raise ConfigError(f"line {number} of .env can't be read; it should be NAME=value")
        load_dotenv(stream=io.StringIO(text))
    except (OSError, ValueError) as error:
        raise ConfigError(f".env can't be read: {error}; it should be UTF-8 text") from error


if __name__ == "__main__":
    main()
