"""What each command does, as a few steps in order."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.console import shorten_hashes
from deploy.discover import require_roles
from deploy.outcome import (
    DeployError,
    Exit,
    NotLaunched,
    Refused,
    RunFailed,
    Unproven,
)
from deploy.prove import head_object, short
from deploy.revisions import (
    Revision,
    deployed,
    describe,
    good,
    is_ours,
    our_revisions,
    rollback_target,
)
from deploy.schedule import (
    DISABLED,
    ENABLED,
    facts_of,
    has_schedule,
    in_words,
    must_find,
    must_have,
    switch,
)
from deploy.steps import (
    in_repository,
    integration_step,
    mark_step,
    promote_step,
    register_step,
    run_step,
    schedule_step,
    ship_step,
    test_step,
    verify_step,
)
from deploy.task_definition import difference, task_definition
from deploy.work import Work

INTERRUPTIONS = {Exit.INTERRUPTED, Exit.TERMINATED}


def deploy_command(
    work: Work, *, verified: bool = True, digest: str = "", roll_back: bool = False
) -> None:
    """Verify, build, push, register, run, follow, test, promote.

    Args:
        work: The command's.
        verified: Whether to look at the resources first.
        digest: The only image that will do.
        roll_back: Whether to go back to the good revision when the new one fails.
    """
    if verified:
        verify_step(work, show_all=False)
    require_roles(work.target)
    shipped = ship_step(work, digest=digest)
    revision = register_step(work, shipped)
    try:
        run = run_step(work, revision)
        test_step(work, run, revision)
    except (NotLaunched, RunFailed, Unproven) as error:
        # One that passed before is no worse than the one before it: the source may be down.
        if roll_back and not revision.passed and error.exit_code not in INTERRUPTIONS:
            _roll_back(work, error)
        raise
    promote_step(work, revision)


def _roll_back(work: Work, error: DeployError) -> None:
    """Go back after a failure; what goes wrong in that is told, and the failure stays the error."""
    first, _, rest = str(error).partition("\n")
    work.console.step("failed", first)
    if rest:
        work.console.more(rest)
    stage = work.verdict.stage
    try:
        rollback_command(work, revision_number=None)
    except DeployError as another:
        work.console.step("rollback", f"failed too: {another}")
    work.verdict.stage = stage


def ship_command(work: Work) -> None:
    """Build and push this commit's image, unless the repository has it. Nothing runs."""
    ship_step(work)


def plan_command(work: Work) -> None:
    """Say what a deploy would do. Nothing is changed."""
    verify_step(work, show_all=True)
    shipped = in_repository(work)
    if shipped.digest:
        work.console.step("build", f"not needed: {shipped.tag} is in the repository")
        work.console.step("push", f"not needed: {short(shipped.digest)}")
    else:
        work.console.step("build", f"would build {shipped.tag} for {work.environment.architecture}")
        work.console.step("push", f"would push it to {shipped.address}")
    revisions = list(our_revisions(work.clients.ecs, work.environment))
    current = deployed(revisions)
    definition = task_definition(work.target, image=shipped.reference)
    changes = difference(current.definition if current else None, definition)
    if current and not changes:
        work.console.step("register", f"not needed: {current.label} has no difference")
    else:
        text = f"differs from {current.label}:" if current else "this tool's first:"
        work.console.step(
            "register", f"would register a revision of {work.environment.family}; {text}"
        )
        for line in changes:
            work.console.more(shorten_hashes(line))
    work.console.step("run", f"would run one task in {work.environment.cluster}")
    work.console.step("test", "would test what it published")
    last = good(revisions)
    work.console.step(
        "promote",
        f"would mark it as good; the good one is {last.label}" if last else "would mark it as good",
    )
    if has_schedule(work.environment):
        work.console.step("schedule", f"would let it run that: {work.environment.schedule}")
    work.verdict.facts |= {
        "build": not shipped.digest,
        "push": not shipped.digest,
        "register": bool(changes),
        "changes": changes,
        "deployed": current.label if current else None,
        "good": last.label if last else None,
    }


def verify_command(work: Work) -> None:
    """Look at everything that the task refers to."""
    verify_step(work, show_all=True)


def run_command(work: Work, *, revision_number: int | None) -> None:
    """Run one task of the deployed revision, or of another one."""
    revisions = list(our_revisions(work.clients.ecs, work.environment))
    revision = _revision(work, revisions, revision_number) or deployed(revisions)
    if revision is None:
        raise Refused(
            f"run: no revision of {work.environment.family} to run",
            advice="`./deploy.sh` makes one",
        )
    if not revision.passed:
        last = good(revisions)
        note = f"; the good one is {last.label}" if last else ""
        work.console.step("note", f"{revision.label} has not passed its test{note}")
    run_step(work, revision)


def test_command(work: Work) -> None:
    """Run the integration test alone, on what is published now."""
    head = head_object(work.clients.s3, work.target)
    where = f"s3://{work.environment.bucket}/{work.environment.key}"
    writer = head["Metadata"].get("run-id", "")
    work.console.step("test", f"{where}, written {head['LastModified']:%Y-%m-%d %H:%M} by {writer}")
    integration_step(work, expected_run_id="")


def rollback_command(work: Work, *, revision_number: int | None) -> None:
    """Go back to the last revision that passed its test: run it, test it, and mark the rest."""
    revisions = list(our_revisions(work.clients.ecs, work.environment))
    now = deployed(revisions)
    target = _revision(work, revisions, revision_number) or rollback_target(revisions)
    if target is None:
        before = f" before {now.label}" if now else ""
        raise Refused(
            f"rollback: no revision of {work.environment.family} has passed its test{before}",
            advice="--to NUMBER goes to any revision",
        )
    came_from = now.label if now else "nothing"
    work.console.step("rollback", f"from {came_from} to {target.label}, {short(target.digest)}")
    work.verdict.facts |= {"from": came_from, "to": target.label}
    run = run_step(work, target)
    test_step(work, run, target)
    left_behind = [item for item in revisions if item.number > target.number and not item.withdrawn]
    mark_step(work, target, left_behind)
    schedule_step(work, target)


def schedule_command(work: Work, *, action: str) -> None:
    """Show the schedule, set it to the good revision, pause it, or resume it."""
    environment, scheduler = work.environment, work.clients.scheduler
    must_have(environment)
    if action == "set":
        revision = good(our_revisions(work.clients.ecs, environment))
        if revision is None:
            raise Refused(f"schedule: no revision of {environment.family} has passed its test")
        work.verdict.stage = Exit.NOT_MOVED
        schedule_step(work, revision)
        return
    if action in {"pause", "resume"}:
        work.verdict.stage = Exit.NOT_MOVED
        schedule = switch(scheduler, environment, state=DISABLED if action == "pause" else ENABLED)
    else:
        schedule = must_find(scheduler, environment)
    work.console.step("schedule", in_words(schedule))
    work.verdict.facts["schedule"] = facts_of(schedule)


def _revision(work: Work, revisions: Sequence[Revision], number: int | None) -> Revision | None:
    """Return the revision of a number that the user gave, or nothing where none was given."""
    if number is None:
        return None
    # Whoever may not list the revisions sees the latest alone, and can still name another one.
    arn = work.target.arn("ecs", f"task-definition/{work.environment.family}:{number}")
    found = describe(work.clients.ecs, arn)
    if found and found.active and is_ours(found, work.environment):
        return found
    known = ", ".join(str(item.number) for item in revisions) or "none"
    raise Refused(
        f"{work.environment.family}:{number} is no active revision of this tool; there are: {known}"
    )
