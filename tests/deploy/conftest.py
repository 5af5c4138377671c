"""What the tests of the deploy tool talk to: an emulator, and a server of recorded answers."""

from __future__ import annotations

import io
import json
import os
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

import boto3
import pytest

from deploy.aws import Clients
from deploy.console import Console
from deploy.environment import Environment
from deploy.outcome import Verdict
from deploy.target import Target
from deploy.work import Limits, Work
from dev.loopback import serve_aws

ACCOUNT = "123456789012"
REGION: Literal["eu-west-1"] = "eu-west-1"
DIGEST = "sha256:" + "a1" * 32
FAST = Limits(run=5.0, poll=0.01, patience=0.5)


@pytest.fixture(autouse=True)
def no_settings_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the machine's AWS configuration, or can reach AWS with it."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "DEPLOY_", "CONTAINER_ENGINE", "S3_", "SOURCE_URL")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


@pytest.fixture
def environment() -> Environment:
    """An environment with every required key."""
    return Environment(
        name="trial",
        cluster="trial-cluster",
        repository="trial-repo",
        bucket="trial-bucket",
        key="launches.parquet",
        log_group="/ecs/trial",
        subnets=("subnet-1",),
        security_groups=("sg-1",),
        family="trial-task",
    )


@pytest.fixture
def target(environment: Environment) -> Target:
    """That environment, in an account."""
    return Target(
        environment=environment,
        region=REGION,
        account=ACCOUNT,
        partition="aws",
        execution_role=f"arn:aws:iam::{ACCOUNT}:role/execution",
        task_role=f"arn:aws:iam::{ACCOUNT}:role/task",
    )


