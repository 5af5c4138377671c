"""Find every violation of a contract in a body, once it is known that there is one."""

from __future__ import annotations

from micro_etl.body import Body, Layout
from micro_etl.dataset import Dataset
from micro_etl.errors import ContractError, SourceError, Violation
from micro_etl.table import checks, sql
from micro_etl.table.engine import Connection, Error, machine_errors, reason_of


def raise_violations(connection: Connection, dataset: Dataset, body: Body) -> None:
    """Raise a `ContractError` where there is a violation.

    Raises:
        ContractError: with the first violations and their totals.
        SourceError: the body is not JSON.
        MachineError: no memory, or no room in the scratch folder.
    """
    try:
        with machine_errors():
            found, totals = find_violations(connection, dataset, body)
    except (Error, UnicodeDecodeError) as error:
        raise SourceError(
            f"{culprit(error, body)} can't be read as JSON: {reason_of(error)}"
        ) from error
    if found:
        shown = found[: checks.SHOWN]
        if len(body.parts) > 1:
            shown = checks.locate(shown, _count_records(connection, body))
        raise ContractError(shown, totals)


def find_violations(
    connection: Connection, dataset: Dataset, body: Body
) -> tuple[list[Violation], dict[str, int]]:
    """Find every kind of violation: the first of each kind, and totals by column."""
    if body.layout is Layout.WRAPPED:
        (kind, value), *others = connection.execute(checks.wrapper(dataset, body)).fetchall()
        path = sql.dotted(dataset.records)
        if others:
            raise SourceError(
                f"the body is {len(others) + 1:,} JSON values; it should be one that holds {path}"
            )
        if kind != "ARRAY":
            return [Violation(None, path, value, "an array of records")], {path: 1}
    rows, *present = connection.execute(checks.presence(dataset, body)).fetchone() or (0,)
    queries = [checks.findings(dataset, body)]
    queries += [
        checks.repeats(column, dataset, body) for column in dataset.columns if column.unique
    ]
    kinds = [kind for query in queries for kind in connection.execute(query).fetchall()]
    return checks.combine(kinds, checks.absent(dataset.columns, rows, present))


def culprit(error: Exception, body: Body) -> str:
    """Name the part that an engine's error is about, as messages do."""
    if len(body.parts) > 1:
        for part in body.parts:
            if f'"{part.file}"' in str(error):
                return part.name
    return "the body"


def _count_records(connection: Connection, body: Body) -> list[tuple[str, int]]:
    """Count the records of each part."""
    rows = []
    for part in body.parts:
        (count,) = connection.execute(checks.count(part, body)).fetchone() or (0,)
        rows.append((part.name, int(count)))
    return rows
