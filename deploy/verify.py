"""Looks at every resource that a task refers to, and at what the roles may do. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from botocore.exceptions import ClientError

from deploy.aws import Clients, NotAllowed, words_of
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
    """Check all of it. What can't be looked at is listed, and is no problem by itself."""
    seen: list[Finding] = []
    unseen: list[str] = []
    for check in CHECKS:
        try:
            for finding in check(target, clients):
                seen.append(finding)
        except NotAllowed as denied:
            unseen.append(denied.action)
        except ClientError as error:
            unseen.append(words_of(error))
    return Findings(tuple(seen), tuple(dict.fromkeys(unseen)))


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
