"""Commands and flags, and how each command ends."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from deploy.account.bootstrap import (
    SCHEDULE,
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
from deploy.aws import ERRORS
from deploy.commands import (
    deploy_command,
    rollback_command,
    run_command,
    schedule_command,
    test_command,
)
from deploy.console import Console
from deploy.environment import DEFAULT, Environment, load
from deploy.image.ship import ship_step
from deploy.outcome import DeployError, Exit, Refused, Verdict
from deploy.status import logs_command, status_command
from deploy.target import Target, discover, find_roles, with_placeholders, with_roles
from deploy.task.run import attach, stop
from deploy.task.signals import Terminated, terminable
from deploy.work import Limits, Pace, Work, as_deploy_error, begin, complain, for_each, only

ROOT = Path(__file__).parent.parent
LIMITS = Limits()
PACE = Pace()
Command = TypeVar("Command", bound=Callable[..., Any])
Flags = dict[str, Any]
"""The flags of a call, those before its command and those after it."""

EPILOG = """\b
Exit codes:
    0  done, and what was published is proven
    1  a defect in this tool
    2  wrong flags
   10  refused before anything in AWS was changed
   11  no container ran: push, registration or launch failed
   12  the task timed out, was stopped from outside, could not be followed, or ended with a code
       that is none of the service's
   13  the task succeeded, but what it published failed the test
   14  what it published is proven, but the schedule could not be moved
  130  interrupted by Ctrl-C; a task that was running has been told to stop
  143  the same, by SIGTERM
A task that ran and failed ends the command with its container's own code: 64 to 78 for the service,
137 when it was killed. Of several datasets, the worst code counts.
"""


class InOrder(click.Group):
    """Lists the commands in the order in which they are written here."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names of the commands."""
        return list(self.commands)


def shared(command: Command) -> Command:
    """Add the flags that every command takes, before or after its name."""
    for option in (
        click.option("--test-timeout", type=click.FloatRange(min=1), metavar="SECONDS",
                     help=f"For the integration test; {LIMITS.test:.0f} by default."),
        click.option("--run-timeout", type=click.FloatRange(min=1), metavar="SECONDS",
                     help="For the task, its start included; then it is stopped. "
                          f"{LIMITS.run:.0f} by default."),
        click.option("--build-timeout", type=click.FloatRange(min=1), metavar="SECONDS",
                     help=f"For the build; {LIMITS.build:.0f} by default."),
        click.option("--json", "as_json", is_flag=True, default=None,
                     help="Print one JSON verdict; everything else goes to standard error."),
        click.option("--force", is_flag=True, default=None,
                     help="Let this run replace a table of other columns, or of many more rows."),
        click.option("--dataset", metavar="NAME",
                     help="One of the environment's datasets; all of them by default."),
        click.option("--env", metavar="NAME|FILE",
                     help="The environment: a name in deploy/environments, or the path of a "
                          f".toml file. DEPLOY_ENV or {DEFAULT} by default."),
    ):  # fmt: skip
        command = option(command)
    return click.pass_context(command)  # type: ignore[return-value]


@click.group(
    cls=InOrder,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EPILOG,
)
@click.option("--no-verify", is_flag=True, help="Deploy without looking at the resources first.")
@click.option(
    "--digest",
    default="",
    metavar="SHA256",
    help="Deploy only if this commit's image is this one: the one that was tested.",
)
@click.option(
    "--rollback",
    "roll_back",
    is_flag=True,
    help="Go back to the good revision when the new one fails.",
)
@shared
def cli(
    context: click.Context, /, no_verify: bool, digest: str, roll_back: bool, **flags: Any
) -> None:
    """Put micro-etl on AWS ECS Fargate, run it, and prove what it published.

    Without a command: verify, build, push; then, for each dataset, register, run, follow, test,
    promote. A step is skipped when nothing has changed.
    """
    context.obj = flags
    if context.invoked_subcommand is None:

        def body(works: list[Work]) -> None:
            deploy_command(works, verified=not no_verify, digest=digest, roll_back=roll_back)

        _run(context, "deploy", body, {})


@cli.command()
@shared
def plan(context: click.Context, /, **flags: Any) -> None:
    """Say what a deploy would do, as a difference. Changes nothing."""
    _run(context, "plan", lambda works: deploy_command(works, dry_run=True), flags)


@cli.command()
@click.option("--policy", is_flag=True, help="Print the least-privilege policies instead.")
@shared
def verify(context: click.Context, /, policy: bool, **flags: Any) -> None:
    """Check every resource that a task refers to. Changes nothing."""
    if policy:
        _end(context, "verify", flags, _print_policies)
    else:
        _run(context, "verify", lambda works: verify_step(works, show_all=True, alone=True), flags)


