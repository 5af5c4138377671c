"""Looks at what a task refers to by name: that each is there, and as it must be."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from deploy.account.stacks import stack_name
from deploy.account.template import datasets_template
from deploy.aws import Clients, code_of, look
from deploy.environment import Environment
from deploy.target import ROLES_ADVICE, Target
from deploy.task.definition import secret_arn

TASKS = "ecs-tasks.amazonaws.com"
ROLES = "roles"
CHECK_NAME = "check the region and the name"
MISSING = (
    "EntityNotFound",
    "RepositoryNotFound",
    "ResourceNotFound",
    "NoSuch",
    "InvalidSubnet",
    "InvalidGroup",
    "404",
)
"""How the codes begin that AWS answers with where there is no such resource."""
GATEWAYS = ("GatewayId", "InterfaceId", "ConnectionId", "NetworkArn")
"""How the keys of a route end that say where it leads."""
LONGEST_STOP = 120
"""How many seconds Fargate lets a container end by itself."""
LONGEST_SCHEDULE = 64
Described = Mapping[str, Any]


@dataclass(frozen=True)
class Finding:
    """What a look at one thing showed, and what to do where it is not as it must be."""

    about: str
    good: bool
    text: str
    advice: str = ""


Check = Callable[[Target, Clients], Iterator[Finding]]


def ask(action: str, call: Callable[..., Any], **request: Any) -> Any:
    """What AWS answers to a call that only reads; nothing where there is no such resource.

    Raises:
        NotAllowed: the caller may not do this action.
    """
    try:
        return look(action, lambda: call(**request))
    except ClientError as error:
        if code_of(error).startswith(MISSING):
            return None
        raise


def existence(about: str, name: str, there: object, target: Target, cure: str) -> Finding:
    """The finding that a resource is there, or how it comes there."""
    if there:
        return Finding(about, True, f"{name} exists")
    where = f"{target.region}, account {target.account}"
    return Finding(about, False, f"{name} does not exist in {where}", cure)


def check_cluster(target: Target, clients: Clients) -> Iterator[Finding]:
    """Check that the cluster is there and active."""
    name = target.environment.cluster
    found = ask("ecs:DescribeClusters", clients.ecs.describe_clusters, clusters=[name])
    there = [item for item in found["clusters"] if item["status"] == "ACTIVE"]
    cure = f"{CHECK_NAME}, or: aws ecs create-cluster --cluster-name {name}"
    yield existence("cluster", name, there, target, cure)


def check_repository(target: Target, clients: Clients) -> Iterator[Finding]:
    """Check that the image repository is there."""
    name, describe = target.environment.repository, clients.ecr.describe_repositories
    there = ask("ecr:DescribeRepositories", describe, repositoryNames=[name])
    cure = f"aws ecr create-repository --repository-name {name}"
    yield existence("repository", name, there, target, cure)


def check_bucket(target: Target, clients: Clients) -> Iterator[Finding]:
    """Check that the bucket is there and in the task's region."""
    name = target.environment.bucket
    found = ask("s3:ListBucket", clients.s3.head_bucket, Bucket=name)
    region = (found or {}).get("BucketRegion", target.region)
    if region == target.region:
        yield existence("bucket", name, found, target, CHECK_NAME)
    else:
        text = f"{name} is in {region}, but the task runs in {target.region} and asks for it there"
        how = f"set region = {region!r}, or use a bucket in {target.region}"
        yield Finding("bucket", False, text, how)


def check_log_group(target: Target, clients: Clients) -> Iterator[Finding]:
    """Check that the log group is there: a task without one does not start."""
    name, describe = target.environment.log_group, clients.logs.describe_log_groups
    found = ask("logs:DescribeLogGroups", describe, logGroupNamePrefix=name)["logGroups"]
    there = [group for group in found if group["logGroupName"] == name]
    cure = f"aws logs create-log-group --log-group-name {name}"
    yield existence("log group", name, there, target, cure)


