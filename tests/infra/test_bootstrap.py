"""`bootstrap` and `destroy`: what they decide, and the environment file that comes out."""

from __future__ import annotations

import io
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.stub import Stubber

from deploy.account.bootstrap import (
    PROVIDER,
    bootstrap,
    environment_content,
    github_provider,
    read_existing,
    site_of,
    write_environment,
)
from deploy.account.destroy import destroy, plan, present
from deploy.account.stacks import (
    STACKS,
    apply,
    changes_in_words,
    parameters,
    remove,
    stack_name,
)
from deploy.console import Console
from deploy.environment import load
from deploy.outcome import NotLaunched, Refused
from tests.infra.conftest import ACCOUNT, REGION, Account, made

BROKEN = """
Resources:
  Alias:
    Type: AWS::KMS::Alias
    Properties:
      AliasName: has-no-prefix
      TargetKeyId: 11111111-1111-1111-1111-111111111111
"""


def test_the_file_that_bootstrap_writes_is_an_environment(
    content: dict[str, Any], tmp_path: Path
) -> None:
    """`./deploy.sh --env` takes it as it is, and it names what the stacks made."""
    file = tmp_path / "staging.toml"
    write_environment(file, content)
    environment = load(str(file), environ={})
    assert environment.cluster == "micro-etl-staging"
    assert len(environment.subnets) == 2
    assert environment.task_role.startswith(f"arn:aws:iam::{ACCOUNT}:role/")
    assert environment.family == "micro-etl-staging"
    assert (environment.schedule, environment.key) == ("rate(1 day)", "launches.parquet")
    assert environment.variables == {"METRICS_NAMESPACE": "micro-etl/staging"}
    assert (environment.region, environment.account) == (REGION, ACCOUNT)


def test_keys_that_bootstrap_did_not_make_are_kept(
    account: Account, content: dict[str, Any], tmp_path: Path
) -> None:
    """A second bootstrap leaves the size, the schedule, the settings and the datasets alone."""
    file = tmp_path / "staging.toml"
    file.write_text(
        'cpu = 1024\nmemory = 2048\nschedule = "rate(2 hours)"\nbucket = "old"\n'
        'variables = { LOG_LEVEL = "warning" }\n'
        '[datasets.orders]\nsecrets = { API_TOKEN = "prod/token" }\n'
    )
    again = made(account, io.StringIO(), existing=read_existing(file))
    write_environment(file, again)
    written = tomllib.loads(file.read_text())
    assert (written["cpu"], written["memory"]) == (1024, 2048)
    assert written["schedule"] == "rate(2 hours)"
    assert written["bucket"] == content["bucket"]
    assert written["variables"] == {
        "LOG_LEVEL": "warning",
        "METRICS_NAMESPACE": "micro-etl/staging",
    }
    assert written["datasets"] == {"orders": {"secrets": {"API_TOKEN": "prod/token"}}}
    assert "key" not in written


def content_of(account: Account, existing: dict[str, Any], **wishes: Any) -> dict[str, Any]:
    """The content of a file for an environment without resources."""
    return environment_content({}, existing, target=account.target, **wishes)


def test_another_dataset_gets_its_own_key(account: Account) -> None:
    """The object is named after the dataset, whose reference may be a path."""
    existing = {"dataset": "datasets/orders.toml"}
    found = content_of(account, existing)
    assert found["key"] == "orders.parquet"


@pytest.mark.parametrize(
    ("promotes", "existing", "builds"),
    [
        (False, {}, True),
        (True, {}, False),
        (False, {"builds": False}, False),
        (False, {"builds": True}, True),
    ],
)
def test_an_environment_that_promotes_does_not_build(
    promotes: bool, existing: dict[str, Any], builds: bool, account: Account
) -> None:
    """And stays so, when a later bootstrap does not say it again."""
    found = content_of(account, existing, promotes=promotes)
    assert found["builds"] is builds


