"""The templates: what they make, that they go again without a trace, and that they hold rules."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from deploy.account.bootstrap import bootstrap, target_of
from deploy.account.checks import check_infrastructure
from deploy.account.destroy import present
from deploy.account.glue import hive_type
from deploy.account.stacks import DATASETS, STACKS
from deploy.account.template import datasets_template, silence
from deploy.image.push import GOOD
from deploy.outcome import Refused
from micro_etl.column_types import column_type
from tests.infra.conftest import ACCOUNT, REGION, Account, made

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
LINT = "import sys; from cfnlint.runner import main; sys.exit(main())"
NAMES = sorted(file.stem for file in INFRA.glob("*.yaml"))


def test_every_template_is_a_stack_of_bootstrap() -> None:
    """No template lies in infra/ that nothing deploys."""
    assert sorted(stack for stack in STACKS if stack != DATASETS) == NAMES


def test_cfn_lint_has_nothing_to_say_and_no_rule_is_suppressed() -> None:
    """Each template passes all of cfn-lint's rules."""
    done = subprocess.run(
        [sys.executable, "-c", LINT, *(str(INFRA / f"{name}.yaml") for name in NAMES)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert not list(ROOT.glob(".cfnlintrc*"))
    for name in NAMES:
        assert "cfn-lint" not in (INFRA / f"{name}.yaml").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_a_template_fits_into_a_request(name: str) -> None:
    """CloudFormation takes a template of up to 51,200 bytes without a bucket to upload it to."""
    assert len((INFRA / f"{name}.yaml").read_bytes()) < 51_200


BOOSTERS = {"key": "boosters/boosters.parquet", "glue_database": "space"}


def test_the_template_of_the_datasets_passes_every_rule(
    account: Account, content: dict[str, Any], tmp_path: Path
) -> None:
    """It is made by a program, and judged like the others."""
    file = tmp_path / "datasets.json"
    content |= {"datasets": {"orders": {"schedule": "rate(7 days)"}, "boosters": BOOSTERS}}
    target = target_of(content, place=account.target)
    file.write_text(json.dumps(datasets_template(target)))
    done = subprocess.run(
        [sys.executable, "-c", LINT, str(file)], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_a_file_that_was_changed_since_bootstrap_is_told(
    account: Account, content: dict[str, Any], said: io.StringIO
) -> None:
    """A dataset that was added needs roles and alarms; the message says what makes them."""
    clients = account.clients
    target = target_of(content, place=account.target)
    assert [item.good for item in check_infrastructure(target, clients)] == [True]

    added = content | {"datasets": {"orders": {}}}
    (found,) = check_infrastructure(target_of(added, place=account.target), clients)
    assert not found.good
    assert "./deploy.sh bootstrap staging" in found.advice

    again = made(account, said, existing=added)
    target = target_of(again, place=account.target)
    assert [item.good for item in check_infrastructure(target, clients)] == [True]


def test_an_environment_is_made_again_without_a_change(
    account: Account, content: dict[str, Any]
) -> None:
    """A second bootstrap changes nothing, and need not be told again what the first was."""
    shown = io.StringIO()
    site = account.site(shown, lambda _: pytest.fail("asked, though nothing changes"))
    again = bootstrap(site, content)
    assert shown.getvalue().count("no change") == len(STACKS)
    assert again == content


def test_each_change_is_shown_before_it_is_made(account: Account) -> None:
    """A user who says no has seen what would be made, and nothing has been."""
    shown = io.StringIO()

    def refuse(_: str) -> bool:
        assert "AWS::ECR::Repository" in shown.getvalue()
        return False

    with pytest.raises(Refused, match="left as it was"):
        bootstrap(account.site(shown, refuse), {})
    assert present(account.cloud) == []
    assert account.client("ecr").describe_repositories()["repositories"] == []


def test_the_bucket_is_closed_versioned_and_encrypted(
    account: Account, content: dict[str, Any]
) -> None:
    """What is published is not public, and what is replaced can be had back."""
    s3, name = account.client("s3"), content["bucket"]
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    blocked = s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
    assert all(blocked.values())
    assert len(blocked) == 4
    rules = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"


def test_the_network_lets_https_out_and_nothing_in(
    account: Account, content: dict[str, Any]
) -> None:
    """A task reaches HTTPS servers alone, and its subnets have a way out without a NAT gateway."""
    ec2 = account.client("ec2")
    group = ec2.describe_security_groups(GroupIds=content["security_groups"])["SecurityGroups"][0]
    assert group["IpPermissions"] == []
    rules = [
        (rule["IpProtocol"], rule["FromPort"], rule["ToPort"])
        for rule in group["IpPermissionsEgress"]
    ]
    assert rules == [("tcp", 443, 443)]
    subnets = content["subnets"]
    zones = ec2.describe_subnets(SubnetIds=subnets)["Subnets"]
    assert len({subnet["AvailabilityZone"] for subnet in zones}) == 2
    assert ec2.describe_nat_gateways()["NatGateways"] == []


def test_images_can_be_neither_replaced_nor_pushed_unscanned(
    account: Account, content: dict[str, Any]
) -> None:
    """A tag stands for one image for good; each is scanned; those that passed a test are kept."""
    ecr = account.client("ecr")
    found = ecr.describe_repositories(repositoryNames=[content["repository"]])["repositories"][0]
    assert found["imageTagMutability"] == "IMMUTABLE"
    assert found["imageScanningConfiguration"] == {"scanOnPush": True}
    policy = ecr.get_lifecycle_policy(repositoryName=content["repository"])
    good, rest = json.loads(policy["lifecyclePolicyText"])["rules"]
    assert good["selection"]["tagPrefixList"] == [GOOD]
    assert good["rulePriority"] < rest["rulePriority"]


def test_alarms_watch_what_the_service_says(account: Account, content: dict[str, Any]) -> None:
    """The alarms' metric, dimension and namespace are those of the service's own report."""
    from micro_etl.events import RunFailed
    from micro_etl.log import embedded_metrics
    from tests.service.test_log import finished

    events = (finished(), RunFailed(exit_code=69, error="down"))
    said = {
        event.name: embedded_metrics("micro-etl/staging", "launches", event) for event in events
    }
    alarms = account.client("cloudwatch").describe_alarms()["MetricAlarms"]
    of_service = {a["MetricName"]: a for a in alarms if a["Namespace"] == "micro-etl/staging"}
    assert set(of_service) == {"Succeeded", "Failed"}
    for name, event in (("Succeeded", "run_finished"), ("Failed", "run_failed")):
        line, alarm = said[event], of_service[name]
        directive = line["_aws"]["CloudWatchMetrics"][0]
        assert directive["Namespace"] == alarm["Namespace"]
        assert name in {metric["Name"] for metric in directive["Metrics"]}
        assert [item["Name"] for item in alarm["Dimensions"]] == directive["Dimensions"][0]
        assert alarm["Dimensions"][0]["Value"] == line["Dataset"]
        assert alarm["AlarmActions"] == [content["alarm_topic"]]
    quiet = of_service["Succeeded"]
    assert quiet["TreatMissingData"] == "breaching"
    assert quiet["Period"] * quiet["EvaluationPeriods"] >= 86_400


@pytest.mark.parametrize(
    ("schedule", "hours"),
    [
        ("rate(5 minutes)", 2),
        ("rate(1 hour)", 2),
        ("rate(1 day)", 25),
        ("rate(2 days)", 49),
        ("rate(7 days)", 0),
        ("cron(0 6 * * ? *)", 25),
        ("cron(0 6 ? * MON *)", 0),
        ("at(2026-01-01T00:00:00)", 0),
        ("", 0),
    ],
)
def test_the_alarm_of_a_missing_success_fits_the_schedule(schedule: str, hours: int) -> None:
    """An hour more than the interval; none where CloudWatch can't look back as far."""
    assert silence(schedule) == hours


def test_the_way_to_s3_stays_inside(account: Account, content: dict[str, Any]) -> None:
    """A gateway endpoint costs nothing."""
    assert content["subnets"]
    found = account.client("ec2").describe_vpc_endpoints()["VpcEndpoints"]
    assert [item["ServiceName"] for item in found] == [f"com.amazonaws.{REGION}.s3"]


@pytest.mark.parametrize(
    ("task", "told"),
    [
        ({"containers": [{"exitCode": 65}], "stopCode": "EssentialContainerExited"}, True),
        ({"containers": [{}], "stopCode": "TaskFailedToStart"}, True),
        ({"containers": [{"exitCode": 143}], "stopCode": "SpotInterruption"}, True),
        ({"containers": [{"exitCode": 0}], "stopCode": "EssentialContainerExited"}, False),
        ({"containers": [{}], "lastStatus": "RUNNING"}, False),
        ({"containers": [{"exitCode": 1}], "clusterArn": "another"}, False),
    ],
)
def test_a_task_that_failed_or_never_started_is_told(
    account: Account, content: dict[str, Any], task: dict[str, object], *, told: bool
) -> None:
    """One that ended well, is running, or is of another cluster, is not."""
    events = account.client("events")
    rule = events.describe_rule(Name="micro-etl-staging-task-failed")
    cluster = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{content['cluster']}"
    event = {
        "id": "1",
        "account": ACCOUNT,
        "region": REGION,
        "time": "2026-01-01T00:00:00Z",
        "resources": [],
        "source": "aws.ecs",
        "detail-type": "ECS Task State Change",
        "detail": {"clusterArn": cluster, "lastStatus": "STOPPED"} | task,
    }
    answer = events.test_event_pattern(EventPattern=rule["EventPattern"], Event=json.dumps(event))
    assert answer["Result"] is told


def test_what_is_told_of_a_task_is_json_whatever_its_reason(
    account: Account, content: dict[str, Any]
) -> None:
    """EventBridge puts each value in as JSON, and drops an event that is none in the end."""
    events = account.client("events")
    (target,) = events.list_targets_by_rule(Rule="micro-etl-staging-task-failed")["Targets"]
    assert target["Arn"] == content["alarm_topic"]
    text, values = target["InputTransformer"]["InputTemplate"], {}
    for name in target["InputTransformer"]["InputPathsMap"]:
        values[name] = f'{name}: Get "https://example.org/": i/o timeout'
        text = text.replace(f"<{name}>", json.dumps(values[name]))
    assert values.items() <= json.loads(text).items()


def test_the_topic_takes_what_eventbridge_sends(account: Account, content: dict[str, Any]) -> None:
    """It sends no context with it: a condition on the topic would deny every message."""
    topic = account.client("sns").get_topic_attributes(TopicArn=content["alarm_topic"])
    statements = json.loads(topic["Attributes"]["Policy"])["Statement"]
    (found,) = (
        item for item in statements if item["Principal"] == {"Service": "events.amazonaws.com"}
    )
    assert (found["Action"], found["Resource"]) == ("sns:Publish", content["alarm_topic"])
    assert "Condition" not in found


ALIKE = ("orders-eu", "orders_eu", "ordersEu", "orders2", "orders-2", "orders2b", "orders2-b")


def test_datasets_whose_names_differ_in_a_hyphen_have_alarms_of_their_own(
    account: Account, content: dict[str, Any]
) -> None:
    """The ids of CloudFormation know letters and digits alone."""
    content |= {"datasets": {name: {} for name in ALIKE}}
    resources = datasets_template(target_of(content, place=account.target))["Resources"]
    failed = [name for name in resources if name.startswith("RunFailedOrders")]
    assert len(failed) == len(ALIKE)
    assert "RunFailedOrdersEu" in failed


def test_without_metrics_there_are_no_alarms(account: Account, content: dict[str, Any]) -> None:
    """They would watch what the service does not send."""
    content |= {"variables": {}}
    resources = datasets_template(target_of(content, place=account.target))["Resources"]
    assert {item["Type"] for item in resources.values()} == {"AWS::IAM::Policy"}


def test_a_table_in_glue_has_the_columns_of_the_dataset(
    account: Account, content: dict[str, Any]
) -> None:
    """Athena reads the folder that holds the published file alone."""
    content |= {"datasets": {"boosters": BOOSTERS}}
    target = target_of(content, place=account.target)
    resources = datasets_template(target)["Resources"]
    table = resources["TableBoosters"]["Properties"]
    stored = table["TableInput"]["StorageDescriptor"]
    assert table["DatabaseName"] == "space"
    assert stored["Location"] == f"s3://{target.environment.bucket}/boosters/"
    dataset = tomllib.loads((ROOT / "datasets" / "boosters.toml").read_text(encoding="utf-8"))
    assert [column["Name"] for column in stored["Columns"]] == list(dataset["columns"])
    assert "TableLaunches" not in resources


def test_bootstrap_makes_the_table_in_glue(
    account: Account, content: dict[str, Any], said: io.StringIO
) -> None:
    """Once the file asks for it; the change is shown first."""
    glue = account.client("glue")
    glue.create_database(DatabaseInput={"Name": "space"})
    again = made(account, said, existing=content | {"datasets": {"boosters": BOOSTERS}})
    assert again["datasets"]["boosters"] == BOOSTERS
    assert "AWS::Glue::Table" in said.getvalue()
    table = glue.get_table(DatabaseName="space", Name="boosters")["Table"]
    stored = table["StorageDescriptor"]
    assert stored["Location"] == f"s3://{content['bucket']}/boosters/"
    assert {"Name": "payloads", "Type": "array<string>"} in stored["Columns"]


@pytest.mark.parametrize("key", ["boosters.parquet", "shared/boosters.parquet"])
def test_a_table_in_glue_needs_a_folder_of_its_own(
    account: Account, content: dict[str, Any], key: str
) -> None:
    """Athena would read the other tables in it as well."""
    content |= {
        "datasets": {"orders": {"key": "shared/x.parquet"}, "boosters": BOOSTERS | {"key": key}}
    }
    with pytest.raises(Refused, match=f"glue_database is space and key {key}; "):
        datasets_template(target_of(content, place=account.target))


def test_two_datasets_are_never_one_table_in_glue(
    account: Account, content: dict[str, Any], tmp_path: Path
) -> None:
    """Glue has no capitals and no hyphens, so two names can become one."""
    file = tmp_path / "own.toml"
    file.write_text('name = "Boosters"\n[columns]\nid = { type = "int64" }\n')
    top = {"dataset": str(file), "key": "own/own.parquet", "glue_database": "space"}
    content |= top | {"datasets": {"boosters": BOOSTERS}}
    with pytest.raises(
        Refused, match=r"and boosters would both be table boosters of glue_database"
    ):
        datasets_template(target_of(content, place=account.target))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("int32", "int"),
        ("json", "string"),
        ("decimal(9,2)", "decimal(9,2)"),
        ("int64[]", "array<bigint>"),
        ("timestamp", "timestamp"),
    ],
)
def test_glue_has_the_types_that_the_service_writes(name: str, kind: str) -> None:
    """The same as `micro-etl ddl --dialect athena`."""
    column = column_type(name)
    assert column
    assert hive_type(name) == kind == column.elsewhere.athena
