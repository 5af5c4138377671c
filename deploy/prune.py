"""Deregisters old revisions that never passed a test, and deletes their images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.aws import ERRORS, Clients, NotAllowed, look, words_of
from deploy.revisions import Revision, deployed
from deploy.schedule import find, has_schedule, revision_of

if TYPE_CHECKING:
    from deploy.environment import Environment


@dataclass
class Pruned:
    """What was removed, and what was not allowed."""

    revisions: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def to_prune(revisions: Sequence[Revision], *, in_use: Iterable[str], keep: int) -> list[Revision]:
    """Return the revisions to deregister, of revisions from the newest on.

    Never one that passed a test, the deployed one, or one in use; of the others, those beyond the
    newest `keep`.
    """
    now = deployed(revisions)
    used = set(in_use)
    disposable = [
        revision
        for revision in revisions
        if not revision.passed and revision.arn not in used and revision is not now
    ]
    return disposable[keep:]


def prune(clients: Clients, environment: Environment, revisions: Sequence[Revision]) -> Pruned:
    """Remove revisions beyond the environment's limit, and the images that only they referred to.

    The repository is taken to serve this family alone. What is not allowed is listed; it never
    fails a deploy.
    """
    pruned = Pruned()
    if not to_prune(revisions, in_use=(), keep=environment.keep_revisions):
        return pruned
    try:
        in_use = revisions_in_use(clients, environment)
    except NotAllowed as denied:
        pruned.refused.append(f"{denied.action}, so that what is in use can't be told")
        return pruned
    old = to_prune(revisions, in_use=in_use, keep=environment.keep_revisions)
    gone = []
    for revision in old:
        try:
            clients.ecs.deregister_task_definition(taskDefinition=revision.arn)
        except ERRORS as error:
            pruned.refused.append(words_of(error))
            break
        gone.append(revision)
    pruned.revisions = [revision.label for revision in gone]
    kept = {revision.digest for revision in revisions if revision not in gone}
    digests = sorted({revision.digest for revision in gone} - kept)
    if digests and environment.builds:
        try:
            answer = clients.ecr.batch_delete_image(
                repositoryName=environment.repository,
                imageIds=[{"imageDigest": digest} for digest in digests],
            )
        except ERRORS as error:
            pruned.refused.append(words_of(error))
        else:
            pruned.images = [image["imageDigest"] for image in answer["imageIds"]]
            pruned.refused += [
                f"{failure['imageId']['imageDigest']}: {failure['failureReason']}"
                for failure in answer["failures"]
            ]
    return pruned


def revisions_in_use(clients: Clients, environment: Environment) -> set[str]:
    """Return the ARNs of the revisions that the schedule, tasks and services of the cluster run.

    Raises:
        NotAllowed: The caller may not look.
    """
    ecs, cluster = clients.ecs, environment.cluster
    used: set[str] = set()
    if has_schedule(environment):
        schedule = look("scheduler:GetSchedule", lambda: find(clients.scheduler, environment))
        used |= {revision_of(schedule)} if schedule else set()
    tasks = look("ecs:ListTasks", lambda: ecs.list_tasks(cluster=cluster))["taskArns"]
    if tasks:
        answer = look("ecs:DescribeTasks", lambda: ecs.describe_tasks(cluster=cluster, tasks=tasks))
        used |= {task["taskDefinitionArn"] for task in answer["tasks"]}
    services = look(
        "ecs:ListServices",
        lambda: [
            arn
            for page in ecs.get_paginator("list_services").paginate(cluster=cluster)
            for arn in page["serviceArns"]
        ],
    )
    for start in range(0, len(services), 10):
        batch = services[start : start + 10]
        found = look(
            "ecs:DescribeServices",
            lambda: ecs.describe_services(cluster=cluster, services=batch),  # noqa: B023
        )
        for service in found["services"]:
            used |= {service["taskDefinition"]}
            used |= {item["taskDefinition"] for item in service.get("deployments", [])}
    return used