@cli.command()
@shared
def ship(context: click.Context, /, **flags: Any) -> None:
    """Build and push this commit's image, unless the repository has it. Runs nothing."""
    _run(context, "ship", lambda works: ship_step(works[0]), flags)


@cli.command()
@click.option("--revision", type=int, metavar="NUMBER", help="Another one than the deployed.")
@shared
def run(context: click.Context, /, revision: int | None, **flags: Any) -> None:
    """Run one task now, of the deployed revision, and follow it to its end."""
    _each(context, "run", lambda work: run_command(work, revision_number=revision), flags)


@cli.command()
@click.argument("task", default="")
@shared
def follow(context: click.Context, /, task: str, **flags: Any) -> None:
    """Follow a task that is running to its end: the newest, unless one is named."""
    _one(context, "follow", lambda work: attach(work, _id(task)), flags)


@cli.command(name="stop")
@click.argument("task", default="")
@shared
def stop_task(context: click.Context, /, task: str, **flags: Any) -> None:
    """Stop a task that is running: the newest, unless one is named."""
    _one(context, "stop", lambda work: stop(work, _id(task)), flags)


@cli.command()
@click.argument("task", default="")
@shared
def logs(context: click.Context, /, task: str, **flags: Any) -> None:
    """Show the log of a task: the last one's, unless one is named."""
    _one(context, "logs", lambda work: logs_command(work, task_id=_id(task)), flags)


@cli.command()
@shared
def status(context: click.Context, /, **flags: Any) -> None:
    """Show what is deployed, how it last ended, and what is published."""
    _each(context, "status", status_command, flags)


@cli.command()
@shared
def test(context: click.Context, /, **flags: Any) -> None:
    """Run the integration test on what is published now."""
    _each(context, "test", test_command, flags)


@cli.command()
@click.option("--to", type=int, metavar="NUMBER", help="Another revision than the last good one.")
@shared
def rollback(context: click.Context, /, to: int | None, **flags: Any) -> None:
    """Go back to the last revision that passed its test; run and test it."""
    _one(context, "rollback", lambda work: rollback_command(work, revision_number=to), flags)


@cli.command()
@click.argument("action", type=click.Choice(["show", "set", "pause", "resume"]), default="show")
@shared
def schedule(context: click.Context, /, action: str, **flags: Any) -> None:
    """Show the schedule; set it as the environment has it; pause or resume it."""
    _each(context, "schedule", lambda work: schedule_command(work, action=action), flags)


@cli.command(name="bootstrap")
@click.argument("name")
@click.option(
    "--github",
    default="",
    metavar="OWNER@ID/NAME@ID",
    help="Let GitHub Actions of this repository deploy it; OWNER/NAME where its tokens "
    "have no ids.",
)
@click.option("--promotes", is_flag=True, help="Build no images here: take tested ones.")
@click.option(
    "--schedule",
    default=SCHEDULE,
    show_default=True,
    metavar="EXPRESSION",
    help="When it runs, in a new environment: rate(...) or cron(...).",
)
@click.option("--email", default="", metavar="ADDRESS", help="Gets a mail when a run fails.")
@click.option("--yes", is_flag=True, help="Execute each change set without asking.")
@shared
def bootstrap_command(
    context: click.Context, /, name: str, github: str, promotes: bool, schedule: str, email: str,
    yes: bool, **flags: Any,
) -> None:  # fmt: skip
    """Make an environment of your own, or bring it up to date. Shows each change first."""

    def body(_: Flags, console: Console, verdict: Verdict) -> None:
        file = file_of(name)
        existing = read_existing(file)
        if existing and "schedule_group" not in existing:
            raise Refused(
                f"bootstrap: {file} was not made by bootstrap", advice="choose another name"
            )
        site = site_of(name, existing, console=console, yes=yes)
        content = bootstrap(
            site, existing, github=github, promotes=promotes, schedule=schedule, email=email
        )
        write_environment(file, content)
        console.step("file", f"{file}: commit it, then `./deploy.sh --env {name}`")
        if content.get("github_role"):
            console.step("GitHub", f"variables of the environment {name}:")
            console.more(f"AWS_ROLE_ARN = {content['github_role']}")
            console.more(f"AWS_REGION = {site.target.region}")
        verdict.facts |= {"file": str(file), "environment": content}

    _end(context, "bootstrap", flags, body)


