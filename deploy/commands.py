"""What each command does, as a few steps in order. `plan` is `deploy` with `dry_run`."""

from collections.abc import Sequence
from dataclasses import replace

from deploy.account import schedule as schedules
from deploy.account.verify import verify_step
from deploy.image.ship import Shipped, ship_step
from deploy.outcome import INTERRUPTIONS, DeployError, Exit, Refused
from deploy.proof.columns import columns_step
from deploy.proof.prove import find_etag, head_object, integration_step, proof_step
from deploy.rollback import NEEDED, chosen_revision, roll_back_after
from deploy.target import ROLES_ADVICE, require_roles, with_placeholders
from deploy.task.promote import promote_step, schedule_step
from deploy.task.register import register_step
from deploy.task.revisions import (
    deployed,
    good,
    our_revisions,
)
from deploy.task.run import run_step
from deploy.work import Work, for_each


def deploy_command(
    works: Sequence[Work], *, verified: bool = True, digest: str = "", roll_back: bool = False
) -> None:
    """Verify, build and push; then, for each dataset, register, run, follow, test, promote.

    `digest` is the only image that will do; `roll_back` goes back when the new revision fails.
    """
    dry_run = works[0].dry_run
    problem = verify_step(works, show_all=dry_run, dry_run=dry_run) if verified else None
    if not dry_run:
        for work in works:
            require_roles(work.target)
    shipped = ship_step(works[0], digest=digest, dry_run=dry_run)
    for_each(works, lambda work: _deploy_dataset(work, shipped, roll_back=roll_back))
    if problem:
        raise problem


def _deploy_dataset(work: Work, shipped: Shipped, *, roll_back: bool) -> None:
    """Register, run, follow, test and promote the image for one dataset."""
    if work.dry_run:
        if work.target.without:
            work.console.step("roles", work.target.without)
            work.console.more(f"→ {ROLES_ADVICE}")
        work = replace(work, target=with_placeholders(work.target))
        columns_step(work)
    revision = register_step(work, shipped.reference)
    try:
        before = find_etag(work)
        run = run_step(work, revision)
        proof_step(work, run, revision, before=before)
    except DeployError as error:
        # One that passed before is no worse than the one before it: the source may be down.
        if roll_back and not revision.passed and error.exit_code not in INTERRUPTIONS:
            roll_back_after(work, revision, error)
        raise
    promote_step(work, revision, tag=shipped.tag)


def run_command(work: Work, *, number: int | None) -> None:
    """Run one task of the deployed revision, or of another one."""
    revisions = our_revisions(work.clients, work.environment)
    revision = chosen_revision(work, revisions, number) or deployed(revisions)
    family = work.environment.family
    if revision is None and revisions.unseen:
        text = f"run: which revision of {family} to run can't be told: {revisions.unseen}"
        raise Refused(text, advice=NEEDED)
    if revision is None:
        raise Refused(f"run: no revision of {family} to run", advice="`./deploy.sh` makes one")
    if not revision.passed:
        last = good(revisions)
        note = f"; the good one is {last.label}" if last else ""
        work.console.step("note", f"{revision.label} has not passed its test{note}")
    run_step(work, revision)


def test_command(work: Work) -> None:
    """Run the integration test alone, on what is published now."""
    head = head_object(work)
    writer = head["Metadata"].get("run-id", "")
    when = f"{head['LastModified']:%Y-%m-%d %H:%M}"
    work.console.step("test", f"{work.target.object_url}, written {when} by {writer}")
    integration_step(work, expected_run_id="")


def schedule_command(work: Work, action: str) -> None:
    """Show the schedule, set it to the good revision, pause it, or resume it."""
    environment, scheduler = work.environment, work.clients.scheduler
    schedules.must_have(environment)
    if action == "set":
        revisions = our_revisions(work.clients, environment)
        revision = good(revisions)
        if revision is None:
            unseen = f", as far as can be seen: {revisions.unseen}" if revisions.unseen else ""
            text = f"schedule: no revision of {environment.family} has passed its test{unseen}"
            raise Refused(text)
        work.verdict.stage = Exit.NOT_MOVED
        return schedule_step(work, revision)
    if action in {"pause", "resume"}:
        work.verdict.stage = Exit.NOT_MOVED
        state = schedules.DISABLED if action == "pause" else schedules.ENABLED
        schedule = schedules.switch(scheduler, environment, state=state)
    else:
        schedule = schedules.must_find(scheduler, environment)
    work.console.step("schedule", schedules.in_words(schedule))
    work.verdict.facts["schedule"] = schedules.facts_of(schedule)
    return None
