"""Registers the task definition, only when it differs from the deployed one."""

from typing import Any

from botocore.exceptions import ClientError

from deploy.aws import code_of, message_of
from deploy.console import shorten_hashes
from deploy.outcome import Exit
from deploy.task.definition import difference, task_definition
from deploy.task.explain import Ending, explain
from deploy.task.revisions import Revision, deployed, our_revisions
from deploy.work import Work


def register_step(work: Work, image: str) -> Revision:
    """Make sure that the deployed revision is what the environment and the image give."""
    revisions = our_revisions(work.clients, work.environment)
    current = deployed(revisions)
    definition = task_definition(work.target, image=image)
    changes = difference(current.definition if current else None, definition)
    revision = current if current and not changes else _register(work, definition, image)
    if current:
        what = f"differs from {current.label}:"
    elif revisions.unseen:
        what = f"whether it differs from the last one can't be told: {revisions.unseen}"
    else:
        what = "this tool's first revision"
    if revision is current:
        text = f"not needed: {revision.label} has no difference"
    elif work.dry_run:
        text = f"would register a revision of {work.environment.family}; {what}"
    else:
        text = f"{revision.label}, {what}"
    work.console.step("register", text)
    for line in changes if current or work.dry_run else ():
        work.console.more(shorten_hashes(line))
    registered = revision is not current and not work.dry_run
    facts = {"revision": revision.label, "registered": registered, "changes": changes}
    work.verdict.facts |= facts
    return revision


def _register(work: Work, definition: dict[str, Any], image: str) -> Revision:
    if work.dry_run:
        return Revision({**definition, "revision": 0, "taskDefinitionArn": ""}, tags={})
    work.verdict.stage = Exit.NOT_LAUNCHED
    try:
        answer = work.clients.ecs.register_task_definition(**definition)
    except ClientError as error:
        ending = Ending(error_code=code_of(error), reason=message_of(error))
        raise explain(work, ending, image=image) from None
    return Revision(answer["taskDefinition"], tags={})