@dataclass
class Recorded:
    """A server that answers calls of the SDK with recorded answers, and keeps what it was asked.

    Attributes:
        answers: for each operation, its answers in order; the last one is given again and again.
            An answer is a body, an error as `(code, message)`, or a function of the request.
        asked: each operation that was called, with its body.
    """

    answers: dict[str, list[Any]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    url: str = ""

    def calls(self, operation: str) -> list[dict[str, Any]]:
        """The bodies of the calls of one operation."""
        return [body for name, body in self.asked if name == operation]

    def answer(self, operation: str, body: dict[str, Any]) -> tuple[int, Any]:
        """The status and the body that a call is answered with."""
        self.asked.append((operation, body))
        queue = self.answers.get(operation)
        if not queue:
            return 400, {"__type": "NotRecorded", "message": f"no answer for {operation}"}
        found = queue.pop(0) if len(queue) > 1 else queue[0]
        if callable(found):
            found = found(body)
        if isinstance(found, tuple):
            return 400, {"__type": found[0], "message": found[1]}
        return 200, found


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    """A server of recorded answers, for the services that speak JSON: ECS, ECR and Logs."""
    state = Recorded()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            body = json.loads(self.rfile.read(length) or b"{}")
            operation = (self.headers["X-Amz-Target"] or "none").rsplit(".", 1)[-1]
            status, answer = state.answer(operation, body)
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield state
    server.shutdown()
    server.server_close()
    thread.join(timeout=5)


@pytest.fixture
def recorded_clients(
    recorded: Recorded, session: boto3.Session, monkeypatch: pytest.MonkeyPatch
) -> Clients:
    """Real clients whose calls the server of recorded answers gets."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", recorded.url)
    return Clients(session, region=REGION)


@pytest.fixture(scope="session")
def session() -> boto3.Session:
    """One session for all clients: reading the descriptions of the services takes a while."""
    return boto3.Session(aws_access_key_id="test", aws_secret_access_key="test")


@dataclass(frozen=True)
class Emulator:
    """MiniStack in a process of its own, without a container engine: its tasks run for ever."""

    url: str

    def reset(self) -> None:
        """Forget everything."""
        request = urllib.request.Request(f"{self.url}/_ministack/reset", method="POST")  # noqa: S310
        with urllib.request.urlopen(request, timeout=10):  # noqa: S310
            pass


@pytest.fixture(scope="session")
def emulator_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The emulator, once a session, in an account of its own and without a container engine."""
    with serve_aws(
        DOCKER_HOST=f"unix://{tmp_path_factory.mktemp('engine')}/none",
        IOT_MTLS_ENABLED="0",
        MINISTACK_ACCOUNT_ID=ACCOUNT,
        MINISTACK_REGION=REGION,
        SFTP_ENABLED="0",
    ) as endpoint:
        yield Emulator(endpoint)


@pytest.fixture
def emulator(emulator_process: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """The emulator, empty, as the endpoint of every client."""
    emulator_process.reset()
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator_process.url)
    yield emulator_process
    emulator_process.reset()


@pytest.fixture
def clients(emulator: Emulator, session: boto3.Session) -> Clients:
    """Clients of the emulator."""
    assert emulator.url
    return Clients(session, region=REGION)


TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "ecs-tasks.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


@pytest.fixture
def world(clients: Clients, target: Target) -> Target:
    """Every resource of the environment, in the emulator; the target has its subnet and group."""
    from deploy.account.policies import document, statements

    ec2 = clients.ec2
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    group = ec2.create_security_group(GroupName="trial", Description="trial", VpcId=vpc)["GroupId"]
    environment = replace(target.environment, subnets=(subnet,), security_groups=(group,))
    target = replace(target, environment=environment)
    clients.ecs.create_cluster(clusterName=environment.cluster)
    clients.ecr.create_repository(repositoryName=environment.repository)
    clients.s3.create_bucket(
        Bucket=environment.bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    clients.logs.create_log_group(logGroupName=environment.log_group)
    for name, allowed in (("execution", "execution_role"), ("task", "task_role")):
        policy = json.dumps(document(statements(target)[allowed]))
        clients.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
        clients.iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy)
    return target


MakeWork = Callable[[Target, Clients], Work]


@pytest.fixture
def make_work(tmp_path: Path) -> MakeWork:
    """Make what the steps of the pipeline take, with output that a test can read."""

    def make(target: Target, clients: Clients) -> Work:
        return Work(
            root=tmp_path,
            target=target,
            clients=clients,
            console=Console(io.StringIO()),
            verdict=(verdict := Verdict("test")),
            common=verdict,
            limits=FAST,
        )

    return make


def said(work: Work) -> str:
    """What a person has been told."""
    assert isinstance(work.console.stream, io.StringIO)
    return work.console.stream.getvalue()


@pytest.fixture
def told() -> Callable[[Work], str]:
    """Read what a person has been told."""
    return said


def stopped_task(**changes: Any) -> dict[str, Any]:
    """A task as `DescribeTasks` shows it once it has ended well."""
    container = {
        "name": "micro-etl",
        "image": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/trial-repo@{DIGEST}",
        "imageDigest": DIGEST,
        "lastStatus": "STOPPED",
        "exitCode": 0,
    }
    container |= changes.pop("container", {})
    task: dict[str, Any] = {
        "taskArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/trial-cluster/0123abcd",
        "taskDefinitionArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/trial-task:7",
        "lastStatus": "STOPPED",
        "desiredStatus": "STOPPED",
        "stopCode": "EssentialContainerExited",
        "stoppedReason": "Essential container in task exited",
        "containers": [{key: value for key, value in container.items() if value is not None}],
        "createdAt": 1_700_000_000,
    }
    return {key: value for key, value in (task | changes).items() if value is not None}


@pytest.fixture
def make_task() -> Callable[..., dict[str, Any]]:
    """Make a task as `DescribeTasks` shows it."""
    return stopped_task


@pytest.fixture
def make_revision() -> Callable[..., Any]:
    """Make a revision of the task definition as ECS shows it."""
    from deploy.task.revisions import Revision

    def make(number: int, *, digest: str = DIGEST, tags: Mapping[str, str] | None = None) -> Any:
        address = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/trial-repo"
        return Revision(
            definition={
                "taskDefinitionArn": (
                    f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/trial-task:{number}"
                ),
                "family": "trial-task",
                "revision": number,
                "containerDefinitions": [{"name": "micro-etl", "image": f"{address}@{digest}"}],
            },
            tags=tags or {},
        )

    return make
