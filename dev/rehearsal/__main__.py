"""Rehearse: the whole cloud on this machine, every scenario in it, and nothing left afterwards."""

from __future__ import annotations

import json
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import ClientError

from dev.loopback import EmulatorError
from dev.rehearsal import datasets, emulator, engine, others, pipeline, source
from dev.rehearsal.engine import CommandError, Unready
from dev.rehearsal.scenarios import SCENARIOS, Scenario
from dev.rehearsal.stage import (
    ROOT,
    Stage,
    Unexpected,
    copy_checkout,
    deploy_variables,
    forget_settings,
)

SAMPLE = ROOT / "src" / "micro_etl" / "datasets" / "launches.sample.json"

PASSED, FAILED = "passed", "FAILED"


@dataclass(frozen=True)
class Ending:
    """How a scenario ended."""

    promise: str
    word: str
    seconds: float


def main() -> int:
    """0 when every scenario kept its promise; the arguments choose some by their names."""
    known = {scenario.__name__: scenario for scenario in all_scenarios()}
    names = sys.argv[1:] or list(known)
    if not known.keys() >= set(names):
        write(f"No such scenario; there are: {', '.join(known)}")
        return 2
    forget_settings()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with ExitStack() as stack:
            stage = prepare(stack)
            endings = [play(known[name], stage) for name in names]
    except (ClientError, CommandError, EmulatorError, Unready, Unexpected) as error:
        write(f"\nCan't rehearse: {error}")
        return 1
    except KeyboardInterrupt:
        write("\nInterrupted. Everything that was started has been stopped.")
        return 130
    write("")
    for ending in endings:
        write(f"{ending.seconds:6.1f} s  {ending.word}  {ending.promise}")
    failed = sum(ending.word == FAILED for ending in endings)
    write(f"\n{len(endings) - failed} passed, {failed} failed")
    return 1 if failed else 0


def all_scenarios() -> tuple[Scenario, ...]:
    """The scenarios in their order; the last of the pipeline's removes the environments."""
    *pipelines, destroyed = pipeline.SCENARIOS
    return (*SCENARIOS, *pipelines, *datasets.SCENARIOS, *others.SCENARIOS, destroyed)


def prepare(stack: ExitStack) -> Stage:
    """The stage, with everything up. What was started is stopped when the stack unwinds."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rehearsal-")))
    checkout = folder / "micro-etl"
    found = engine.find()
    step("engine", f"Docker {found.version}; containers find this machine as {found.address}")
    base, word = engine.base_image(found)
    step("base", word)
    copy_checkout(checkout)
    step("checkout", "a copy of this one, as it is now")
    aws = stack.enter_context(emulator.running(found, folder))
    stack.enter_context(found.tidied(aws.registry))
    emulator.make_resources(aws)
    step("AWS", f"MiniStack at {aws.endpoint}: the assessment's resources, IAM enforced")
    served = stack.enter_context(source.serving(found, json.loads(SAMPLE.read_text("utf-8"))))
    step("source", f"{len(served.records)} launches at {served.url}")
    stage = Stage(
        checkout=checkout,
        engine=found,
        emulator=aws,
        source=served,
        variables=deploy_variables(aws, base_image=base, source_url=served.url),
        show=lambda text: write(f"    {text}"),
    )
    stage.variables |= emulator.make_caller(aws)
    emulator.grant(aws, stage.deploy("verify", "--policy").expect_exit(0).verdict["policies"])
    step("identities", "the user who deploys and both roles may do what this says, and no more")
    return stage


def play(scenario: Scenario, stage: Stage) -> Ending:
    """Play a scenario and say how it went."""
    promise = (scenario.__doc__ or "").splitlines()[0]
    write(f"\n{promise}")
    begun = time.monotonic()
    try:
        word, seen = PASSED, scenario(stage)
    except (ClientError, CommandError, Unexpected) as error:
        word, seen = FAILED, str(error)
    ending = Ending(promise, word, time.monotonic() - begun)
    write(f"{word} after {ending.seconds:.1f} s: {seen}")
    return ending


def step(what: str, text: str) -> None:
    """Write a line of the preparation."""
    write(f"{what:<12}{text}")


def write(text: str) -> None:
    """Write a line at once, since a person watches."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
