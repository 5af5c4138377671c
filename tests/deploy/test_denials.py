"""What each command says and how it ends when one action of the printed policy is denied.

The table in docs/denials.md is made by this test, with WRITE_DENIALS=1.
"""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.account.policies import statements
from deploy.aws import Clients
from deploy.outcome import Exit
from deploy.proof import prove
from deploy.target import Target
from tests.deploy.test_cli import Cloud, Ended, cloud

__all__ = ["cloud"]

PAGE = Path(__file__).parents[2] / "docs" / "denials.md"
COMMANDS = ("plan", "verify", "", "status", "rollback")
FROM_OPERATION = {
    "s3:HeadObject": "s3:GetObject",
    "s3:HeadBucket": "s3:ListBucket",
    "ec2:DescribeSecurityGroups": "ec2:DescribeSecurityGroups",
}
"""The actions of IAM that are not called as the operation is."""
BY_THE_ENGINE = {
    "ecr:BatchCheckLayerAvailability",
    "ecr:CompleteLayerUpload",
    "ecr:GetDownloadUrlForLayer",
    "ecr:InitiateLayerUpload",
    "ecr:UploadLayerPart",
}
"""What `docker push` asks for, whose own words are shown."""


class Response:
    """The HTTP side of a refusal."""

    status_code = 403
    headers: dict[str, str] = {}  # noqa: RUF012
    content = b""


class Denials:
    """Lets AWS deny calls, on the way from the real clients to their endpoints.

    The clients are made once, which is most of what a command takes.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.denied: Callable[[str, str], str] = lambda *_: ""
        self._made: dict[str, Any] = {}
        self._make = Clients.__getattr__
        monkeypatch.setattr(Clients, "__getattr__", lambda clients, name: self._get(clients, name))

    def of_action(self, action: str) -> None:
        """Deny one action of IAM."""

        def denied(name: str, operation: str) -> str:
            passes_roles = action == "iam:PassRole" and operation == "RegisterTaskDefinition"
            return action if FROM_OPERATION.get(name, name) == action or passes_roles else ""

        self.denied = denied

    def _get(self, clients: Clients, name: str) -> Any:
        if name not in self._made:
            self._made[name] = self._make(clients, name)
            self._made[name].meta.events.register("before-call", self._answer)
        return self._made[name]

    def _answer(self, model: Any, **_: object) -> Any:
        name = f"{service_of(model)}:{model.name}"
        action = self.denied(name, model.name)
        if not action:
            return None
        words = f"User: me is not authorized to perform: {action}"
        code = "AccessDenied" if name.startswith(("s3:", "iam:")) else "AccessDeniedException"
        return Response(), {
            "Error": {"Code": code, "Message": words},
            "ResponseMetadata": {"HTTPStatusCode": 403, "HTTPHeaders": {}},
        }


@pytest.fixture
def denials(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Denials:
    """Denies nothing yet."""
    assert cloud.root
    return Denials(monkeypatch)


def service_of(model: Any) -> str:
    """What IAM calls the service of an operation."""
    return str(model.service_model.signing_name)


def actions_of(target: Target) -> list[str]:
    """The actions of the printed policy that a command of this environment can call."""
    allowed = statements(target)["caller"]
    actions = {action for statement in allowed for action in statement["Action"]}
    return sorted(actions - BY_THE_ENGINE)


def in_short(ended: Ended, action: str) -> str:
    """How a command ended, and what it said of the denial."""
    operation = action.split(":")[1]
    for line in (ended.out + ended.err).splitlines():
        if operation in line or "can't be told" in line or "may not" in line:
            text = re.sub(r"User: me is not authorized to perform: [\w:]+", "denied", line.strip())
            text = re.sub(r" \(AccessDenied(Exception)?\)|^error +|^→ ", "", text)
            return f"{ended.code}: {re.sub(r' +', ' ', text)[:110]}"
    return f"{ended.code}"


@pytest.fixture
def ready(cloud: Cloud, denials: Denials, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """Two good revisions and a larger task to deploy, so that each command has work to do."""
    assert denials
    monkeypatch.setattr(prove, "integration_test", lambda *_, **__: (1, []))
    for memory in ("512", "768"):
        monkeypatch.setenv("DEPLOY_MEMORY", memory)
        assert cloud.deploy().code == Exit.OK
    monkeypatch.setenv("DEPLOY_MEMORY", "1024")
    return cloud


@pytest.mark.timeout(600)
def test_each_denial_is_told_and_what_can_go_on_goes_on(
    ready: Cloud, world: Target, denials: Denials
) -> None:
    """No command ends with a traceback, or says that there is none of what it may not see."""
    cloud, rows = ready, []
    revisions, tags = list(cloud.revisions), copy.deepcopy(cloud.tags)
    for action in actions_of(world):
        cells = []
        for command in COMMANDS:
            denials.of_action(action)
            ended = cloud.deploy(*command.split())
            assert "Traceback" not in ended.out + ended.err
            assert ended.code != Exit.DEFECT
            cells.append(in_short(ended, action))
            cloud.revisions[:], cloud.tags = list(revisions), copy.deepcopy(tags)
        rows.append(f"| `{action}` | " + " | ".join(cells) + " |")
    heads = ["`plan`", "`verify`", "`./deploy.sh`", "`status`", "`rollback`"]
    lines = ["| denied | " + " | ".join(heads) + " |", "| --- " * (len(heads) + 1) + "|", *rows]
    table = "\n".join(lines)
    if os.environ.get("WRITE_DENIALS"):
        PAGE.write_text(HEAD + table + "\n", encoding="utf-8")
    assert table in PAGE.read_text(encoding="utf-8")


HEAD = """# What a denied permission does

