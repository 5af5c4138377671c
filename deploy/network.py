"""Judges whether a task in a subnet can reach what it needs. Nothing here talks to AWS."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ENDPOINTS = ("ecr.api", "ecr.dkr", "logs", "s3")
"""The services that ECS itself must reach to start a task on Fargate."""


@dataclass(frozen=True)
class Judgement:
    """Whether something is as it must be, in words, and what to do when it is not."""

    good: bool
    text: str
    advice: str = ""


def route_table_of(subnet: str, *, tables: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the route table that a subnet uses: its own, else its network's main one."""
    main = None
    for table in tables:
        for association in table.get("Associations", []):
            if association.get("SubnetId") == subnet:
                return table
            if association.get("Main"):
                main = table
    return main


def way_out(
    subnet: str,
    *,
    table: Mapping[str, Any] | None,
    endpoints: Iterable[Mapping[str, Any]],
    public_ip: bool,
    region: str,
    source_url: str,
) -> Judgement:
    """Judge a subnet's way to ECR, to the log, to S3 and to the internet, where the source is."""
    route = default_route(table)
    gateway = (route or {}).get("GatewayId", "")
    if gateway.startswith("igw-"):
        if public_ip:
            return Judgement(True, f"{subnet} is public ({gateway}), the task gets a public IP")
        return Judgement(
            False,
            f"{subnet} is public ({gateway}), but the task gets no public IP and so no way out",
            "set assign_public_ip = true",
        )
    for key, name in OTHER_GATEWAYS:
        if route and route.get(key):
            return Judgement(True, f"{subnet} is private, its way out is {name} {route[key]}")
    present = {
        match[1]
        for endpoint in endpoints
        if (match := re.fullmatch(rf"com\.amazonaws\.{region}\.(.+)", endpoint["ServiceName"]))
    }
    missing = [service for service in ENDPOINTS if service not in present]
    if missing:
        return Judgement(
            False,
            f"{subnet} has no way out: no route to an internet or NAT gateway, and no endpoint "
            f"for {', '.join(missing)}",
            "use a public subnet with assign_public_ip = true, or one with a NAT gateway",
        )
    if source_url.startswith("s3://"):
        return Judgement(True, f"{subnet} reaches AWS and the source through endpoints")
    return Judgement(
        False,
        f"{subnet} reaches AWS through endpoints but not the internet, where the source is",
        "add a NAT gateway, or set source_url to a place in S3",
    )


OTHER_GATEWAYS = (
    ("NatGatewayId", "NAT gateway"),
    ("TransitGatewayId", "transit gateway"),
    ("NetworkInterfaceId", "network interface"),
    ("VpcPeeringConnectionId", "peering connection"),
    ("CoreNetworkArn", "core network"),
    ("CarrierGatewayId", "carrier gateway"),
    ("LocalGatewayId", "local gateway"),
    ("GatewayId", "gateway"),
)
"""What a default route of a private subnet can lead to, by its key."""


def default_route(table: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return the route of a table that leads everywhere, if there is one that works."""
    for route in (table or {}).get("Routes", []):
        is_default = route.get("DestinationCidrBlock") == "0.0.0.0/0"
        if is_default and route.get("State") != "blackhole":
            return route  # type: ignore[no-any-return]
    return None


def lets_https_out(group: Mapping[str, Any]) -> Judgement:
    """Judge whether a security group lets a task open connections to port 443 anywhere."""
    name = group["GroupId"]
    narrow = []
    for rule in group.get("IpPermissionsEgress", []):
        if not _covers_https(rule):
            continue
        if any(block.get("CidrIp") == "0.0.0.0/0" for block in rule.get("IpRanges", [])):
            return Judgement(True, f"{name} lets port 443 out")
        narrow += [block["CidrIp"] for block in rule.get("IpRanges", [])]
        narrow += [prefix["PrefixListId"] for prefix in rule.get("PrefixListIds", [])]
        narrow += [pair["GroupId"] for pair in rule.get("UserIdGroupPairs", [])]
    advice = f"add an outbound rule to {name}: TCP, port 443, to 0.0.0.0/0"
    if narrow:
        return Judgement(False, f"{name} lets port 443 out to {', '.join(narrow)} alone", advice)
    return Judgement(False, f"{name} does not let port 443 out", advice)


def _covers_https(rule: Mapping[str, Any]) -> bool:
    protocol = str(rule.get("IpProtocol"))
    if protocol == "-1":
        return True
    return protocol in {"tcp", "6"} and rule.get("FromPort", 0) <= 443 <= rule.get("ToPort", 65535)
