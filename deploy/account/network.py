"""Judges whether a task in a subnet can reach what it needs. Nothing here talks to AWS."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, collapse_addresses
from typing import Any

EVERYWHERE = "0.0.0.0/0"

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
    """Judge whether a task in a subnet can reach ECR, the log, S3 and the source."""
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
        is_default = route.get("DestinationCidrBlock") == EVERYWHERE
        if is_default and route.get("State") != "blackhole":
            return route  # type: ignore[no-any-return]
    return None


def lets_https_out(*groups: Mapping[str, Any], endpoints: bool = False) -> Judgement:
    """Judge whether security groups let a task open connections to port 443, their rules together.

    Args:
        groups: The security groups.
        endpoints: Whether the network has endpoints for AWS's services. Beside them, a rule for a
            prefix list or for the network's own range can be enough.
    """
    names = ", ".join(group["GroupId"] for group in groups)
    rules = [rule for group in groups for rule in group.get("IpPermissionsEgress", [])]
    ranges, others = [], []
    for rule in filter(_covers_https, rules):
        ranges += [block["CidrIp"] for block in rule.get("IpRanges", [])]
        others += [prefix["PrefixListId"] for prefix in rule.get("PrefixListIds", [])]
        others += [pair["GroupId"] for pair in rule.get("UserIdGroupPairs", [])]
    together = collapse_addresses(IPv4Network(block) for block in ranges)
    if any(str(block) == EVERYWHERE for block in together):
        return Judgement(True, f"{names} lets port 443 out")
    advice = f"add an outbound rule to {names}: TCP, port 443, to 0.0.0.0/0"
    narrow = ", ".join([*ranges, *others])
    if narrow and endpoints:
        return Judgement(True, f"{names} lets port 443 out to {narrow}, where the endpoints are")
    if narrow:
        return Judgement(False, f"{names} lets port 443 out to {narrow} alone", advice)
    return Judgement(False, f"{names} does not let port 443 out", advice)


def _covers_https(rule: Mapping[str, Any]) -> bool:
    protocol = str(rule.get("IpProtocol"))
    if protocol == "-1":
        return True
    return protocol in {"tcp", "6"} and rule.get("FromPort", 0) <= 443 <= rule.get("ToPort", 65535)