def check_subnets(target: Target, clients: Clients) -> Iterator[Finding]:
    """Check that the subnets are there, and have a way out."""
    names = list(target.environment.subnets)
    answer = ask("ec2:DescribeSubnets", clients.ec2.describe_subnets, SubnetIds=names)
    if not answer:
        yield existence("subnet", ", ".join(names), False, target, CHECK_NAME)
        return
    network = {"Name": "vpc-id", "Values": [answer["Subnets"][0]["VpcId"]]}  # ECS takes one alone
    describe = clients.ec2.describe_route_tables
    tables = ask("ec2:DescribeRouteTables", describe, Filters=[network])["RouteTables"]
    for name in names:
        yield way_out(name, target.environment, route=default_route(name, tables=tables))


def default_route(subnet: str, *, tables: Sequence[Described]) -> Described:
    """The route that leads everywhere from a subnet, or nothing where none works.

    It is that of the subnet's own table, else that of its network's main one.
    """
    found: Described = {}
    for table in tables:
        for association in table.get("Associations", ()):
            if association.get("SubnetId") == subnet or (association.get("Main") and not found):
                found = table
    for route in found.get("Routes", ()):
        if route.get("DestinationCidrBlock") == "0.0.0.0/0" and route.get("State") != "blackhole":
            return dict(route)
    return {}


def way_out(subnet: str, environment: Environment, *, route: Described) -> Finding:
    """Judge by its default route whether a task in a subnet can reach ECR, S3 and the source."""
    gateway = next((route[key] for key in route if key.endswith(GATEWAYS)), "")
    public = gateway.startswith("igw-")
    if public and not environment.assign_public_ip:
        text = f"{subnet} is public ({gateway}), but the task gets no public IP and so no way out"
        return Finding("way out", False, text, "set assign_public_ip = true")
    if gateway:
        how = f"public ({gateway}), the task gets a public IP" if public else f"private: {gateway}"
        return Finding("way out", True, f"{subnet} is {how}")
    endpoints = f"{subnet} has no way out but for VPC endpoints (ecr.api, ecr.dkr, logs, s3)"
    if environment.source_url.startswith("s3://"):
        return Finding("way out", True, f"{endpoints}, which must reach the source as well")
    how = (
        "use a public subnet with assign_public_ip = true, or one with a NAT gateway; or set "
        "source_url to a place in S3"
    )
    return Finding("way out", False, f"{endpoints}, and the source is on the internet", how)


def check_security_groups(target: Target, clients: Clients) -> Iterator[Finding]:
    """Check that the security groups are there, and let HTTPS out."""
    names = list(target.environment.security_groups)
    answer = ask("ec2:DescribeSecurityGroups", clients.ec2.describe_security_groups, GroupIds=names)
    if answer:
        yield lets_https_out(*answer["SecurityGroups"])
    else:
        yield existence("security", ", ".join(names), False, target, CHECK_NAME)


def lets_https_out(*groups: Described) -> Finding:
    """Judge whether security groups let a task open connections to port 443 at all.

    Where to is shown and not judged: a proxy, or the endpoints of AWS's services, may be enough.
    """
    names = ", ".join(group["GroupId"] for group in groups)
    rules = [rule for group in groups for rule in group.get("IpPermissionsEgress", [])]
    among = (
        ("IpRanges", "CidrIp"),
        ("PrefixListIds", "PrefixListId"),
        ("UserIdGroupPairs", "GroupId"),
    )
    places = [
        str(place[key])
        for rule in filter(_covers_https, rules)
        for listed, key in among
        for place in rule.get(listed, [])
    ]
    if places:
        return Finding("security", True, f"{names} lets port 443 out to {', '.join(places)}")
    how = f"add an outbound rule to {names}: TCP, port 443, to 0.0.0.0/0"
    return Finding("security", False, f"{names} does not let port 443 out", how)


def _covers_https(rule: Described) -> bool:
    protocol = str(rule.get("IpProtocol"))
    ports = rule.get("FromPort", 0) <= 443 <= rule.get("ToPort", 65535)
    return protocol == "-1" or (protocol in {"tcp", "6"} and ports)


def check_roles(target: Target, clients: Clients) -> Iterator[Finding]:
    """Check that both roles are known and there, and that ECS may assume them."""
    if target.without:
        yield Finding(ROLES, False, target.without, ROLES_ADVICE)
    roles = {"execution role": target.execution_role, "task role": target.task_role}
    for about, arn in ((about, arn) for about, arn in roles.items() if arn):
        name = arn.rsplit("/", 1)[-1]
        role = (ask("iam:GetRole", clients.iam.get_role, RoleName=name) or {}).get("Role")
        if role and role["Arn"] != arn:
            how = f"its path is missing: name {role['Arn']}"
            yield Finding(about, False, f"{arn} does not exist", how)
        elif role and not trusts_tasks(role["AssumeRolePolicyDocument"]):
            how = "`./deploy.sh verify --policy` prints the trust policy that it needs"
            yield Finding(about, False, f"{name} does not trust {TASKS}", how)
        else:
            yield existence(about, arn, role, target, "check the name")


