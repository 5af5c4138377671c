"""Commands and flags, and how each command's end reaches the caller."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from deploy.aws import ERRORS, advice_of, words_of
from deploy.bootstrap import Wishes
from deploy.console import Console
from deploy.discover import Target, discover, with_roles
from deploy.environment import DEFAULT, Environment, load
from deploy.infra import bootstrap_command, destroy_command
from deploy.outcome import DeployError, Exit, Refused, Verdict
from deploy.pipeline import (
    deploy_command,
    plan_command,
    rollback_command,
    run_command,
    schedule_command,
    ship_command,
    test_command,
    verify_command,
)
from deploy.policies import policies
from deploy.run_task import Pace
from deploy.signals import Terminated, terminable
from deploy.status import logs_command, status_command
from deploy.work import Limits, Work, begin, find_roles

ROOT = Path(__file__).parent.parent
LIMITS = Limits()
PACE = Pace()
Command = TypeVar("Command", bound=Callable[..., Any])

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
137 when it was killed.
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
                     help=f"For the integration test; {LIMITS.test:.0f} unless told."),
        click.option("--run-timeout", type=click.FloatRange(min=1), metavar="SECONDS",
                     help="For the task, its start included; then it is stopped. "
                          f"{LIMITS.run:.0f} unless told."),
        click.option("--build-timeout", type=click.FloatRange(min=1), metavar="SECONDS",
                     help=f"For the build; {LIMITS.build:.0f} unless told."),
        click.option("--json", "as_json", is_flag=True, default=None,
                     help="Print one JSON verdict; everything else goes to standard error."),
        click.option("--env", metavar="NAME|FILE",
                     help="The environment: a name in deploy/environments, or the path of a "
                          f".toml file. DEPLOY_ENV, else {DEFAULT}, unless told."),
    ):  # fmt: skip
        command = option(command)
    return command


@click.group(
    cls=InOrder,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EPILOG,
)
@shared
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
@click.pass_context
def cli(
    context: click.Context, /, no_verify: bool, digest: str, roll_back: bool, **flags: Any
) -> None:
    """Put micro-etl on AWS ECS Fargate, run it, and prove what it published.

    Without a command: verify, build, push, register, run, follow, test, promote. A step is skipped
    when nothing has changed.
    """
    context.obj = flags
    if context.invoked_subcommand is None:
        _run(
            context,
            "deploy",
            lambda work: deploy_command(
                work, verified=not no_verify, digest=digest, roll_back=roll_back
            ),
        )


@cli.command()
@shared
@click.pass_context
def plan(context: click.Context, /, **flags: Any) -> None:
    """Say what a deploy would do, as a difference. Changes nothing."""
    _run(context, "plan", plan_command, flags)


@cli.command()
@shared
@click.option("--policy", is_flag=True, help="Print the least-privilege policies instead.")
@click.pass_context
def verify(context: click.Context, /, policy: bool, **flags: Any) -> None:
    """Check every resource that the task refers to. Changes nothing."""
    if policy:
        _end(context, "verify", flags, _print_policies)
    else:
        _run(context, "verify", verify_command, flags)


@cli.command()
@shared
@click.pass_context
def ship(context: click.Context, /, **flags: Any) -> None:
    """Build and push this commit's image, unless the repository has it. Nothing runs."""
    _run(context, "ship", ship_command, flags)


@cli.command()
@shared
@click.option("--revision", type=int, metavar="NUMBER", help="Another one than the deployed.")
@click.pass_context
def run(context: click.Context, /, revision: int | None, **flags: Any) -> None:
    """Run one task now, of the deployed revision, and follow it to its end."""
    _run(context, "run", lambda work: run_command(work, revision_number=revision), flags)


@cli.command()
@shared
@click.argument("task", default="")
@click.pass_context
def logs(context: click.Context, /, task: str, **flags: Any) -> None:
    """Show the log of a task: the last one's, unless told."""
    _run(context, "logs", lambda work: logs_command(work, task_id=task.rsplit("/", 1)[-1]), flags)


@cli.command()
@shared
@click.pass_context
def status(context: click.Context, /, **flags: Any) -> None:
    """Show what is deployed, how it last ended, and what is published."""
    _run(context, "status", status_command, flags)


@cli.command()
@shared
@click.pass_context
def test(context: click.Context, /, **flags: Any) -> None:
    """Run the integration test on what is published now."""
    _run(context, "test", test_command, flags)


@cli.command()
@shared
@click.option("--to", type=int, metavar="NUMBER", help="Another revision than the last good one.")
@click.pass_context
def rollback(context: click.Context, /, to: int | None, **flags: Any) -> None:
    """Go back to the last revision that passed its test; run and test it."""
    _run(context, "rollback", lambda work: rollback_command(work, revision_number=to), flags)


@cli.command()
@shared
@click.argument("action", type=click.Choice(["show", "set", "pause", "resume"]), default="show")
@click.pass_context
def schedule(context: click.Context, /, action: str, **flags: Any) -> None:
    """Show the schedule; set it as the environment has it; pause or resume it."""
    _run(context, "schedule", lambda work: schedule_command(work, action=action), flags)