Each action of the policy that `./deploy.sh verify --policy` prints, denied alone: the exit code of
each command, and what it says of the denial, where it needs the action. Two revisions are good, and
the environment file asks for a third.

`tests/deploy/test_denials.py` makes this table and checks it. What `docker push` alone asks for is
not in it: its own words are shown then.

"""


def without(cloud: Cloud, *operations: str) -> Callable[..., Ended]:
    """The command of an account in which some calls to ECS or its log are denied."""
    for operation in operations:
        cloud.recorded.answers[operation] = [("AccessDeniedException", f"not you: {operation}")]
    return cloud.deploy


def test_a_commit_over_unchanged_data_passes_without_the_log(cloud: Cloud) -> None:
    """The exit code, the object's ETag from before, and the integration test are proof enough."""
    cloud.deploy()
    cloud.writes = False

    ended = without(cloud, "GetLogEvents")()

    assert ended.code == Exit.OK, ended
    assert "as before this run, which ended well" in ended.out
    assert "the caller needs logs:GetLogEvents" in ended.out


def test_without_a_look_at_revisions_a_deploy_registers_one(cloud: Cloud) -> None:
    """It builds, runs and tests; it does not say that this is the first."""
    cloud.deploy()

    ended = without(cloud, "DescribeTaskDefinition")()

    assert ended.code == Exit.OK, ended
    assert "whether it differs from the last one can't be told" in ended.out
    assert len(cloud.recorded.calls("RegisterTaskDefinition")) == 2


@pytest.mark.parametrize("command", ["rollback", "status", "run", "plan"])
def test_what_may_not_be_seen_is_not_called_nothing(cloud: Cloud, command: str) -> None:
    """Neither list nor description: `there is none` is not what is known."""
    cloud.deploy()

    said = without(cloud, "ListTaskDefinitions", "DescribeTaskDefinition")(command)

    assert "can't be told" in said.out + said.err, said
    for words in ("nothing yet", "has passed its test before", "no revision of", "first"):
        assert words not in said.out + said.err


def test_with_a_list_denied_the_latest_is_known(cloud: Cloud) -> None:
    """And that there may be others."""
    cloud.deploy()

    status = without(cloud, "ListTaskDefinitions")("status")
    rollback = cloud.deploy("rollback")

    assert "trial-task:1, passed its test" in status.out
    assert rollback.code == Exit.REFUSED
    assert "which revision was good can't be told: ListTaskDefinitions" in rollback.err
    assert "--to NUMBER" in rollback.err


def test_nothing_visible_is_not_good(cloud: Cloud, denials: Denials) -> None:
    """`verify` fails then; a deploy goes on."""
    looks = ("Describe", "Head", "GetRole", "List")
    denials.denied = lambda name, operation: name if operation.startswith(looks) else ""

    ended = cloud.deploy("verify")

    assert ended.code == Exit.REFUSED
    assert "verify: nothing could be looked at" in ended.err
    plan = cloud.deploy("plan")
    assert plan.code == Exit.OK, plan
    assert "nothing could be looked at" in plan.out
    assert "would register" in plan.out
    assert "would run" in plan.out


