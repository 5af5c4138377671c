"""Registers the task definition, only when it differs from the deployed one."""

from typing import Any

from botocore.exceptions import ClientError

from deploy.aws import code_of, message_of
from deploy.console import shorten_hashes
from deploy.outcome import Exit, NotLaunched
from deploy.task.definition import difference, task_definition
from deploy.task.explain import Ending, explain
from deploy.task.revisions import Revision, deployed, our_revisions
from deploy.work import Work


def register_step(work: Work, image: str) -> Revision:
    """Make sure that the deployed revision is what the environment and the image give."""
    revisions = our_revisions(work.clients.ecs, work.environment)
    current = deployed(revisions)
    definition = task_definition(work.target, image=image)
    changes = difference(current.definition if current else None, definition)
    if current and not changes:
        revision = current
        work.console.step("register", f"not needed: {revision.label} has no difference")
    else:
        what = f"differs from {current.label}:" if current else "this tool's first revision"
        if revisions.unseen and not current:
            what = f"whether it differs from the last one can't be told: {revisions.unseen}"
        revision = _register(work, definition, image)
        would = f"would register a revision of {work.environment.family}; {what}"
        work.console.step("register", would if work.dry_run else f"{revision.label}, {what}")
        for line in changes if current or work.dry_run else ():
            work.console.more(shorten_hashes(line))
    work.verdict.facts |= {
        "revision": revision.label,
        "registered": bool(changes) and not work.dry_run,
        "changes": changes,
    }
    return revision


def _register(work: Work, definition: dict[str, Any], image: str) -> Revision:
    if work.dry_run:
        return Revision({**definition, "revision": 0, "taskDefinitionArn": ""}, tags={})
    work.verdict.stage = Exit.NOT_LAUNCHED
    try:
        answer = work.clients.ecs.register_task_definition(**definition)
    except ClientError as error:
        ending = Ending(error_code=code_of(error), reason=message_of(error))
        found = explain(ending, work.target, image=image)
        raise NotLaunched(found.cause, advice=found.advice) from None
    return Revision(answer["taskDefinition"], tags={})
