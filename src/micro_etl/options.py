"""The options of the command line: each setting is a flag and an environment variable."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypeVar

import click

from micro_etl.errors import UsageError
from micro_etl.option_types import Value
from micro_etl.setting_types import ByteSize
from micro_etl.settings import TYPES, Settings

F = TypeVar("F", bound=Callable[..., Any])

_DEFAULTS = Settings._field_defaults


class GroupedCommand(click.Command):
    """A command whose help lists its options in groups."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a list for each group, in the order of the options."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record:
                groups.setdefault(getattr(parameter, "group", "Other"), []).append(record)
        for title, records in groups.items():
            with formatter.section(title):
                formatter.write_dl(records)


class GroupedOption(click.Option):
    """An option of a group.

    Attributes:
        group: the title of its list in the help.
    """

    def __init__(self, *args: Any, group: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.group = group


def option(name: str, group: str, text: str) -> Callable[[F], F]:
    """Make a flag and the environment variable of the same name; `Settings` has the default."""
    default = _DEFAULTS[name.lower()]
    kind = TYPES[name.lower()]
    shown: bool | str = default is not None
    if isinstance(kind, ByteSize) and isinstance(default, int):
        shown = f"{default >> 30}GiB" if default >> 30 else f"{default >> 20}MiB"
    return click.option(
        "--" + name.lower().replace("_", "-"),
        cls=GroupedOption,
        group=group,
        type=Value(kind),
        default=default,
        envvar=name,
        show_envvar=True,
        show_default=shown,
        help=text,
    )


def flag(name: str, group: str, text: str) -> Callable[[F], F]:
    """Make a flag that is no setting: it is for one run."""
    return click.option(name, cls=GroupedOption, group=group, is_flag=True, help=text)


SOURCE, TARGET, LIMITS, OUTPUT = "Source", "Target", "Limits", "Output"
"""The groups of options."""

DATASET = option(
    "DATASET",
    SOURCE,
    "Name of a file in ./datasets or of a bundled dataset, or the path or URL of a dataset file.",
)
_STORE = (
    option("TARGET_TIMEOUT", LIMITS, "Seconds without progress of a request to a store."),
    option("TARGET_DEADLINE", LIMITS, "Seconds for a request with its retries."),
)
_RUN = (
    DATASET,
    option("SOURCE_URL", SOURCE, "Where the records come from.  [default: the dataset's]"),
    option(
        "ENGINE",
        SOURCE,
        "Spark, from a folder of JSON to a folder of Parquet, is for data beyond one machine.",
    ),
    option("S3_BUCKET", TARGET, "The bucket that the table goes to."),
    option("S3_KEY", TARGET, "The table's key in it.  [default: <dataset>.parquet]"),
    option(
        "TARGET_URL",
        TARGET,
        "Any other place for the table: s3://, gs://, az://, a path.  "
        "[default on a terminal: out/<dataset>.parquet]",
    ),
    option(
        "RAW_URL",
        TARGET,
        "Keep each distinct response in this folder of a store, gzipped and named by its hash.",
    ),
    option("SOURCE_ATTEMPTS", LIMITS, "Attempts for each request."),
    option("SOURCE_CONNECT_TIMEOUT", LIMITS, "Seconds to connect, TLS included."),
    option("SOURCE_READ_TIMEOUT", LIMITS, "Seconds without any data before a retry."),
    option("SOURCE_DEADLINE", LIMITS, "Seconds for the whole source, with retries."),
    option("SOURCE_BACKOFF", LIMITS, "Unit of the wait between attempts, in seconds."),
    option("SOURCE_BACKOFF_MAX", LIMITS, "Longest wait between attempts, in seconds."),
    option(
        "SOURCE_RETRY_AFTER_MAX",
        LIMITS,
        "Longest wait that the source may ask for, in seconds.",
    ),
    option("SOURCE_MAX_REDIRECTS", LIMITS, "How many redirects to follow."),
    option("SOURCE_MAX_PAGES", LIMITS, "How many pages to fetch at most."),
    option("SOURCE_MAX_BYTES", LIMITS, "Largest response as received."),
    option("SOURCE_MAX_UNPACKED_BYTES", LIMITS, "Largest response, decompressed."),
    option("SOURCE_MAX_RECORD_BYTES", LIMITS, "Largest single record."),
    *_STORE,
    option(
        "LOG_FORMAT",
        OUTPUT,
        "Text for people or JSON lines; auto is text on a terminal.",
    ),
    option(
        "LOG_LEVEL",
        OUTPUT,
        "Least important event to print; the result is always printed.",
    ),
    option(
        "RUN_ID",
        OUTPUT,
        "Names the run in its log and in the object's metadata.  [default: random]",
    ),
    option(
        "METRICS_NAMESPACE",
        OUTPUT,
        "Print metrics in CloudWatch's embedded format, under this namespace.",
    ),
)


def run_options(command: F) -> F:
    """Give a command every setting of a run."""
    return _apply(_RUN, command)


def store_options(command: F) -> F:
    """Give a command the settings of a store."""
    return _apply(_STORE, command)


def prefer_flags(values: dict[str, Any], flags: Collection[str]) -> dict[str, Any]:
    """Drop the target that the environment names where a flag names another.

    Args:
        values: the settings by the names of their fields.
        flags: the fields that come from a flag.

    Raises:
        UsageError: two targets, or half of one, by flags; an empty flag.
    """
    for name in flags:
        if values.get(name) == "":
            raise UsageError(f"--{name.replace('_', '-')} is empty; it should be given a value")
    bucket = {"s3_bucket", "s3_key"}
    by_url, by_bucket = "target_url" in flags, not bucket.isdisjoint(flags)
    if by_url and by_bucket:
        raise UsageError(
            "--target-url names a target, and so do --s3-bucket and --s3-key; "
            "only one of them should be given"
        )
    if by_bucket and not values["s3_bucket"]:
        raise UsageError(f"--s3-key is {values['s3_key']}, but --s3-bucket is missing")
    dropped = bucket if by_url else {"target_url"} if by_bucket else set()
    return {name: None if name in dropped else value for name, value in values.items()}


def _apply(options: tuple[Callable[[F], F], ...], command: F) -> F:
    for option in reversed(options):
        command = option(command)
    return command
