"""The commands as users and programs meet them: lines, verdicts and exit codes.

ECS and its log answer from recorded shapes, in which a task of the tests "runs" by writing the
object; S3, ECR, IAM, EC2 and STS are the emulator's.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from deploy import calls, cli
from deploy.aws import Clients
from deploy.outcome import Exit
from deploy.target import Target
from deploy.work import Limits
from tests.deploy.conftest import ACCOUNT, REGION, TRUST, Recorded
from tests.deploy.test_source_tree import git

TASK = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/trial-cluster/0123abcd"
MakeTask = Callable[..., dict[str, Any]]


@dataclass
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def verdict(self) -> dict[str, Any]:
        """What `--json` printed: one object, and nothing else."""
        found: dict[str, Any] = json.loads(self.out)
        return found


@dataclass
class Cloud:
    """An account in which the recorded ECS keeps the revisions that are registered."""

    clients: Clients
    recorded: Recorded
    root: Path
    digest: str
    make_task: MakeTask
    deploy: Callable[..., Ended]
    revisions: list[dict[str, Any]] = field(default_factory=list)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    ending: dict[str, Any] = field(default_factory=dict)
    log: tuple[str, ...] = ()
    writes: bool = True

    def register(self, body: dict[str, Any]) -> dict[str, Any]:
        """Answer RegisterTaskDefinition."""
        number = len(self.revisions) + 1
        arn = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{body['family']}:{number}"
        self.revisions.append(body | {"taskDefinitionArn": arn, "revision": number})
        return {"taskDefinition": self.revisions[-1]}

    def describe(self, body: dict[str, Any]) -> Any:
        """Answer DescribeTaskDefinition."""
        wanted = body["taskDefinition"]
        for found in reversed(self.revisions):
            if wanted in {found["taskDefinitionArn"], found["family"]}:
                tags = self.tags.get(found["taskDefinitionArn"], {})
                return {
                    "taskDefinition": found,
                    "tags": [{"key": key, "value": value} for key, value in tags.items()],
                }
        return ("ClientException", "Unable to describe task definition.")

    def tag(self, body: dict[str, Any]) -> dict[str, Any]:
        """Answer TagResource."""
        marks = {tag["key"]: tag["value"] for tag in body["tags"]}
        self.tags.setdefault(body["resourceArn"], {}).update(marks)
        return {}

    def run(self, body: dict[str, Any]) -> dict[str, Any]:
        """Answer RunTask, and do what the task would."""
        settings = body["overrides"]["containerOverrides"][0]["environment"]
        run_id = next(item["value"] for item in settings if item["name"] == "RUN_ID")
        if self.writes:
            self.clients.s3.put_object(
                Bucket="trial-bucket",
                Key="launches.parquet",
                Body=b"x",
                Metadata={"run-id": run_id, "rows": "5"},
            )
        return {"tasks": [{"taskArn": TASK}], "failures": []}

    def answers(self) -> dict[str, list[Any]]:
        """What the recorded services answer."""
        page = {"nextForwardToken": "f/1", "nextBackwardToken": "b/1"}
        return {
            "DescribeClusters": [{"clusters": [{"status": "ACTIVE"}]}],
            "ListTaskDefinitions": [
                lambda _: {
                    "taskDefinitionArns": [
                        found["taskDefinitionArn"] for found in reversed(self.revisions)
                    ]
                }
            ],
            "DescribeTaskDefinition": [self.describe],
            "RegisterTaskDefinition": [self.register],
            "TagResource": [self.tag],
            "RunTask": [self.run],
            "ListTasks": [
                lambda body: {"taskArns": [TASK] if body["desiredStatus"] == "STOPPED" else []}
            ],
            "DescribeTasks": [
                lambda _: {"tasks": [self.make_task(**self.task_changes())], "failures": []}
            ],
            "GetLogEvents": [
                lambda body: (
                    page
                    | {
                        "events": []
                        if body.get("nextToken")
                        else [
                            {"timestamp": 1, "message": line, "ingestionTime": 1}
                            for line in self.log
                        ]
                    }
                )
            ],
            "DescribeLogGroups": [{"logGroups": [{"logGroupName": "/ecs/trial"}]}],
            "DescribeLogStreams": [{"logStreams": [{"logStreamName": "run/micro-etl/0123abcd"}]}],
        }

    def task_changes(self) -> dict[str, Any]:
        """How the task ended."""
        container = {"imageDigest": self.digest} | self.ending.get("container", {})
        return self.ending | {"container": container}


INTEGRATION_TEST = """
import os

