"""What a command needs around it: a scratch folder, and an end that says why."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from micro_etl.errors import ConfigError, ContractError, MachineError, MicroEtlError
from micro_etl.events import RunFailed
from micro_etl.log import Report
from micro_etl.publication import Publication

_DEFECT = 70
# How the lack of memory looks where it is no MemoryError: to the loader of libraries, to the
# starter of a thread, to the store, to the engine, and to a codec that can't be loaded.
_NO_MEMORY = (
    "failed to map segment",
    "can't start new thread",
    "OS can't spawn worker thread",
    "Out of Memory Error",
    "unknown encoding: idna",
)
_STOP_SECONDS = 5


def block_stop_signals() -> None:
    """Leave the stop signals to the thread of `workspace`; to be called before any other thread.

    A handler in the main thread would wait until the engine or the store returns to Python, which
    can take longer than the 30 s that a container has.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _stop_signals())


@contextmanager
def workspace(report: Report, publication: Publication | None = None) -> Iterator[Path]:
    """A scratch folder that is gone afterwards, however the command ends.

    Args:
        report: told of the error, where there is one.
        publication: tells what a stopped command leaves at the target.

    Raises:
        SystemExit: with the exit code of the error.
    """
    try:
        try:
            _check_scratch(tempfile.gettempdir())
            scratch = Path(tempfile.mkdtemp(prefix="micro-etl-"))
        except OSError as error:
            raise MachineError(
                f"no scratch folder: {error.strerror}; TMPDIR should name a folder that can be "
                "written"
            ) from error
        try:
            with _no_wait_for_dead_threads(report, scratch):
                threading.Thread(
                    target=_wait_for_stop,
                    args=(report, publication or Publication(), scratch),
                    daemon=True,
                ).start()
                yield scratch
        finally:
            _remove(scratch)
    except ContractError as error:
        report.event(
            RunFailed(
                exit_code=error.exit_code,
                error=str(error),
                violations=[str(violation) for violation in error.violations],
                totals=error.totals,
            )
        )
        sys.exit(error.exit_code)
    except MicroEtlError as error:
        report.event(RunFailed(exit_code=error.exit_code, error=str(error)))
        sys.exit(error.exit_code)
    except (BrokenPipeError, SystemExit, KeyboardInterrupt, GeneratorExit):
        raise  # the first: the pipe was closed, as after `| head`; click ends it quietly
    except BaseException as error:  # a panic of the store's engine is no Exception
        if isinstance(error, MemoryError) or any(sign in str(error) for sign in _NO_MEMORY):
            _report_no_memory(report)
            sys.exit(MachineError.exit_code)
        sys.stderr.write(report.mask.clean(traceback.format_exc()))
        report.event(
            RunFailed(
                exit_code=_DEFECT,
                error=f"a defect in micro-etl: {type(error).__name__}: {error}",
            )
        )
        sys.exit(_DEFECT)


def _check_scratch(folder: str) -> None:
    """Refuse a folder whose name neither the engine nor the stores can take.

    Raises:
        ConfigError: it is not UTF-8.
    """
    try:
        folder.encode()
    except UnicodeEncodeError:
        raise ConfigError(f"TMPDIR is {folder!a}; it should be UTF-8") from None


@contextmanager
def _no_wait_for_dead_threads(report: Report, scratch: Path) -> Iterator[None]:
    """End the process where a thread has no memory to start.

    Python tells only this hook: the starting thread waits for ever (python/cpython#140746).
    """

    def end(unraisable: sys.UnraisableHookArgs) -> None:
        started = unraisable.object  # none since Python 3.13
        starts = started is None or getattr(started, "__name__", "") == "_bootstrap"
        if not (starts and issubclass(unraisable.exc_type, MemoryError)):
            before(unraisable)
            return
        try:
            _report_no_memory(report)
            _remove(scratch)
        finally:
            os._exit(MachineError.exit_code)

    before, sys.unraisablehook = sys.unraisablehook, end
    try:
        yield
    finally:
        sys.unraisablehook = before


def _report_no_memory(report: Report) -> None:
    error = "out of memory; give the task more"
    report.event(RunFailed(exit_code=MachineError.exit_code, error=error))


def _stop_signals() -> set[signal.Signals]:
    """List the signals that stop a command.

    A terminal that is closed sends SIGHUP; `nohup` has it ignored, so it stops nothing then.
    """
    stops = {signal.SIGTERM, signal.SIGINT}
    return stops if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else {*stops, signal.SIGHUP}


def _wait_for_stop(report: Report, publication: Publication, scratch: Path) -> None:
    """End the process at once on a stop signal, whatever the other threads wait for."""
    number = signal.sigwait(_stop_signals())
    name, code = signal.Signals(number).name, 128 + number
    impatience = threading.Timer(_STOP_SECONDS, os._exit, [code])  # the log is not read
    impatience.daemon = True
    impatience.start()
    error = f"stopped by {name}; {publication.state.value}"
    report.event(RunFailed(exit_code=code, error=error))
    _end_children()
    _remove(scratch)
    os._exit(code)


def _end_children() -> None:
    """End what a library has started, such as Spark's Java machine, which else may stay for ever.

    Where there is no /proc, it is left to notice the end of this process.
    """
    for tasks in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):  # of a thread that has ended
            for child in tasks.read_text().split():
                with suppress(ProcessLookupError):
                    os.kill(int(child), signal.SIGKILL)


def _remove(scratch: Path) -> None:
    """Remove the scratch folder, and what a link in it names: a file beside a local target."""
    with suppress(OSError):
        for entry in scratch.iterdir():
            if entry.is_symlink():
                entry.readlink().unlink(missing_ok=True)
    shutil.rmtree(scratch, ignore_errors=True)
