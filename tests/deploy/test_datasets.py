"""An environment with several datasets: what each gets of its own, and one that fails."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy.account.checks import check_secrets
from deploy.account.policies import policies
from deploy.aws import Clients
from deploy.environment import Environment, parse
from deploy.outcome import Exit, Refused, worst
from deploy.target import Target
from deploy.task.definition import secret_arn, task_definition
from tests.deploy.conftest import ACCOUNT, REGION
from tests.deploy.test_cli import TASK, Cloud, cloud
from tests.deploy.test_environment import MINIMAL

__all__ = ["cloud"]

ORDERS = {
    "key": "orders/orders.parquet",
    "schedule": "rate(1 hour)",
    "cpu": 1024,
    "memory": 4096,
    "variables": {"SOURCE_MAX_PAGES": "500"},
    "secrets": {"API_TOKEN": "prod/orders/api-token"},
}
PLACE = {"schedule_group": "g", "schedule_role": "arn:r", "schedule_queue": "arn:q"}


def read(changes: Mapping[str, Any]) -> Environment:
    """Parse the minimal environment with changes."""
    return parse(MINIMAL | dict(changes), name="x", source="x.toml", environ={})


def test_a_flat_file_is_one_dataset() -> None:
    """The assessment's file stays as it is."""
    found = read({})

    assert found.datasets == ()
    assert found.each() == (found,)


def test_a_table_is_a_dataset_beside_that_of_the_top() -> None:
    """It has its own family, object and settings, and takes the rest from the top."""
    top = {"variables": {"LOG_LEVEL": "debug"}, "source_url": "https://example.org/launches"}
    found = read(top | PLACE | {"schedule": "rate(1 day)", "datasets": {"orders": ORDERS}})

    launches, orders = found.each()
    assert (launches.dataset, launches.family, launches.key) == ("launches", "f", "k")
    assert (orders.dataset, orders.family) == ("orders", "f-orders")
    assert orders.key == "orders/orders.parquet"
    assert (orders.cpu, orders.memory, orders.schedule) == (1024, 4096, "rate(1 hour)")
    assert orders.variables == {"LOG_LEVEL": "debug", "SOURCE_MAX_PAGES": "500"}
    assert (orders.source_url, launches.secrets) == ("", {})
    assert orders.secrets == {"API_TOKEN": "prod/orders/api-token"}
    assert (orders.cluster, orders.bucket) == (found.cluster, found.bucket)


def test_a_file_of_tables_alone_needs_no_key_at_its_top() -> None:
    """An object is named after its dataset by default."""
    content = {key: value for key, value in MINIMAL.items() if key != "key"}
    found = parse(
        content | {"datasets": {"orders": {}, "sales": {}}}, name="x", source="x.toml", environ={}
    )

    assert [item.key for item in found.each()] == ["orders.parquet", "sales.parquet"]


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ({"orders": {"cluster": "c"}}, "x.toml: datasets.orders.cluster: no such key"),
        ({"orders": {"cpu": "1"}}, "x.toml: datasets.orders.cpu: '1' is not a whole number"),
        ({"or/ders": {}}, "x.toml: datasets.or/ders: not a table whose name is"),
        ({"orders": 1}, "x.toml: datasets.orders: not a table"),
        ({"o" * 300: {}}, "ooo: its family has 302 characters; ECS takes 255 at most"),
        ({"launches": {}}, "launches is also the dataset of the file's top"),
        (
            {"orders": {}, "sales": {"key": "orders.parquet"}},
            "datasets.sales: key: orders.parquet is also that of orders",
        ),
        ({"orders": {"schedule": "rate(1 day)"}}, "orders.schedule: schedule_group is missing"),
        (
            {"orders": {"secrets": {"S3_KEY": "a"}}},
            "datasets.orders.secrets: S3_KEY: this variable is set elsewhere, too",
        ),
    ],
)
def test_a_mistake_in_a_table_is_told_by_its_name(tables: dict[str, Any], words: str) -> None:
    """Before anything is asked of AWS."""
    with pytest.raises(Refused) as caught:
        read({"datasets": tables})

    assert words in str(caught.value)