def test_a_run_is_expected():
    assert os.environ["EXPECTED_RUN_ID"]
"""


@pytest.fixture
def cloud(
    world: Target,
    clients: Clients,
    recorded: Recorded,
    make_task: MakeTask,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Cloud:
    """An account with the image of a checkout's commit in it, and the command to deploy it."""
    root = tmp_path / "checkout"
    (root / "src" / "micro_etl").mkdir(parents=True)
    (root / "src" / "micro_etl" / "__init__.py").write_text('__version__ = "1.2.3"\n')
    (root / "tests" / "integration").mkdir(parents=True)
    (root / "tests" / "integration" / "test_it.py").write_text(INTEGRATION_TEST)
    (root / ".gitignore").write_text("__pycache__/\n")
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "one")
    put = clients.ecr.put_image(
        repositoryName="trial-repo",
        imageManifest='{"schemaVersion": 2}',
        imageTag=git(root, "rev-parse", "HEAD")[:12],
    )
    environment = world.environment
    file = tmp_path / "trial.toml"
    file.write_text(
        textwrap.dedent(
            f"""
            region = "{REGION}"
            cluster = "{environment.cluster}"
            repository = "{environment.repository}"
            bucket = "{environment.bucket}"
            key = "{environment.key}"
            log_group = "{environment.log_group}"
            subnets = ["{environment.subnets[0]}"]
            security_groups = ["{environment.security_groups[0]}"]
            family = "{environment.family}"
            execution_role = "execution"
            task_role = "task"
            """
        )
    )
    monkeypatch.setattr(calls, "ROOT", root)
    monkeypatch.setattr(calls, "LIMITS", Limits(poll=0.01, patience=0.3))
    monkeypatch.setenv("DEPLOY_ENV", str(file))
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", recorded.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", recorded.url)

    def deploy(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["deploy", *arguments])
        capsys.readouterr()
        code = cli.main()
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    made = Cloud(
        clients=clients,
        recorded=recorded,
        root=root,
        digest=put["image"]["imageId"]["imageDigest"],
        make_task=make_task,
        deploy=deploy,
    )
    recorded.answers = made.answers()
    return made


def test_a_deploy_goes_from_verify_to_promote(cloud: Cloud) -> None:
    """A step a line, in order; at the end it is proven what ran and what it wrote."""
    ended = cloud.deploy()

    assert (ended.code, ended.err) == (Exit.OK, "")
    steps = [line[:11].strip() for line in ended.out.splitlines() if line[:1].strip()]
    assert steps == ["target", "verify", "build", "push", "register", "run", "test", "promote"]
    assert f"the pushed image ran: {cloud.digest[:19]}" in ended.out
    assert "this run wrote s3://trial-bucket/launches.parquet" in ended.out
    assert "the integration test passed, 1 checks" in ended.out
    assert "trial-task:1 is the good one now" in ended.out


def test_a_second_deploy_changes_nothing_and_says_so(cloud: Cloud) -> None:
    """At each step, without a container engine, a push or a registration."""
    cloud.deploy()

    ended = cloud.deploy()

    assert ended.code == Exit.OK
    for words in (
        "build      not needed: ",
        f"push       already there: {cloud.digest}",
        "register   not needed: trial-task:1 has no difference",
        "promote    not needed: trial-task:1 is marked as good",
    ):
        assert words in ended.out
    assert len(cloud.recorded.calls("RegisterTaskDefinition")) == 1
    assert len(cloud.recorded.calls("TagResource")) == 1


def test_the_verdict_is_one_object_for_programs(cloud: Cloud) -> None:
    """Alone on standard output; people's lines go to standard error."""
    ended = cloud.deploy("--json")

    verdict = ended.verdict
    assert ended.code == Exit.OK
    assert "trial-task:1 is the good one now" in ended.err
    assert (verdict["command"], verdict["outcome"], verdict["exit_code"]) == ("deploy", "ok", 0)
    assert verdict["environment"] == "trial"
    assert verdict["image"]["digest"] == cloud.digest
    assert verdict["image"]["pushed"] is False
    assert (verdict["revision"], verdict["registered"]) == ("trial-task:1", True)
    assert verdict["task"]["arn"] == TASK
    assert verdict["test"] == {"passed": True, "checks": 1, "not_checked": []}
    assert verdict["good"] == "trial-task:1"