def trusts_tasks(policy: Any) -> bool:
    """Tell whether a trust policy lets ECS tasks assume the role."""
    listed = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
    allowed = [item.get("Principal") for item in listed if item["Effect"] == "Allow"]
    return f'"{TASKS}"' in json.dumps(allowed)


def check_secrets(target: Target, clients: Clients) -> Iterator[Finding]:
    """Check that the secrets are there. Their values are not read."""
    for name, reference in target.environment.secrets.items():
        about, arn, deleted = f"secret {name}", secret_arn(target, reference), None
        if not re.match(
            r"arn:[^:]+:(ssm(:[^:]*){2}:parameter/.|secretsmanager(:[^:]*){2}:secret:.)", arn
        ):
            text = f"{reference} is the ARN of no secret and of no parameter"
            yield Finding(about, False, text, CHECK_NAME)
            continue
        if arn.split(":")[2] == "ssm":
            parameter = arn.partition(":parameter")[2]
            # The ARN is the same for a name with and without the slash, where it has no other.
            names = [parameter] if "/" in parameter[1:] else [parameter, parameter[1:]]
            wanted = [{"Key": "Name", "Option": "Equals", "Values": names}]
            describe = clients.ssm.describe_parameters
            there = ask("ssm:DescribeParameters", describe, ParameterFilters=wanted)["Parameters"]
            cure = f"aws ssm put-parameter --type SecureString --name {parameter}"
        else:
            secret = ":".join(arn.split(":")[:7])  # what follows names a key in it
            describe = clients.secretsmanager.describe_secret
            there = ask("secretsmanager:DescribeSecret", describe, SecretId=secret)
            deleted = (there or {}).get("DeletedDate")
            cure = f"aws secretsmanager create-secret --name {secret.split(':')[6]}"
        if deleted:
            how = f"aws secretsmanager restore-secret --secret-id {secret}"
            yield Finding(about, False, f"{reference} is to be deleted and can't be read", how)
        else:
            yield existence(about, reference, there, target, cure)


def check_limits(target: Target, _: Clients) -> Iterator[Finding]:
    """Check what AWS would refuse only when the task is registered or the schedule is made."""
    environment = target.environment
    if environment.stop_timeout > LONGEST_STOP:
        text = f"{environment.stop_timeout} s is more than Fargate waits"
        how = f"set stop_timeout to {LONGEST_STOP} or less"
        yield Finding("stop_timeout", False, text, how)
    if environment.schedule and len(environment.family) > LONGEST_SCHEDULE:
        text = f"{environment.family} is longer than a schedule's name can be"
        how = f"{LONGEST_SCHEDULE} characters at most, with the dataset's name: shorten one"
        yield Finding("family", False, text, how)


def check_infrastructure(target: Target, clients: Clients) -> Iterator[Finding]:
    """Check that roles and alarms, where bootstrap made them, are those of the file as it is."""
    environment = target.environment
    if not environment.alarm_topic:
        return
    name, get = stack_name("datasets", environment.name), clients.cloudformation.get_template
    answer = ask("cloudformation:GetTemplate", get, StackName=name, TemplateStage="Original")
    found = answer["TemplateBody"]
    if (json.loads(found) if isinstance(found, str) else found) == datasets_template(target):
        yield Finding("file", True, f"{name} is what the environment file says")
    else:
        text = (
            f"{name} is older than the environment file: roles, alarms, tables or schedules differ"
        )
        how = f"`./deploy.sh bootstrap {environment.name}` brings it up to date"
        yield Finding("file", False, text, how)


OF_ENVIRONMENT: tuple[Check, ...] = (
    check_cluster,
    check_repository,
    check_bucket,
    check_log_group,
    check_subnets,
    check_security_groups,
)
OF_DATASET: tuple[Check, ...] = (check_roles, check_secrets, check_limits)
