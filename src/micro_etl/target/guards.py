"""The guards: why a table must not replace the one that is published."""

from __future__ import annotations

from micro_etl.dataset import Dataset
from micro_etl.tablefile import Schema
from micro_etl.target.outcome import Previous


def refuse(rows: int, schema: Schema, previous: Previous | None, dataset: Dataset) -> str | None:
    """Say why a table must not replace the previous one; none where it may.

    Args:
        rows: how many the table has.
        schema: its columns; empty where they are not known.
        previous: what stands at the target.
        dataset: the contract, with ``min_rows`` and ``max_shrink``.
    """
    if rows == 0:
        return "the table is empty"
    if rows < dataset.min_rows:
        return f"the table has {rows:,} rows; min_rows is {dataset.min_rows:,}"
    if previous is None:
        return None
    if previous.rows is None:
        return "what stands at the target is not a Parquet file"
    if previous.dataset not in (None, dataset.name):
        return (
            f"the target holds the table of dataset {previous.dataset!r}; "
            f"this is dataset {dataset.name!r}"
        )
    differences = compare(previous.schema or (), schema) if schema else []
    if differences:
        return f"readers of the published table would miss columns: {'; '.join(differences)}"
    lost = previous.rows - rows
    if lost > round(previous.rows * dataset.max_shrink, 6):
        return (
            f"the table has {rows:,} rows, the published one {previous.rows:,}; "
            f"at most {dataset.max_shrink:.0%} may be lost (max_shrink)"
        )
    return None


def compare(published: Schema, schema: Schema) -> list[str]:
    """List what a reader of the published columns would find missing or changed in the new ones.

    A column that is added breaks no reader, nor does one that can't be null any more. One that may
    now be null does: a reader that was promised a value has no place for none.
    """
    new = {name: (repetition, kind) for name, repetition, kind in schema}
    known = {name for name, _, _ in published}
    added = [name for name in new if name not in known]
    differences = []
    for name, repetition, kind in published:
        if name not in new:
            alike = [other for other in added if new[other][1] == kind]
            hint = f" (renamed to {alike[0]!r}?)" if len(alike) == 1 else ""
            differences.append(f"{name!r} is gone{hint}")
            continue
        now_repetition, now_kind = new[name]
        if now_kind != kind:
            differences.append(f"{name!r} is {now_kind}, was {kind}")
        elif (repetition, now_repetition) == ("REQUIRED", "OPTIONAL"):
            differences.append(f"{name!r} may be null, and never was")
    return differences