def test_refused_before_anything_changed(cloud: Cloud) -> None:
    """10: a problem that verify sees ends the deploy; nothing was registered or run."""
    cloud.clients.s3.delete_bucket(Bucket="trial-bucket")

    ended = cloud.deploy("--json")

    assert (ended.code, ended.verdict["outcome"]) == (10, "refused")
    assert ended.verdict["problems"][0]["about"] == "bucket"
    assert "trial-bucket does not exist" in ended.verdict["cause"]
    assert "error      verify: bucket: trial-bucket does not exist" in ended.err
    assert not cloud.recorded.calls("RegisterTaskDefinition")
    assert not cloud.recorded.calls("RunTask")


def test_a_repository_that_is_not_there_is_refused_without_verify_too(cloud: Cloud) -> None:
    """Nothing was changed, so that the code says so."""
    cloud.clients.ecr.delete_repository(repositoryName="trial-repo", force=True)

    assert cloud.deploy("--no-verify").code == Exit.REFUSED


def test_a_user_can_go_on_without_verify(cloud: Cloud) -> None:
    """A look knows less than AWS: a service of another name can be what ECS assumes a role as."""
    trust = json.dumps(TRUST).replace("ecs-tasks.amazonaws.com", "ecs-tasks.example.org")
    cloud.clients.iam.update_assume_role_policy(RoleName="task", PolicyDocument=trust)

    assert cloud.deploy().code == Exit.REFUSED
    assert cloud.deploy("--no-verify").code == Exit.OK


def test_could_not_launch(cloud: Cloud) -> None:
    """11: a revision is registered, but no container ran."""
    cloud.ending = {
        "stopCode": "TaskFailedToStart",
        "stoppedReason": "CannotPullContainerError: not found",
        "container": {"exitCode": None},
    }

    ended = cloud.deploy("--json")

    assert (ended.code, ended.verdict["outcome"]) == (11, "not_launched")
    assert ended.verdict["task"]["exit_code"] is None
    assert "is not in the repository" in ended.verdict["cause"]
    assert "ecr:BatchGetImage" in ended.verdict["advice"]


def test_ran_and_failed(cloud: Cloud) -> None:
    """The container's own code, with what the service said."""
    cloud.ending = {"container": {"exitCode": 65}}
    cloud.log = ('{"event": "run_failed", "exit_code": 65, "error": "record 3: flight_number"}',)

    ended = cloud.deploy("--json")

    assert (ended.code, ended.verdict["outcome"]) == (65, "run_failed")
    assert "record 3: flight_number" in ended.verdict["cause"]
    assert "| run_failed" in ended.err


def test_stopped_from_outside(cloud: Cloud) -> None:
    """12: also where the program ended with 0."""
    cloud.ending = {"stopCode": "SpotInterruption", "container": {"exitCode": 0}}

    ended = cloud.deploy("--json")

    assert (ended.code, ended.verdict["outcome"]) == (12, "run_failed")


@pytest.mark.parametrize("fault", ["wrote nothing", "another digest", "a wrong value"])
def test_ran_but_the_test_failed(cloud: Cloud, fault: str) -> None:
    """13: whichever of the three proofs is missing; the revision is not marked as good."""
    if fault == "wrote nothing":
        cloud.clients.s3.put_object(Bucket="trial-bucket", Key="launches.parquet", Body=b"old")
        cloud.writes = False
    elif fault == "another digest":
        cloud.ending = {"container": {"imageDigest": "sha256:" + "f0" * 32}}
    else:
        replace_test(cloud, "def test_values():\n    assert 186 == 187\n")

    ended = cloud.deploy("--json")

    assert (ended.code, ended.verdict["outcome"]) == (13, "test_failed"), ended
    assert not cloud.tags
    assert "good" not in ended.verdict


def replace_test(cloud: Cloud, text: str) -> None:
    """Replace the integration test, as if it had been so in the commit."""
    (cloud.root / "tests" / "integration" / "test_it.py").write_text(text)
    git(cloud.root, "update-index", "--assume-unchanged", "tests/integration/test_it.py")


