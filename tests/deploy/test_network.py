"""Whether a task in a subnet can reach what it needs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from deploy.account.checks import default_route, lets_https_out, way_out
from deploy.environment import Environment

EVERYWHERE = "0.0.0.0/0"


@pytest.mark.parametrize(
    ("route", "public_ip", "good", "words"),
    [
        ({"GatewayId": "igw-1"}, True, True, "is public (igw-1), the task gets a public IP"),
        ({"GatewayId": "igw-1"}, False, False, "but the task gets no public IP"),
        ({"NatGatewayId": "nat-1"}, True, True, "is private: nat-1"),
        ({"NatGatewayId": "nat-1"}, False, True, "is private: nat-1"),
        ({"TransitGatewayId": "tgw-1"}, False, True, "is private: tgw-1"),
        ({"GatewayId": "vgw-1"}, False, True, "is private: vgw-1"),
        ({"NetworkInterfaceId": "eni-1"}, False, True, "is private: eni-1"),
        ({"VpcPeeringConnectionId": "pcx-1"}, False, True, "is private: pcx-1"),
        ({"CoreNetworkArn": "arn:c"}, False, True, "is private: arn:c"),
        ({}, True, False, "no way out but for VPC endpoints (ecr.api, ecr.dkr, logs, s3)"),
    ],
)
def test_the_way_out_of_a_subnet(
    environment: Environment, route: dict[str, str], public_ip: bool, good: bool, words: str
) -> None:
    """Public with a public IP, or private with a gateway; whatever is missing is named."""
    environment = replace(environment, assign_public_ip=public_ip)
    default = {"DestinationCidrBlock": EVERYWHERE, "State": "active"} | route if route else {}

    found = way_out("subnet-1", environment, route=default)

    assert (found.good, words in found.text) == (good, True), found
    assert bool(found.advice) != good


def test_endpoints_may_be_enough_for_a_source_in_s3(environment: Environment) -> None:
    """As the advice says; on the internet, no endpoint reaches it."""
    environment = replace(environment, source_url="s3://mirror/launches.json")

    assert way_out("s", environment, route={}).good


def test_the_default_route_is_that_of_the_own_table_else_of_the_main_one() -> None:
    """Wherever it stands in the answer; one that leads nowhere is none."""

    def table(gateway: str, **association: Any) -> dict[str, Any]:
        local = {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active"}
        default = {"DestinationCidrBlock": EVERYWHERE, "State": "active", "GatewayId": gateway}
        return {"Associations": [association], "Routes": [local, default]}

    main, own = table("igw-main", Main=True), table("igw-own", SubnetId="subnet-1")
    dead = table("nat-gone", SubnetId="subnet-1")
    dead["Routes"][1]["State"] = "blackhole"

    assert default_route("subnet-1", tables=[main, own])["GatewayId"] == "igw-own"
    assert default_route("subnet-1", tables=[own, main])["GatewayId"] == "igw-own"
    assert default_route("subnet-2", tables=[own, main])["GatewayId"] == "igw-main"
    assert default_route("subnet-2", tables=[own]) == {}
    assert default_route("subnet-1", tables=[main, dead]) == {}


@pytest.mark.parametrize(
    ("rules", "good", "words"),
    [
        ([{"IpProtocol": "-1", "IpRanges": [{"CidrIp": EVERYWHERE}]}], True, "lets port 443 out"),
        (
            [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443,
              "IpRanges": [{"CidrIp": EVERYWHERE}]}],
            True, "lets port 443 out",
        ),
        (
            [{"IpProtocol": "tcp", "FromPort": 0, "ToPort": 1024,
              "IpRanges": [{"CidrIp": EVERYWHERE}]}],
            True, "lets port 443 out",
        ),
        (
            [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80,
              "IpRanges": [{"CidrIp": EVERYWHERE}]}],
            False, "does not let port 443 out",
        ),
        (
            [{"IpProtocol": "udp", "FromPort": 443, "ToPort": 443,
              "IpRanges": [{"CidrIp": EVERYWHERE}]}],
            False, "does not let port 443 out",
        ),
        (
            [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/8"}],
              "PrefixListIds": [{"PrefixListId": "pl-1"}],
              "UserIdGroupPairs": [{"GroupId": "sg-2"}]}],
            True, "lets port 443 out to 10.0.0.0/8, pl-1, sg-2",
        ),
        ([], False, "does not let port 443 out"),
    ],
)  # fmt: skip
def test_a_security_group_must_let_https_out(
    rules: list[dict[str, Any]], good: bool, words: str
) -> None:
    """The rules decide by protocol, port and destination."""
    found = lets_https_out({"GroupId": "sg-1", "IpPermissionsEgress": rules})

    assert (found.good, words in found.text) == (good, True), found


@pytest.mark.parametrize("ranges", [["0.0.0.0/1", "128.0.0.0/1"], ["10.0.0.0/16"]])
def test_a_network_that_may_work_is_not_refused(ranges: list[str]) -> None:
    """Everything in halves, over two groups; or AWS's endpoints in the network's own range."""
    groups = [
        {
            "GroupId": f"sg-{number}",
            "IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": block}]}],
        }
        for number, block in enumerate(ranges)
    ]

    found = lets_https_out(*groups)

    assert found.good
    assert f"lets port 443 out to {', '.join(ranges)}" in found.text