def test_two_datasets_whose_files_have_one_name_are_refused() -> None:
    """Their metrics, and so their alarms, could not be told apart."""
    top = {"dataset": "src/micro_etl/datasets/launches.toml", "key": "old.parquet"}
    with pytest.raises(Refused, match=r"datasets\.launches: its file says name = 'launches'"):
        read(top | {"datasets": {"launches": {}}})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("API_TOKEN", "abc"),
        ("db-password", "abc"),
        ("STRIPE_SECRET", "abc"),
        *(
            (name, "abc")
            for name in (
                *("PGPASSWORD", "MYSQL_PWD", "DB_PASS", "API_KEY_2", "ORDERS_API_KEY_V2", "AUTH"),
                *("BASIC_AUTH", "JWT", "COOKIE", "SIGNING_KEY", "ACCOUNT_KEY", "accessToken"),
                *("clientSecret", "CONNECTION_STRING", "API_TOKENS", "AWS_ACCESS_KEY_ID", "apikey"),
            )
        ),
        *(
            ("SETTING", value)
            for value in (
                *("Basic dXNlcjpwYXNz", "Bearer abcdef123", "-----BEGIN RSA PRIVATE KEY-----"),
                *(f"AKIA{'A' * 16}", f"ghp_{'a' * 36}", "sk_live_1", "xoxb-1", "eyJhbGci.eyJz.x"),
                *("Server=a;Password=p;", "https://tok@example.org/", "jdbc:postgresql://u:p@h/d"),
                *("user:pw@proxy:3128", "https://h/?key=abc", "https://h/?accessToken=abc"),
                "https://h/#a=b&access_token=c",
            )
        ),
        ("SOURCE", "https://me:hunter2@example.org/"),
        ("FEED", "https://example.org/?api_key=hunter2"),
    ],
)
def test_what_looks_like_a_secret_is_refused_and_not_repeated(name: str, value: str) -> None:
    """In a table too; the message says where it belongs."""
    for changes in (
        {"variables": {name: value}},
        {"datasets": {"orders": {"run_variables": {name: value}}}},
    ):
        with pytest.raises(Refused) as caught:
            read(changes)
        assert f"{name}: it looks like a secret" in str(caught.value)
        assert f"secrets = {{ {name} = " in caught.value.advice
        assert value not in f"{caught.value} {caught.value.advice}"


@pytest.mark.parametrize(
    "name",
    [
        "TOKEN_URL",
        "SOURCE_MAX_PAGES",
        "KEYS",
        "PASSWORD_FILE",
        "KEY_COLUMNS",
        "MAX_TOKENS",
        "AUTHOR",
    ],
)
def test_what_only_sounds_like_a_secret_is_taken(name: str) -> None:
    """The name of a setting is judged by what it ends with."""
    assert read({"variables": {name: "https://example.org/token"}}).variables


def test_a_password_in_the_source_is_refused_and_not_repeated() -> None:
    """Everyone who may look at a task definition would see it."""
    with pytest.raises(Refused) as caught:
        read({"source_url": "https://me:hunter2@example.org/x"})

    assert "source_url: it holds a password" in str(caught.value)
    assert "hunter2" not in f"{caught.value} {caught.value.advice}"