def deploy_and_fail(cloud: Cloud) -> None:
    """Deploy a good revision, then one that fails its run."""
    assert cloud.deploy().code == Exit.OK
    cloud.ending = {"container": {"exitCode": 69}}
    os.environ["DEPLOY_MEMORY"] = "1024"
    try:
        assert cloud.deploy().code == 69
    finally:
        del os.environ["DEPLOY_MEMORY"]
    cloud.ending = {}


def test_a_failed_deploy_leaves_the_good_one_marked(cloud: Cloud) -> None:
    """`status` tells both."""
    deploy_and_fail(cloud)

    ended = cloud.deploy("status", "--json")

    assert ended.code == Exit.OK
    assert (ended.verdict["deployed"], ended.verdict["good"]) == ("trial-task:2", "trial-task:1")


def test_a_rollback_runs_tests_and_marks(cloud: Cloud) -> None:
    """Back to the last good one; the one that failed is left behind."""
    deploy_and_fail(cloud)

    ended = cloud.deploy("rollback")

    assert ended.code == Exit.OK
    assert "rollback   from trial-task:2 to trial-task:1" in ended.out
    assert "the integration test passed" in ended.out
    assert "trial-task:2 is left behind" in ended.out
    assert cloud.recorded.calls("RunTask")[-1]["taskDefinition"].endswith(":1")
    assert cloud.deploy("status", "--json").verdict["deployed"] == "trial-task:1"


def test_a_rollback_that_fails_marks_nothing(cloud: Cloud) -> None:
    """The deployed revision stays the deployed one."""
    deploy_and_fail(cloud)
    cloud.ending = {"container": {"exitCode": 74}}

    assert cloud.deploy("rollback").code == 74
    assert cloud.deploy("status", "--json").verdict["deployed"] == "trial-task:2"


def test_a_rollback_to_nowhere_is_refused(cloud: Cloud) -> None:
    """With the way to go to any revision."""
    cloud.deploy()

    ended = cloud.deploy("rollback")

    assert ended.code == Exit.REFUSED
    assert "no revision of trial-task has passed its test before trial-task:1" in ended.err
    assert "--to NUMBER" in ended.err
    assert cloud.deploy("rollback", "--to", "1").code == Exit.OK


def test_a_plan_changes_nothing(cloud: Cloud) -> None:
    """It says each step, and how the definition differs, without acting."""
    cloud.deploy()
    before = len(cloud.recorded.asked)
    os.environ["DEPLOY_CPU"], os.environ["DEPLOY_MEMORY"] = "512", "1024"
    try:
        ended = cloud.deploy("plan", "--json")
    finally:
        del os.environ["DEPLOY_CPU"], os.environ["DEPLOY_MEMORY"]

    assert ended.code == Exit.OK
    assert ended.verdict["changes"] == ["~ cpu: 256 → 512", "~ memory: 512 → 1024"]
    assert "would register a revision of trial-task; differs from trial-task:1:" in ended.err
    called = {operation for operation, _ in cloud.recorded.asked[before:]}
    assert all(operation.startswith(("Describe", "List", "Get")) for operation in called)


def test_a_plan_of_a_new_commit_would_build_and_push(cloud: Cloud) -> None:
    """Files that are not committed count as well, and are named."""
    (cloud.root / "new.py").write_text("")

    ended = cloud.deploy("plan")

    assert "with changes: new.py" in ended.out
    assert "would build" in ended.out
    assert "would push it to" in ended.out
    assert "sha256:(known after the push)" in ended.out


def test_run_runs_the_deployed_revision(cloud: Cloud) -> None:
    """And says when that one has not passed its test."""
    deploy_and_fail(cloud)

    ended = cloud.deploy("run")

    assert ended.code == Exit.OK
    assert "trial-task:2 has not passed its test; the good one is trial-task:1" in ended.out
    assert cloud.deploy("run", "--revision", "1").code == Exit.OK


def test_logs_shows_the_last_task_or_another(cloud: Cloud) -> None:
    """By its id or its ARN."""
    cloud.log = ("one", '{"event": "run_finished", "rows": 5}')

    last = cloud.deploy("logs")
    named = cloud.deploy("logs", TASK, "--json")

    assert (last.code, named.code) == (Exit.OK, Exit.OK)
    assert "| one" in last.out
    assert "| run_finished rows=5" in last.out
    assert named.verdict["lines"] == list(cloud.log)
    assert named.verdict["stream"] == "run/micro-etl/0123abcd"


