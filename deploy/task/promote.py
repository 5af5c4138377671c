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
    console, label = work.console, revision.label
    is_new = not revision.passed or revision.withdrawn
    if is_new:
        text = "would mark it as good" if work.dry_run else f"{label} is the good one now"
    elif left_behind:
        text = f"{label} is the good one again"
    else:
        text = f"not needed: {label} is marked as good"
    work.verdict.facts["good"] = None
    try:
        if is_new and not work.dry_run:
            mark(work.clients, revision, PASSED)
        console.step("promote", text)
        leave_behind(work, left_behind)
        work.verdict.facts["good"] = None if work.dry_run else label
    except ERRORS as error:
        text = f"proven, but not all marks of {label} were made: {words_of(error)}"
        console.step("promote", text)
        console.more("→ without its mark, `rollback` needs --to NUMBER to come back to it")
    if tag and work.environment.builds and not work.dry_run:
        repository = work.environment.repository
        try:
            tag_as_good(work.clients.ecr, repository=repository, digest=revision.digest, tag=tag)
        except ERRORS as error:
            console.more(f"the image has no tag that keeps it: {words_of(error)}")
    schedule_step(work, revision)


def leave_behind(work: Work, revisions: Sequence[Revision]) -> None:
    """Mark revisions as left behind by a rollback."""
    for item in revisions:
        mark(work.clients, item, WITHDRAWN)
        work.console.more(f"{item.label} is left behind")


def schedule_step(work: Work, revision: Revision) -> None:
    """Let the schedule run this revision, where the environment has one."""
    console, label = work.console, revision.label
    if not has_schedule(work.environment):
        return
    try:
        schedule, done = move(
            work.clients.scheduler, work.target, revision=revision.arn, dry_run=work.dry_run
        )
    except ERRORS as error:
        if work.dry_run:
            console.step("schedule", f"whether it would be moved can't be told: {words_of(error)}")
            return
        raise DeployError(
            f"schedule: could not be moved to {label}: {words_of(error)}",
            advice="`./deploy.sh schedule set` tries again",
            exit_code=Exit.NOT_MOVED,
        ) from None
    if work.dry_run:
        word = "not needed" if done == "unchanged" else f"would be {done}"
        console.step("schedule", f"{word}: {schedule['ScheduleExpression']}, {label}")
        return
    console.step("schedule", f"{done}: {in_words(schedule)}")
    work.verdict.facts["schedule"] = facts_of(schedule) | {"done": done}
