"""Commands and flags, and how each command ends."""

import json
import signal
import sys
from types import FrameType
from typing import Any

import click
from click.core import ParameterSource

from deploy.aws import ERRORS
from deploy.calls import COMMANDS, LIMITS, Call
from deploy.console import Console
from deploy.environment import DEFAULT
from deploy.outcome import DeployError, Exit, Verdict, ending_facts
from deploy.task.follow import stop_signals
from deploy.work import as_deploy_error, complain

HELP = """Put micro-etl on AWS ECS Fargate, run it, and prove what it published.

Without a command: verify, build, push; then, for each dataset, register, run, follow, test,
promote. A step is skipped when nothing has changed.

\b
Commands:
  plan              Say what a deploy would do, as a difference. Changes nothing.
  verify            Check every resource that a task refers to. Changes nothing.
  ship              Build and push this commit's image, unless it is there. Runs nothing.
  run               Run one task now, of the deployed revision, and follow it to its end.
  follow [TASK]     Follow a task that is running: the newest, unless one is named.
  stop [TASK]       Stop a task that is running: the newest, unless one is named.
  logs [TASK]       Show the log of a task: the last one's, unless one is named.
  status            Show what is deployed, how it last ended, and what is published.
  test              Run the integration test on what is published now.
  rollback          Go back to the last revision that passed its test; run and test it.
  schedule [show]   Show the schedule.
  schedule set      Set it as the environment has it; pause, resume: stop and start it.
  bootstrap NAME    Make an environment of your own, or bring it up to date.
  destroy NAME      Remove it. Its data stay, unless --data is given.
"""
EPILOG = "\n".join([
    "\b\nExit codes:",
    *(f"{code:5}  {code.meaning}" for code in Exit),
    "A task that ran and failed ends the command with its container's own code: 64 to 78 for the",
    "service, 137 when it was killed. Of several datasets, the worst code counts.",
])  # fmt: skip
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "schedule": ("show", "set", "pause", "resume"),
    **dict.fromkeys(("follow", "stop", "logs", "bootstrap", "destroy"), ()),
}
"""The commands that take an argument; which ones, where there is a choice."""
OWNERS: dict[str, list[str]] = {}
"""The commands that take a flag, by its name; none where all do."""


def _flag(*names: str, of: str = "", text: str, **kind: Any) -> click.Option:
    """A flag, of these commands alone where there are any."""
    option = click.Option(names, help=f"{of.replace(' ', ', ')}: {text}" if of else text, **kind)
    OWNERS[str(option.name)] = of.split()
    return option


YES: dict[str, Any] = {"is_flag": True}
SECONDS: dict[str, Any] = {"type": click.IntRange(1, 86_400), "metavar": "SECONDS"}
PARAMETERS = [
    click.Argument(["command"], type=click.Choice([*COMMANDS]), default="deploy",
                   metavar="[COMMAND]"),
    click.Argument(["argument"], default=""),
    _flag("--env", metavar="NAME|FILE", text="The environment: a name in deploy/environments, or "
          f"the path of a .toml file. DEPLOY_ENV or {DEFAULT} by default."),
    _flag("--dataset", metavar="NAME", text="One of the environment's; all of them by default."),
    _flag("--force", **YES, text="Let this run replace a table that has other columns, or many "
          "more rows than the new one."),
    _flag("--json", "as_json", **YES, text="Print one JSON verdict; everything else goes to "
          "standard error."),
    _flag("--build-timeout", **SECONDS, text=f"For the build; {LIMITS.build:.0f} by default."),
    _flag("--run-timeout", **SECONDS, text="For the task, its start included; then it is stopped. "
          f"{LIMITS.run:.0f} by default."),
    _flag("--test-timeout", **SECONDS, text="For the integration test; "
          f"{LIMITS.test:.0f} by default."),
    _flag("--no-verify", of="deploy", **YES, text="Do not look at the resources first."),
    _flag("--digest", of="deploy", default="", metavar="SHA256",
          text="Only if this commit's image is this one: the one that was tested."),
    _flag("--rollback", of="deploy", **YES,
          text="Go back to the good revision when the new one fails."),
    _flag("--policy", of="verify", **YES, text="Print the least-privilege policies instead."),
    _flag("--revision", of="run", type=int, metavar="NUMBER", text="Another than the deployed."),
    _flag("--to", of="rollback", type=int, metavar="NUMBER", text="Another than the last good."),
    _flag("--github", of="bootstrap", default="", metavar="OWNER@ID/NAME@ID",
          text="Let GitHub Actions of this repository deploy it; OWNER/NAME where its tokens have "
          "no ids."),
    _flag("--promotes", of="bootstrap", **YES, text="Build no images here: take tested ones."),
    _flag("--schedule", of="bootstrap", default="", metavar="EXPRESSION",
          text="When it runs, as rate(...) or cron(...); a new one daily."),
    _flag("--email", of="bootstrap", default="", metavar="ADDRESS",
          text="Gets a mail when a run fails."),
    _flag("--data", of="destroy", **YES, text="Remove the bucket and the images, too."),
    _flag("--yes", of="bootstrap destroy", **YES, text="Do not ask."),
]  # fmt: skip


