"""Whether a task in a subnet can reach what it needs."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.account.network import lets_https_out, route_table_of, way_out

EVERYWHERE = "0.0.0.0/0"


def table(**route: Any) -> dict[str, Any]:
    """Return a route table with the network's own route and another one."""
    local = {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active"}
    return {"Routes": [local, {"DestinationCidrBlock": EVERYWHERE, "State": "active", **route}]}


def endpoints(*services: str) -> list[dict[str, Any]]:
    """Return endpoints for services."""
    return [{"ServiceName": f"com.amazonaws.eu-west-1.{name}"} for name in services]


ALL = endpoints("ecr.api", "ecr.dkr", "logs", "s3")


@pytest.mark.parametrize(
    ("routes", "public_ip", "present", "good", "words"),
    [
        (table(GatewayId="igw-1"), True, [], True, "is public (igw-1), the task gets a public IP"),
        (table(GatewayId="igw-1"), False, [], False, "but the task gets no public IP"),
        (table(NatGatewayId="nat-1"), True, [], True, "its way out is NAT gateway nat-1"),
        (table(NatGatewayId="nat-1"), False, [], True, "its way out is NAT gateway nat-1"),
        (table(TransitGatewayId="tgw-1"), False, [], True, "transit gateway tgw-1"),
        (table(GatewayId="vgw-1"), False, [], True, "its way out is gateway vgw-1"),
        (table(CoreNetworkArn="arn:c"), False, [], True, "core network arn:c"),
        (table(CarrierGatewayId="cagw-1"), False, [], True, "carrier gateway cagw-1"),
        (table(NatGatewayId="nat-1", State="blackhole"), True, [], False, "has no way out"),
        ({"Routes": []}, True, [], False, "no endpoint for ecr.api, ecr.dkr, logs, s3"),
        ({"Routes": []}, True, endpoints("s3", "logs"), False, "no endpoint for ecr.api, ecr.dkr"),
        ({"Routes": []}, True, ALL, False, "but not the internet, where the source is"),
        (None, True, [], False, "has no way out"),
    ],
)
def test_the_way_out_of_a_subnet(
    routes: dict[str, Any] | None,
    public_ip: bool,
    present: list[dict[str, Any]],
    good: bool,
    words: str,
) -> None:
    """Public with a public IP, or private with a gateway; whatever is missing is named."""
    found = way_out(
        "subnet-1",
        table=routes,
        endpoints=present,
        public_ip=public_ip,
        region="eu-west-1",
        source_url="",
    )

    assert (found.good, words in found.text) == (good, True), found
    assert bool(found.advice) != good


def test_endpoints_of_another_region_do_not_count() -> None:
    """They are told apart by their names."""
    elsewhere = [{"ServiceName": item["ServiceName"].replace("west", "east")} for item in ALL]

    found = way_out(
        "s", table=None, endpoints=elsewhere, public_ip=True, region="eu-west-1", source_url=""
    )

    assert "no endpoint for ecr.api, ecr.dkr, logs, s3" in found.text


def test_endpoints_are_enough_for_a_source_in_s3() -> None:
    """As the advice says; on the internet, no endpoint reaches it."""
    found = way_out(
        "s",
        table=None,
        endpoints=ALL,
        public_ip=True,
        region="eu-west-1",
        source_url="s3://mirror/launches.json",
    )

    assert found.good


def test_a_subnet_without_a_table_of_its_own_uses_the_main_one() -> None:
    """And its own one first, wherever it stands in the answer."""
    main = {"Associations": [{"Main": True}], "name": "main"}
    own = {"Associations": [{"SubnetId": "subnet-1"}], "name": "own"}

    assert route_table_of("subnet-1", tables=[main, own]) is own
    assert route_table_of("subnet-2", tables=[own, main]) is main
    assert route_table_of("subnet-2", tables=[own]) is None


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
            False, "to 10.0.0.0/8, pl-1, sg-2 alone",
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


@pytest.mark.parametrize(
    ("ranges", "endpoints", "good", "words"),
    [
        (["0.0.0.0/1", "128.0.0.0/1"], False, True, "lets port 443 out"),
        (["0.0.0.0/1"], False, False, "to 0.0.0.0/1 alone"),
        (["10.0.0.0/16"], True, True, "to 10.0.0.0/16, pl-1, where the endpoints are"),
        (["10.0.0.0/16"], False, False, "to 10.0.0.0/16, pl-1 alone"),
    ],
)
def test_a_network_that_works_is_not_refused(
    ranges: list[str], endpoints: bool, good: bool, words: str
) -> None:
    """Everything in halves, over two groups; or AWS's endpoints in the network's own range."""
    groups = [
        {
            "GroupId": f"sg-{number}",
            "IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": block}]}],
        }
        for number, block in enumerate(ranges)
    ]
    if ranges[0].startswith("10."):
        groups[0]["IpPermissionsEgress"][0]["PrefixListIds"] = [{"PrefixListId": "pl-1"}]  # type: ignore[index]

    found = lets_https_out(*groups, endpoints=endpoints)

    assert (found.good, words in found.text) == (good, True), found
