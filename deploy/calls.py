"""Reads the flags of a command, and begins: which function it calls, for which datasets."""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from deploy import commands
from deploy.account.bootstrap import (
    bootstrap,
    file_of,
    read_existing,
    site_of,
    write_environment,
)
from deploy.account.destroy import destroy
from deploy.account.policies import policies
from deploy.account.stacks import PREFIX
from deploy.account.verify import verify_step
from deploy.console import Console
from deploy.environment import DEFAULT, Environment, load
from deploy.image.ship import ship_step
from deploy.outcome import Refused, Verdict
from deploy.rollback import rollback_command
from deploy.status import logs_command, status_command
from deploy.target import Target, discover, find_roles, with_placeholders, with_roles
from deploy.task.run import attach, stop
from deploy.work import Limits, Work, begin, for_each

ROOT = Path(__file__).parent.parent
LIMITS = Limits()


@dataclass(frozen=True)
class Call:
    """A command as the user typed it, and what it says and finds."""

    command: str
    argument: str
    flags: dict[str, Any]
    console: Console
    verdict: Verdict

    @property
    def task(self) -> str:
        """The argument as a task's id, which may be given as its ARN."""
        return self.argument.rsplit("/", 1)[-1]

    def environment(self) -> Environment:
        """Read the environment that is meant."""
        reference = self.flags["env"] or os.environ.get("DEPLOY_ENV") or DEFAULT
        return load(reference, environ=os.environ)

    def works(self, *, dry_run: bool = False) -> list[Work]:
        """Begin in the environment's account; return work for each dataset that is meant."""
        times = {key: self.flags[f"{key}_timeout"] for key in ("build", "run", "test")}
        return begin(
            self.environment(),
            dataset=self.flags["dataset"] or "",
            console=self.console,
            verdict=self.verdict,
            root=ROOT,
            limits=replace(LIMITS, **{key: time for key, time in times.items() if time}),
            force=self.flags["force"],
            dry_run=dry_run,
        )

    def each(self, step: Callable[[Work], None]) -> None:
        """Do the same for each dataset that is meant."""
        for_each(self.works(), step)

    def only(self) -> Work:
        """Begin for the only dataset."""
        works = self.works()
        if len(works) > 1:
            known = ", ".join(work.environment.dataset for work in works)
            text = f"{self.command}: of which dataset? {known}"
            raise Refused(text, advice="--dataset NAME says it")
        return works[0]


def _verify(call: Call) -> None:
    if not call.flags["policy"]:
        verify_step(call.works(), show_all=True, alone=True)
        return
    # Printed for a caller, too, who has no permission yet.
    environment = call.environment()
    try:
        target = find_roles(*discover(environment))
    except Refused as error:
        Console(sys.stderr).step("note", f"{error}: placeholders stand for what is unknown")
        region = environment.region or os.environ.get("AWS_REGION") or "REGION"
        account = environment.account or "ACCOUNT"
        unknown = Target(environment=environment, region=region, account=account, partition="aws")
        target = with_roles(unknown, None)
    call.verdict.facts["policies"] = policies(with_placeholders(target))
    if not call.flags["as_json"]:
        call.console.plain(json.dumps(call.verdict.facts["policies"], indent=2))


def _bootstrap(call: Call) -> None:
    name, file = call.argument, file_of(call.argument)
    existing = read_existing(file)
    if existing and "schedule_group" not in existing:
        raise Refused(f"bootstrap: {file} was not made by bootstrap", advice="choose another name")
    site = site_of(name, existing, console=call.console, yes=call.flags["yes"])
    wished = {key: call.flags[key] for key in ("github", "promotes", "schedule", "email")}
    content = bootstrap(site, existing, **wished)
    write_environment(file, content)
    call.console.step("file", f"{file}: commit it, then `./deploy.sh --env {name}`")
    if content.get("github_role"):
        call.console.step("GitHub", f"variables of the environment {name}:")
        call.console.more(f"AWS_ROLE_ARN = {content['github_role']}")
        call.console.more(f"AWS_REGION = {site.target.region}")
    call.verdict.facts |= {"file": str(file), "environment": content}


def _destroy(call: Call) -> None:
    name, file = call.argument, file_of(call.argument)
    existing = read_existing(file)
    site = site_of(name, existing, console=call.console, yes=call.flags["yes"])
    family = f"{PREFIX}-{name}"
    families = [family, *(f"{family}-{table}" for table in existing.get("datasets", ()))]
    stacks = destroy(site, families, data=call.flags["data"])
    if file.exists():
        call.console.step("file", f"{file} names what has been removed: delete it, too")
    call.verdict.facts |= {
        "removed": [stack for stack, reason in stacks.items() if not reason],
        "kept": [stack for stack, reason in stacks.items() if reason],
    }


COMMANDS: dict[str, Callable[[Call], object]] = {
    "deploy": lambda call: commands.deploy_command(
        call.works(),
        verified=not call.flags["no_verify"],
        digest=call.flags["digest"],
        roll_back=call.flags["rollback"],
    ),
    "plan": lambda call: commands.deploy_command(call.works(dry_run=True)),
    "verify": _verify,
    "ship": lambda call: ship_step(call.works()[0]),
    "run": lambda call: call.each(
        lambda work: commands.run_command(work, number=call.flags["revision"])
    ),
    "follow": lambda call: attach(call.only(), call.task),
    "stop": lambda call: stop(call.only(), call.task),
    "logs": lambda call: logs_command(call.only(), call.task),
    "status": lambda call: call.each(status_command),
    "test": lambda call: call.each(commands.test_command),
    "rollback": lambda call: rollback_command(call.only(), number=call.flags["to"]),
    "schedule": lambda call: call.each(lambda work: commands.schedule_command(work, call.argument)),
    "bootstrap": _bootstrap,
    "destroy": _destroy,
}
