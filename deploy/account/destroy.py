"""Removes an environment that `bootstrap` made. Its data stay, unless `--data` is given."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from deploy.account.access import Account, Confirm
from deploy.account.stacks import (
    ENVIRONMENT,
    IMAGES,
    PREFIX,
    STACKS,
    STORAGE,
    Cloud,
    Stack,
    describe,
    outputs_of,
    remove,
)
from deploy.console import Console
from deploy.outcome import Refused
from deploy.task.revisions import family_of


@dataclass(frozen=True)
class Removal:
    """The stacks to remove, in this order, and those that stay, each with the reason."""

    stacks: tuple[Stack, ...]
    kept: tuple[tuple[Stack, str], ...]


def plan(present: Iterable[str], *, environment: str, data: bool) -> Removal:
    """Return what to remove, of the stacks that are there."""
    names, ending = set(present), f"-{ENVIRONMENT.template}"
    others = sorted(
        name.removeprefix(f"{PREFIX}-").removesuffix(ending)
        for name in names - {ENVIRONMENT.name(environment)}
        if name.startswith(f"{PREFIX}-") and name.endswith(ending)
    )
    stacks: list[Stack] = []
    kept: list[tuple[Stack, str]] = []
    for stack in reversed([item for item in STACKS if item.name(environment) in names]):
        if stack.shared and others:
            kept.append((stack, f"{', '.join(others)} needs it"))
        elif stack in {STORAGE, IMAGES} and not data:
            kept.append((stack, "--data removes it and what it holds"))
        else:
            stacks.append(stack)
    return Removal(tuple(stacks), tuple(kept))


def destroy(
    account: Account,
    *,
    environment: str,
    families: Iterable[str],
    data: bool,
    console: Console,
    confirm: Confirm,
) -> Removal:
    """Remove an environment's stacks, its revisions and, if asked, its data; return which."""
    cloud, ecs = account.cloud, account.client("ecs")
    removal = plan(present(cloud), environment=environment, data=data)
    for stack, reason in removal.kept:
        console.step("stays", f"{stack.name(environment)}: {reason}")
    for stack in removal.stacks:
        console.step("goes", stack.name(environment))
    if not removal.stacks:
        raise Refused(f"destroy: there is no environment {environment} here")
    cluster = outputs_of(describe(cloud, ENVIRONMENT.name(environment))).get("Cluster")
    running = ecs.list_tasks(cluster=cluster)["taskArns"] if cluster else []
    if running:
        raise Refused(
            f"destroy: {len(running)} task is still running in {cluster}",
            advice="wait for its end: `./deploy.sh status`",
        )
    if not confirm(f"Remove environment {environment}?"):
        raise Refused("destroy: nothing was removed", advice="say yes, or --yes")
    for family in families:
        deregister_all(ecs, family=family)
    for stack in removal.stacks:
        name = stack.name(environment)
        outputs = outputs_of(describe(cloud, name))
        if stack is STORAGE and "Bucket" in outputs:
            empty_bucket(account.client("s3"), outputs["Bucket"])
        if stack is IMAGES and "Repository" in outputs:
            delete_images(account.client("ecr"), outputs["Repository"])
        remove(cloud, name)
        console.step("removed", name)
    return removal


def present(cloud: Cloud) -> list[str]:
    """Return the names of the account's stacks that are ours to look at."""
    pages = cloud.client.get_paginator("describe_stacks").paginate()
    names = (stack["StackName"] for page in pages for stack in page["Stacks"])
    return [name for name in names if name.startswith(f"{PREFIX}-")]


def deregister_all(ecs: Any, *, family: str) -> None:
    """Deregister each revision of a family: the roles that they name are removed."""
    lister = ecs.get_paginator("list_task_definitions")
    pages = lister.paginate(familyPrefix=family, status="ACTIVE")
    for arn in [arn for page in pages for arn in page["taskDefinitionArns"]]:
        if family_of(arn) == family:
            ecs.deregister_task_definition(taskDefinition=arn)


def empty_bucket(s3: Any, bucket: str) -> None:
    """Delete all objects of a bucket, with all of their versions."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        versions = [{key: item[key] for key in ("Key", "VersionId")} for item in found]
        if versions:
            s3.delete_objects(Bucket=bucket, Delete={"Objects": versions, "Quiet": True})


def delete_images(ecr: Any, repository: str) -> None:
    """Delete all images of a repository."""
    for page in ecr.get_paginator("list_images").paginate(repositoryName=repository):
        images = [
            {"imageDigest": item} for item in {item["imageDigest"] for item in page["imageIds"]}
        ]
        if images:
            ecr.batch_delete_image(repositoryName=repository, imageIds=images)