def test_an_environment_stays_in_its_account_and_region(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file says where it is, whatever the shell says; another account is refused."""
    assert account.endpoint

    def region_of(existing: dict[str, Any]) -> str:
        return site_of("a", existing, console=Console(io.StringIO()), yes=True).target.region

    monkeypatch.setenv("AWS_REGION", "us-west-2")
    assert region_of({"region": REGION, "account": ACCOUNT}) == REGION
    assert region_of({}) == "us-west-2"

    words = f"belong to {ACCOUNT} .*, but environment a is in 999999999999"
    with pytest.raises(Refused, match=words):
        region_of({"region": REGION, "account": "999999999999"})
    monkeypatch.delenv("AWS_REGION")
    with pytest.raises(Refused, match="region: not set"):
        region_of({})


def test_what_is_not_said_again_stays_as_it_is() -> None:
    """A parameter without a value is the stack's own, and a new one has its default."""
    given = parameters(
        [{"ParameterKey": key} for key in ("Environment", "Email", "New")],
        values={"Environment": "staging", "Unused": "x"},
        present=[{"ParameterKey": key} for key in ("Environment", "Email")],
    )
    assert given == [
        {"ParameterKey": "Environment", "ParameterValue": "staging"},
        {"ParameterKey": "Email", "UsePreviousValue": True},
    ]


def test_a_replacement_is_shown_as_one() -> None:
    """A change that makes a resource anew is not called a modification."""
    change = {"Action": "Modify", "LogicalResourceId": "Bucket", "ResourceType": "AWS::S3::Bucket"}
    words = changes_in_words([change, change | {"Replacement": "True"}])
    assert [action for action, *_ in words] == ["Modify", "Replace"]


def test_a_schedule_that_is_none_is_refused_before_any_change(account: Account) -> None:
    """So that the environment is not half made."""
    site = account.site(confirm=lambda _: pytest.fail("asked"))
    with pytest.raises(Refused, match=r"--schedule every day: it should be like rate\(1 day\)"):
        bootstrap(site, {}, schedule="every day")
    assert not site.changed


def test_a_schedule_that_is_given_wins_over_the_file(
    account: Account, content: dict[str, Any]
) -> None:
    """As every flag does."""
    again = bootstrap(account.site(), content, schedule="rate(2 hours)")
    assert again["schedule"] == "rate(2 hours)"
    assert bootstrap(account.site(), again)["schedule"] == "rate(2 hours)"


def test_a_file_that_is_wrong_is_refused_before_any_change(
    account: Account, content: dict[str, Any]
) -> None:
    """With what is wrong in it."""
    site = account.site(confirm=lambda _: pytest.fail("asked"))
    with pytest.raises(Refused, match=r"datasets\.orders\.cpu: '1' is not a whole number"):
        bootstrap(site, content | {"datasets": {"orders": {"cpu": "1"}}})
    assert not site.changed


def test_a_no_after_a_change_says_what_was_changed(account: Account) -> None:
    """The code is not that of a refusal which has changed nothing."""
    answers = iter([True, False])
    site = account.site(confirm=lambda _: next(answers))
    with pytest.raises(NotLaunched, match="changed before that: micro-etl-images") as caught:
        bootstrap(site, {})
    assert "left as it was" in str(caught.value)


def test_a_provider_that_was_made_is_a_change(account: Account) -> None:
    """The account knows GitHub then, whatever is refused afterwards."""
    iam = account.client("iam")
    for item in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]:
        iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=item["Arn"])
    answers = iter([True, False])
    site = account.site(confirm=lambda _: next(answers))
    with pytest.raises(NotLaunched, match=f"changed before that: the provider {PROVIDER}"):
        bootstrap(site, {}, github="someone/micro-etl")


def test_a_table_that_glue_can_not_have_is_refused_before_any_change(account: Account) -> None:
    """Athena reads a folder, which a key at the top of the bucket has none of."""
    site = account.site(confirm=lambda _: pytest.fail("asked"))
    boosters = {"key": "boosters.parquet", "glue_database": "space"}
    with pytest.raises(Refused, match=r"boosters"):
        bootstrap(site, {"datasets": {"boosters": boosters}})


