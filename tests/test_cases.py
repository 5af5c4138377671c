"""Every recorded API, and every way in which paging goes wrong, by the real command on loopback.

``make cases`` prints how many are right, with the number of requests of each.
"""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import json
import tempfile
import tomllib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.cases.replay import serve_case
from tests.service.command import Ended, micro_etl

CASES = Path(__file__).parent / "cases"
APIS = sorted(folder.name for folder in (CASES / "apis").iterdir())
PAGING = sorted(folder.name for folder in (CASES / "paging").iterdir())


def plain(value: Any, kind: str) -> Any:
    """A value as ``expected.json`` writes it."""
    if isinstance(value, datetime):
        text = value.astimezone(UTC).isoformat(timespec="auto").removesuffix("+00:00")
        return (text[:-3] if text.endswith("000") and "." in text else text) + "Z"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if kind == "json" and value is not None:
        return json.loads(value)
    return [plain(one, kind) for one in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class Ran:
    """A run over a case.

    Attributes:
        ended: how the command ended.
        rows: of the table, or none where there is none.
        requests: how many the server got.
    """

    ended: Ended
    rows: list[dict[str, Any]] | None
    requests: int


def run(folder: Path, case: Path) -> Ran:
    """Run the command on a case, in a folder of the test's own."""
    with serve_case(case) as served:
        (folder / "dataset.toml").write_text(served.dataset(), "utf-8")
        ended = micro_etl(
            folder,
            "run",
            DATASET="dataset.toml",
            TARGET_URL="table.parquet",
            SOURCE_BACKOFF="0.01",
            **read(case, "env"),
        )
        requests = len(served.asked)
        columns = tomllib.loads(served.dataset())["columns"]
    table = folder / "table.parquet"
    if not table.exists():
        return Ran(ended, None, requests)
    rows = [
        {name: plain(value, columns[name]["type"]) for name, value in row.items()}
        for row in pq.ParquetFile(table).read().to_pylist()
    ]
    return Ran(ended, rows, requests)


def read(case: Path, name: str) -> Any:
    """One JSON file of a case."""
    return json.loads((case / f"{name}.json").read_text("utf-8"))


def check_api(folder: Path, name: str) -> Ran:
    """Run an API's case, whose table must come out."""
    case = CASES / "apis" / name
    ran = run(folder, case)
    assert ran.ended.code == 0, ran.ended.out
    assert ran.rows == read(case, "expected")
    return ran


def check_paging(folder: Path, name: str) -> Ran:
    """Run a case of paging, which must end as it says."""
    case = CASES / "paging" / name
    expected = read(case, "expected_run")
    ran = run(folder, case)
    assert ran.ended.code == expected["code"], ran.ended.out
    assert expected["requests"] in (None, ran.requests)
    assert ran.rows == (read(case, "expected") if expected["published"] else None)
    assert expected["says"] in ran.ended.out
    assert not any(secret in ran.ended.out + ran.ended.err for secret in read(case, "env").values())
    return ran


@pytest.mark.parametrize("name", APIS)
def test_api_becomes_the_table_that_it_should(name: str, tmp_path: Path) -> None:
    check_api(tmp_path, name)


@pytest.mark.parametrize("name", PAGING)
def test_paging_never_publishes_a_part(name: str, tmp_path: Path) -> None:
    check_paging(tmp_path, name)


def main() -> None:
    """Print how many cases are right, and how many requests each took."""
    for title, names, check in (("APIs", APIS, check_api), ("paging", PAGING, check_paging)):
        right = 0
        for name in names:
            with tempfile.TemporaryDirectory() as folder:
                try:
                    ran = check(Path(folder), name)
                except AssertionError as error:
                    print(f"{name:<28}wrong: {str(error).splitlines()[0][:100]}")  # noqa: T201
                else:
                    right += 1
                    requests = f"{ran.requests} request{'s' if ran.requests > 1 else ''}"
                    print(f"{name:<28}{requests}, exit code {ran.ended.code}")  # noqa: T201
        print(f"{title}: {right} of {len(names)} right\n")  # noqa: T201


if __name__ == "__main__":
    main()
