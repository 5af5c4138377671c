"""The templates: what they make, that they go again without a trace, and that they hold rules."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from moto import mock_aws
from moto.core.common_models import CloudFormationModel
from moto.iam.models import iam_backends

from deploy.bootstrap import Wishes, bootstrap
from deploy.console import Console
from deploy.destroy import present
from deploy.outcome import Refused
from deploy.stacks import DEPLOY_ROLE, GITHUB, STACKS
from tests.infra.conftest import ACCOUNT, PROVIDER_URL, REGION, Account, client

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
LINT = "import sys; from cfnlint.runner import main; sys.exit(main())"
NAMES = sorted(file.stem for file in INFRA.glob("*.yaml"))


def test_every_template_is_a_stack_of_bootstrap() -> None:
    """No template lies in infra/ that nothing deploys."""
    assert sorted(stack.template for stack in STACKS) == NAMES


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


def test_an_environment_is_made_again_without_a_change(
    account: Account, outputs: dict[str, str]
) -> None:
    """A second bootstrap changes nothing, and need not be told again what the first was."""
    shown = io.StringIO()
    again = bootstrap(
        account.cloud,
        account.client("iam"),
        wishes=Wishes(name="staging"),
        existing={},
        console=Console(shown),
        confirm=lambda _: pytest.fail("asked, though nothing changes"),
    )
    assert shown.getvalue().count("no change") == len(STACKS) - 1
    assert {key: again[key] for key in outputs if key in again} == {
        key: value for key, value in outputs.items() if key in again
    }


def test_each_change_is_shown_before_it_is_made(account: Account) -> None:
    """Whoever says no has seen what would be made, and nothing has been."""
    shown = io.StringIO()

    def refuse(_: str) -> bool:
        assert "AWS::ECR::Repository" in shown.getvalue()
        return False

    with pytest.raises(Refused, match="left as it was"):
        bootstrap(
            account.cloud,
            account.client("iam"),
            wishes=Wishes(name="staging"),
            existing={},
            console=Console(shown),
            confirm=refuse,
        )
    assert present(account.cloud) == []
    assert account.client("ecr").describe_repositories()["repositories"] == []


def test_the_bucket_is_closed_versioned_and_encrypted(
    account: Account, outputs: dict[str, str]
) -> None:
    """What is published is not public, and what is replaced can be had back."""
    s3, name = account.client("s3"), outputs["Bucket"]
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    blocked = s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
    assert all(blocked.values())
    assert len(blocked) == 4
    rules = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"


def test_the_network_lets_https_out_and_nothing_in(
    account: Account, outputs: dict[str, str]
) -> None:
    """A task reaches HTTPS servers alone, and its subnets have a way out without a NAT gateway."""
    ec2 = account.client("ec2")
    group = ec2.describe_security_groups(GroupIds=[outputs["SecurityGroup"]])["SecurityGroups"][0]
    assert group["IpPermissions"] == []
    rules = [
        (rule["IpProtocol"], rule["FromPort"], rule["ToPort"])
        for rule in group["IpPermissionsEgress"]
    ]
    assert rules == [("tcp", 443, 443)]
    subnets = outputs["Subnets"].split(",")
    zones = ec2.describe_subnets(SubnetIds=subnets)["Subnets"]
    assert len({subnet["AvailabilityZone"] for subnet in zones}) == 2
    assert ec2.describe_nat_gateways()["NatGateways"] == []


def test_images_can_be_neither_replaced_nor_pushed_unscanned(
    account: Account, outputs: dict[str, str]
) -> None:
    """A tag stands for one image for good; each image is scanned; old ones go."""
    ecr = account.client("ecr")
    found = ecr.describe_repositories(repositoryNames=[outputs["Repository"]])["repositories"][0]
    assert found["imageTagMutability"] == "IMMUTABLE"
    assert found["imageScanningConfiguration"] == {"scanOnPush": True}
    policy = ecr.get_lifecycle_policy(repositoryName=outputs["Repository"])
    assert len(json.loads(policy["lifecyclePolicyText"])["rules"]) == 2


def test_alarms_watch_what_the_service_says(account: Account, outputs: dict[str, str]) -> None:
    """The alarms' metric, dimension and namespace are those of the service's own report."""
    from micro_etl.events import RunFailed
    from micro_etl.report import embedded_metrics
    from tests.service.test_report import finished

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
        assert alarm["AlarmActions"] == [outputs["Topic"]]
    silence = of_service["Succeeded"]
    assert silence["TreatMissingData"] == "breaching"
    assert silence["Period"] * silence["EvaluationPeriods"] >= 86_400


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
    account: Account, outputs: dict[str, str], task: dict[str, object], *, told: bool
) -> None:
    """One that ended well, is running, or is of another cluster, is not."""
    events = account.client("events")
    rule = events.describe_rule(Name="micro-etl-staging-task-failed")
    cluster = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{outputs['Cluster']}"
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
    account: Account, outputs: dict[str, str]
) -> None:
    """EventBridge puts each value in as JSON, and drops an event that is none in the end."""
    events = account.client("events")
    (target,) = events.list_targets_by_rule(Rule="micro-etl-staging-task-failed")["Targets"]
    assert target["Arn"] == outputs["Topic"]
    text, values = target["InputTransformer"]["InputTemplate"], {}
    for name in target["InputTransformer"]["InputPathsMap"]:
        values[name] = f'{name}: Get "https://example.org/": i/o timeout'
        text = text.replace(f"<{name}>", json.dumps(values[name]))
    assert values.items() <= json.loads(text).items()


def test_the_topic_takes_what_eventbridge_sends(account: Account, outputs: dict[str, str]) -> None:
    """It sends no context with it: a condition on the topic would deny every message."""
    topic = account.client("sns").get_topic_attributes(TopicArn=outputs["Topic"])
    statements = json.loads(topic["Attributes"]["Policy"])["Statement"]
    (found,) = (
        item for item in statements if item["Principal"] == {"Service": "events.amazonaws.com"}
    )
    assert (found["Action"], found["Resource"]) == ("sns:Publish", outputs["Topic"])
    assert "Condition" not in found


class OIDCProvider(CloudFormationModel):
    """The one type that neither emulator's CloudFormation knows, by moto's own IAM."""

    @staticmethod
    def cloudformation_name_type() -> str:
        """Return the property that names it: none."""
        return ""

    @staticmethod
    def cloudformation_type() -> str:
        """Return what templates call it."""
        return "AWS::IAM::OIDCProvider"

    @classmethod
    def create_from_cloudformation_json(  # type: ignore[no-untyped-def]
        cls,
        resource_name,  # noqa: ARG003 - moto's signature
        cloudformation_json,
        account_id,
        region_name,  # noqa: ARG003
        **_,
    ):
        """Make one from a template's properties."""
        properties = cloudformation_json["Properties"]
        made = iam_backends[account_id]["aws"].create_open_id_connect_provider(
            url=properties["Url"],
            client_id_list=properties["ClientIdList"],
            thumbprint_list=[],
            tags=[],
        )
        found = cls()
        found.arn = made.arn
        return found

    @property
    def physical_resource_id(self) -> str:
        """Return its ARN."""
        return self.arn

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        """Tell whether templates may ask for an attribute."""
        return attr == "Arn"

    def get_cfn_attribute(self, attribute_name: str) -> str:
        """Return an attribute."""
        assert attribute_name == "Arn"
        return self.arn

    def delete(self, account_id: str, _region_name: str) -> None:
        """Remove it."""
        iam_backends[account_id]["aws"].delete_open_id_connect_provider(self.arn)

    arn = ""


