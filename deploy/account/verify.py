"""Looks at every resource that a task refers to: that it is there, and can be reached."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from deploy.account.network import default_route, lets_https_out, route_table_of, way_out
from deploy.account.stacks import DATASETS
from deploy.account.template import datasets_template
from deploy.aws import Clients, NotAllowed, code_of, is_denied, look, words_of
from deploy.console import table
from deploy.outcome import Refused
from deploy.target import ROLES_ADVICE, Target
from deploy.task.definition import secret_arn
from deploy.work import Work

TASKS = "ecs-tasks.amazonaws.com"
ROLES = "roles"
NEEDED = "`./deploy.sh verify --policy` prints what the caller needs"


@dataclass(frozen=True)
class Finding:
    """What a look at one thing showed, and what to do where it is not as it must be."""

    about: str
    good: bool
    text: str
    advice: str = ""


@dataclass(frozen=True)
class Findings:
    """What was seen, and what was denied, by its action or in AWS's words, each once."""

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
    seen, problems = findings.seen, findings.problems
    count = f"{len(seen) - len(problems)} of {len(seen)} checks are good"
    work.console.step("verify", count if seen else "nothing could be looked at")
    rows = [("ok" if item.good else "!!", item.about, item.text) for item in seen]
    for line, finding in zip(table(rows), seen, strict=True):
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
    if alone and not seen:
        raise Refused("verify: nothing could be looked at", advice=NEEDED)
    if dry_run:  # a plan has placeholders for roles
        problems = tuple(item for item in problems if item.about != ROLES)
    if not problems:
        return None
    first, more = problems[0], len(problems) - 1
    text = f"verify: {first.about}: {first.text}" + (f", and {more} more" if more else "")
    refusal = Refused(text, advice=first.advice)
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
        yield _missing("cluster", f"{name} is {status.lower()}", target)


def check_repository(target: Target, clients: Clients) -> Iterator[Finding]:
    """Check that the image repository is there."""
    names = [target.environment.repository]
    there = _exists(
        "ecr:DescribeRepositories",
        lambda: clients.ecr.describe_repositories(repositoryNames=names),
        missing="RepositoryNotFoundException",
    )
    how = f"aws ecr create-repository --repository-name {names[0]}"
    yield _existence("repository", names[0], there, target, how)


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
    there = any(group["logGroupName"] == name for group in answer["logGroups"])
    how = f"aws logs create-log-group --log-group-name {name}"
    yield _existence("log group", name, there, target, how)


def check_subnets(target: Target, clients: Clients) -> Iterator[Finding]:
    """Check that the subnets are there, and have a free address and a way out."""
    environment = target.environment
    subnets = _subnets(target, clients)
    if not subnets:
        yield _missing("subnet", f"{', '.join(environment.subnets)}: not there", target)
        return
    networks = sorted({item["VpcId"] for item in subnets})
    tables = look(
        "ec2:DescribeRouteTables",
        lambda: clients.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": networks}]),
    )["RouteTables"]
    for subnet in subnets:
        name, network = subnet["SubnetId"], subnet["VpcId"]
        if subnet.get("AvailableIpAddressCount", 1) < 1:
            yield Finding("subnet", False, f"{name} has no free address", "use another subnet")
        found = route_table_of(name, tables=[item for item in tables if item["VpcId"] == network])
        judgement = way_out(
            name,
            table=found,
            endpoints=() if default_route(found) else _endpoints(network, clients),
            public_ip=environment.assign_public_ip,
            region=target.region,
            source_url=environment.source_url,
        )
        yield Finding("way out", judgement.good, judgement.text, judgement.advice)


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
        yield _missing("security", f"{', '.join(names)}: not there", target)
        return
    networks = sorted({subnet["VpcId"] for subnet in _subnets(target, clients)})
    judgement = lets_https_out(*groups)
    if not judgement.good:
        endpoints = any(_endpoints(network, clients) for network in networks)
        judgement = lets_https_out(*groups, endpoints=endpoints)
    yield Finding("security", judgement.good, judgement.text, judgement.advice)
    for group in groups:
        if networks and group["VpcId"] not in networks:
            where = f"{group['GroupId']} is in {group['VpcId']}"
            yield Finding(
                "security",
                False,
                f"{where}, the subnets are in {', '.join(networks)}",
                "use a security group of the subnets' network",
            )


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
            how = f"its path is missing: name {role['Arn']}"
            yield Finding(about, False, f"{arn} does not exist", how)
        elif trusts_tasks(role["AssumeRolePolicyDocument"]):
            yield Finding(about, True, f"{name} exists and trusts {TASKS}")
        else:
            how = "`./deploy.sh verify --policy` prints the trust policy that it needs"
            yield Finding(about, False, f"{name} does not trust {TASKS}", how)


