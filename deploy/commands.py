"""What each command does, as a few steps in order. `plan` is `deploy` with `dry_run`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from deploy.account.schedule import (
    DISABLED,
    ENABLED,
    facts_of,
    in_words,
    must_find,
    must_have,
    switch,
)
from deploy.account.verify import verify_step
from deploy.image.ship import Shipped, ship_step
from deploy.outcome import (
    INTERRUPTIONS,
    DeployError,
    Exit,
    NotLaunched,
    Refused,
    RunFailed,
    Unproven,
)
from deploy.proof.columns import new_columns
from deploy.proof.prove import find_etag, head_object, short
from deploy.proof.step import dataset_of, integration_step, proof_step
from deploy.target import ROLES_ADVICE, require_roles, with_placeholders
from deploy.task.promote import leave_behind, mark_step, promote_step, schedule_step
from deploy.task.register import register_step
from deploy.task.revisions import (
    Revision,
    Revisions,
    deployed,
    describe,
    good,
    is_ours,
    our_revisions,
    rollback_target,
)
from deploy.task.run import run_step
from deploy.work import Work, for_each


def deploy_command(
    works: Sequence[Work],
    *,
    verified: bool = True,
    digest: str = "",
    roll_back: bool = False,
    dry_run: bool = False,
) -> None:
    """Verify, build and push; then, for each dataset, register, run, follow, test, promote.

    Args:
        works: The command's, one a dataset.
        verified: Whether to look at the resources first.
        digest: The only image that will do.
        roll_back: Whether to go back to the good revision when the new one fails.
        dry_run: Whether to say only what would be done.
    """
    problem = verify_step(works, show_all=dry_run, dry_run=dry_run) if verified else None
    if not dry_run:
        for work in works:
            require_roles(work.target)
    shipped = ship_step(works[0], digest=digest, dry_run=dry_run)

    def deploy_dataset(work: Work) -> None:
        _deploy_dataset(work, shipped, roll_back=roll_back, dry_run=dry_run)

    for_each(works, deploy_dataset)
    if problem:
        raise problem


def _deploy_dataset(work: Work, shipped: Shipped, *, roll_back: bool, dry_run: bool) -> None:
    """Register, run, follow, test and promote the image for one dataset."""
    if dry_run:
        if work.target.without:
            work.console.step("roles", work.target.without)
            work.console.more(f"→ {ROLES_ADVICE}")
        work = replace(work, target=with_placeholders(work.target))
    columns_step(work, dry_run=dry_run)
    revision = register_step(work, shipped.reference, dry_run=dry_run)
    try:
        before = find_etag(work.clients.s3, work.target)
        run = run_step(work, revision, dry_run=dry_run)
        proof_step(work, run, revision, before=before, dry_run=dry_run)
    except (NotLaunched, RunFailed, Unproven) as error:
        # One that passed before is no worse than the one before it: the source may be down.
        if roll_back and not revision.passed and error.exit_code not in INTERRUPTIONS:
            _roll_back(work, revision, error)
        raise
    promote_step(work, revision, tag=shipped.tag, dry_run=dry_run)


def columns_step(work: Work, *, dry_run: bool) -> None:
    """Say in a plan when the run will need `--force`: the published table has other columns."""
    if not dry_run:
        return
    lines = new_columns(work.clients.s3, work.target)
    if lines:
        needed = "this run has --force" if work.force else "the run will need --force"
        work.console.step("columns", f"differ from {work.target.object_url}; {needed}:")
        for line in lines:
            work.console.more(line)
    work.verdict.facts["columns"] = lines


def _roll_back(work: Work, failed: Revision, error: DeployError) -> None:
    """Go back after a failure. The failure stays the error, whatever the rollback ends with.

    Only the revision that failed is withdrawn; a newer one that has passed meanwhile stays.
    """
    first, _, rest = str(error).partition("\n")
    work.console.step("failed", first)
    if rest:
        work.console.more(rest)
    stage = work.verdict.stage
    try:
        revisions = our_revisions(work.clients.ecs, work.environment)
        newer = good([item for item in revisions if item.number > failed.number])
        if newer:
            work.console.step("rollback", f"not needed: {newer.label} has passed meanwhile")
            leave_behind(work, [failed])
        else:
            before = [item for item in revisions if item.number < failed.number]
            _go_to(work, good(before), revisions, came_from=failed, left_behind=[failed])
    except DeployError as another:
        work.console.step("rollback", f"failed too: {another}")
    work.verdict.stage = stage


def rollback_command(work: Work, *, revision_number: int | None) -> None:
    """Go back to the last revision that passed its test: run it, test it, and mark the rest."""
    revisions = our_revisions(work.clients.ecs, work.environment)
    target = _revision(work, revisions, revision_number) or rollback_target(revisions)
    newer = [item for item in revisions if target and item.number > target.number]
    _go_to(
        work,
        target,
        revisions,
        came_from=deployed(revisions),
        left_behind=[item for item in newer if not item.withdrawn],
    )


def _go_to(
    work: Work,
    target: Revision | None,
    revisions: Revisions,
    *,
    came_from: Revision | None,
    left_behind: Sequence[Revision],
) -> None:
    if target is None:
        if revisions.unseen:
            raise Refused(
                f"rollback: which revision was good can't be told: {revisions.unseen}",
                advice="--to NUMBER goes to any revision; `./deploy.sh verify --policy` prints "
                "what the caller needs",
            )
        before = f" before {came_from.label}" if came_from else ""
        raise Refused(
            f"rollback: no revision of {work.environment.family} has passed its test{before}",
            advice="--to NUMBER goes to any revision",
        )
    source = came_from.label if came_from else "nothing"
    work.console.step("rollback", f"from {source} to {target.label}, {short(target.digest)}")
    work.verdict.facts |= {"from": source, "to": target.label}
    before_run = find_etag(work.clients.s3, work.target)
    run = run_step(work, target)
    with dataset_of(work, target) as work_of_revision:
        proof_step(work_of_revision, run, target, before=before_run)
    mark_step(work, target, left_behind)
    schedule_step(work, target)


def run_command(work: Work, *, revision_number: int | None) -> None:
    """Run one task of the deployed revision, or of another one."""
    revisions = our_revisions(work.clients.ecs, work.environment)
    revision = _revision(work, revisions, revision_number) or deployed(revisions)
    if revision is None:
        family = work.environment.family
        if revisions.unseen:
            raise Refused(
                f"run: which revision of {family} to run can't be told: {revisions.unseen}",
                advice="`./deploy.sh verify --policy` prints what the caller needs",
            )
        raise Refused(f"run: no revision of {family} to run", advice="`./deploy.sh` makes one")
    if not revision.passed:
        last = good(revisions)
        note = f"; the good one is {last.label}" if last else ""
        work.console.step("note", f"{revision.label} has not passed its test{note}")
    run_step(work, revision)


def test_command(work: Work) -> None:
    """Run the integration test alone, on what is published now."""
    head = head_object(work.clients.s3, work.target)
    writer = head["Metadata"].get("run-id", "")
    when = f"{head['LastModified']:%Y-%m-%d %H:%M}"
    work.console.step("test", f"{work.target.object_url}, written {when} by {writer}")
    integration_step(work, expected_run_id="")


def schedule_command(work: Work, *, action: str) -> None:
    """Show the schedule, set it to the good revision, pause it, or resume it."""
    environment, scheduler = work.environment, work.clients.scheduler
    must_have(environment)
    if action == "set":
        revisions = our_revisions(work.clients.ecs, environment)
        revision = good(revisions)
        if revision is None:
            raise Refused(
                f"schedule: no revision of {environment.family} has passed its test"
                + (f", as far as can be seen: {revisions.unseen}" if revisions.unseen else "")
            )
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


def _revision(work: Work, revisions: Revisions, number: int | None) -> Revision | None:
    """Return the revision of a number that the user gave, or nothing where none was given."""
    if number is None:
        return None
    # A caller who may not list the revisions sees the latest alone, and can still name another one.
    arn = work.target.arn("ecs", f"task-definition/{work.environment.family}:{number}")
    found = describe(work.clients.ecs, arn)
    if found and found.active and is_ours(found, work.environment):
        return found
    known = ", ".join(str(item.number) for item in revisions) or "none"
    raise Refused(
        f"{work.environment.family}:{number} is no active revision of this tool; there are: {known}"
    )
