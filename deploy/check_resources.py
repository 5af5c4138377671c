"""Looks at the resources that a task refers to: that they are there, and can be reached."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from deploy.aws import Clients, NotAllowed, code_of, is_denied, look
from deploy.discover import Target
from deploy.findings import Finding
from deploy.network import Judgement, default_route, lets_https_out, route_table_of, way_out


def check_cluster(target: Target, clients: Clients) -> Iterator[Finding]:
    """The cluster is there and active."""
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
    """The image repository is there."""
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
    """The bucket is there and in the task's region."""
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
        # S3 names the bucket's region even to whom it tells nothing else.
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
    """The log group is there: a task without one does not start."""
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
    """The subnets are there, have an address left, and a way out."""
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
    """The security groups are there, where the subnets are, and one of them lets HTTPS out."""
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
    # The rules of several groups add up.
    judgements = [lets_https_out(group) for group in groups]
    good = [judgement for judgement in judgements if judgement.good]
    yield _finding("security", (good or judgements)[0])
    networks = {subnet["VpcId"] for subnet in _subnets(target, clients)}
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
