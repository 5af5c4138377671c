"""Three datasets in one environment: launches, orders in pages behind a token, and a large one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dev.rehearsal.pipeline import STAGING, as_owner, schedule_of, settings
from dev.rehearsal.scenarios import BAD_DATA, OK, REFUSED, Scenario
from dev.rehearsal.source import ORDERS_A_PAGE, PAGES, READINGS, TOKEN
from dev.rehearsal.stage import Stage, expect
from micro_etl.source.cut import PART_SIZE

SECRET = "rehearsal/orders/api-token"  # noqa: S105 - its name
ORDERS = """
name = "orders"
[source]
url = "{url}/orders?page=1"
headers = {{ Authorization = "Bearer ${{API_TOKEN}}" }}
records = "items"
[source.pagination]
kind = "next_url"
next = "next"
[columns]
id = {{ type = "int64", required = true, unique = true }}
total = {{ type = "float64", required = true }}
"""
READINGS_FILE = """
name = "readings"
[source]
url = "{url}/readings"
[columns]
id = {{ type = "int64", required = true, unique = true }}
station = {{ type = "string", required = true }}
at = {{ type = "timestamp", required = true }}
value = {{ type = "float64" }}
"""
TABLES = """
[datasets.orders]
schedule = "rate(1 hour)"
variables = {{ RAW_URL = "s3://{bucket}/raw" }}
secrets = {{ API_TOKEN = "{secret}" }}

[datasets.readings]
schedule = "rate(7 days)"
cpu = 1024
memory = 2048
"""


def three_datasets(stage: Stage) -> str:
    """Tables added to the file are deployed with the same image, each by its size and schedule."""
    owner = as_owner(stage)
    write_datasets(stage)
    owner.deploy("--env", STAGING).expect_exit(
        REFUSED, "older than the environment file", f"./deploy.sh bootstrap {STAGING}"
    )
    stage.emulator.client("secretsmanager").create_secret(Name=SECRET, SecretString=TOKEN)
    owner.deploy("bootstrap", STAGING, "--yes").expect_exit(OK)
    deployed = owner.deploy("--env", STAGING).expect_exit(OK)
    facts = deployed.verdict["datasets"]
    expect(all(item["test"]["passed"] for item in facts.values()), f"not all passed: {facts}")
    found = {name: rows(stage, name) for name in ("launches", "orders", "readings")}
    wanted = {
        "launches": len(stage.source.records),
        "orders": PAGES * ORDERS_A_PAGE,
        "readings": READINGS,
    }
    expect(found == wanted, f"{found} rows, not {wanted}")
    size = facts["readings"]["task"]["result"]["source_bytes"]
    expect(size > PART_SIZE, f"{size:,} bytes of readings are no more than one part")
    expect(TOKEN not in deployed.said, "deploy.sh has shown the token")
    times = schedule_of(stage, STAGING, "-orders")["ScheduleExpression"]
    expect(times == "rate(1 hour)", f"orders run at {times}")
    counts = ", ".join(f"{count:,} {name}" for name, count in found.items())
    return f"{counts} in {size:,} bytes"


def one_breaks(stage: Stage) -> str:
    """A dataset whose data break its contract leaves the two others alone: 65, two deploys."""
    owner = as_owner(stage)
    before = {name: etag(stage, name) for name in ("launches", "orders", "readings")}
    stage.source.records = [*stage.source.records, stage.source.records[0]]
    try:
        ended = owner.deploy("--env", STAGING).expect_exit(BAD_DATA, "1 of 3 datasets failed")
    finally:
        stage.source.records = stage.source.records[:-1]
    facts = ended.verdict["datasets"]
    outcomes = {name: item["outcome"] for name, item in facts.items()}
    expect(outcomes == {"launches": "run_failed", "orders": "ok", "readings": "ok"}, f"{outcomes}")
    after = {name: etag(stage, name) for name in before}
    expect(after == before, f"objects have changed: {before} to {after}")
    return "launches failed, orders and readings passed"


def write_datasets(stage: Stage) -> None:
    """Add two datasets to the project and to the file of an environment, and commit them."""
    folder = stage.checkout / "src" / "micro_etl" / "datasets"
    base = stage.source.url.rsplit("/v4/", 1)[0]
    (folder / "orders.toml").write_text(ORDERS.format(url=base))
    (folder / "readings.toml").write_text(READINGS_FILE.format(url=base))
    file = stage.checkout / "deploy" / "environments" / f"{STAGING}.toml"
    bucket = settings(stage, STAGING)["bucket"]
    file.write_text(file.read_text() + TABLES.format(bucket=bucket, secret=SECRET))
    stage.commit("Two more datasets")


def rows(stage: Stage, dataset: str) -> int:
    """How many rows of a dataset are published."""
    return int(head(stage, dataset)["Metadata"]["rows"])


def etag(stage: Stage, dataset: str) -> str:
    """Which object of a dataset is published."""
    return str(head(stage, dataset)["ETag"])


def head(stage: Stage, dataset: str) -> Mapping[str, Any]:
    """What S3 says of a dataset's object."""
    found: Mapping[str, Any] = stage.emulator.client("s3").head_object(
        Bucket=settings(stage, STAGING)["bucket"], Key=f"{dataset}.parquet"
    )
    return found


SCENARIOS: tuple[Scenario, ...] = (three_datasets, one_breaks)
