"""Registers the task definition, only when it differs from the deployed one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from deploy.aws import code_of, message_of
from deploy.console import shorten_hashes
from deploy.outcome import Exit
from deploy.task.definition import difference, task_definition
from deploy.task.ending import Ending, Names
from deploy.task.revisions import Revision, deployed, our_revisions
from deploy.task.start import not_launched
from deploy.work import Work, names_of

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient


def register_step(work: Work, image: str, *, dry_run: bool = False) -> Revision:
    """Make sure that the deployed revision is what the environment and the image give.

    Args:
        work: The command's.
        image: The image, by its digest.
        dry_run: Whether to say only what would be done.
    """
    revisions = our_revisions(work.clients.ecs, work.environment)
    current = deployed(revisions)
    definition = task_definition(work.target, image=image)
    if dry_run:
        changes = difference(current.definition if current else None, definition)
        new = Revision({**definition, "revision": 0, "taskDefinitionArn": ""}, {})
        revision = current if current and not changes else new
    else:
        work.verdict.stage = Exit.NOT_LAUNCHED
        revision, changes = register(
            work.clients.ecs, definition, current=current, names=names_of(work.target, image=image)
        )
    if current and not changes:
        work.console.step("register", f"not needed: {revision.label} has no difference")
    else:
        what = f"differs from {current.label}:" if current else "this tool's first revision"
        if revisions.unseen and not current:
            what = f"whether it differs from the last one can't be told: {revisions.unseen}"
        name = f"would register a revision of {work.environment.family}; {what}"
        work.console.step("register", name if dry_run else f"{revision.label}, {what}")
        for line in changes if current or dry_run else ():
            work.console.more(shorten_hashes(line))
    work.verdict.facts |= {
        "revision": revision.label,
        "registered": bool(changes) and not dry_run,
        "changes": changes,
    }
    return revision


def register(
    ecs: ECSClient, definition: Mapping[str, Any], *, current: Revision | None, names: Names
) -> tuple[Revision, list[str]]:
    """Return the revision that holds this definition, and how it differs from the current one.

    Without a difference that is the current revision, and nothing is registered.
    """
    changes = difference(current.definition if current else None, definition)
    if current is not None and not changes:
        return current, []
    try:
        answer = ecs.register_task_definition(**definition)
    except ClientError as error:
        raise not_launched(
            Ending(error_code=code_of(error), error_message=message_of(error)), names
        ) from None
    return Revision(definition=answer["taskDefinition"], tags={}), changes
