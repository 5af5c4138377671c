"""Check a published file against its dataset: does it keep the contract?"""

from __future__ import annotations

from pathlib import Path

from micro_etl.dataset import Dataset
from micro_etl.errors import DataError
from micro_etl.table.engine import Error, connect, machine_errors, reason_of
from micro_etl.table.parquet import expected_schema, read_profile, read_schema
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
    with connect(scratch) as connection:
        try:
            with machine_errors(about=file):
                schema = read_schema(connection, file)
                expected = expected_schema(dataset.columns)
                if schema != expected:
                    raise DataError(
                        f"the schema breaks the contract: {_difference(schema, expected)}"
                    )
                profile = read_profile(connection, dataset, [file])
        except Error as error:
            raise DataError(f"not a Parquet file: {reason_of(error)}") from error
    rows = profile.rows
    broken = [
        f"{', '.join(key)} has {repeats:,} repeated values"
        for key, repeats in profile.repeats.items()
        if repeats
    ]
    if rows < dataset.min_rows:
        broken.append(f"it has {rows:,} rows; min_rows is {dataset.min_rows:,}")
    if broken:
        raise DataError(f"the data breaks the contract: {'; '.join(broken)}")
    return rows


def _difference(found: Schema, expected: Schema) -> str:
    if [name for name, *_ in found] != [name for name, *_ in expected]:
        return (
            f"columns are {', '.join(name for name, *_ in found)}; "
            f"they should be {', '.join(name for name, *_ in expected)}"
        )
    return "; ".join(
        f"{is_[0]} is {is_[1]} {is_[2]}, it should be {should[1]} {should[2]}"
        for is_, should in zip(found, expected, strict=True)
        if is_ != should
    )