@mock_aws
def test_github_is_a_provider_whose_tokens_get_the_role_for_one_environment_alone() -> None:
    """On moto: the provider is made and removed, and the role trusts it and nothing else."""
    cloud, iam = client("cloudformation", None), client("iam", None)
    cloud.create_stack(StackName="github", TemplateBody=GITHUB.body())
    arn = cloud.describe_stacks(StackName="github")["Stacks"][0]["Outputs"][0]["OutputValue"]
    provider = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert provider["Url"] == PROVIDER_URL.removeprefix("https://")
    assert provider["ClientIDList"] == ["sts.amazonaws.com"]

    declared = cloud.get_template_summary(TemplateBody=DEPLOY_ROLE.body())["Parameters"]
    role = f"arn:aws:iam::{ACCOUNT}:role/some"
    names = [item["ParameterKey"] for item in declared]
    values = {name: role if name.endswith("Role") else "some" for name in names} | {
        "Environment": "production",
        "GitHubRepository": "octo@1/micro-etl@2",
        "GitHubProvider": arn,
        "Builds": "true",  # moto leaves a hole where a list's item is AWS::NoValue
    }
    cloud.create_stack(
        StackName="role",
        TemplateBody=DEPLOY_ROLE.body(),
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in values.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    roles = iam.list_roles()["Roles"]
    assert len(roles) == 1
    (statement,) = roles[0]["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Federated": arn}
    host = PROVIDER_URL.removeprefix("https://")
    assert statement["Condition"] == {
        "StringEquals": {
            f"{host}:aud": "sts.amazonaws.com",
            f"{host}:sub": "repo:octo@1/micro-etl@2:environment:production",
        }
    }
    cloud.delete_stack(StackName="role")
    cloud.delete_stack(StackName="github")
    assert iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == []
    assert iam.list_roles()["Roles"] == []
