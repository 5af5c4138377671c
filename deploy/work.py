"""What every step of a command needs, how a command begins, and how it does several datasets."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from deploy.aws import ERRORS, Clients, advice_of, is_of_aws, words_of
from deploy.console import Console
from deploy.environment import Environment
from deploy.outcome import INTERRUPTIONS, DeployError, Exit, Refused, Verdict, ending_facts, worst
from deploy.target import Target, discover, find_roles


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long the slow steps may take, in seconds; `poll` is between two looks at a task.

    A run may take twice as long as the service waits for its source, so that the service ends by
    itself and says why. `patience` is for an answer that does not come.
    """

    build: float = 1800.0
    run: float = 1800.0
    test: float = 600.0
    poll: float = 2.0
    patience: float = 60.0


@dataclass(frozen=True, kw_only=True)
class Work:
    """What every step of a command needs, for one dataset.

    Attributes:
        verdict: of the dataset.
        common: the command's verdict, which is the dataset's where there is one alone.
        whole: the environment with all of its datasets.
        force: whether a run replaces the published table although its columns or rows differ.
        dry_run: whether each step says only what it would do.
    """

    root: Path
    target: Target
    clients: Clients
    console: Console
    verdict: Verdict
    common: Verdict
    limits: Limits
    whole: Target | None = None
    force: bool = False
    dry_run: bool = False

    @property
    def environment(self) -> Environment:
        """The environment of the target."""
        return self.target.environment


def begin(
    environment: Environment, *, dataset: str, console: Console, verdict: Verdict, **rest: Any
) -> list[Work]:
    """Find the region, the account and the roles, and say what they are; return work a dataset.

    `dataset` is the only one that is meant, or empty; `rest` is more of what `Work` has.
    """
    chosen = [item for item in environment.each() if dataset in {"", item.dataset}]
    if not chosen:
        known = ", ".join(item.dataset for item in environment.each())
        raise Refused(f"--dataset {dataset}: {environment.name} publishes {known}")
    target, clients = discover(environment)
    console.step("target", f"{environment.name}: {target.region}, account {target.account}")
    used = (clients.ecs, clients.ecr, clients.logs, clients.s3, clients.sts)
    endpoints = dict.fromkeys(client.meta.endpoint_url for client in used)
    for endpoint in endpoints:
        if not is_of_aws(endpoint):
            console.more(
                f"not AWS, but {endpoint}: AWS_ENDPOINT_URL, one for a service, or the "
                "AWS configuration says so"
            )
    verdict.facts |= {
        "environment": environment.name,
        "region": target.region,
        "account": target.account,
        "endpoint": clients.ecs.meta.endpoint_url,
    }
    targets = [find_roles(replace(target, environment=item), clients) for item in chosen]
    return [
        Work(
            target=item,
            whole=replace(targets[0], environment=environment),
            clients=clients,
            console=console,
            verdict=verdict if len(chosen) == 1 else Verdict(verdict.command),
            common=verdict,
            **rest,
        )
        for item in targets
    ]


def for_each(works: Sequence[Work], step: Callable[[Work], None]) -> None:
    """Do the same for each dataset; one that fails leaves the others alone."""
    if len(works) == 1:
        return step(works[0])
    failed: dict[str, int] = {}
    facts = works[0].common.facts["datasets"] = dict[str, Any]()
    for work in works:
        dataset = work.environment.dataset
        work.console.step("dataset", dataset)
        error = None
        try:
            step(work)
        except (DeployError, *ERRORS) as failure:
            error = as_deploy_error(failure, stage=work.verdict.stage)
            failed[dataset] = error.exit_code
            complain(work.console, error)
        facts[dataset] = ending_facts(failed.get(dataset, Exit.OK), error) | work.verdict.facts
        if error and error.exit_code in INTERRUPTIONS:
            raise error
    if failed:
        named = ", ".join(f"{name} ({int(code)})" for name, code in failed.items())
        raise DeployError(
            f"{len(failed)} of {len(works)} datasets failed: {named}",
            advice="each is explained above; `--dataset NAME` does one alone",
            exit_code=worst(failed.values()),
        )
    return None


def as_deploy_error(error: Exception, *, stage: Exit) -> DeployError:
    """An error of AWS as one of this tool, with the exit code of how far it had come."""
    if isinstance(error, DeployError):
        return error
    return DeployError(f"AWS: {words_of(error)}", advice=advice_of(error), exit_code=stage)


def complain(console: Console, error: DeployError) -> None:
    """Say what went wrong and what to do."""
    console.step("error", str(error))
    if error.advice:
        console.more(f"→ {error.advice}")
