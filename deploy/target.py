"""Finds what an environment leaves open: region, account, roles, and the registry's address."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import ProfileNotFound

from deploy import aws
from deploy.environment import Environment
from deploy.outcome import Refused
from deploy.task.revisions import describe

USUAL_EXECUTION_ROLE = "ecsTaskExecutionRole"
"""What AWS's console calls the execution role that it makes."""
ROLES_ADVICE = (
    "set execution_role and task_role in the environment file, or DEPLOY_EXECUTION_ROLE and "
    "DEPLOY_TASK_ROLE, each to a name or an ARN; one role may serve as both; "
    "`./deploy.sh verify --policy` prints what they must allow"
)


@dataclass(frozen=True, kw_only=True)
class Target:
    """An environment in an account: all that a deploy refers to, by name.

    `without` says which of the two roles is not known, and why; it is empty where both are.
    """

    environment: Environment
    region: str
    account: str
    partition: str
    execution_role: str = ""
    task_role: str = ""
    without: str = ""

    @property
    def cluster_arn(self) -> str:
        """The ARN of the cluster."""
        return self.arn("ecs", f"cluster/{self.environment.cluster}")

    @property
    def repository_arn(self) -> str:
        """The ARN of the image repository."""
        return self.arn("ecr", f"repository/{self.environment.repository}")

    @property
    def log_group_arn(self) -> str:
        """The ARN of the log group."""
        return self.arn("logs", f"log-group:{self.environment.log_group}")

    @property
    def repository_address(self) -> str:
        """Where ECR has the images."""
        host = f"{self.account}.dkr.ecr.{self.region}.{aws.dns_suffix(self.partition)}"
        return f"{host}/{self.environment.repository}"

    @property
    def object_url(self) -> str:
        """Where the table is published."""
        return f"s3://{self.environment.bucket}/{self.environment.key}"

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource in this region and account."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def role_arn(self, name: str) -> str:
        """The ARN of a role, which may be given as one."""
        if not name or name.startswith("arn:"):
            return name
        return f"arn:{self.partition}:iam::{self.account}:role/{name}"


def discover(
    environment: Environment, *, environ: Mapping[str, str] = os.environ
) -> tuple[Target, aws.Clients]:
    """Find the region and the account, and connect."""
    try:
        session = boto3.Session()
    except ProfileNotFound as error:
        raise Refused(f"{error}", advice="`aws configure list-profiles` shows yours") from None
    region = find_region(environment, session=session, environ=environ)
    clients = aws.Clients(session, region=region)
    try:
        identity = clients.sts.get_caller_identity()
    except aws.ERRORS as error:
        refused = "AWS does not accept the credentials: " if aws.code_of(error) else ""
        raise Refused(f"{refused}{aws.message_of(error)}", advice=aws.advice_of(error)) from None
    account, caller = identity["Account"], identity["Arn"]
    if environment.account and environment.account != account:
        raise Refused(
            f"account: the credentials belong to {account} ({caller}), "
            f"but environment {environment.name} is in {environment.account}",
            advice="choose the right profile with AWS_PROFILE",
        )
    partition = caller.split(":")[1]
    target = Target(environment=environment, region=region, account=account, partition=partition)
    return target, clients


def find_region(
    environment: Environment, *, session: boto3.Session, environ: Mapping[str, str]
) -> str:
    """The region: the environment's, else the one that the SDK is configured for."""
    # The SDK for Python reads AWS_DEFAULT_REGION and the profile; every other SDK, and ECS inside
    # a task, uses AWS_REGION, so that users expect it to work here as well.
    configured = environment.region or environ.get("AWS_REGION") or session.region_name
    if configured:
        return configured
    bucket_region = aws.region_of_bucket(session, environment.bucket)
    hint = f" (the bucket is in {bucket_region})" if bucket_region else ""
    how = f"export AWS_REGION={bucket_region or 'REGION'}, or set region in the environment file"
    raise Refused(f"region: not set{hint}", advice=how)


def find_roles(target: Target, clients: aws.Clients) -> Target:
    """The target with the roles that are known, and the reason why others are not."""
    last: Mapping[str, Any] = {}
    unseen = ""
    try:
        revision = aws.look(
            "ecs:DescribeTaskDefinition", lambda: describe(clients, target.environment.family)
        )
        last = revision.definition if revision else {}
    except aws.NotAllowed as denied:
        unseen = denied.action
    found = with_roles(target, last, unseen=unseen)
    if found.execution_role:
        return found
    try:
        clients.iam.get_role(RoleName=USUAL_EXECUTION_ROLE)
    except aws.ERRORS as error:
        if not aws.is_denied(error):  # where the caller may not look, it may be there
            return found
    usual = {"executionRoleArn": target.role_arn(USUAL_EXECUTION_ROLE), **last}
    return with_roles(target, usual, unseen=unseen)


def with_roles(target: Target, last: Mapping[str, Any] | None, *, unseen: str = "") -> Target:
    """The target with the roles that are known: the environment's, else the last revision's.

    `unseen` is the action that the caller would need to look for that revision.
    """
    last, environment = last or {}, target.environment
    execution = target.role_arn(environment.execution_role) or last.get("executionRoleArn", "")
    task = target.role_arn(environment.task_role) or last.get("taskRoleArn", "")
    roles = {"execution_role": execution, "task_role": task}
    missing = " and ".join(key for key, role in roles.items() if not role)
    if unseen:
        why = f"a revision of {environment.family} may not be looked at ({unseen})"
    elif "revision" in last:
        why = f"{environment.family}:{last['revision']} has none"
    else:
        why = f"no revision of {environment.family} to take it from"
    without = f"{missing}: not set, and {why}" if missing else ""
    return replace(target, execution_role=execution, task_role=task, without=without)


def require_roles(target: Target) -> None:
    """Whether both roles are known; refuse to go on otherwise."""
    if target.without:
        raise Refused(target.without, advice=ROLES_ADVICE)


def with_placeholders(target: Target) -> Target:
    """The target with placeholders for the roles that are not known."""
    return replace(
        target,
        execution_role=target.execution_role or target.role_arn("EXECUTION_ROLE"),
        task_role=target.task_role or target.role_arn("TASK_ROLE"),
    )


def registry_of(repository_uri: str, *, environment: Environment, endpoint: str) -> str:
    """Where images are pushed to and pulled from: the address that ECR gives, as a rule.

    An emulator gives AWS's address too, which it does not own: images go to the emulator itself.
    """
    if aws.is_of_aws(endpoint):
        return repository_uri
    return f"{urlsplit(endpoint).netloc}/{environment.repository}"
