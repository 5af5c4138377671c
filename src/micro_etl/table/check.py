"""Check a published file against its dataset: does it keep the contract?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from micro_etl.column_types import name_type
from micro_etl.dataset import Dataset
from micro_etl.errors import DataError
from micro_etl.table.parquet import count_rows, expected_schema, read_profile, read_schema, rows_of
from micro_etl.table.profile import open_file
from micro_etl.tablefile import Schema


def check(file: Path, dataset: Dataset, *, scratch: Path) -> int:
    """Count the rows of a file that keeps the contract.

    Args:
        file: a Parquet file.
        dataset: the contract.
        scratch: a folder for what the engine spills.

    Returns:
        How many rows it has.

    Raises:
        DataError: it is not Parquet, or breaks the contract; lists every way in which it does.
        MachineError: no memory, or no room in the scratch folder.
    """
    rows, differences = compare(file, dataset, scratch=scratch)
    refuse(differences, dataset)
    return rows


def compare(file: Path, dataset: Dataset, *, scratch: Path) -> tuple[int, list[str]]:
    """Count the rows of a file, and list every way in which it breaks the contract.

    Another schema hides what is wrong with the data.

    Raises:
        DataError: it is not Parquet.
        MachineError: no memory, or no room in the scratch folder.
    """
    with open_file(file, scratch) as (connection, _):
        found, expected = read_schema(connection, file), expected_schema(dataset.columns)
        if found != expected:
            return count_rows(connection, file) or 0, _compare_schemas(found, expected)
        profile = read_profile(connection, dataset, rows_of([file]))
    broken = [
        f"{', '.join(key)} has {repeats:,} repeated values"
        for key, repeats in profile.repeats.items()
        if repeats
    ]
    if profile.rows < dataset.min_rows:
        broken.append(f"it has {profile.rows:,} rows; min_rows is {dataset.min_rows:,}")
    return profile.rows, broken


def refuse(differences: Sequence[str], dataset: Dataset) -> None:
    """Refuse a file that breaks the contract.

    Raises:
        DataError: there is a difference; lists them all.
    """
    if differences:
        raise DataError(f"the file breaks the contract of {dataset.name}: {'; '.join(differences)}")


def _compare_schemas(found: Schema, expected: Schema) -> list[str]:
    if [name for name, *_ in found] != [name for name, *_ in expected]:
        return [
            f"columns are {', '.join(name for name, *_ in found)}; "
            f"they should be {', '.join(name for name, *_ in expected)}"
        ]
    return [
        f"{is_[0]} is {_shown(is_)}, it should be {_shown(should)}"
        for is_, should in zip(found, expected, strict=True)
        if is_ != should
    ]


def _shown(column: tuple[str, str, str]) -> str:
    _, repetition, kind = column
    return f"{repetition.lower()} {name_type(kind)}"
