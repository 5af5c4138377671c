"""Goes back to a revision that has passed its test: on command, or after a failed deploy."""

from collections.abc import Sequence

from deploy.outcome import DeployError, Refused
from deploy.proof.prove import find_etag, proof_step
from deploy.task.promote import leave_behind, promote_step
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
from deploy.work import Work

NEEDED = "`./deploy.sh verify --policy` prints what the caller needs"


def roll_back_after(work: Work, failed: Revision, error: DeployError) -> None:
    """Go back after a failure. The failure stays the error, whatever the rollback ends with.

    Only the revision that failed is withdrawn; a newer one that has passed meanwhile stays.
    """
    work.console.step("failed", str(error))
    stage = work.verdict.stage
    try:
        revisions = our_revisions(work.clients, work.environment)
        newer = good(item for item in revisions if item.number > failed.number)
        if newer:
            work.console.step("rollback", f"not needed: {newer.label} has passed meanwhile")
            leave_behind(work, [failed])
        else:
            to = good(item for item in revisions if item.number < failed.number)
            _go_to(work, to, revisions, came_from=failed, left_behind=[failed])
    except DeployError as another:
        work.console.step("rollback", f"failed too: {another}")
    work.verdict.stage = stage


def rollback_command(work: Work, *, number: int | None) -> None:
    """Go back to the last revision that passed its test: run it, test it, and mark the rest."""
    revisions = our_revisions(work.clients, work.environment)
    to = chosen_revision(work, revisions, number) or rollback_target(revisions)
    newer = [item for item in revisions if to and item.number > to.number and not item.withdrawn]
    _go_to(work, to, revisions, came_from=deployed(revisions), left_behind=newer)


def _go_to(
    work: Work,
    to: Revision | None,
    revisions: Revisions,
    *,
    came_from: Revision | None,
    left_behind: Sequence[Revision],
) -> None:
    if to is None:
        text = f"no revision of {work.environment.family} has passed its test"
        if came_from:
            text += f" before {came_from.label}"
        if revisions.unseen:
            text = f"which revision was good can't be told: {revisions.unseen}"
        raise Refused(f"rollback: {text}", advice="--to NUMBER goes to any revision; " + NEEDED)
    source = came_from.label if came_from else "nothing"
    work.console.step("rollback", f"from {source} to {to.label}, {to.digest[:19]}")
    work.verdict.facts |= {"from": source, "to": to.label}
    etag = find_etag(work)
    run = run_step(work, to)
    proof_step(work, run, to, before=etag)
    promote_step(work, to, left_behind=left_behind)


def chosen_revision(work: Work, revisions: Revisions, number: int | None) -> Revision | None:
    """The revision of a number that the user gave, or nothing where none was given."""
    if number is None:
        return None
    # A caller who may not list the revisions sees the latest alone, and can still name another one.
    name = f"{work.environment.family}:{number}"
    found = describe(work.clients, work.target.arn("ecs", f"task-definition/{name}"))
    if found and is_ours(found, work.environment):
        return found
    known = ", ".join(str(item.number) for item in revisions) or "none"
    raise Refused(f"{name} is no active revision of this tool; there are: {known}")