SECRETS = {
    "A": ("prod/a", f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:prod/a"),
    "B": ("ssm:/prod/b", f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/prod/b"),
    "C": ("arn:aws:secretsmanager:us-east-1:1:secret:c-AbCdEf:key::",) * 2,
}


def with_secrets(target: Target) -> Target:
    """A target whose dataset has a secret of each kind."""
    secrets = {name: reference for name, (reference, _) in SECRETS.items()}
    return replace(target, environment=replace(target.environment, secrets=secrets))


def test_datasets_are_a_table_of_tables() -> None:
    """What TOML has otherwise is named, too."""
    with pytest.raises(Refused, match="datasets: not a table"):
        read({"datasets": ["orders"]})


def test_a_password_in_the_url_of_a_dataset_is_refused_and_not_repeated() -> None:
    """A task definition would show it."""
    with pytest.raises(Refused, match="dataset: it holds a password") as caught:
        read({"dataset": "https://me:hunter2@example.org/orders.toml"})
    assert "hunter2" not in str(caught.value)


def test_a_name_of_a_secret_may_end_like_its_arn(target: Target) -> None:
    """Secrets Manager adds six characters to it all the same."""
    environment = replace(target.environment, secrets={"A": "prod/orders/api-secret"})

    found = json.dumps(policies(replace(target, environment=environment)))

    assert "secret:prod/orders/api-secret-??????" in found


def test_secrets_are_read_by_ecs(target: Target) -> None:
    """The task definition names them, and the execution role may read them; no value is known."""
    chosen = with_secrets(target)
    container = task_definition(chosen, image="i")["containerDefinitions"][0]

    assert container["secrets"] == [
        {"name": name, "valueFrom": arn} for name, (_, arn) in SECRETS.items()
    ]
    found = {part["Sid"]: part for part in policies(chosen)["execution_role"]["Statement"]}
    assert found["ReadSecrets"]["Resource"] == [
        f"{secret_arn(target, 'prod/a')}-??????",
        "arn:aws:secretsmanager:us-east-1:1:secret:c-AbCdEf",
    ]
    assert found["ReadParameters"]["Resource"] == secret_arn(target, "ssm:/prod/b")


def test_secrets_that_are_not_there_are_told(clients: Clients, target: Target) -> None:
    """With the command that makes each; none of them is read."""
    chosen = with_secrets(target)
    secrets = {"A": "prod/a", "B": "ssm:/prod/b"}
    chosen = replace(chosen, environment=replace(chosen.environment, secrets=secrets))

    missing = list(check_secrets(chosen, clients))
    clients.secretsmanager.create_secret(Name="prod/a", SecretString="x")
    clients.ssm.put_parameter(Name="/prod/b", Value="x", Type="SecureString")
    present = list(check_secrets(chosen, clients))

    assert [(item.about, item.good) for item in missing] == [
        ("secret A", False),
        ("secret B", False),
    ]
    assert "aws secretsmanager create-secret --name prod/a" in missing[0].advice
    assert "aws ssm put-parameter --type SecureString --name /prod/b" in missing[1].advice
    assert [item.good for item in present] == [True, True]


def test_the_worst_exit_code_is_wrong_data() -> None:
    """Then a run that failed, and last a schedule that could not be moved."""
    assert worst([Exit.NOT_MOVED, Exit.REFUSED]) == Exit.REFUSED
    assert worst([Exit.RUN_FAILED, 65, Exit.NOT_LAUNCHED]) == 65
    assert worst([77, Exit.TEST_FAILED, 137]) == Exit.TEST_FAILED


@pytest.fixture
def two(cloud: Cloud) -> Cloud:
    """An environment that publishes launches and orders."""
    with Path(os.environ["DEPLOY_ENV"]).open("a") as file:
        file.write('[datasets.orders]\nmemory = 1024\nvariables = { A = "1" }\n')
    start = cloud.run

    def run(body: dict[str, Any]) -> dict[str, Any]:
        # The object of each task: ECS knows it from the definition.
        key = "orders.parquet" if "orders" in body["taskDefinition"] else "launches.parquet"
        answer = start(body)
        settings = body["overrides"]["containerOverrides"][0]["environment"]
        run_id = next(item["value"] for item in settings if item["name"] == "RUN_ID")
        cloud.clients.s3.put_object(
            Bucket="trial-bucket", Key=key, Body=b"x", Metadata={"run-id": run_id, "rows": "5"}
        )
        return answer

    cloud.recorded.answers["RunTask"] = [run]
    return cloud


def test_all_datasets_are_deployed_with_one_image(two: Cloud) -> None:
    """A family each; the verdict has the facts of each under its name."""
    ended = two.deploy("--json")

    assert ended.code == Exit.OK, ended
    families = [body["family"] for body in two.recorded.calls("RegisterTaskDefinition")]
    assert families == ["trial-task", "trial-task-orders"]
    facts = ended.verdict["datasets"]
    assert facts["launches"]["revision"] == "trial-task:1"
    assert facts["orders"]["good"] == facts["orders"]["revision"]
    assert ended.verdict["image"]["digest"] == two.digest
    assert "dataset    orders" in ended.err


def test_a_dataset_that_fails_leaves_the_others_alone(two: Cloud) -> None:
    """The others are published and promoted; the command ends with the worst code."""

    def describe(_: dict[str, Any]) -> dict[str, Any]:
        failing = "orders" not in two.recorded.calls("RunTask")[-1]["taskDefinition"]
        changes = {"container": {"exitCode": 65}} if failing else {}
        two.ending = changes
        return {"tasks": [two.make_task(**two.task_changes())], "failures": []}

    two.recorded.answers["DescribeTasks"] = [describe]

    ended = two.deploy("--json")

    assert ended.code == 65
    assert ended.verdict["cause"] == "1 of 2 datasets failed: launches (65)"
    facts = ended.verdict["datasets"]
    assert (facts["launches"]["outcome"], facts["launches"]["exit_code"]) == ("run_failed", 65)
    assert (facts["orders"]["outcome"], facts["orders"]["test"]["passed"]) == ("ok", True)


def test_one_dataset_can_be_named(two: Cloud) -> None:
    """Alone it is deployed, run and shown as if there were no other; an unknown one is refused."""
    ended = two.deploy("--dataset", "orders", "--json")

    assert (ended.code, ended.verdict["revision"]) == (Exit.OK, "trial-task-orders:1")
    assert len(two.recorded.calls("RunTask")) == 1
    unknown = two.deploy("status", "--dataset", "sales")
    assert unknown.code == Exit.REFUSED
    assert "publishes launches, orders" in unknown.err


@pytest.mark.parametrize("command", ["rollback", "logs", "stop"])
def test_what_is_for_one_dataset_asks_which(two: Cloud, command: str) -> None:
    """Rather than to roll back all of them."""
    ended = two.deploy(command)

    assert ended.code == Exit.REFUSED
    assert f"{command}: of which dataset? launches, orders" in ended.err


def test_force_is_given_to_this_run_alone(cloud: Cloud) -> None:
    """As the service's own flag; the definition stays as it is."""
    assert cloud.deploy("--force").code == Exit.OK
    assert cloud.deploy("run").code == Exit.OK
    assert cloud.deploy("run", "--force").code == Exit.OK

    commands = [
        body["overrides"]["containerOverrides"][0].get("command")
        for body in cloud.recorded.calls("RunTask")
    ]
    assert commands == [["run", "--force"], None, ["run", "--force"]]
    assert "command" not in json.dumps(cloud.recorded.calls("RegisterTaskDefinition"))


def test_a_policy_names_each_dataset(target: Target) -> None:
    """Its family, its object, its raw copies."""
    environment = target.environment
    orders = replace(
        environment,
        family="trial-task-orders",
        key="orders.parquet",
        variables={"RAW_URL": "s3://raw/x"},
    )
    whole = replace(target, environment=replace(environment, datasets=(environment, orders)))
    found = {part["Sid"]: part for part in policies(whole)["caller"]["Statement"]}

    assert [arn.rsplit("/", 1)[-1] for arn in found["Run"]["Resource"]] == [
        "trial-task:*",
        "trial-task-orders:*",
    ]
    assert found["ReadObject"]["Resource"] == [
        "arn:aws:s3:::trial-bucket/launches.parquet",
        "arn:aws:s3:::trial-bucket/orders.parquet",
    ]
    assert found["ReadRaw"]["Resource"] == "arn:aws:s3:::raw/x/*"


def test_a_running_task_can_be_followed_and_stopped(cloud: Cloud) -> None:
    """After a login that had expired, by its id, its ARN, or as the one that runs."""
    cloud.recorded.answers["StopTask"] = [{"task": {}}]
    cloud.recorded.answers["ListTasks"] = [{"taskArns": [TASK]}]
    cloud.log = ("one",)

    followed = cloud.deploy("follow", "0123abcd")
    assert followed.code == Exit.OK, followed
    assert "| one" in followed.out
    cloud.ending = {"container": {"exitCode": 65}}
    assert cloud.deploy("follow").code == 65
    assert cloud.deploy("stop", TASK).code == Exit.OK
    assert cloud.recorded.calls("StopTask")[0]["task"] == TASK
    cloud.recorded.answers["ListTasks"] = [{"taskArns": []}]
    assert "no task of trial-task is running" in cloud.deploy("stop").err


def test_a_secret_in_an_older_revision_is_not_shown(cloud: Cloud) -> None:
    """One that was registered by other means can hold it in plain text."""
    cloud.deploy()
    old = cloud.revisions[0]["containerDefinitions"][0]["environment"]
    old.append({"name": "DB_PASSWORD", "value": "hunter2"})

    ended = cloud.deploy("plan")

    assert "- micro-etl.environment.DB_PASSWORD = (hidden)" in ended.out
    assert "hunter2" not in ended.out + ended.err


def test_the_log_of_another_dataset_is_never_shown(two: Cloud) -> None:
    """The streams of a log group do not tell whose they are."""
    two.recorded.answers["ListTasks"] = [{"taskArns": []}]

    ended = two.deploy("logs", "--dataset", "orders")

    assert ended.code == Exit.REFUSED
    assert "is known from the last hour" in ended.err
    assert not two.recorded.calls("GetLogEvents")


@pytest.mark.parametrize("command", ["follow", "stop"])
def test_a_task_that_ecs_does_not_know_is_refused(command: str, cloud: Cloud) -> None:
    """At once, and nothing is stopped."""
    cloud.recorded.answers["DescribeTasks"] = [{"tasks": [], "failures": [{"reason": "MISSING"}]}]

    ended = cloud.deploy(command, "wrong")

    assert ended.code == Exit.REFUSED
    assert "trial-cluster has no task wrong" in ended.err
    assert not cloud.recorded.calls("StopTask")


def test_following_without_permission_stops_nothing(cloud: Cloud) -> None:
    """The task was not started by this command; stopping needs no look."""
    cloud.recorded.answers["DescribeTasks"] = [("AccessDeniedException", "not you")]
    cloud.recorded.answers["StopTask"] = [{"task": {}}]

    ended = cloud.deploy("follow", "0123abcd")

    assert ended.code == Exit.REFUSED
    assert "DescribeTasks: not you" in ended.err
    assert not cloud.recorded.calls("StopTask")
    assert cloud.deploy("stop", "0123abcd").code == Exit.OK


@pytest.mark.parametrize("reference", ["arn:", "arn:aws:secretsmanager::secret:a", "ssm:"])
def test_what_can_be_no_secret_is_told(reference: str, clients: Clients, target: Target) -> None:
    """In one line, whatever the ARN is of."""
    chosen = replace(target, environment=replace(target.environment, secrets={"T": reference}))

    (found,) = check_secrets(chosen, clients)

    assert (found.about, found.good) == ("secret T", False)
    assert "the ARN of no secret" in found.text


def test_a_parameter_is_found_without_its_slash(clients: Clients, target: Target) -> None:
    """Its ARN is that of the name with a slash."""
    clients.ssm.put_parameter(Name="plaintoken", Value="x", Type="SecureString")
    secrets = {"C": "ssm:plaintoken"}
    chosen = replace(target, environment=replace(target.environment, secrets=secrets))

    assert [item.good for item in check_secrets(chosen, clients)] == [True]


def test_a_secret_that_is_to_be_deleted_is_told(clients: Clients, target: Target) -> None:
    """It exists for some days more, but ECS can't read it."""
    clients.secretsmanager.create_secret(Name="prod/a", SecretString="x")
    clients.secretsmanager.delete_secret(SecretId="prod/a", RecoveryWindowInDays=7)
    chosen = replace(target, environment=replace(target.environment, secrets={"A": "prod/a"}))

    (found,) = check_secrets(chosen, clients)

    assert not found.good
    assert "restore-secret" in found.advice
