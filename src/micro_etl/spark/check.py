"""Have Spark check every record of a source, and say what it found."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from micro_etl import errors
from micro_etl.body import Layout
from micro_etl.dataset import Dataset
from micro_etl.errors import ContractError, DataError, SourceError, Violation
from micro_etl.source.files import combine_hashes
from micro_etl.source.layout import one_layout
from micro_etl.spark import plan
from micro_etl.spark.job import Job
from micro_etl.spark.plan import Split
from micro_etl.spark.work import explain_all, stage
from micro_etl.table import violation_queries as queries

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def check(spark: SparkSession, job: Job) -> dict[str, Any]:
    """Check every record, write the Parquet files, and sum up what the tasks say.

    Raises:
        ContractError: records break the contract; says which and how.
        SourceError: a file can't be read or is not JSON.
    """
    _map(spark, job, stage, plan.STAGED).createOrReplaceTempView("staged")
    answers = spark.sql(plan.SUMMARIES).collect()
    said = _summaries(answers)
    _raise_errors(said)
    one_layout(_layouts(job.splits, said))
    whole = all("rows" in one for one in said)
    rows = sum(one["rows"] for one in said if whole)
    nulls = _add(one["nulls"] for one in said if whole)
    repeated = any(row.times > 1 for row in answers)
    if repeated or not whole or any("suspect" in one for one in said) or (rows and rows in nulls):
        found, totals = find_violations(spark, job, hashes=[one["hash_in"] for one in said])
        if found:
            raise ContractError(found[: queries.SHOWN], totals)
        # Else it is sound: empty records are allowed, and so are nulls in all of a column.
    _raise_defects(job, said)
    return {
        "rows": rows,
        "nulls": nulls,
        "parts": [(number, one) for number, one in enumerate(said) if one["rows"]],
        "size": sum(one["size"] for one in said),
        "received": sum(one["received"] for one in said),
        "source_hash": combine_hashes({str(one["split"]): one["hash_in"] for one in said}),
    }


def find_violations(
    spark: SparkSession, job: Job, *, hashes: Sequence[str] | None = None
) -> tuple[list[Violation], dict[str, int]]:
    """Every kind of violation, with the first of each kind, and totals by column.

    Args:
        spark: the session.
        job: what to read.
        hashes: of what each split held when it was checked; what is read now must be the same.

    Raises:
        SourceError: a file can't be read, has changed, or is not JSON.
    """
    explained = _map(spark, job, explain_all, plan.EXPLAINED).persist()
    try:
        said = _summaries(explained.where("summary IS NOT NULL").select("summary").collect())
        before = plan.number_records([one.get("rows", 0) for one in said])
        for split, one, checked in zip_longest(job.splits, said, hashes or []):
            _raise_errors([one])
            if hashes and one["hash_in"] != checked:
                raise SourceError(f"{split.name} has changed while it was read")
            _raise_unreadable(job, split, one, before)
            if "wrapper" in one:
                wrong = Violation(*one["wrapper"])
                return [wrong], {wrong.path: 1}
        kinds = plan.merge_kinds(
            ((split, kind) for split, one in enumerate(said) for kind in one["kinds"]), before
        )
        explained.createOrReplaceTempView("explained")
        kinds += _repeats(spark, job.dataset, before)
    finally:
        explained.unpersist()
    present = _add(one["present"] for one in said)
    absent = queries.absent(job.dataset.columns, before[-1], present)
    known = {tuple(path) for one in said for path in one.get("known", ())}
    found, totals = queries.combine(kinds, absent, known)
    rows: dict[str, int] = {}
    for split, one in zip(job.splits, said, strict=True):
        rows[split.name] = rows.get(split.name, 0) + one["rows"]
    return queries.locate(found, list(rows.items())) if len(rows) > 1 else found, totals


def _add(counts: Iterable[Sequence[int]]) -> list[int]:
    return [sum(column) for column in zip(*counts, strict=True)]


def _map(spark: SparkSession, job: Job, work: Callable[[Job], Any], columns: str) -> DataFrame:
    count = len(job.splits)
    return spark.range(0, count, 1, count).mapInArrow(work(job), columns)


def _summaries(rows: Iterable[Any]) -> list[dict[str, Any]]:
    said = [json.loads(row.summary) for row in rows if row.summary is not None]
    return sorted(said, key=lambda one: int(one["split"]))


def _raise_errors(said: Sequence[dict[str, Any]]) -> None:
    for one in said:
        if "error" in one:
            name, message = one["error"]
            raise getattr(errors, name)(message)


def _raise_unreadable(job: Job, split: Split, said: dict[str, Any], before: Sequence[int]) -> None:
    if "unreadable" in said:
        first = next(one.number for one in job.splits if one.name == split.name)
        reason = plan.shift_records(said["unreadable"], before[split.number] - before[first])
        raise SourceError(f"{_name(job, split)} can't be read as JSON: {reason}")


def _raise_defects(job: Job, said: Sequence[dict[str, Any]]) -> None:
    """Raise what makes a source wrong although its records break no contract."""
    for split, one in zip(job.splits, said, strict=True):
        if "rows" not in one:
            raise SourceError(f"{_name(job, split)} is not what it should be: {one['suspect']}")
    for one in said:
        if "more" in one:
            raise DataError(one["more"])
        if "defect" in one:
            raise SourceError(one["defect"])


def _name(job: Job, split: Split) -> str:
    return split.name if job.has_several_files else "the body"


def _repeats(spark: SparkSession, dataset: Dataset, before: Sequence[int]) -> list[queries.Kind]:
    kinds: list[queries.Kind] = []
    rows = spark.sql(plan.REPEATS).collect()
    for key in dataset.keys:
        name = ", ".join(key)
        first = [
            {"record": before[row.split] + row.record, "value": row.shown}
            for row in rows
            if row.name == name
        ]
        if first:
            total = next(row.total for row in rows if row.name == name)
            path = queries.key_path(key, dataset)
            kinds.append((name, path, queries.NO_OTHER, total, first))
    return kinds


def _layouts(splits: Sequence[Split], said: Sequence[dict[str, Any]]) -> dict[str, Layout]:
    return {split.name: Layout(one["layout"]) for split, one in zip(splits, said, strict=True)}