def test_status_before_anything_is_deployed(cloud: Cloud) -> None:
    """Says so, and is no error."""
    cloud.recorded.answers["ListTasks"] = [{"taskArns": []}]

    ended = cloud.deploy("status")

    assert ended.code == Exit.OK
    assert "deployed   nothing yet" in ended.out
    assert "good       no revision has passed its test" in ended.out
    assert "last task  none in the last hour" in ended.out
    assert "is not there" in ended.out


def test_status_tells_how_the_last_task_ended(cloud: Cloud) -> None:
    """With the cause and what to do, as the run itself told it."""
    cloud.deploy()
    cloud.ending = {"container": {"exitCode": 137, "reason": "OutOfMemoryError: x"}}

    ended = cloud.deploy("status")

    assert "trial-task:1, passed its test" in ended.out
    assert "out of memory: the task has 512 MiB" in ended.out
    assert "5 rows" in ended.out


def test_test_tests_what_is_published(cloud: Cloud) -> None:
    """Without a run to expect, it says what it did not check."""
    replace_test(
        cloud,
        "import os, pytest\n"
        "def test_a():\n    pass\n"
        "def test_b():\n    os.environ.get('EXPECTED_RUN_ID') or pytest.skip('no run')\n",
    )
    assert cloud.deploy().code == Exit.OK

    ended = cloud.deploy("test")

    assert ended.code == Exit.OK
    assert "not checked: no run" in ended.out


def test_flags_work_before_and_after_the_command(cloud: Cloud) -> None:
    """Users write both."""
    assert cloud.deploy("--json", "status").verdict["command"] == "status"
    assert cloud.deploy("status", "--json").verdict["command"] == "status"
    assert cloud.deploy("--env", "nowhere", "status").code == Exit.REFUSED
    assert cloud.deploy("status", "--env", "nowhere").code == Exit.REFUSED


def test_an_error_of_aws_that_no_step_foresaw_is_one_line(cloud: Cloud) -> None:
    """With the operation, and the code of how far the command had come."""
    cloud.recorded.answers["DescribeTaskDefinition"] = [("AccessDeniedException", "not you")]
    cloud.deploy("--no-verify")

    ended = cloud.deploy("run")

    assert ended.code == Exit.REFUSED
    assert "DescribeTaskDefinition: not you (AccessDeniedException)" in ended.err
    assert "`./deploy.sh verify --policy` prints what the caller needs" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("command", ["ship", "status"])