def test_a_scoped_user_sees_the_whole_plan(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without roles in the file or an earlier revision: placeholders, and what to set."""
    monkeypatch.setenv("DEPLOY_EXECUTION_ROLE", "")
    monkeypatch.setenv("DEPLOY_TASK_ROLE", "")

    ended = cloud.deploy("plan")

    assert ended.code == Exit.OK, ended
    assert "roles      execution_role and task_role: not set" in ended.out
    assert "one role may serve as both" in ended.out
    assert ":role/TASK_ROLE" in ended.out
    for words in ("would register", "would run", "would test", "would mark it as good"):
        assert words in ended.out


def test_a_plan_that_a_deploy_would_refuse_ends_so(cloud: Cloud) -> None:
    """After the whole plan; and it says of nothing what deploy would not do."""
    cloud.deploy()
    cloud.clients.s3.delete_object(Bucket="trial-bucket", Key="launches.parquet")
    cloud.clients.s3.delete_bucket(Bucket="trial-bucket")

    ended = cloud.deploy("plan")

    assert ended.code == Exit.REFUSED
    assert "promote    not needed: trial-task:1 is marked as good" in ended.out
    assert "verify: bucket: trial-bucket does not exist" in ended.err
    assert cloud.deploy().code == Exit.REFUSED


def test_nothing_is_deleted_and_what_passed_is_kept(cloud: Cloud) -> None:
    """Old images are the repository's own matter, which knows good ones by a tag."""
    cloud.deploy()

    tags = cloud.clients.ecr.describe_images(repositoryName="trial-repo")["imageDetails"][0]
    called = {operation for operation, _ in cloud.recorded.asked}
    assert [tag for tag in tags["imageTags"] if tag.startswith("good-")]
    assert not {name for name in called if name.startswith(("Deregister", "Delete"))}


def test_an_endpoint_that_is_not_aws_is_shown(cloud: Cloud) -> None:
    """A variable that was left over from a rehearsal would be easy to miss."""
    assert f"not AWS, but {cloud.recorded.url}" in cloud.deploy("status").out


def test_an_endpoint_of_one_service_is_shown(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof would read the table of an emulator."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"{cloud.recorded.url}/s3")
    assert f"not AWS, but {cloud.recorded.url}/s3: " in cloud.deploy("status").out


def test_a_rollback_leaves_what_another_deploy_has_proven(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer revision that passed meanwhile stays the good one; ours alone is withdrawn."""
    cloud.deploy()
    monkeypatch.setenv("DEPLOY_MEMORY", "1024")
    cloud.ending = {"container": {"exitCode": 65}}
    start = cloud.run

    def run(body: dict[str, Any]) -> dict[str, Any]:
        answer = start(body)
        theirs = {**cloud.revisions[0], "revision": 3}
        theirs["taskDefinitionArn"] = theirs["taskDefinitionArn"].rsplit(":", 1)[0] + ":3"
        cloud.revisions.append(theirs)
        cloud.tags[theirs["taskDefinitionArn"]] = {"micro-etl:passed": "2026-01-01"}
        return answer

    cloud.recorded.answers["RunTask"] = [run]

    ended = cloud.deploy("--rollback")

    assert ended.code == 65
    assert "rollback   not needed: trial-task:3 has passed meanwhile" in ended.out
    assert len(cloud.recorded.calls("RunTask")) == 2
    marked = {body["resourceArn"].rsplit(":", 1)[1] for body in cloud.recorded.calls("TagResource")}
    assert marked == {"1", "2"}
    status = cloud.deploy("status", "--json").verdict
    assert (status["deployed"], status["good"]) == ("trial-task:3", "trial-task:3")


def test_a_task_that_may_not_be_seen_is_not_called_none(cloud: Cloud) -> None:
    """Neither by `status`, nor by what looks for the one that runs."""
    cloud.deploy()

    status = without(cloud, "ListTasks")("status")
    stop = cloud.deploy("stop")

    assert "may not be looked at: ListTasks: not you" in status.out
    assert "none in the last hour" not in status.out
    assert "which task is running can't be told: ListTasks" in stop.err
