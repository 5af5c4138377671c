"""Registers the task definition, only when it differs from the deployed one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from deploy.aws import code_of, message_of
from deploy.ending import Ending, Names
from deploy.revisions import Revision
from deploy.start_task import not_launched
from deploy.task_definition import difference

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient


def register(
    ecs: ECSClient, definition: Mapping[str, Any], *, current: Revision | None, names: Names
) -> tuple[Revision, list[str]]:
    """Return the revision that holds this definition, and how it differs from the current one.

    Without a difference that is the current revision, and nothing is registered.

    Raises:
        NotLaunched: ECS refused it; with the cause, and what to do.
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
