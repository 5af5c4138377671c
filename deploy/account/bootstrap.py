"""Makes an environment with CloudFormation, and writes the file that names its resources."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import tomlkit
from tomlkit.items import InlineTable

from deploy.account.checks import ask, existence
from deploy.account.stacks import DATASETS, ENVIRONMENT, IMAGES, PREFIX, STORAGE, Site, apply
from deploy.account.template import datasets_template
from deploy.aws import ERRORS, Clients, NotAllowed
from deploy.console import Console
from deploy.environment import (
    AN_EXPRESSION,
    EXPRESSION,
    FOLDER,
    OF_SCHEDULE,
    REQUIRED,
    ROOT,
    Environment,
    parse,
)
from deploy.outcome import Exit, NotLaunched, Refused
from deploy.target import Target, discover
from deploy.work import as_deploy_error

INFRA = ROOT / "infra"
NAME = re.compile(r"[a-z][a-z0-9-]{1,19}")
PROVIDER = "token.actions.githubusercontent.com"
LISTS = {"subnets", "security_groups"}
MADE = dict.fromkeys((*REQUIRED, *OF_SCHEDULE), "-") | {key: ["-"] for key in LISTS}
"""Stands for the keys that the stacks give, until they do."""
USUAL_SCHEDULE = "rate(1 day)"
HEAD = """\
# Made by `./deploy.sh bootstrap {name}` from the outputs of the stacks in infra/.
# `schedule`, `builds`, `variables`, `[datasets.NAME]` and keys that are not outputs are
# yours to change; the same command then brings roles and alarms up to date.

"""


def bootstrap(
    site: Site,
    existing: Mapping[str, Any],
    *,
    github: str = "",
    promotes: bool = False,
    schedule: str = "",
    email: str = "",
) -> dict[str, Any]:
    """Make or update the stacks, and return the content of the environment's file.

    Args:
        site: where, and whom to ask before each change set is executed.
        existing: the content of its file, where there is one. What is not given stays as it is.
        github: the GitHub repository that may deploy it, as the subject of its tokens has it:
            OWNER@ID/NAME@ID, or OWNER/NAME for one from before GitHub put the ids there.
        promotes: whether it takes the images that another environment has built and tested.
        schedule: when it runs, as EventBridge Scheduler has it.
        email: who gets a mail when a run fails.

    Raises:
        Refused: nothing was changed.
        NotLaunched: something was.
    """
    if schedule and not EXPRESSION.fullmatch(schedule):
        raise Refused(f"--schedule {schedule}: it should be {AN_EXPRESSION}")
    # Both refuse what is wrong in the file.
    target = target_of(MADE | dict(existing), place=site.target)
    datasets_template(target)
    require_databases(target, site.clients)
    values = {"Environment": site.name} | ({"Email": email} if email else {})
    outputs: dict[str, str] = {}
    try:
        if github:
            values |= {"GitHubRepository": github, "GitHubProvider": github_provider(site)}
        for template in (IMAGES, STORAGE, ENVIRONMENT):
            body = (INFRA / f"{template}.yaml").read_text(encoding="utf-8")
            outputs |= apply(site, template, body, values=values)
        content = environment_content(
            outputs, existing, target=site.target, promotes=promotes, schedule=schedule
        )
        body = json.dumps(datasets_template(target_of(content, place=site.target)), indent=1)
        apply(site, DATASETS, body, values=values)
        end_schedules(site, target_of(content, place=site.target).environment)
    except (Refused, *ERRORS) as error:
        if not site.changed:
            raise
        known = as_deploy_error(error, stage=Exit.NOT_LAUNCHED)
        text = f"{known}; changed before that: {', '.join(site.changed)}"
        raise NotLaunched(text, advice=known.advice) from None
    return content


def site_of(name: str, existing: Mapping[str, Any], *, console: Console, yes: bool) -> Site:
    """Where an environment is, or will be, which may have no resource yet.

    Args:
        name: its name.
        existing: the content of its file, where there is one: it says the account and the region.
        console: what the user reads.
        yes: the answer to each question; without it and without a terminal, that is no.
    """

    def confirm(question: str) -> bool:
        return yes or (sys.stdin.isatty() and click.confirm(question, err=True))

    resources: Any = dict.fromkeys(("cluster", "repository", "bucket", "log_group", "family"), "")
    place = {key: existing[key] for key in ("region", "account") if key in existing}
    target, clients = discover(
        Environment(name=name, subnets=(), security_groups=(), **resources, **place)
    )
    console.step("target", f"{name}: {target.region}, account {target.account}")
    return Site(target, clients, console, confirm)


def target_of(content: Mapping[str, Any], *, place: Target) -> Target:
    """The environment of a file's content, in its account."""
    name = place.environment.name
    environment = parse(content, name=name, source=f"{name}.toml", environ={})
    return replace(
        place,
        environment=environment,
        execution_role=environment.execution_role,
        task_role=environment.task_role,
    )


