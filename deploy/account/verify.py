"""Looks at every resource that a task refers to: that it is there, and can be reached."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from deploy.account.network import Judgement, default_route, lets_https_out, route_table_of, way_out
from deploy.account.stacks import DATASETS
from deploy.account.template import datasets_template
from deploy.aws import Clients, NotAllowed, code_of, is_denied, look, words_of
from deploy.console import table
from deploy.outcome import Refused
from deploy.target import ROLES_ADVICE, Target
from deploy.task.definition import secret_arn
from deploy.work import Work

TASKS = "ecs-tasks.amazonaws.com"


@dataclass(frozen=True)
class Finding:
    """What a look at one thing showed."""

    about: str
    good: bool
    text: str
    advice: str = ""


@dataclass(frozen=True)
class Findings:
    """What was seen, and what could not be looked at.

    Attributes:
        seen: What was seen.
        unseen: IAM actions that were denied, and other refusals in AWS's words, each once.
    """

    seen: tuple[Finding, ...]
    unseen: tuple[str, ...]

    @property
    def problems(self) -> tuple[Finding, ...]:
        """What would make a task fail."""
        return tuple(finding for finding in self.seen if not finding.good)


Check = Callable[[Target, Clients], Iterator[Finding]]


def verify_step(
    works: Sequence[Work], *, show_all: bool, alone: bool = False, dry_run: bool = False
) -> Refused | None:
    """Look at every resource; refuse to go on when one would make a task fail.

    Args:
        works: The command's, one a dataset.
        show_all: Whether to show what is as it must be, too.
        alone: Whether looking is all that is asked for, so that seeing nothing is a failure.
        dry_run: Whether to return the refusal, for a plan that goes on to its end.
    """
    work = works[0]
    findings = verify([item.target for item in works], work.clients, whole=work.whole)
    problems = findings.problems
    good = len(findings.seen) - len(problems)
    count = f"{good} of {len(findings.seen)} checks are good"
    work.console.step("verify", count if findings.seen else "nothing could be looked at")
    rows = [("ok" if item.good else "!!", item.about, item.text) for item in findings.seen]
    for line, finding in zip(table(rows), findings.seen, strict=True):
        if show_all or not finding.good:
            work.console.more(line)
        if finding.advice:
            work.console.more(f"    → {finding.advice}")
    if findings.unseen:
        work.console.more(f"could not look: {', '.join(findings.unseen)}")
    work.common.facts |= {
        "problems": [{"about": item.about, "text": item.text} for item in problems],
        "not_looked_at": list(findings.unseen),
    }
    if alone and not findings.seen:
        raise Refused(
            "verify: nothing could be looked at",
            advice="`./deploy.sh verify --policy` prints what the caller needs",
        )
    if dry_run:  # a plan has placeholders for roles
        problems = tuple(item for item in problems if item.about != ROLES)
    if not problems:
        return None
    refusal = Refused(
        f"verify: {problems[0].about}: {problems[0].text}"
        + (f", and {len(problems) - 1} more" if len(problems) > 1 else ""),
        advice=problems[0].advice,
    )
    if dry_run:
        return refusal
    raise refusal


def verify(targets: Sequence[Target], clients: Clients, *, whole: Target | None = None) -> Findings:
    """Check all of it. What can't be looked at is listed, and is no problem by itself.

    Args:
        targets: The environment for each dataset that is to be deployed.
        clients: What to ask.
        whole: The environment with all of its datasets.
    """
    seen: dict[Finding, None] = {}
    unseen: list[str] = []
    for target, check in [
        *((targets[0], check) for check in CHECKS),
        *((target, check) for target in targets for check in CHECKS_OF_DATASET),
        *([(whole, check_infrastructure)] if whole else []),
    ]:
        try:
            for finding in check(target, clients):
                seen[finding] = None
        except NotAllowed as denied:
            unseen.append(denied.action)
        except ClientError as error:
            unseen.append(words_of(error))
    return Findings(tuple(seen), tuple(dict.fromkeys(unseen)))


def check_cluster(target: Target, clients: Clients) -> Iterator[Finding]:
    """Check that the cluster is there and active."""
    name = target.environment.cluster
    answer = look("ecs:DescribeClusters", lambda: clients.ecs.describe_clusters(clusters=[name]))
    status = answer["clusters"][0]["status"] if answer["clusters"] else "missing"
    if status == "ACTIVE":
        yield Finding("cluster", True, f"{name} is active")
    else:
        yield Finding(
            "cluster",
            False,
            f"{name} is {status.lower()} in {target.region}, account {target.account}",
            "check the region, the account and the name",
        )


def check_repository(target: Target, clients: Clients) -> Iterator[Finding]:
    """Check that the image repository is there."""
    name = target.environment.repository
    try:
        look(
            "ecr:DescribeRepositories",
            lambda: clients.ecr.describe_repositories(repositoryNames=[name]),
        )
    except ClientError as error:
        if code_of(error) != "RepositoryNotFoundException":
            raise
        yield Finding(
            "repository",
            False,
            f"{name} does not exist in {target.region}, account {target.account}",
            f"aws ecr create-repository --repository-name {name}",
        )
    else:
        yield Finding("repository", True, f"{name} exists")


def check_bucket(target: Target, clients: Clients) -> Iterator[Finding]:
    """Check that the bucket is there and in the task's region."""
    name = target.environment.bucket
    try:
        headers = clients.s3.head_bucket(Bucket=name)["ResponseMetadata"]["HTTPHeaders"]
    except ClientError as error:
        headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        if code_of(error) in {"404", "NoSuchBucket"}:
            yield Finding("bucket", False, f"{name} does not exist", "check the name")
            return
        if code_of(error) not in {"301", "PermanentRedirect", "403", "AccessDenied"}:
            raise
        # S3 names the bucket's region in a refusal, too.
        if is_denied(error) and headers.get("x-amz-bucket-region", target.region) == target.region:
            raise NotAllowed("s3:ListBucket") from None
    region = headers.get("x-amz-bucket-region", target.region)
    if region == target.region:
        yield Finding("bucket", True, f"{name} exists, in {region}")
    else:
        yield Finding(
            "bucket",
            False,
            f"{name} is in {region}, but the task runs in {target.region} and asks for it there",
            f"set region = {region!r}, or use a bucket in {target.region}",
        )