def test_a_database_that_glue_has_not_is_refused_before_any_change(account: Account) -> None:
    """CloudFormation would say so after it had made all the rest."""
    site = account.site(confirm=lambda _: pytest.fail("asked"))
    boosters = {"key": "boosters/boosters.parquet", "glue_database": "nowhere"}
    with pytest.raises(Refused, match="glue_database: nowhere does not exist in") as caught:
        bootstrap(site, {"datasets": {"boosters": boosters}})
    assert "create-database" in caught.value.advice


def test_a_schedule_that_the_file_has_no_longer_ends(
    account: Account, content: dict[str, Any], said: io.StringIO
) -> None:
    """Of a table that was removed, and of one that has no schedule any more."""
    scheduler = account.client("scheduler")
    group, family = content["schedule_group"], content["family"]
    for name in (family, f"{family}-gone", f"{family}-boosters"):
        scheduler.create_schedule(
            Name=name,
            GroupName=group,
            ScheduleExpression="rate(1 day)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": content["schedule_queue"], "RoleArn": content["schedule_role"]},
        )
    existing = content | {"datasets": {"boosters": {"schedule": ""}}}
    bootstrap(account.site(confirm=lambda question: "schedule" not in question), existing)
    assert len(scheduler.list_schedules(GroupName=group)["Schedules"]) == 3
    made(account, said, existing=existing)
    left = scheduler.list_schedules(GroupName=group)["Schedules"]
    assert [item["Name"] for item in left] == [family]
    assert f"{family}-gone runs a dataset that the file has no schedule for" in said.getvalue()


def test_github_is_a_provider_of_the_account_and_of_no_environment(
    account: Account, content: dict[str, Any]
) -> None:
    """It is made once, and stays when an environment goes: other projects may use it."""
    providers = account.client("iam").list_open_id_connect_providers()["OpenIDConnectProviderList"]
    (arn,) = (item["Arn"] for item in providers)
    assert arn == f"arn:aws:iam::{ACCOUNT}:oidc-provider/{PROVIDER}"
    assert content["github_role"]
    _destroy(account, data=True)
    again = github_provider(account.site(confirm=lambda _: pytest.fail("asked")))
    assert again == arn


def test_an_output_that_is_new_is_a_change(account: Account) -> None:
    """The change set has no change of a resource then, and is to be executed all the same."""
    found = {"StackName": "micro-etl-images", "CreationTime": datetime.now(UTC)}
    before = found | {"StackStatus": "CREATE_COMPLETE"}
    outputs = [{"OutputKey": "Repository", "OutputValue": "micro-etl"}]
    after = found | {"StackStatus": "UPDATE_COMPLETE", "Outputs": outputs}
    cloudformation = account.client("cloudformation")
    shown = io.StringIO()
    with Stubber(cloudformation) as answers:  # the emulator sees no change in this
        for call, answer in (
            ("describe_stacks", {"Stacks": [before]}),
            ("validate_template", {}),
            ("create_change_set", {}),
            ("describe_change_set", {"Status": "CREATE_COMPLETE", "Changes": []}),
            ("describe_change_set", {"Status": "CREATE_COMPLETE", "Changes": []}),
            ("execute_change_set", {}),
            ("describe_stacks", {"Stacks": [after]}),
            ("describe_stacks", {"Stacks": [after]}),
        ):
            answers.add_response(call, answer)
        account.clients.cloudformation = cloudformation
        given = apply(account.site(shown), "images", "Resources: {}", values={})
    assert given == {"Repository": "micro-etl"}
    assert "micro-etl-images, only its outputs change" in shown.getvalue()


