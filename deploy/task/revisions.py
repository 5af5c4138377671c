"""The revisions of the task definition: which are ours, which is deployed, which are good.

The marks are tags on the revisions themselves, so that any machine sees the same:

- `micro-etl:passed`: when the revision passed its test.
- `micro-etl:withdrawn`: when a rollback left the revision behind.

The deployed revision is the newest that is not withdrawn; the good one, the newest of those that
passed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from deploy.aws import NotAllowed, code_of, look
from deploy.environment import CONTAINER, Environment

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

PASSED = "micro-etl:passed"
WITHDRAWN = "micro-etl:withdrawn"
LOOK_BACK = 100
"""How many revisions are looked at, from the newest on."""


@dataclass
class Revision:
    """One revision of the task definition: as ECS describes it, with its tags."""

    definition: Mapping[str, Any]
    tags: Mapping[str, str]

    def __post_init__(self) -> None:
        """Name what of it is asked for: `label` is its family and number, `image` is by digest."""
        self.arn = str(self.definition["taskDefinitionArn"])
        self.number = int(self.definition["revision"])
        self.label = f"{self.definition['family']}:{self.number or '(new)'}"
        self.image = str(self.definition["containerDefinitions"][0]["image"])
        self.digest = self.image.partition("@")[2]
        self.passed, self.withdrawn = PASSED in self.tags, WITHDRAWN in self.tags


class Revisions(list[Revision]):
    """The family's revisions that this tool registered, newest first.

    `unseen` is what AWS said when it refused to show all of them, or empty.
    """

    unseen: str = ""


def describe(ecs: ECSClient, reference: str) -> Revision | None:
    """One revision, or the family's latest; nothing where there is none."""
    try:
        answer = ecs.describe_task_definition(taskDefinition=reference, include=["TAGS"])
    except ClientError as error:
        if code_of(error) in {"ClientException", "InvalidParameterException"}:
            return None
        raise
    return Revision(
        definition=answer["taskDefinition"],
        tags={tag["key"]: tag["value"] for tag in answer.get("tags", [])},
    )


def our_revisions(ecs: ECSClient, environment: Environment) -> Revisions:
    """The family's active revisions that this tool registered, newest first.

    A family may hold revisions that were registered by other means; those are not ours to compare
    with or to roll back to. A caller who may not list them sees the latest alone.
    """
    found = Revisions()
    try:
        listed = look(
            "ecs:ListTaskDefinitions",
            lambda: ecs.list_task_definitions(
                familyPrefix=environment.family, status="ACTIVE", sort="DESC", maxResults=LOOK_BACK
            ),
        )["taskDefinitionArns"]
        references = [arn for arn in listed if family_of(arn) == environment.family]
    except NotAllowed as denied:
        found.unseen = denied.words
        references = [environment.family]
    try:
        for reference in references:
            revision = look("ecs:DescribeTaskDefinition", lambda: describe(ecs, reference))  # noqa: B023
            if revision and is_ours(revision, environment):
                found.append(revision)
    except NotAllowed as denied:
        found.unseen = denied.words
    return found


def family_of(arn: str) -> str:
    """The family in a task definition's ARN."""
    return arn.rsplit("/", 1)[-1].rpartition(":")[0]


def is_ours(revision: Revision, environment: Environment) -> bool:
    """Tell whether a revision is active, and one that this tool registers: an image by digest."""
    container, *more = revision.definition["containerDefinitions"]
    return (
        not more
        and revision.definition.get("status", "ACTIVE") == "ACTIVE"
        and container["name"] == CONTAINER
        and revision.image.partition("/")[2].startswith(f"{environment.repository}@sha256:")
    )


def deployed(revisions: Iterable[Revision]) -> Revision | None:
    """The deployed revision, of revisions from the newest on."""
    return next((revision for revision in revisions if not revision.withdrawn), None)


def good(revisions: Iterable[Revision]) -> Revision | None:
    """The good revision, of revisions from the newest on."""
    return next(
        (revision for revision in revisions if revision.passed and not revision.withdrawn), None
    )


def rollback_target(revisions: Sequence[Revision]) -> Revision | None:
    """The last revision that passed its test before the deployed one."""
    now = deployed(revisions)
    return good([item for item in revisions if now is None or item.number < now.number])


def mark(ecs: ECSClient, revision: Revision, key: str) -> None:
    """Mark a revision as one that passed its test, or as left behind by a rollback."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    ecs.tag_resource(resourceArn=revision.arn, tags=[{"key": key, "value": now}])
    if key == PASSED and revision.withdrawn:  # it is the deployed one again
        ecs.untag_resource(resourceArn=revision.arn, tagKeys=[WITHDRAWN])