def trusts_tasks(policy: Any) -> bool:
    """Tell whether a trust policy lets ECS tasks assume the role."""
    for statement in _list(policy.get("Statement", [])):
        principal = statement.get("Principal", {})
        services = principal.get("Service", []) if isinstance(principal, dict) else []
        if statement.get("Effect") == "Allow" and TASKS in _list(services):
            return True
    return False


def check_secrets(target: Target, clients: Clients) -> Iterator[Finding]:
    """Check that the secrets are there. Their values are not read."""
    for name, reference in target.environment.secrets.items():
        arn = secret_arn(target, reference)
        if ":ssm:" in arn:
            parameter = arn.partition(":parameter")[2]
            wanted = [{"Key": "Name", "Option": "Equals", "Values": [parameter]}]
            answer = look(
                "ssm:DescribeParameters",
                lambda: clients.ssm.describe_parameters(ParameterFilters=wanted),  # noqa: B023
            )
            there = bool(answer["Parameters"])
            how = f"aws ssm put-parameter --type SecureString --name {parameter}"
        else:
            secret = ":".join(arn.split(":")[:7])  # what follows names a key in it
            there = _exists(
                "secretsmanager:DescribeSecret",
                lambda: clients.secretsmanager.describe_secret(SecretId=secret),  # noqa: B023
                missing="ResourceNotFoundException",
            )
            how = f"aws secretsmanager create-secret --name {secret.split(':')[6]}"
        yield _existence(f"secret {name}", reference, there, target, how)


def check_infrastructure(target: Target, clients: Clients) -> Iterator[Finding]:
    """Check that roles and alarms, where bootstrap made them, are those of the file as it is."""
    environment = target.environment
    if not environment.alarm_topic:
        return
    name = DATASETS.name(environment.name)
    answer = look(
        "cloudformation:GetTemplate",
        lambda: clients.cloudformation.get_template(StackName=name, TemplateStage="Original"),
    )
    found: Any = answer["TemplateBody"]
    if (json.loads(found) if isinstance(found, str) else found) == datasets_template(target):
        yield Finding("file", True, f"{name} is what the environment file says")
    else:
        text = f"{name} is older than the environment file: roles or alarms are missing"
        how = f"`./deploy.sh bootstrap {environment.name}` brings it up to date"
        yield Finding("file", False, text, how)


CHECKS: tuple[Check, ...] = (
    check_cluster,
    check_repository,
    check_bucket,
    check_log_group,
    check_subnets,
    check_security_groups,
)
CHECKS_OF_DATASET: tuple[Check, ...] = (check_roles, check_secrets)


def _missing(about: str, text: str, target: Target) -> Finding:
    where = f"{text} in {target.region}, account {target.account}"
    return Finding(about, False, where, "check the region, the account and the name")


def _existence(about: str, name: str, there: bool, target: Target, how: str) -> Finding:
    if there:
        return Finding(about, True, f"{name} exists")
    return Finding(about, False, f"{name} does not exist in {target.region}", how)


def _exists(action: str, call: Callable[[], object], *, missing: str) -> bool:
    """Tell whether something is there, by a call that ends with this code where it is not."""
    try:
        look(action, call)
    except ClientError as error:
        if code_of(error) != missing:
            raise
        return False
    return True


def _subnets(target: Target, clients: Clients) -> Sequence[Mapping[str, Any]]:
    """Return the subnets of the environment, or none where one of them does not exist."""
    names = list(target.environment.subnets)
    try:
        answer = look("ec2:DescribeSubnets", lambda: clients.ec2.describe_subnets(SubnetIds=names))
    except ClientError as error:
        if code_of(error).startswith("InvalidSubnet"):
            return []
        raise
    return answer["Subnets"]


def _endpoints(network: str, clients: Clients) -> Sequence[Mapping[str, Any]]:
    """Return a network's endpoints: they matter only where there is no other way out."""
    of_network: Any = [{"Name": "vpc-id", "Values": [network]}]
    return look(
        "ec2:DescribeVpcEndpoints",
        lambda: clients.ec2.describe_vpc_endpoints(Filters=of_network),
    )["VpcEndpoints"]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
