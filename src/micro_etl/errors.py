"""Everything that a run can fail with, and the exit code of each.

The codes are those of BSD's ``sysexits.h``, so that a scheduler can tell what is worth another try.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple


class MicroEtlError(Exception):
    """The base of every error that micro-etl raises on purpose: one line for a user.

    The message names the operation, the thing, what it was and what it should be.

    Attributes:
        exit_code: what the process ends with.
    """

    exit_code = 70


class UsageError(MicroEtlError):
    """A flag or an argument of the command line is wrong."""

    exit_code = 64


class DataError(MicroEtlError):
    """The data breaks the contract, or a guard refused to publish it."""

    exit_code = 65


class SourceError(MicroEtlError):
    """The source is down or answers wrongly, after all retries."""

    exit_code = 69


class SourceMissingError(SourceError):
    """The source is not there: 404 or 410, no such file or object."""

    exit_code = 66


class MachineError(MicroEtlError):
    """Out of memory or disk, or no scratch folder."""

    exit_code = 71


@contextmanager
def scratch_errors() -> Iterator[None]:
    """Turn what the operating system says of the scratch folder into an error of ours.

    Raises:
        MachineError: it can't be written.
    """
    try:
        yield
    except OSError as error:
        raise MachineError(f"the scratch folder can't be written: {error.strerror}") from error


class TargetError(MicroEtlError):
    """The target can't be read or written."""

    exit_code = 74


class RaceLostError(MicroEtlError):
    """Another run published first; this one wrote nothing."""

    exit_code = 75


class AccessDeniedError(MicroEtlError):
    """The credentials are missing, expired, or don't allow it."""

    exit_code = 77


class ConfigError(MicroEtlError):
    """A setting or the dataset file is wrong or missing."""

    exit_code = 78


class Violation(NamedTuple):
    """One place where the data breaks the contract.

    Attributes:
        record: number of the record, from 1; none where the whole body is meant.
        path: where in the record, as in the dataset file; ``$`` is the record itself.
        value: what stands there, as JSON, shortened.
        expected: what should stand there.
        file: the file or page that the record is in, where the source is several; then the number
            is its number in that file.
        whole: the body, or the file, is meant, not its records.
    """

    record: int | None
    path: str
    value: str | None
    expected: str
    file: str | None = None
    whole: bool = False

    def __str__(self) -> str:
        """One line: record, path, value and what was expected."""
        if self.whole:
            where, value = self.file or "the body", self.value or "missing"
            return f"{where}: {self.path} is {value}, {self.expected} expected"
        where = "every record" if self.record is None else f"record {self.record}"
        where += f" of {self.file}" if self.file else ""
        return f"{where}: {self.path} is {self.value or 'missing'}, expected {self.expected}"


class ContractError(DataError):
    """The data breaks the contract of the dataset.

    Attributes:
        violations: the first ten, in the order of the records.
        totals: column, or path where it is not a column's, to the number of its violations.
    """

    def __init__(self, violations: list[Violation], totals: dict[str, int]) -> None:
        self.violations = violations
        self.totals = totals
        listed = ", ".join(f"{name} {total:,}" for name, total in totals.items())
        super().__init__(f"the data breaks the contract ({listed}); first, {violations[0]}")
