"""Find every violation of a contract in a body, once it is known that there is one."""

from __future__ import annotations

import json

from micro_etl.body import Body, Layout
from micro_etl.dataset import Dataset, Path
from micro_etl.errors import ContractError, SourceError, Violation
from micro_etl.hints import SAMPLE, list_paths, name_arrays
from micro_etl.table import violation_queries as queries
from micro_etl.table.engine import Connection, Error, machine_errors, reason_of
from micro_etl.table.records import read_objects
from micro_etl.table.wrapper import levels

_LARGEST_SEARCHED = 64 << 20  # bytes of a wrapper in which arrays are looked for


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
            if found and _count_responses(body) > 1:
                found = queries.locate(found, _count_records(connection, dataset, body))
    except (Error, UnicodeDecodeError) as error:
        raise SourceError(
            f"{culprit(error, body)} can't be read as JSON: {reason_of(error)}"
        ) from error
    if found:
        raise ContractError(found[: queries.SHOWN], totals)


def find_violations(
    connection: Connection, dataset: Dataset, body: Body
) -> tuple[list[Violation], dict[str, int]]:
    """Find every kind of violation: the first of each kind, and totals by column."""
    if body.layout is Layout.WRAPPED:
        wrong = find_wrong_wrapper(connection, dataset, body)
        if wrong:
            return [wrong], {wrong.path: 1}
    rows, *present = connection.execute(queries.presence(dataset, body)).fetchone() or (0,)
    searches = [queries.findings(dataset, body)]
    searches += [queries.repeats(key, dataset, body) for key in dataset.keys]
    kinds = [kind for query in searches for kind in connection.execute(query).fetchall()]
    absent = queries.absent(dataset.columns, rows, present)
    known = list_known_paths(connection, dataset, body) if absent else set()
    return queries.combine(kinds, absent, known)


def find_wrong_wrapper(
    connection: Connection, dataset: Dataset, body: Body, *, is_one_of_several: bool = False
) -> Violation | None:
    """Find the first part whose records are not where they should be.

    Args:
        connection: to the engine.
        dataset: the contract.
        body: the records.
        is_one_of_several: the source has other parts than those of the body.

    Raises:
        SourceError: a part is several JSON values.
    """
    named = is_one_of_several or len(body.parts) > 1
    for part in body.parts:
        alone = body._replace(parts=(part,))
        steps = levels(dataset, alone)
        query = f"SELECT count(*) FROM ({read_objects(dataset, alone)})"
        (values,) = connection.execute(query).fetchone() or (0,)
        name = part.name if named else None
        if values != 1:
            raise SourceError(
                f"{name or 'the body'} is {values:,} JSON values; "
                f"it should be one that holds {steps[-1].path}"
            )
        for step in steps:
            row = connection.execute(
                f"SELECT left(CAST({step.container} AS VARCHAR), 100) FROM ({step.rows})"
                f" WHERE ({step.sound}) IS NOT TRUE LIMIT 1"
            ).fetchone()
            if row:
                hint = (
                    _hint(part.file.read_bytes())
                    if part.file.stat().st_size < _LARGEST_SEARCHED
                    else ""
                )
                return Violation(None, step.path, row[0], step.expected + hint, name, whole=True)
    return None


def culprit(error: Exception, body: Body) -> str:
    """Name the part that an engine's error is about, as messages do."""
    if _count_responses(body) > 1:
        for part in body.parts:
            if f'"{part.file}"' in str(error):
                return part.name
    return "the body"


def _hint(text: bytes) -> str:
    """Say where there are arrays in a wrapper that has none where its records should be."""
    try:
        return name_arrays(json.loads(text))
    except (ValueError, RecursionError):
        return ""


def list_known_paths(connection: Connection, dataset: Dataset, body: Body) -> set[Path]:
    """List the paths that the first records of a body have; none where they are too deep."""
    query = queries.sample(dataset, body, SAMPLE)
    texts = [text for (text,) in connection.execute(query).fetchall() if text]
    try:
        return list_paths(json.loads(text) for text in texts)
    except (ValueError, RecursionError):
        return set()


def _count_records(connection: Connection, dataset: Dataset, body: Body) -> list[tuple[str, int]]:
    """Count the records of each part."""
    rows: list[tuple[str, int]] = []
    for part in body.parts:
        query = queries.count(dataset, body._replace(parts=(part,)))
        (count,) = connection.execute(query).fetchone() or (0,)
        if part.joint is not None:  # it goes on with the response of the part before
            count += rows.pop()[1]
        rows.append((part.name, int(count)))
    return rows


def _count_responses(body: Body) -> int:
    return sum(part.joint is None for part in body.parts)