def test_roles_are_asked_for_only_where_a_task_is_defined(
    command: str, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking and shipping need none; a deploy names both that are missing, at once."""
    assert cloud.deploy().code == Exit.OK
    cloud.revisions.clear()
    monkeypatch.setenv("DEPLOY_EXECUTION_ROLE", "")
    monkeypatch.setenv("DEPLOY_TASK_ROLE", "")

    assert cloud.deploy(command).code == Exit.OK
    for arguments in ((), ("--no-verify",)):
        ended = cloud.deploy(*arguments)
        assert ended.code == Exit.REFUSED
        assert "execution_role and task_role: not set, and no revision" in ended.err
    assert "roles" in cloud.deploy("verify").out


def test_the_log_of_the_last_task_is_shown_whatever_stream_seems_newest(cloud: Cloud) -> None:
    """CloudWatch tells the time of the last event up to an hour late."""
    cloud.recorded.answers["DescribeLogStreams"] = [
        {"logStreams": [{"logStreamName": "run/micro-etl/an-older-one"}]}
    ]
    cloud.log = ("one",)

    assert cloud.deploy("logs", "--json").verdict["stream"] == "run/micro-etl/0123abcd"
    cloud.recorded.answers["ListTasks"] = [{"taskArns": []}]
    assert cloud.deploy("logs", "--json").verdict["stream"] == "run/micro-etl/an-older-one"


def test_sigterm_ends_what_was_started_and_gives_a_verdict(cloud: Cloud) -> None:
    """During the test as well: no pytest is left running."""
    note = cloud.root.parent / "pid"
    replace_test(
        cloud,
        "import os, pathlib, signal, time\n"
        "def test_slow():\n"
        f"    pathlib.Path({str(note)!r}).write_text(str(os.getpid()))\n"
        "    os.kill(os.getppid(), signal.SIGTERM)\n"
        "    time.sleep(60)\n",
    )

    ended = cloud.deploy("--json")

    assert (ended.code, ended.verdict["outcome"]) == (Exit.TERMINATED, "interrupted")
    assert not Path(f"/proc/{note.read_text()}").exists()


def test_a_program_gets_a_verdict_of_a_defect_and_of_wrong_flags(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One object on standard output, however it ended."""
    assert cloud.deploy("--json", "--no-such-flag").verdict["outcome"] == "usage"

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(calls, "begin", broken)
    with pytest.raises(ZeroDivisionError):
        cloud.deploy("status", "--json")

    verdict = json.loads(capsys.readouterr().out)
    assert (verdict["outcome"], verdict["exit_code"]) == ("defect", Exit.DEFECT)
    assert "a defect" in verdict["cause"]


def test_policies_are_printed_as_json(cloud: Cloud) -> None:
    """With the names of this environment and account."""
    ended = cloud.deploy("verify", "--policy")

    found = json.loads(ended.out)
    assert ended.code == Exit.OK
    assert set(found) == {"caller", "execution_role", "task_role", "trust_of_both_roles"}
    assert f"arn:aws:iam::{ACCOUNT}:role/task" in ended.out


def test_policies_need_no_permission(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whoever asks for them may not even have credentials: placeholders stand for the rest."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    file = tmp_path / "no-region.toml"
    file.write_text(Path(os.environ["DEPLOY_ENV"]).read_text().replace("region =", "# region ="))
    monkeypatch.setenv("AWS_REGION", REGION)

    ended = cloud.deploy("verify", "--policy", "--env", str(file))

    assert ended.code == Exit.OK
    assert f"arn:aws:ecr:{REGION}:ACCOUNT:repository/trial-repo" in ended.out
    assert "no AWS credentials" in ended.err
    assert json.loads(ended.out)


def test_wrong_flags_end_with_2() -> None:
    """As everywhere; told by the program itself."""
    done = subprocess.run(
        [sys.executable, "-m", "deploy", "--no-such-flag"],
        capture_output=True,
        text=True,
        cwd=Path(cli.__file__).parent.parent,
        timeout=60,
    )

    assert done.returncode == Exit.USAGE
    assert "No such option" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("run --rollback", "--rollback is for deploy, not for run"),
        ("deploy --digest=", "--digest is empty; it should be given a value"),
        ("deploy --env=", "--env is empty; it should be given a value"),
        ("status --dataset=", "--dataset is empty; it should be given a value"),
        ("destroy x --email a@example.org", "--email is for bootstrap, not for destroy"),
        ("status x", "'x' is no argument of status"),
        ("schedule stop", "'stop' is no argument of schedule"),
        ("bootstrap", "the NAME of an environment is missing"),
        ("statsu", "'statsu' is not one of"),
        ("--test-timeout inf", "'inf' is not a valid integer range"),
        ("--run-timeout nan", "'nan' is not a valid integer range"),
        ("--build-timeout 1e12", "'1e12' is not a valid integer range"),
        ("--run-timeout 86401", "86401 is not in the range 1<=x<=86400"),
    ],
)
def test_what_a_command_does_not_take_is_refused(cloud: Cloud, arguments: str, words: str) -> None:
    """Rather than ignored: the user meant something by it."""
    ended = cloud.deploy(*arguments.split())

    assert ended.code == Exit.USAGE
    assert words in ended.err
    assert not cloud.recorded.asked


def test_the_help_has_every_command_and_flag(cloud: Cloud) -> None:
    """On one page, with the command that a flag belongs to."""
    ended = cloud.deploy("--help")

    named = re.findall(r"^ {4}(\w+) ", ended.out, re.MULTILINE)
    assert set(calls.COMMANDS) - {"deploy"} <= set(named)
    assert re.search(r"--revision NUMBER +run: ", ended.out)


def test_the_help_has_every_exit_code(cloud: Cloud) -> None:
    """Whoever reads an exit code finds it there."""
    ended = cloud.deploy("--help")

    assert ended.code == Exit.OK
    assert [code for code in Exit if f" {int(code)}" not in ended.out] == []