def check_log_group(target: Target, clients: Clients) -> Iterator[Finding]:
    """Check that the log group is there: a task without one does not start."""
    name = target.environment.log_group
    answer = look(
        "logs:DescribeLogGroups", lambda: clients.logs.describe_log_groups(logGroupNamePrefix=name)
    )
    if any(group["logGroupName"] == name for group in answer["logGroups"]):
        yield Finding("log group", True, f"{name} exists")
    else:
        yield Finding(
            "log group",
            False,
            f"{name} does not exist in {target.region}",
            f"aws logs create-log-group --log-group-name {name}",
        )


def check_subnets(target: Target, clients: Clients) -> Iterator[Finding]:
    """Check that the subnets are there, and have a free address and a way out."""
    environment = target.environment
    subnets = _subnets(target, clients)
    if not subnets:
        yield Finding(
            "subnet",
            False,
            f"{', '.join(environment.subnets)}: not there in {target.region}, account "
            f"{target.account}",
            "check the region, the account and the name",
        )
        return
    for subnet in subnets:
        name = subnet["SubnetId"]
        if subnet.get("AvailableIpAddressCount", 1) < 1:
            yield Finding("subnet", False, f"{name} has no free address", "use another subnet")
    networks = sorted({item["VpcId"] for item in subnets})
    tables = look(
        "ec2:DescribeRouteTables",
        lambda: clients.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": networks}]),
    )["RouteTables"]
    for subnet in subnets:
        name, network = subnet["SubnetId"], subnet["VpcId"]
        table = route_table_of(name, tables=[item for item in tables if item["VpcId"] == network])
        judgement = way_out(
            name,
            table=table,
            endpoints=() if default_route(table) else _endpoints(network, clients),
            public_ip=environment.assign_public_ip,
            region=target.region,
            source_url=environment.source_url,
        )
        yield _finding("way out", judgement)


def _subnets(target: Target, clients: Clients) -> Sequence[Mapping[str, Any]]:
    """Return the subnets of the environment, or none where one of them does not exist."""
    names = list(target.environment.subnets)
    try:
        return look("ec2:DescribeSubnets", lambda: clients.ec2.describe_subnets(SubnetIds=names))[
            "Subnets"
        ]
    except ClientError as error:
        if code_of(error).startswith("InvalidSubnet"):
            return []
        raise


def _endpoints(network: str, clients: Clients) -> Sequence[Mapping[str, Any]]:
    """Return a network's endpoints: they matter only where there is no other way out."""
    answer = look(
        "ec2:DescribeVpcEndpoints",
        lambda: clients.ec2.describe_vpc_endpoints(
            Filters=[{"Name": "vpc-id", "Values": [network]}]
        ),
    )
    return answer["VpcEndpoints"]


