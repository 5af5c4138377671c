"""The entry point: run a command and end with its exit code."""

from __future__ import annotations

import gc

gc.set_threshold(100_000)  # there is no garbage in what is imported: looking for it takes 3 %

import io
import os
import sys
from pathlib import Path
from typing import NoReturn

from micro_etl.errors import ConfigError, MachineError, MicroEtlError
from micro_etl.events import RunFailed
from micro_etl.process import block_stop_signals
from micro_etl.log import open_report, printing
from micro_etl.run_command import run_dataset
from micro_etl.settings import read_environment

_PIPE_CLOSED = 1  # as of click, where it meets that


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
        sys.exit(_run())
    except MicroEtlError as error:
        _fail(error)


def _run() -> int:
    if sys.argv[1:] == ["run"]:  # as a task does: without flags there is nothing to parse
        run_dataset(read_environment(os.environ))
        return 0
    from micro_etl.cli import run_cli  # the parser takes 15 ms to import

    return run_cli()


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
