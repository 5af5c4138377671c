"""Compares what the roles may do with what they did: nothing missing, nothing without a reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Call = Mapping[str, Any]

PROTOCOL = "`docker push` speaks the registry's protocol, without checks in the emulator"
BY_ECS = "ECS itself does this before the task runs; the emulator does it without asking"

UNUSED: Mapping[str, Mapping[str, str]] = {
    "caller": {
        "ecr:BatchCheckLayerAvailability": PROTOCOL,
        "ecr:CompleteLayerUpload": PROTOCOL,
        "ecr:GetDownloadUrlForLayer": PROTOCOL,
        "ecr:InitiateLayerUpload": PROTOCOL,
        "ecr:UploadLayerPart": PROTOCOL,
        "logs:DescribeLogStreams": "only where no task of the last hour is known any more",
        "iam:PassRole": "AWS asks for it along with another call; the emulator does not",
    },
    "execution_role": {
        "ecr:BatchCheckLayerAvailability": BY_ECS,
        "ecr:BatchGetImage": BY_ECS,
        "ecr:GetAuthorizationToken": BY_ECS,
        "ecr:GetDownloadUrlForLayer": BY_ECS,
        "logs:CreateLogStream": BY_ECS,
        "logs:PutLogEvents": BY_ECS,
    },
    "task_role": {
        "s3:ListBucket": "with it, S3 answers 404 for a missing object; without it, 403",
    },
}
"""What was granted and not used, each with its reason, by the policies of `verify --policy`."""

EXPECTED_DENIALS: Mapping[tuple[str, str], str] = {
    ("task_role", "s3:PutObject"): "a scenario takes it away, to see what is said",
    ("caller", "ecs:DescribeTaskDefinition"): "`verify --policy` is run before anything is granted",
    ("caller", "iam:GetRole"): "the same",
}
FREE = {"sts:GetCallerIdentity"}
"""What needs no permission."""


@dataclass(frozen=True)
class Comparison:
    """What came out.

    Attributes:
        granted: how many permissions there are.
        used: how many of them were used.
        differences: what should not be, in words.
    """

    granted: int
    used: int
    differences: Sequence[str]


def compare(policies: Mapping[str, Any], calls: Iterable[Call]) -> Comparison:
    """Compare the policies of `verify --policy` with the calls that a rehearsal made.

    Args:
        policies: the documents for the caller and both roles.
        calls: each with who called, the action, and whether it was allowed.
    """
    granted = {(role, action) for role in UNUSED for action in actions(policies[role])}
    reasons = {(role, action) for role, items in UNUSED.items() for action in items}
    used: set[tuple[str, str]] = set()
    denied: set[tuple[str, str]] = set()
    for call in calls:
        role = role_of(call["caller"])
        if role and call["action"] not in FREE:
            (used if call["allowed"] else denied).add((role, call["action"]))
    differences = [
        *(
            f"{role}: {action} was denied"
            for role, action in sorted(denied - EXPECTED_DENIALS.keys())
        ),
        *(f"{role}: {action} was used, not granted" for role, action in sorted(used - granted)),
        *(
            f"{role}: {action} is granted, was not used, and has no reason"
            for role, action in sorted(granted - used - reasons)
        ),
        *(
            f"{role}: {action} has a reason not to be used, but was, or is not granted"
            for role, action in sorted(reasons & used | reasons - granted)
        ),
    ]
    return Comparison(len(granted), len(used & granted), differences)


def actions(document: Mapping[str, Any]) -> set[str]:
    """The actions that a policy document allows."""
    found: set[str] = set()
    for statement in document["Statement"]:
        action = statement["Action"]
        found |= {action} if isinstance(action, str) else set(action)
    return found


def role_of(caller: str) -> str:
    """Whose policy a caller acts under, or nothing for the owner of the account."""
    name = caller.rsplit("/", 2)[-2] if ":assumed-role/" in caller else caller.rsplit("/", 1)[-1]
    for word, role in (
        ("deployer", "caller"),
        ("DeployRole", "caller"),
        ("ExecutionRole", "execution_role"),
        ("TaskRole", "task_role"),
        ("micro-etl-task", "task_role"),
    ):
        if word in name:
            return role
    return ""