def require_databases(target: Target, clients: Clients) -> None:
    """Whether the databases of an environment's Glue tables are there; refuse to go on otherwise.

    Where that may not be looked at, CloudFormation says it.
    """
    for name in sorted({item.glue_database for item in target.environment.each()} - {""}):
        with suppress(NotAllowed):
            found = ask("glue:GetDatabase", clients.glue.get_database, Name=name)
            how = f"aws glue create-database --database-input Name={name}"
            finding = existence("glue_database", name, found, target, how)
            if not finding.good:
                raise Refused(f"{finding.about}: {finding.text}", advice=finding.advice)


def github_provider(site: Site) -> str:
    """The ARN of GitHub as an identity provider, which is made where there is none.

    An account has one at most, for all of its projects and regions. So it is of no stack, and
    `destroy` leaves it.
    """
    iam = site.clients.iam
    for item in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]:
        if item["Arn"].endswith(f"/{PROVIDER}"):
            return item["Arn"]
    site.console.step("provider", f"{PROVIDER} is not known to the account yet")
    if not site.confirm("Let the account know GitHub as an identity provider?"):
        raise Refused("bootstrap: the account is left as it was", advice="say yes, or --yes")
    made = iam.create_open_id_connect_provider(
        Url=f"https://{PROVIDER}", ClientIDList=["sts.amazonaws.com"]
    )
    site.changed.append(f"the provider {PROVIDER}")
    return made["OpenIDConnectProviderArn"]


def end_schedules(site: Site, environment: Environment) -> None:
    """Remove the schedules of datasets that the file has no longer, or gives none."""
    scheduler, group = site.clients.scheduler, environment.schedule_group
    family = f"{environment.family}-"
    kept = {item.family for item in environment.each() if item.schedule}
    pages = scheduler.get_paginator("list_schedules").paginate(GroupName=group)
    ours = {name for name in pages.search("Schedules[].Name") if f"{name}-".startswith(family)}
    for name in sorted(ours - kept):
        site.console.step("schedule", f"{name} runs a dataset that the file has no schedule for")
        if site.confirm(f"Remove the schedule {name}?"):
            scheduler.delete_schedule(Name=name, GroupName=group)
            site.changed.append(f"the schedule {name}")


def environment_content(
    outputs: Mapping[str, str],
    existing: Mapping[str, Any],
    *,
    target: Target,
    promotes: bool = False,
    schedule: str = "",
) -> dict[str, Any]:
    """An environment file's content: the stacks' outputs, and what was there beside them."""
    name = target.environment.name
    made: dict[str, Any] = {"region": target.region, "account": target.account}
    for output, value in outputs.items():
        key = re.sub(r"(?<!^)(?=[A-Z])", "_", output).lower()
        made[key] = value.split(",") if key in LISTS else value
    metrics = {"METRICS_NAMESPACE": f"{PREFIX}/{name}"}
    made |= {
        "family": f"{PREFIX}-{name}",
        "builds": bool(existing.get("builds", True)) and not promotes,
        "schedule": schedule or existing.get("schedule", USUAL_SCHEDULE),
        "variables": existing.get("variables", {}) | metrics,
    }
    if "datasets" not in existing:
        dataset = Path(existing.get("dataset", "launches")).stem
        made["key"] = existing.get("key", f"{dataset}.parquet")
    return {**existing, **made}


def file_of(name: str) -> Path:
    """The file of an environment."""
    if not NAME.fullmatch(name):
        raise Refused(
            f"{name!r} is no name for an environment",
            advice="2 to 20 small letters, digits and hyphens, a letter first",
        )
    return FOLDER / f"{name}.toml"


def read_existing(file: Path) -> dict[str, Any]:
    """An environment file's content, or nothing where there is none."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    except ValueError as error:
        raise Refused(f"{file}: not TOML: {error}") from None


def write_environment(file: Path, content: Mapping[str, Any]) -> None:
    """Write an environment file; what it says already stays as it is written, with its comments."""
    now = file.read_text(encoding="utf-8") if file.exists() else HEAD.format(name=file.stem)
    document, added = tomlkit.parse(now), tomlkit.document()
    for key, value in content.items():
        if key not in document:
            added[key] = _inline(value) if key == "variables" else value
        elif key == "variables":
            document[key].update(value)
        elif document[key] != value:
            document[key] = value
    text = tomlkit.dumps(document)
    # The comment of the whole file; one without an empty line below may be of a key.
    (head,) = re.findall(r"\A(?:(?:#.*\n)+\n)?", text)
    text = head + tomlkit.dumps(added) + text.removeprefix(head)
    file.write_text(text, encoding="utf-8")


def _inline(table: Mapping[str, str]) -> InlineTable:
    inline = tomlkit.inline_table()
    inline.update(table)
    return inline