@cli.command()
@shared
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
    default=Wishes.schedule,
    show_default=True,
    metavar="EXPRESSION",
    help="When it runs, in a new environment: rate(...) or cron(...).",
)
@click.option("--email", default="", metavar="ADDRESS", help="Who is told when a run fails.")
@click.option("--yes", is_flag=True, help="Execute each change set without asking.")
@click.pass_context
def bootstrap(
    context: click.Context,
    /,
    name: str,
    github: str,
    promotes: bool,
    schedule: str,
    email: str,
    yes: bool,
    **flags: Any,
) -> None:
    """Make an environment of your own, or bring it up to date. Shows each change first."""
    wishes = Wishes(name=name, github=github, promotes=promotes, schedule=schedule, email=email)

    def body(_: Chosen, console: Console, verdict: Verdict) -> None:
        bootstrap_command(wishes, yes=yes, console=console, verdict=verdict)

    _end(context, "bootstrap", flags, body)


@cli.command()
@shared
@click.argument("name")
@click.option("--data", is_flag=True, help="Remove the bucket and the images, too.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def destroy(context: click.Context, /, name: str, data: bool, yes: bool, **flags: Any) -> None:
    """Remove an environment that bootstrap made. Its data stay, unless told otherwise."""

    def body(_: Chosen, console: Console, verdict: Verdict) -> None:
        destroy_command(name, data=data, yes=yes, console=console, verdict=verdict)

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


Chosen = dict[str, Any]
"""The flags of a call, those before its command and those after it."""
Body = Callable[[Chosen, Console, Verdict], None]


def _run(
    context: click.Context,
    name: str,
    command: Callable[[Work], None],
    flags: dict[str, Any] | None = None,
) -> None:
    """Run a command that works in an environment's account."""

    def body(chosen: Chosen, console: Console, verdict: Verdict) -> None:
        command(
            begin(
                _environment(chosen),
                root=ROOT,
                console=console,
                verdict=verdict,
                limits=_limits(chosen),
                pace=PACE,
            )
        )

    _end(context, name, flags or {}, body)


def _end(context: click.Context, name: str, flags: dict[str, Any], body: Body) -> None:
    """Run a command's body, say how it ended, and end the program with its code."""
    chosen = {**context.obj, **{key: value for key, value in flags.items() if value is not None}}
    as_json = bool(chosen["as_json"])
    console = Console(sys.stderr if as_json else sys.stdout)
    verdict = Verdict(name)
    error: DeployError | None = None
    try:
        with terminable():
            body(chosen, console, verdict)
    except DeployError as failure:
        error = failure
    except ERRORS as failure:
        error = DeployError(f"AWS: {words_of(failure)}", advice=advice_of(failure))
        error.exit_code = verdict.stage
    except KeyboardInterrupt as stopped:
        error = DeployError("interrupted")
        error.exit_code = Exit.TERMINATED if isinstance(stopped, Terminated) else Exit.INTERRUPTED
    except Exception as defect:
        if as_json:
            _print_verdict(verdict, Exit.DEFECT, DeployError(repr(defect)))
        raise
    code = int(error.exit_code) if error else int(Exit.OK)
    if error:
        _complain(error, as_json=as_json)
    if as_json:
        _print_verdict(verdict, code, error)
    context.exit(code)


def _print_verdict(verdict: Verdict, code: int, error: DeployError | None) -> None:
    print(json.dumps(verdict.to_dict(code, error), default=str))  # noqa: T201


def _environment(chosen: Chosen) -> Environment:
    reference = chosen["env"] or os.environ.get("DEPLOY_ENV") or DEFAULT
    return load(reference, environ=os.environ)


def _complain(error: DeployError, *, as_json: bool) -> None:
    """Say what went wrong and what to do, on standard error."""
    console = Console(sys.stderr)
    if not as_json:
        sys.stdout.flush()
    first, _, rest = str(error).partition("\n")
    console.step("error", first)
    if rest:
        console.more(rest)
    if error.advice:
        console.more(f"→ {error.advice}")


def _limits(chosen: Chosen) -> Limits:
    given = {
        "build": chosen["build_timeout"],
        "run": chosen["run_timeout"],
        "test": chosen["test_timeout"],
    }
    return replace(LIMITS, **{name: value for name, value in given.items() if value is not None})


def _print_policies(chosen: Chosen, console: Console, verdict: Verdict) -> None:
    """Print the policies; whoever needs them may not have a single permission yet."""
    environment = _environment(chosen)
    try:
        target, clients = discover(environment)
    except Refused as error:
        console_note = Console(sys.stderr)
        console_note.step("note", f"{error}: placeholders stand for what is unknown")
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
    roles = f"arn:{target.partition}:iam::{target.account}:role"
    target = replace(
        target,
        execution_role=target.execution_role or f"{roles}/EXECUTION_ROLE",
        task_role=target.task_role or f"{roles}/TASK_ROLE",
    )
    found = policies(target)
    verdict.facts["policies"] = found
    if console.stream is sys.stdout:
        console.plain(json.dumps(found, indent=2))
