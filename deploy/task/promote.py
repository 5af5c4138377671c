"""Marks what has passed its test as good, and lets the schedule run it."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.account.schedule import facts_of, has_schedule, in_words, move
from deploy.aws import ERRORS, words_of
from deploy.image.push import tag_as_good
from deploy.outcome import NotMoved
from deploy.task.revisions import Revision, mark_passed, mark_withdrawn
from deploy.work import Work


def promote_step(work: Work, revision: Revision, *, tag: str = "", dry_run: bool = False) -> None:
    """Mark the revision and its image as good, and move the schedule to it.

    Args:
        work: The command's.
        revision: What has passed its test.
        tag: The image's tag, where images are built here.
        dry_run: Whether to say only what would be done.
    """
    mark_step(work, revision, (), dry_run=dry_run)
    if tag and work.environment.builds and not dry_run:
        keep_image(work, revision, tag)
    schedule_step(work, revision, dry_run=dry_run)


def keep_image(work: Work, revision: Revision, tag: str) -> None:
    """Tag the image so that the repository keeps it. Without that, nothing has failed."""
    try:
        tag_as_good(
            work.clients.ecr,
            repository=work.environment.repository,
            digest=revision.digest,
            tag=tag,
        )
    except ERRORS as error:
        work.console.more(f"the image has no tag that keeps it: {words_of(error)}")


def mark_step(
    work: Work, revision: Revision, left_behind: Sequence[Revision], *, dry_run: bool = False
) -> None:
    """Mark a revision as good and others as left behind; say so when that can't be done.

    A deploy that has passed its test does not fail for want of a mark.
    """
    work.verdict.facts["good"] = None
    is_new = not revision.passed or revision.withdrawn
    if dry_run:
        text = (
            "would mark it as good" if is_new else f"not needed: {revision.label} is marked as good"
        )
        work.console.step("promote", text)
        return
    try:
        if is_new:
            mark_passed(work.clients.ecs, revision)
            work.console.step("promote", f"{revision.label} is the good one now")
        elif left_behind:
            work.console.step("promote", f"{revision.label} is the good one again")
        else:
            work.console.step("promote", f"not needed: {revision.label} is marked as good")
        leave_behind(work, left_behind)
        work.verdict.facts["good"] = revision.label
    except ERRORS as error:
        work.console.step(
            "promote", f"proven, but not all marks of {revision.label} were made: {words_of(error)}"
        )
        work.console.more("→ without its mark, `rollback` needs --to NUMBER to come back to it")


def leave_behind(work: Work, revisions: Sequence[Revision]) -> None:
    """Mark revisions as left behind by a rollback."""
    for item in revisions:
        mark_withdrawn(work.clients.ecs, item)
        work.console.more(f"{item.label} is left behind")


def schedule_step(work: Work, revision: Revision, *, dry_run: bool = False) -> None:
    """Let the schedule run this revision, where the environment has one."""
    if not has_schedule(work.environment):
        return
    try:
        schedule, done = move(
            work.clients.scheduler, work.target, revision=revision.arn, dry_run=dry_run
        )
    except ERRORS as error:
        if dry_run:
            work.console.step(
                "schedule", f"whether it would be moved can't be told: {words_of(error)}"
            )
            return
        raise NotMoved(
            f"schedule: could not be moved to {revision.label}: {words_of(error)}",
            advice="`./deploy.sh schedule set` tries again",
        ) from None
    if dry_run:
        word = "not needed" if done == "unchanged" else f"would be {done}"
        work.console.step("schedule", f"{word}: {schedule['ScheduleExpression']}, {revision.label}")
        return
    work.console.step("schedule", f"{done}: {in_words(schedule)}")
    work.verdict.facts["schedule"] = facts_of(schedule) | {"done": done}
