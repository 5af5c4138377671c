"""Compile the pass that reads a body once, checks each value and writes a first table.

The values of a record are read as JSON, leaf by leaf, since the engine's own conversions are
lenient: with typed columns it turns 1.5 into 2 and ``"yes"`` into true.

The pass aborts at the first value that breaks the contract; what it can't see, such as a null where
a record should be, shows in the profile of what it wrote. The checks then read the body again.
"""

from __future__ import annotations

from pathlib import Path as FilePath

from micro_etl.body import Body
from micro_etl.dataset import Column, Dataset, Origin, Path
from micro_etl.table.records import Reader, is_exact
from micro_etl.table.sql import ABORT, identifier, literal, unrepeated
from micro_etl.table.typed import is_typed, tree_of, typed_leaf, typed_records
from micro_etl.table.values import converted, head, is_valid, nulled
from micro_etl.table.wrapper import whole_records


def stage(dataset: Dataset, body: Body, table: FilePath) -> str:
    """Compile the pass from a body to a first Parquet file.

    Args:
        dataset: the contract.
        body: what holds the records.
        table: the Parquet file to write.
    """
    if is_typed(dataset):
        tree = tree_of(dataset.columns)
        leaves = [nulled(column, typed_leaf(tree, head(column.path))) for column in dataset.columns]
        rows = typed_records(dataset, tree, body)
    else:
        reader = Reader(dataset)
        leaves = [reader.leaf(column, number) for number, column in enumerate(dataset.columns, 1)]
        sound = f"CASE WHEN {is_sound(dataset, reader)} THEN true ELSE {ABORT} END"
        rows = f"{reader.rows(whole_records(dataset, body))} WHERE {sound}"
    # Two levels, so that each leaf is converted once, though both test and result need its value.
    exact = is_exact(dataset)
    pairs = ",\n".join(
        f"  {leaf} AS leaf_{number}, {converted(column, leaf, exact=exact)} AS value_{number}"
        for number, (column, leaf) in enumerate(zip(dataset.columns, leaves, strict=True), 1)
    )
    columns = ",\n".join(
        f"  {_strict(column, number, exact=exact)} AS {identifier(column.name)}"
        for number, column in enumerate(dataset.columns, 1)
    )
    return (
        f"COPY (\nSELECT\n{columns}\nFROM (SELECT\n{pairs}\nFROM {rows})\n"
        f") TO {literal(table)} (FORMAT parquet, COMPRESSION uncompressed)"
    )


def read_steps(dataset: Dataset) -> dict[Path, list[str | int]]:
    """List the paths of a record that columns go through, with the steps that are taken there."""
    read: dict[Path, list[str | int]] = {}
    for column in dataset.columns:
        if column.origin is not Origin.RECORD:
            continue
        path = head(column.path)
        for depth, step in enumerate(path):
            steps = read.setdefault(path[:depth], [])
            if step not in steps:
                steps.append(step)  # type: ignore[arg-type] # `head` has no other
    return read


def wanted_kind(steps: list[str | int]) -> str:
    """Say what a value must be for these steps to be taken from it, in the engine's words."""
    return "OBJECT" if isinstance(steps[0], str) else "ARRAY"


def wrong_kind(dataset: Dataset, reader: Reader, path: Path, steps: list[str | int]) -> str:
    """Test that steps can't be taken from what is at a path of a record."""
    wanted = wanted_kind(steps)
    if not path:
        return f"{reader.kind(path)} IS DISTINCT FROM '{wanted}'"
    wrong = f"{reader.kind(path)} NOT IN ('{wanted}', 'NULL')"
    if wanted == "OBJECT" and dataset.empty_arrays_as_objects:
        wrong += f" AND CAST({reader.value(path)} AS VARCHAR) <> '[]'"
    return wrong


def repeats_key(reader: Reader, path: Path, steps: list[str | int]) -> str:
    """Test that one of the keys that are read comes twice in the object at a path of a record."""
    once = unrepeated(reader.keys(path), sorted(map(str, steps)))
    return f"{reader.kind(path)} = 'OBJECT' AND NOT {once}"


def is_sound(dataset: Dataset, reader: Reader) -> str:
    """Test that all which columns go through in a record is what it should be."""
    wrong = []
    for path, steps in read_steps(dataset).items():
        wrong.append(wrong_kind(dataset, reader, path, steps))
        if wanted_kind(steps) == "OBJECT":
            wrong.append(repeats_key(reader, path, steps))
    return " AND ".join(f"({test}) IS NOT TRUE" for test in wrong) or "true"


def _strict(column: Column, number: int, *, exact: bool) -> str:
    leaf, value = f"leaf_{number}", f"value_{number}"
    null = "" if column.required else f"WHEN {leaf} IS NULL THEN NULL "
    test = is_valid(column, leaf, value, exact=exact)
    return f"CASE {null}WHEN {test} THEN {value} ELSE {ABORT} END"