def check_security_groups(target: Target, clients: Clients) -> Iterator[Finding]:
    """Check that the security groups are there, where the subnets are, and let HTTPS out."""
    names = list(target.environment.security_groups)
    try:
        groups = look(
            "ec2:DescribeSecurityGroups",
            lambda: clients.ec2.describe_security_groups(GroupIds=names),
        )["SecurityGroups"]
    except ClientError as error:
        if not code_of(error).startswith("InvalidGroup"):
            raise
        yield Finding(
            "security",
            False,
            f"{', '.join(names)}: not there in {target.region}, account {target.account}",
            "check the region, the account and the name",
        )
        return
    networks = {subnet["VpcId"] for subnet in _subnets(target, clients)}
    judgement = lets_https_out(*groups)
    if not judgement.good and networks:
        present = [item for network in sorted(networks) for item in _endpoints(network, clients)]
        judgement = lets_https_out(*groups, endpoints=bool(present))
    yield _finding("security", judgement)
    for group in groups:
        if networks and group["VpcId"] not in networks:
            yield Finding(
                "security",
                False,
                f"{group['GroupId']} is in {group['VpcId']}, the subnets are in "
                f"{', '.join(sorted(networks))}",
                "use a security group of the subnets' network",
            )


def _finding(about: str, judgement: Judgement) -> Finding:
    return Finding(about, judgement.good, judgement.text, judgement.advice)


ROLES = "roles"


def check_roles(target: Target, clients: Clients) -> Iterator[Finding]:
    """Check that both roles are known and there, and that ECS may assume them."""
    if target.without:
        yield Finding(ROLES, False, target.without, ROLES_ADVICE)
    for about, arn in (("execution role", target.execution_role), ("task role", target.task_role)):
        if not arn:
            continue
        name = arn.rsplit("/", 1)[-1]
        try:
            role = look("iam:GetRole", lambda: clients.iam.get_role(RoleName=name))["Role"]  # noqa: B023
        except ClientError as error:
            if code_of(error) != "NoSuchEntity":
                raise
            yield Finding(about, False, f"{arn} does not exist", "check the name")
            continue
        if role["Arn"] != arn:
            yield Finding(
                about, False, f"{arn} does not exist", f"its path is missing: name {role['Arn']}"
            )
        elif trusts_tasks(role["AssumeRolePolicyDocument"]):
            yield Finding(about, True, f"{name} exists and trusts {TASKS}")
        else:
            yield Finding(
                about,
                False,
                f"{name} does not trust {TASKS}",
                "`./deploy.sh verify --policy` prints the trust policy that it needs",
            )


def trusts_tasks(policy: Any) -> bool:
    """Tell whether a trust policy lets ECS tasks assume the role."""
    statements = policy.get("Statement", [])
    for statement in [statements] if isinstance(statements, dict) else statements:
        principal = statement.get("Principal", {})
        services = principal.get("Service", []) if isinstance(principal, dict) else []
        if isinstance(services, str):
            services = [services]
        if statement.get("Effect") == "Allow" and TASKS in services:
            return True
    return False


def check_secrets(target: Target, clients: Clients) -> Iterator[Finding]:
    """Check that the secrets are there. Their values are not read."""
    for name, reference in target.environment.secrets.items():
        arn = secret_arn(target, reference)
        about = f"secret {name}"
        if ":ssm:" in arn:
            parameter = arn.partition(":parameter")[2]
            known = look(
                "ssm:DescribeParameters",
                lambda: clients.ssm.describe_parameters(
                    ParameterFilters=[
                        {"Key": "Name", "Option": "Equals", "Values": [parameter]}  # noqa: B023
                    ]
                ),
            )["Parameters"]
            there, how = (
                bool(known),
                f"aws ssm put-parameter --type SecureString --name {parameter}",
            )
        else:
            secret = ":".join(arn.split(":")[:7])
            how = f"aws secretsmanager create-secret --name {secret.split(':')[6]}"
            try:
                look(
                    "secretsmanager:DescribeSecret",
                    lambda: clients.secretsmanager.describe_secret(SecretId=secret),  # noqa: B023
                )
                there = True
            except ClientError as error:
                if code_of(error) != "ResourceNotFoundException":
                    raise
                there = False
        if there:
            yield Finding(about, True, f"{reference} exists")
        else:
            yield Finding(about, False, f"{reference} does not exist in {target.region}", how)


def check_infrastructure(target: Target, clients: Clients) -> Iterator[Finding]:
    """Check that roles and alarms, where bootstrap made them, are those of the file as it is."""
    if not target.environment.alarm_topic:
        return
    name = DATASETS.name(target.environment.name)
    answer = look(
        "cloudformation:GetTemplate",
        lambda: clients.cloudformation.get_template(StackName=name, TemplateStage="Original"),
    )
    found: Any = answer["TemplateBody"]
    made = json.loads(found) if isinstance(found, str) else found
    if made == datasets_template(target):
        yield Finding("file", True, f"{name} is what the environment file says")
    else:
        yield Finding(
            "file",
            False,
            f"{name} is older than the environment file: roles or alarms are missing",
            f"`./deploy.sh bootstrap {target.environment.name}` brings it up to date",
        )


CHECKS: tuple[Check, ...] = (
    check_cluster,
    check_repository,
    check_bucket,
    check_log_group,
    check_subnets,
    check_security_groups,
)
CHECKS_OF_DATASET: tuple[Check, ...] = (check_roles, check_secrets)
