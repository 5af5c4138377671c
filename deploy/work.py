"""What every step of a command needs, how a command begins, and how it does several datasets."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from deploy.account.policies import pass_role_statement
from deploy.aws import ERRORS, Clients, advice_of, is_of_aws, words_of
from deploy.console import Console
from deploy.environment import Environment
from deploy.outcome import INTERRUPTIONS, DeployError, Exit, Refused, Verdict, ending_facts, worst
from deploy.target import Target, discover, find_roles
from deploy.task.ending import Names


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long the slow steps may take, in seconds.

    A run may take twice as long as the service waits for its source, so that the service ends by
    itself and says why.
    """

    build: float = 1800.0
    run: float = 1800.0
    test: float = 600.0


@dataclass(frozen=True)
class Pace:
    """How often to ask AWS, and how long to wait for an answer, in seconds. The tests wait less."""

    poll: float = 2.0
    patience: float = 60.0


@dataclass(frozen=True, kw_only=True)
class Work:
    """What every step of a command needs, for one dataset.

    Attributes:
        verdict: Of the dataset.
        common: The command's verdict, which is the dataset's where there is one alone.
        whole: The environment with all of its datasets.
        force: Whether a run replaces the published table although its columns or rows differ.
    """

    root: Path
    target: Target
    clients: Clients
    console: Console
    verdict: Verdict
    common: Verdict
    limits: Limits
    pace: Pace
    whole: Target | None = None
    force: bool = False

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
    dataset: str = "",
    force: bool = False,
) -> list[Work]:
    """Find the region, the account and the roles, and say what they are; return work a dataset."""
    chosen = [item for item in environment.each() if dataset in {"", item.dataset}]
    if not chosen:
        known = ", ".join(item.dataset for item in environment.each())
        raise Refused(f"--dataset {dataset}: {environment.name} publishes {known}")
    target, clients = discover(environment)
    console.step("target", f"{environment.name}: {target.region}, account {target.account}")
    endpoint = clients.ecs.meta.endpoint_url
    if not is_of_aws(endpoint):
        console.more(f"not AWS, but {endpoint}: AWS_ENDPOINT_URL or the AWS configuration says so")
    verdict.facts |= {
        "environment": environment.name,
        "region": target.region,
        "account": target.account,
        "endpoint": endpoint,
    }
    first = Work(
        root=root,
        target=target,
        clients=clients,
        console=console,
        verdict=verdict,
        common=verdict,
        limits=limits,
        pace=pace,
        force=force,
    )
    targets = [find_roles(replace(target, environment=item), clients) for item in chosen]
    roles = (targets[0].execution_role, targets[0].task_role)
    whole = replace(target, execution_role=roles[0], task_role=roles[1])
    return [
        replace(
            first,
            target=item,
            whole=whole,
            verdict=verdict if len(chosen) == 1 else Verdict(verdict.command),
        )
        for item in targets
    ]


def for_each(works: Sequence[Work], step: Callable[[Work], None]) -> None:
    """Do the same for each dataset; one that fails leaves the others alone."""
    if len(works) == 1:
        return step(works[0])
    failed: dict[str, DeployError] = {}
    facts: dict[str, Any] = {}
    works[0].common.facts["datasets"] = facts
    for work in works:
        dataset = work.environment.dataset
        work.console.step("dataset", dataset)
        error = None
        try:
            step(work)
        except (DeployError, *ERRORS) as failure:
            error = as_deploy_error(failure, stage=work.verdict.stage)
            failed[dataset] = error
            complain(work.console, error)
        code = int(error.exit_code) if error else int(Exit.OK)
        facts[dataset] = ending_facts(code, error) | work.verdict.facts
        if code in INTERRUPTIONS and error:
            raise error
    if failed:
        named = ", ".join(f"{name} ({int(error.exit_code)})" for name, error in failed.items())
        raise DeployError(
            f"{len(failed)} of {len(works)} datasets failed: {named}",
            advice="each is explained above; `--dataset NAME` does one alone",
            exit_code=worst(int(error.exit_code) for error in failed.values()),
        )
    return None


def only(works: Sequence[Work], what: str) -> Work:
    """Return the work of the only dataset."""
    if len(works) > 1:
        known = ", ".join(work.environment.dataset for work in works)
        raise Refused(f"{what}: of which dataset? {known}", advice="--dataset NAME says it")
    return works[0]


def as_deploy_error(error: Exception, *, stage: Exit) -> DeployError:
    """Return an error of AWS as one of this tool, with the exit code of how far it had come."""
    if isinstance(error, DeployError):
        return error
    if not isinstance(error, ERRORS):
        raise error
    return DeployError(f"AWS: {words_of(error)}", advice=advice_of(error), exit_code=stage)


def complain(console: Console, error: DeployError) -> None:
    """Say what went wrong and what to do."""
    first, _, rest = str(error).partition("\n")
    console.step("error", first)
    if rest:
        console.more(rest)
    if error.advice:
        console.more(f"→ {error.advice}")


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
