"""MiniStack in a process of its own, with the assessment's resources under their real names."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from dev.loopback import HOST, free_port, run_emulator
from dev.rehearsal.engine import Engine

ACCOUNT = "123456789012"
REGION = "us-east-1"
OWNER = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
"""The key that MiniStack takes for the account's own."""

CLUSTER = "candidate-test-cluster"
REPOSITORY = "candidate-test-repo"
BUCKET = "candidate-test-bucket2k25"
KEY = "launches.parquet"
LOG_GROUP = "/ecs/candidate-test-task"
SUBNET = "subnet-048995eadd3bbf8eb"
SECURITY_GROUP = "sg-0917ce879ec223119"
EXECUTION_ROLE = "ecsTaskExecutionRole"
TASK_ROLE = "micro-etl-task"
CALLER = "deployer"
POLICY = "from-deploy-sh"
"""What the policies that deploy.sh printed are called."""

HOSTNAME = "micro-etl-rehearsal"
"""What its containers are labelled with, beside its port."""


@dataclass(frozen=True)
class Emulator:
    """A running MiniStack."""

    port: int
    log: Path
    calls: Path
    """Every call that permissions were asked for: see `fargate.record_calls`."""

    @property
    def endpoint(self) -> str:
        """Where its API answers, for programs on this machine."""
        return f"http://localhost:{self.port}"

    @property
    def registry(self) -> str:
        """Its registry, as the container engine calls it."""
        return f"localhost:{self.port}"

    @property
    def label(self) -> str:
        """What each container that it starts is labelled with."""
        return f"ministack.instance={HOSTNAME}:{self.port}"

    def client(self, service: str) -> Any:
        """A client of one of its services, as the owner of the account."""
        create: Any = boto3.client  # its stubs know each service by a literal name only
        return create(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=OWNER["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=OWNER["AWS_SECRET_ACCESS_KEY"],
        )


@contextmanager
def running(engine: Engine, folder: Path) -> Iterator[Emulator]:
    """Run MiniStack on a free port of loopback and of the address that containers reach it at.

    Raises:
        EmulatorError: it does not answer in time.
    """
    port = free_port()
    emulator = Emulator(port=port, log=folder / "emulator.log", calls=folder / "calls.jsonl")
    environment = {
        **os.environ,
        **OWNER,
        "AUTH": "true",
        "DOCKER_HOST": engine.host,
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_HOSTNAME": HOSTNAME,
        "MINISTACK_REGION": REGION,
        "REHEARSAL_BIND": f"{HOST}:{port} {engine.address}:{port}",
        "REHEARSAL_CALLS": str(emulator.calls),
        "REHEARSAL_SUBNET": SUBNET,
        "REHEARSAL_SECURITY_GROUP": SECURITY_GROUP,
        "SFTP_ENABLED": "0",
    }
    try:
        with run_emulator(
            "dev.rehearsal.fargate",
            emulator.endpoint,
            environment,
            folder=Path(__file__).parents[2],
            log=emulator.log,
            own_session=True,  # Ctrl-C is for the rehearsal, which then stops the emulator
        ):
            yield emulator
    finally:
        engine.remove_containers(emulator.label)


def make_resources(emulator: Emulator) -> None:
    """Make what the assessment's account has: everything that the environment file names."""
    make_network(emulator)
    emulator.client("s3").create_bucket(Bucket=BUCKET)
    emulator.client("ecr").create_repository(repositoryName=REPOSITORY)
    emulator.client("ecs").create_cluster(clusterName=CLUSTER)
    emulator.client("logs").create_log_group(logGroupName=LOG_GROUP)


def make_caller(emulator: Emulator) -> dict[str, str]:
    """Make the user who deploys, allowed nothing yet; return its credentials, as variables."""
    iam = emulator.client("iam")
    iam.create_user(UserName=CALLER)
    key = iam.create_access_key(UserName=CALLER)["AccessKey"]
    return {
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
    }


def grant(emulator: Emulator, policies: Mapping[str, Any]) -> None:
    """Make both roles, and allow them and the caller what `deploy.sh` says they need, no more.

    Args:
        emulator: where.
        policies: what `./deploy.sh verify --policy` printed.
    """
    iam = emulator.client("iam")
    for role, policy in ((EXECUTION_ROLE, "execution_role"), (TASK_ROLE, "task_role")):
        iam.create_role(
            RoleName=role, AssumeRolePolicyDocument=json.dumps(policies["trust_of_both_roles"])
        )
        iam.put_role_policy(
            RoleName=role, PolicyName=POLICY, PolicyDocument=json.dumps(policies[policy])
        )
    iam.put_user_policy(
        UserName=CALLER, PolicyName=POLICY, PolicyDocument=json.dumps(policies["caller"])
    )


def make_network(emulator: Emulator) -> None:
    """Make a public subnet and a security group that lets everything out."""
    ec2 = emulator.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.20.1.0/24")["Subnet"]["SubnetId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    ec2.create_security_group(GroupName="candidate", Description="candidate", VpcId=vpc)
