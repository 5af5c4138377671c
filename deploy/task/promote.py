"""Marks what has passed its test as good, and lets the schedule run it."""

from collections.abc import Sequence

from deploy.account.schedule import facts_of, has_schedule, in_words, move
from deploy.aws import ERRORS, words_of
from deploy.image.push import tag_as_good
from deploy.outcome import DeployError, Exit
from deploy.task.revisions import PASSED, WITHDRAWN, Revision, mark
from deploy.work import Work


def promote_step(
    work: Work, revision: Revision, *, tag: str = "", left_behind: Sequence[Revision] = ()
) -> None:
    """Mark a revision and its image as good, and others as left; move the schedule to it.

    A deploy that has passed its test does not fail for want of a mark. `tag` is the image's, where
    images are built here; `left_behind` is what a rollback leaves.
    """
    work.verdict.facts["good"] = None
    is_new = not revision.passed or revision.withdrawn
    if is_new:
        text = f"{revision.label} is the good one now"
    elif left_behind:
        text = f"{revision.label} is the good one again"
    else:
        text = f"not needed: {revision.label} is marked as good"
    if work.dry_run:
        work.console.step("promote", "would mark it as good" if is_new else text)
        return schedule_step(work, revision)
    try:
        if is_new:
            mark(work.clients.ecs, revision, PASSED)
        work.console.step("promote", text)
        leave_behind(work, left_behind)
        work.verdict.facts["good"] = revision.label
    except ERRORS as error:
        work.console.step(
            "promote", f"proven, but not all marks of {revision.label} were made: {words_of(error)}"
        )
        work.console.more("→ without its mark, `rollback` needs --to NUMBER to come back to it")
    if tag and work.environment.builds:
        repository = work.environment.repository
        try:
            tag_as_good(work.clients.ecr, repository=repository, digest=revision.digest, tag=tag)
        except ERRORS as error:
            work.console.more(f"the image has no tag that keeps it: {words_of(error)}")
    return schedule_step(work, revision)


def leave_behind(work: Work, revisions: Sequence[Revision]) -> None:
    """Mark revisions as left behind by a rollback."""
    for item in revisions:
        mark(work.clients.ecs, item, WITHDRAWN)
        work.console.more(f"{item.label} is left behind")


def schedule_step(work: Work, revision: Revision) -> None:
    """Let the schedule run this revision, where the environment has one."""
    if not has_schedule(work.environment):
        return
    try:
        schedule, done = move(
            work.clients.scheduler, work.target, revision=revision.arn, dry_run=work.dry_run
        )
    except ERRORS as error:
        if work.dry_run:
            text = f"whether it would be moved can't be told: {words_of(error)}"
            work.console.step("schedule", text)
            return
        raise DeployError(
            f"schedule: could not be moved to {revision.label}: {words_of(error)}",
            advice="`./deploy.sh schedule set` tries again",
            exit_code=Exit.NOT_MOVED,
        ) from None
    if work.dry_run:
        word = "not needed" if done == "unchanged" else f"would be {done}"
        work.console.step("schedule", f"{word}: {schedule['ScheduleExpression']}, {revision.label}")
        return
    work.console.step("schedule", f"{done}: {in_words(schedule)}")
    work.verdict.facts["schedule"] = facts_of(schedule) | {"done": done}