@cli.command(name="destroy")
@click.argument("name")
@click.option("--data", is_flag=True, help="Remove the bucket and the images, too.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@shared
def destroy_command(
    context: click.Context, /, name: str, data: bool, yes: bool, **flags: Any
) -> None:
    """Remove an environment that bootstrap made. Its data stay, unless --data is given."""

    def body(_: Flags, console: Console, verdict: Verdict) -> None:
        file = file_of(name)
        existing = read_existing(file)
        site = site_of(name, existing, console=console, yes=yes)
        family = f"{PREFIX}-{name}"
        families = [family, *(f"{family}-{table}" for table in existing.get("datasets", ()))]
        stacks = destroy(site, families, data=data)
        if file.exists():
            console.step("file", f"{file} names what has been removed: delete it, too")
        verdict.facts |= {
            "removed": [stack for stack, reason in stacks.items() if not reason],
            "kept": [stack for stack, reason in stacks.items() if reason],
        }

    _end(context, "destroy", flags, body)


def main() -> int:
    """Run the command line and return the exit code."""
    try:
        # Outside of its standalone mode, click returns what `Context.exit` was given.
        code = cli.main(prog_name="./deploy.sh", standalone_mode=False)
    except click.Abort:
        return Exit.INTERRUPTED
    except click.ClickException as error:
        error.show()
        if "--json" in sys.argv:
            _print_verdict(Verdict(""), Exit.USAGE, DeployError(error.format_message()))
        return Exit.USAGE
    return int(code or Exit.OK)


def _id(task: str) -> str:
    """Return a task's id, which may be given as its ARN."""
    return task.rsplit("/", 1)[-1]


def _each(context: click.Context, name: str, step: Callable[[Work], None], flags: Flags) -> None:
    """Run a command for each dataset of the environment."""
    _run(context, name, lambda works: for_each(works, step), flags)


def _one(context: click.Context, name: str, step: Callable[[Work], None], flags: Flags) -> None:
    """Run a command for the one dataset that is meant."""
    _run(context, name, lambda works: step(only(works, name)), flags)


def _run(
    context: click.Context, name: str, command: Callable[[list[Work]], object], flags: Flags
) -> None:
    """Run a command that works in an environment's account."""

    def body(chosen: Flags, console: Console, verdict: Verdict) -> None:
        limits = {
            key: chosen[f"{key}_timeout"]
            for key in ("build", "run", "test")
            if chosen[f"{key}_timeout"] is not None
        }
        works = begin(
            _environment(chosen),
            root=ROOT,
            console=console,
            verdict=verdict,
            limits=replace(LIMITS, **limits),
            pace=PACE,
            dataset=chosen["dataset"] or "",
            force=bool(chosen["force"]),
        )
        command(works)

    _end(context, name, flags, body)


def _end(
    context: click.Context, name: str, flags: Flags, body: Callable[[Flags, Console, Verdict], None]
) -> None:
    """Run a command's body, say how it ended, and end the program with its code."""
    chosen = {**context.obj, **{key: value for key, value in flags.items() if value is not None}}
    as_json = bool(chosen["as_json"])
    console = Console(sys.stderr if as_json else sys.stdout)
    verdict = Verdict(name)
    error: DeployError | None = None
    try:
        with terminable():
            body(chosen, console, verdict)
    except (DeployError, *ERRORS) as failure:
        error = as_deploy_error(failure, stage=verdict.stage)
    except KeyboardInterrupt as stopped:
        code = Exit.TERMINATED if isinstance(stopped, Terminated) else Exit.INTERRUPTED
        error = DeployError("interrupted", exit_code=code)
    except Exception as defect:
        if as_json:
            _print_verdict(verdict, Exit.DEFECT, DeployError(repr(defect)))
        raise
    exit_code = int(error.exit_code) if error else int(Exit.OK)
    if error:
        sys.stdout.flush()
        complain(Console(sys.stderr), error)
    if as_json:
        _print_verdict(verdict, exit_code, error)
    context.exit(exit_code)


def _print_verdict(verdict: Verdict, code: int, error: DeployError | None) -> None:
    print(json.dumps(verdict.to_dict(code, error), default=str))  # noqa: T201


def _environment(chosen: Flags) -> Environment:
    reference = chosen["env"] or os.environ.get("DEPLOY_ENV") or DEFAULT
    return load(reference, environ=os.environ)


def _print_policies(chosen: Flags, console: Console, verdict: Verdict) -> None:
    """Print the policies, also for a caller who has no permission yet."""
    environment = _environment(chosen)
    try:
        target, clients = discover(environment)
    except Refused as error:
        Console(sys.stderr).step("note", f"{error}: placeholders stand for what is unknown")
        target = Target(
            environment=environment,
            region=environment.region or os.environ.get("AWS_REGION") or "REGION",
            account=environment.account or "ACCOUNT",
            partition="aws",
            caller="",
        )
        target = with_roles(target, None)
    else:
        target = find_roles(target, clients)
    found = policies(with_placeholders(target))
    verdict.facts["policies"] = found
    if console.stream is sys.stdout:
        console.plain(json.dumps(found, indent=2))