def test_a_stack_that_fails_says_why(account: Account) -> None:
    """The first reason that CloudFormation gives is the error, and the next try says what to do."""
    with pytest.raises(NotLaunched, match=r"Alias: .*has-no-prefix") as failed:
        make_broken(account, "broken")
    assert "delete-stack" in failed.value.advice
    with pytest.raises(Refused, match="ROLLBACK_COMPLETE") as refused:
        make_broken(account, "broken")
    assert "delete-stack" in refused.value.advice
    account.cloud.delete_stack(StackName="micro-etl-staging-broken")


def make_broken(account: Account, name: str) -> None:
    """Make a stack that can't be made."""
    apply(account.site(), name, BROKEN, values={})


def names(*environments: str) -> list[str]:
    """The names of all stacks of some environments."""
    return sorted({stack_name(stack, item) for stack in STACKS for item in environments})


@pytest.mark.parametrize(
    ("there", "data", "goes", "stays"),
    [
        (
            names("a"),
            False,
            ["datasets", "environment"],
            ["storage", "images"],
        ),
        (
            names("a"),
            True,
            list(reversed(STACKS)),
            [],
        ),
        (
            names("a", "b"),
            True,
            ["datasets", "environment", "storage"],
            ["images"],
        ),
        (["micro-etl-a-storage", "micro-etl-images"], False, [], ["storage", "images"]),
        (["micro-etl-b-environment"], True, [], []),
    ],
)
def test_data_and_what_others_need_stay(
    there: list[str], data: bool, goes: list[str], stays: list[str]
) -> None:
    """What depends on another stack goes before it; data go only when told so."""
    planned = plan(there, environment="a", data=data)
    assert [stack.split("-")[-1] for stack, reason in planned.items() if not reason] == goes
    assert [stack.split("-")[-1] for stack, reason in planned.items() if reason] == stays


def test_destroy_keeps_the_bucket_and_what_is_in_it(
    account: Account, content: dict[str, Any]
) -> None:
    """All but the data is gone, and bootstrap goes on with the bucket that stayed."""
    s3 = account.client("s3")
    s3.put_object(Bucket=content["bucket"], Key="launches.parquet", Body=b"data")
    shown = io.StringIO()
    assert _destroy(account, said=shown, data=False)["micro-etl-staging-storage"]
    assert "micro-etl-staging-storage: --data removes it" in shown.getvalue()
    body = s3.get_object(Bucket=content["bucket"], Key="launches.parquet")["Body"].read()
    assert body == b"data"
    assert account.client("ecs").describe_clusters(clusters=[content["cluster"]])["clusters"] == []


def test_destroy_asks_and_a_no_changes_nothing(account: Account, content: dict[str, Any]) -> None:
    """Nothing is removed before somebody has said yes to the list."""
    shown = io.StringIO()

    def refuse(_: str) -> bool:
        assert "micro-etl-staging-environment" in shown.getvalue()
        return False

    with pytest.raises(Refused, match="nothing was removed"):
        _destroy(account, said=shown, data=True, confirm=refuse)
    account.client("s3").head_bucket(Bucket=content["bucket"])


def test_destroy_with_data_leaves_nothing(account: Account, content: dict[str, Any]) -> None:
    """All versions of all objects, the revisions and the stacks are gone."""
    s3, ecs = account.client("s3"), account.client("ecs")
    for body in (b"1", b"2"):
        s3.put_object(Bucket=content["bucket"], Key="launches.parquet", Body=body)
    s3.delete_object(Bucket=content["bucket"], Key="launches.parquet")
    for family in ("micro-etl-staging", "micro-etl-staging-2"):
        ecs.register_task_definition(
            family=family, containerDefinitions=[{"name": "micro-etl", "image": "x"}]
        )
    _destroy(account, data=True)
    buckets = [item["Name"] for item in s3.list_buckets()["Buckets"]]
    assert content["bucket"] not in buckets
    left = ecs.list_task_definitions(status="ACTIVE")["taskDefinitionArns"]
    assert [arn.rsplit("/", 1)[-1] for arn in left] == ["micro-etl-staging-2:1"]
    ecs.deregister_task_definition(taskDefinition="micro-etl-staging-2:1")


