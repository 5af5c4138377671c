"""What a run tells: each event, its level, and its fields, said here and nowhere else."""

from __future__ import annotations

import re
from typing import Any, ClassVar, dataclass_transform

MOST_FIELDS = 200
"""What CloudWatch Logs Insights finds in one JSON line; it counts what is nested by its leaves."""

_LEFT_OUT_WHERE_NONE = ("files", "pages", "totals", "violations")


@dataclass_transform(kw_only_default=True, eq_default=False)
class Event:
    """Something that happened; its fields are annotated, and given by their names.

    A type checker takes it for a dataclass. It is none, since to import those takes 5 ms of each
    run, and to make one half a millisecond.

    Attributes:
        level: how important it is: ``info``, ``warning`` or ``error``.
        ends_run: whether it is the last event of a run.
    """

    level: ClassVar[str] = "info"
    ends_run: ClassVar[bool] = False

    def __init__(self, **values: Any) -> None:
        for name in self.fields():
            vars(self)[name] = values[name] if name in values else getattr(type(self), name)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{n}={v!r}' for n, v in vars(self).items())})"

    @classmethod
    def fields(cls) -> list[str]:
        """List the names of its fields."""
        kinds = cls.__annotations__.items()
        return [name for name, kind in kinds if not kind.startswith("ClassVar")]

    @property
    def name(self) -> str:
        """Its name in a log, such as ``run_started``."""
        return re.sub("(?<!^)(?=[A-Z])", "_", type(self).__name__).lower()

    @property
    def values(self) -> dict[str, Any]:
        """Its fields by name, without those that are left out."""
        return {
            name: value
            for name, value in vars(self).items()
            if not (value is None and name in _LEFT_OUT_WHERE_NONE)
        }


class RunStarted(Event):
    """The settings and the dataset are right, and the run begins."""

    dataset: str
    source: str
    target: str
    dry_run: bool
    version: str


class SourceRetry(Event):
    """The source is asked again."""

    level: ClassVar[str] = "warning"
    attempt: int
    reason: str


class Extracted(Event):
    """All of the source is here: its bytes after and before decompression."""

    source: str
    bytes: int
    received: int
    etag: str | None
    last_modified: str | None
    pages: int | None = None


class Transformed(Event):
    """The table is written and keeps the contract."""

    source_hash: str
    rows: int
    bytes: int
    sha256: str
    columns: list[dict[str, Any]]


class LeftBehind(Event):
    """Something that is not needed any more could not be removed."""

    level: ClassVar[str] = "warning"
    reason: str


class MetricsNotSent(Event):
    """The OpenTelemetry collector did not take the metrics of the run."""

    level: ClassVar[str] = "warning"
    reason: str


class RunFinished(Event):
    """The run has published, or had nothing to publish; ``seconds`` are by step."""

    ends_run: ClassVar[bool] = True
    result: str
    dataset: str
    source: str
    source_bytes: int
    source_hash: str
    target: str
    etag: str | None
    rows: int
    previous_rows: int | None
    nulls: dict[str, int]
    bytes: int
    sha256: str
    files: int | None = None
    seconds: dict[str, float]
    version: str


class RunFailed(Event):
    """The run ends with an error; ``totals`` counts violations by column."""

    level: ClassVar[str] = "error"
    ends_run: ClassVar[bool] = True
    exit_code: int
    error: str
    violations: list[str] | None = None
    totals: dict[str, int] | None = None


def limit_fields(line: dict[str, Any], most: int = MOST_FIELDS) -> dict[str, Any]:
    """Shorten the longest lists and objects of a line until it has no more fields than that.

    The first members stay; ``omitted`` says of each how many are left out.
    """
    omitted: dict[str, int] = {}
    while (count := _count_fields([line, omitted])) > most:
        name = max(line, key=lambda name: _count_fields(line[name]))
        value, room = line[name], most - count + _count_fields(line[name]) - (name not in omitted)
        members = list(value.items() if isinstance(value, dict) else value)
        kept = []
        for member in members:
            room -= _count_fields(member[1] if isinstance(value, dict) else member)
            if room < 0:
                break
            kept.append(member)
        omitted[name] = len(members) - len(kept)
        line = {**line, name: type(value)(kept)}
    return {**line, "omitted": omitted} if omitted else line


def _count_fields(value: Any) -> int:
    members = value.values() if isinstance(value, dict) else value
    return sum(map(_count_fields, members)) if isinstance(value, dict | list) else 1
