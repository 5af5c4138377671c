"""The revisions of the task definition: which are ours, which is deployed, which are good.

The marks are tags on the revisions themselves, so that any machine sees the same. The deployed
revision is the newest that is not withdrawn; the good one, the newest of those that passed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from deploy.aws import Clients, NotAllowed, code_of, look
from deploy.environment import CONTAINER, Environment

PASSED = "micro-etl:passed"
"""The tag that says when a revision passed its test."""
WITHDRAWN = "micro-etl:withdrawn"
"""The tag that says when a rollback left it behind."""
LOOK_BACK = 100
"""How many revisions are looked at, from the newest on."""


@dataclass
class Revision:
    """A revision as ECS describes it: `label` is its family and number, `image` is by digest."""

    definition: Mapping[str, Any]
    tags: Mapping[str, str]

    def __post_init__(self) -> None:
        """Take out what is asked for."""
        self.arn = str(self.definition["taskDefinitionArn"])
        self.number = int(self.definition["revision"])
        self.label = f"{self.definition['family']}:{self.number or '(new)'}"
        self.image = str(self.definition["containerDefinitions"][0]["image"])
        self.digest = self.image.partition("@")[2]
        self.passed, self.withdrawn = PASSED in self.tags, WITHDRAWN in self.tags


class Revisions(list[Revision]):
    """Revisions, newest first; `unseen` is AWS's refusal to show all of them, or empty."""

    unseen: str = ""


def describe(clients: Clients, reference: str) -> Revision | None:
    """One revision, or the family's latest; nothing where there is none."""
    try:
        answer = clients.ecs.describe_task_definition(taskDefinition=reference, include=["TAGS"])
    except ClientError as error:
        if code_of(error) in {"ClientException", "InvalidParameterException"}:
            return None
        raise
    tags = {tag["key"]: tag["value"] for tag in answer.get("tags", [])}
    return Revision(answer["taskDefinition"], tags)


def our_revisions(clients: Clients, environment: Environment) -> Revisions:
    """The family's active revisions that this tool registered, newest first.

    Others are not ours to compare with or to roll back to. A caller who may not list them sees the
    latest alone.
    """
    found, family = Revisions(), environment.family
    references = [family]
    listing: Any = {"status": "ACTIVE", "sort": "DESC", "maxResults": LOOK_BACK}
    try:
        listed = look(
            "ecs:ListTaskDefinitions",
            lambda: clients.ecs.list_task_definitions(familyPrefix=family, **listing),
        )
        references = [arn for arn in listed["taskDefinitionArns"] if family_of(arn) == family]
    except NotAllowed as denied:
        found.unseen = denied.words
    try:
        described = look(
            "ecs:DescribeTaskDefinition", lambda: [describe(clients, item) for item in references]
        )
        found += [item for item in described if item and is_ours(item, environment)]
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
    return next((item for item in revisions if not item.withdrawn), None)


def good(revisions: Iterable[Revision]) -> Revision | None:
    """The good revision, of revisions from the newest on."""
    return next((item for item in revisions if item.passed and not item.withdrawn), None)


def rollback_target(revisions: Sequence[Revision]) -> Revision | None:
    """The last revision that passed its test before the deployed one."""
    now = deployed(revisions)
    return good([item for item in revisions if now is None or item.number < now.number])


def mark(clients: Clients, revision: Revision, key: str) -> None:
    """Mark a revision as one that passed its test, or as left behind by a rollback."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    clients.ecs.tag_resource(resourceArn=revision.arn, tags=[{"key": key, "value": now}])
    if key == PASSED and revision.withdrawn:  # it is the deployed one again
        clients.ecs.untag_resource(resourceArn=revision.arn, tagKeys=[WITHDRAWN])
