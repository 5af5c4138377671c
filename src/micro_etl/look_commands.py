"""The commands that look at what is published, and at the datasets that could be."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from micro_etl import __version__
from micro_etl.dataset import (
    Dataset,
    as_document,
    bundled_datasets,
    describe,
    describe_name,
    list_columns,
    local_datasets,
)
from micro_etl.dataset.bundled import SCHEMA_FILE
from micro_etl.errors import DataError, UsageError
from micro_etl.location import Location
from micro_etl.log import open_report, printing
from micro_etl.mask import Mask, mask_of
from micro_etl.option_types import Value
from micro_etl.options import DATASET, store_options
from micro_etl.process import workspace
from micro_etl.setting_types import DatasetReference, FileOrUrl, OneOf, Whole
from micro_etl.source.limits import ExtractOptions
from micro_etl.source.read_dataset import read_dataset

if TYPE_CHECKING:
    from micro_etl.store import Place

F = TypeVar("F", bound=Callable[..., Any])

_DIALECTS = ("athena", "duckdb", "snowflake", "bigquery", "spark")


def _json_option(command: F) -> F:
    return click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON document, for programs."
    )(command)


@click.command()
@click.argument("url", type=Value(FileOrUrl()))
@DATASET
@store_options
@_json_option
def check(url: str, dataset: str, *, as_json: bool, **limits: float) -> None:
    """Say whether the Parquet file at URL keeps the contract of the dataset.

    URL is a path or the URL of a store, such as s3://bucket/launches.parquet. Exits with 0 if the
    file has the dataset's columns, types and nullability, no duplicates in unique columns, and
    enough rows; otherwise exits with 65 and lists every difference.

    \b
      micro-etl check s3://my-bucket/orders.parquet --dataset orders
    """  # noqa: D301 - click reads the escape, which keeps the line apart
    report = open_report(log_format="text", mask=mask_of(url, dataset))
    with workspace(report) as scratch:
        from micro_etl.table.check import compare, refuse
        from micro_etl.table.profile import profile
        from micro_etl.table.show import count_contents, draw_contents

        contract = read_dataset(dataset, scratch=scratch, options=ExtractOptions())
        file, shown = _fetch(url, scratch, limits), Location.parse(url).shown
        _, differences = compare(file, contract, scratch=scratch)
        if not as_json:
            refuse(differences, contract)
        contents = profile(file, scratch=scratch)
        if as_json:
            document = {
                "url": shown,
                "dataset": contract.name,
                "keeps_contract": not differences,
                "differences": differences,
                **asdict(contents),
            }
            _print_json(document, report.mask)
            if differences:
                sys.exit(DataError.exit_code)
            return
        with printing():
            click.echo(f"{shown} keeps the contract of {contract.name}: {count_contents(contents)}")
            click.echo(report.mask.clean(f"\n{draw_contents(contents)}"))


@click.command()
@click.argument("url", type=Value(FileOrUrl()))
@click.option(
    "--rows", type=Value(Whole(1, 1000)), default=10, show_default=True, help="Rows to show."
)
@store_options
@_json_option
def show(url: str, rows: int, *, as_json: bool, **limits: float) -> None:
    """Show the first rows of the Parquet file at URL, and what each column holds.

    URL is a path or the URL of a store, such as s3://bucket/launches.parquet.

    \b
      micro-etl show s3://my-bucket/orders.parquet --rows 3
    """  # noqa: D301 - click reads the escape, which keeps the line apart
    report = open_report(log_format="text", mask=mask_of(url))
    with workspace(report) as scratch:
        from micro_etl.table.profile import first_rows, profile
        from micro_etl.table.show import count_contents, draw_contents, head

        file, shown = _fetch(url, scratch, limits), Location.parse(url).shown
        contents = profile(file, scratch=scratch)
        if as_json:
            first = first_rows(file, scratch=scratch, rows=rows)
            _print_json({"url": shown, **asdict(contents), "first_rows": first}, report.mask)
            return
        parts = (
            head(file, scratch=scratch, rows=rows),
            f"{shown}: {count_contents(contents)}",
            draw_contents(contents),
        )
        with printing():
            click.echo(report.mask.clean("\n\n".join(parts)))


@click.command()
@click.argument("url", type=Value(FileOrUrl()))
@click.option(
    "-o", "--output", type=Value(FileOrUrl()), help="The file to write.  [default: stdout]"
)
@store_options
def report(url: str, output: str | None, **limits: float) -> None:
    """Write a page about the Parquet file at URL: what was published, when, and what it holds.

    One HTML file that loads nothing, for any browser.

    \b
      micro-etl report s3://bucket/launches.parquet -o report.html
    """  # noqa: D301 - click reads the escape, which keeps the line apart
    say = open_report(log_format="text", mask=mask_of(url))
    with workspace(say) as scratch:
        from micro_etl.report_page import write_page
        from micro_etl.table.distribution import read_distributions
        from micro_etl.table.profile import profile
        from micro_etl.target.look import read_published

        place, file = _open(url, limits), scratch / "fetched.parquet"
        published = read_published(place, file)
        page = say.mask.clean(
            write_page(
                place.location.shown,
                published,
                profile(file, scratch=scratch),
                read_distributions(file, scratch=scratch),
                version=__version__,
                now=datetime.now(UTC),
            )
        )
        if output:
            _write(Path(output), page)
            return
        with printing():
            click.echo(page, nl=False)


@click.command()
@click.argument("file", type=Value(DatasetReference()), required=False)
@click.option(
    "--schema", is_flag=True, help="Print the JSON Schema of a dataset file, for editors."
)
@_json_option
def datasets(file: str | None, *, schema: bool, as_json: bool) -> None:
    """List the datasets of this folder and of micro-etl, or check and describe one FILE.

    FILE is a name, or the path or URL of a .toml file, as DATASET is. It is checked without asking
    its source; a mistake ends with 78.

    \b
      micro-etl datasets datasets/orders.toml
    """  # noqa: D301 - click reads the escape, which keeps the line apart
    report = open_report(log_format="text", mask=mask_of(file))
    with workspace(report) as scratch:
        if schema:
            with printing():
                click.echo(SCHEMA_FILE.read_text("utf-8").rstrip())
            return
        names = [file] if file else dict.fromkeys([*local_datasets(), *bundled_datasets()])
        found = [read_dataset(name, scratch=scratch, options=ExtractOptions()) for name in names]
        if as_json:
            documents = [as_document(one, known=os.environ) for one in found]
            _print_json(documents[0] if file else {"datasets": documents}, report.mask)
            return
        with printing():
            for one in found:
                click.echo(describe(one, known=os.environ) if file else _listed(one))


@click.command()
@click.argument("dataset", type=Value(DatasetReference()))
@click.option("--dialect", type=Value(OneOf(*_DIALECTS)), required=True, help="The database.")
@click.option("--location", help="Where the table is published, as the database names it.")
@click.option("--table", help="Name of the table.  [default: the dataset's, with _ for -]")
def ddl(dataset: str, dialect: str, location: str | None, table: str | None) -> None:
    """Print the SQL that makes the table of a DATASET in a database.

    Athena, BigQuery and Spark then read the published file; DuckDB and Snowflake copy it.

    \b
      micro-etl ddl launches --dialect athena --location s3://bucket/launches/
    """  # noqa: D301 - click reads the escape, which keeps the line apart
    report = open_report(log_format="text", mask=mask_of(dataset))
    with workspace(report) as scratch:
        from micro_etl.ddl import write_ddl

        contract = read_dataset(dataset, scratch=scratch, options=ExtractOptions())
        text = write_ddl(contract, dialect, location=location, table=table)
        with printing():
            click.echo(text, nl=False)


@click.command()
@click.argument("shell", type=Value(OneOf("bash", "zsh", "fish")))
def completion(shell: str) -> None:
    """Print what makes SHELL complete commands, flags, values and names of datasets.

    \b
      eval "$(micro-etl completion bash)"                     # in ~/.bashrc
      eval "$(micro-etl completion zsh)"                      # in ~/.zshrc
      micro-etl completion fish | source                      # in config.fish
    """  # noqa: D301 - click reads the escape, which keeps the lines apart
    from click.shell_completion import get_completion_class

    kind, context = get_completion_class(shell), click.get_current_context()
    if kind is None:
        raise LookupError(shell)
    completes = kind(context.find_root().command, {}, "micro-etl", "_MICRO_ETL_COMPLETE")
    with printing():
        click.echo(completes.source())


def _listed(dataset: Dataset) -> str:
    source = Location.parse(dataset.source_url or "SOURCE_URL").shown
    return f"{describe_name(dataset)}\n  from {source}\n{list_columns(dataset)}"


def _open(url: str, limits: dict[str, float]) -> Place:
    from micro_etl.store import open_place

    return open_place(
        Location.parse(url), timeout=limits["target_timeout"], deadline=limits["target_deadline"]
    )


def _fetch(url: str, scratch: Path, limits: dict[str, float]) -> Path:
    from micro_etl.target.look import download

    return download(_open(url, limits), scratch / "fetched.parquet")


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, "utf-8", errors="backslashreplace")
    except OSError as error:
        raise UsageError(f"-o is {file}, which can't be written: {error.strerror}") from None


def _print_json(document: Any, mask: Mask) -> None:
    with printing():
        click.echo(json.dumps(mask.clean_all(document), indent=2))