def _execute(command: str, argument: str, **flags: Any) -> int:
    """Run a command, say how it ended, and return its code."""
    context = click.get_current_context()
    for name, owners in OWNERS.items():
        if context.get_parameter_source(name) is ParameterSource.DEFAULT:
            continue
        flag = next(item.opts[0] for item in PARAMETERS if item.name == name)
        if flags[name] == "":  # as of a variable that is not set
            raise click.UsageError(f"{flag} is empty; it should be given a value")
        if owners and command not in owners:
            raise click.UsageError(f"{flag} is for {', '.join(owners)}, not for {command}")
    choices = ARGUMENTS.get(command)
    if argument and (choices is None or (choices and argument not in choices)):
        raise click.UsageError(f"{argument!r} is no argument of {command}")
    if command in {"bootstrap", "destroy"} and not argument:
        raise click.UsageError(f"{command}: the NAME of an environment is missing")
    as_json = flags["as_json"]
    console, verdict = Console(sys.stderr if as_json else sys.stdout), Verdict(command)
    error: DeployError | None = None
    try:
        COMMANDS[command](Call(command, argument, flags, console, verdict))
    except (DeployError, *ERRORS) as failure:
        error = as_deploy_error(failure, stage=verdict.stage)
    except Terminated as stop:
        error = DeployError("interrupted", exit_code=128 + stop.args[0])
    except KeyboardInterrupt:
        error = DeployError("interrupted", exit_code=Exit.INTERRUPTED)
    except Exception as defect:
        if as_json:
            _print_verdict(verdict, Exit.DEFECT, DeployError(repr(defect)))
        raise
    code = error.exit_code if error else Exit.OK
    if error:
        sys.stdout.flush()
        complain(Console(sys.stderr), error)
    if as_json:
        _print_verdict(verdict, code, error)
    return int(code)


def _print_verdict(verdict: Verdict, code: int, error: DeployError | None) -> None:
    found = {"command": verdict.command, **ending_facts(code, error), **verdict.facts}
    print(json.dumps(found, default=str))  # noqa: T201


cli = click.Command(
    "deploy.sh",
    callback=_execute,
    params=PARAMETERS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help=HELP,
    epilog=EPILOG,
)


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP, which end what is under way as Ctrl-C does: a program is waited for."""


def main() -> int:
    """Run the command line and return the exit code."""

    def terminate(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        raise Terminated(number)

    for number in stop_signals() - {signal.SIGINT}:
        signal.signal(number, terminate)
    try:
        return int(cli.main(prog_name="./deploy.sh", standalone_mode=False) or Exit.OK)
    except click.Abort:
        return Exit.INTERRUPTED
    except click.ClickException as error:
        error.show()
        if "--json" in sys.argv:
            _print_verdict(Verdict(""), Exit.USAGE, DeployError(error.format_message()))
        return Exit.USAGE