def test_destroy_removes_what_could_not_be_made(account: Account) -> None:
    """A stack that failed has no outputs, and is in the way until it is gone."""
    for stack in ("environment", "storage"):
        with pytest.raises(NotLaunched):
            make_broken(account, stack)
    removed = _destroy(account, data=True)
    assert removed == {"micro-etl-staging-environment": "", "micro-etl-staging-storage": ""}
    assert present(account.cloud) == []


def test_a_stack_that_can_not_be_removed_says_why_and_that_it_is_still_there(
    account: Account,
) -> None:
    """A removal that fails is not taken back, unlike a change."""
    found = {"StackName": "micro-etl-images", "CreationTime": datetime.now(UTC)}
    event = found | {
        "StackId": "an-id",
        "EventId": "1",
        "Timestamp": datetime.now(UTC),
        "LogicalResourceId": "Repository",
        "ResourceStatus": "DELETE_FAILED",
        "ResourceStatusReason": "it holds images",
    }
    del event["CreationTime"]
    cloudformation = account.client("cloudformation")
    with Stubber(cloudformation) as answers:  # the emulator removes everything
        answers.add_response("delete_stack", {})
        answers.add_response(
            "describe_stacks", {"Stacks": [found | {"StackStatus": "DELETE_FAILED"}]}
        )
        answers.add_response("describe_stack_events", {"StackEvents": [event]})
        with pytest.raises(NotLaunched, match="Repository: it holds images") as failed:
            remove(cloudformation, "micro-etl-images")
    assert "still there" in failed.value.advice


def test_destroying_what_is_not_there_is_refused(account: Account) -> None:
    """A name that was mistyped removes nothing, and is said to be unknown."""
    with pytest.raises(Refused, match="no environment staging"):
        _destroy(account, data=True)


def _destroy(account: Account, *, data: bool, said: Any = None, confirm: Any = None) -> Any:
    site = account.site(said, confirm or (lambda _: True))
    return destroy(site, ["micro-etl-staging"], data=data)


def test_a_key_that_needs_quotes_is_written_with_them(tmp_path: Path) -> None:
    """What bootstrap writes, it must read again."""
    file = tmp_path / "x.toml"
    content = {"variables": {"MY.VAR": "1", "": "2", "PLAIN": "3"}}

    write_environment(file, content)

    assert read_existing(file) == content


def test_what_a_user_wrote_into_the_file_stays_as_it_is(tmp_path: Path) -> None:
    """Comments and order too; new keys come first."""
    file = tmp_path / "x.toml"
    written = (
        '# Ours.\nbucket = "a" # the old one\n\nvariables = { LOG_LEVEL = "warning" }\n\n'
        '# Hourly, since the shop asked for it.\n[datasets.orders]\nschedule = "rate(1 hour)"\n'
    )
    file.write_text(written, encoding="utf-8")
    tables = {"orders": {"schedule": "rate(1 hour)"}}
    variables = {"LOG_LEVEL": "warning", "METRICS_NAMESPACE": "n"}
    content = {"bucket": "b", "region": "r", "variables": variables, "datasets": tables}

    write_environment(file, content)

    text = file.read_text(encoding="utf-8")
    assert read_existing(file) == content
    assert text.removeprefix('region = "r"\n') == written.replace(
        'bucket = "a"', 'bucket = "b"'
    ).replace('"warning" }', '"warning", METRICS_NAMESPACE = "n"}')
    write_environment(file, content)
    assert file.read_text(encoding="utf-8") == text


def test_a_file_that_is_not_toml_is_refused(tmp_path: Path) -> None:
    """In one line, before anything is made or removed."""
    file = tmp_path / "x.toml"
    file.write_text("a = ", encoding="utf-8")

    with pytest.raises(Refused, match=r"x\.toml: not TOML"):
        read_existing(file)
