"""Looks at every resource that a task refers to, and at what the roles may do. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from deploy.aws import Clients, NotAllowed
from deploy.check_resources import (
    check_bucket,
    check_cluster,
    check_log_group,
    check_repository,
    check_security_groups,
    check_subnets,
)
from deploy.check_roles import check_caller, check_execution_role, check_task_role, check_trust
from deploy.discover import Target
from deploy.findings import Finding, Findings

Check = Callable[[Target, Clients], Iterator[Finding]]


def verify(target: Target, clients: Clients) -> Findings:
    """Check all of it. What may not be looked at is listed, and is no problem by itself."""
    seen: list[Finding] = []
    unseen: list[str] = []
    for check in CHECKS:
        try:
            for finding in check(target, clients):
                seen.append(finding)
        except NotAllowed as denied:
            if denied.action not in unseen:
                unseen.append(denied.action)
    return Findings(tuple(seen), tuple(unseen))


CHECKS: tuple[Check, ...] = (
    check_cluster,
    check_repository,
    check_bucket,
    check_log_group,
    check_subnets,
    check_security_groups,
    check_trust,
    check_execution_role,
    check_task_role,
    check_caller,
)
