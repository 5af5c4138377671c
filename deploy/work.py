"""What every step of a command needs, and how a command begins."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from deploy.aws import Clients, NotAllowed
from deploy.console import Console
from deploy.discover import Target, discover, with_roles
from deploy.ending import Names
from deploy.environment import Environment
from deploy.outcome import Verdict
from deploy.policies import pass_role_statement
from deploy.revisions import last_of_family
from deploy.run_task import Pace


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long the slow steps may take, in seconds."""

    build: float = 1800.0
    run: float = 900.0
    test: float = 600.0


@dataclass(frozen=True, kw_only=True)
class Work:
    """What every step of a command needs."""

    root: Path
    target: Target
    clients: Clients
    console: Console
    verdict: Verdict
    limits: Limits
    pace: Pace

    @property
    def environment(self) -> Environment:
        """The environment of the target."""
        return self.target.environment


def begin(
    environment: Environment,
    *,
    root: Path,
    console: Console,
    verdict: Verdict,
    limits: Limits,
    pace: Pace,
) -> Work:
    """Find the region, the account, and the roles as far as they are known; say where this is."""
    target, clients = discover(environment)
    target = find_roles(target, clients)
    console.step("target", f"{environment.name}: {target.region}, account {target.account}")
    verdict.facts |= {
        "environment": environment.name,
        "region": target.region,
        "account": target.account,
    }
    return Work(
        root=root,
        target=target,
        clients=clients,
        console=console,
        verdict=verdict,
        limits=limits,
        pace=pace,
    )


def find_roles(target: Target, clients: Clients) -> Target:
    """Return the target with the roles that are known, and what keeps the others from being so."""
    try:
        last = last_of_family(clients.ecs, target.environment.family)
    except NotAllowed as denied:
        return with_roles(target, None, unseen=denied.action)
    return with_roles(target, last)


def names_of(target: Target, *, image: str) -> Names:
    """Return what the explanations refer to, for a task of this image."""
    environment = target.environment
    return Names(
        image=image,
        execution_role=target.execution_role,
        task_role=target.task_role,
        log_group=environment.log_group,
        region=target.region,
        cpu=environment.cpu,
        memory=environment.memory,
        architecture=environment.architecture,
        stop_timeout=environment.stop_timeout,
        assign_public_ip=environment.assign_public_ip,
        pass_role=json.dumps(pass_role_statement(target)),
    )
