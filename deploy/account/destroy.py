"""Removes an environment that `bootstrap` made. Its data stay, unless `--data` is given."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

from deploy.account.stacks import (
    ENVIRONMENT,
    IMAGES,
    PREFIX,
    STACKS,
    STORAGE,
    Site,
    outputs_of,
    remove,
    stack_name,
)
from deploy.outcome import Refused
from deploy.task.revisions import family_of

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient


def plan(present: Collection[str], *, environment: str, data: bool) -> dict[str, str]:
    """The stacks that are there, the last one made first, and why each stays, if it does."""
    ending = f"-{ENVIRONMENT}"
    others = [
        name.removeprefix(f"{PREFIX}-").removesuffix(ending)
        for name in sorted(present)
        if name.endswith(ending) and name != stack_name(ENVIRONMENT, environment)
    ]

    found: dict[str, str] = {}
    for stack in reversed(STACKS):
        why = "" if data or stack not in {STORAGE, IMAGES} else "--data removes it and its content"
        if stack == IMAGES and others:
            why = f"{', '.join(others)} needs it"
        found[stack_name(stack, environment)] = why
    return {name: why for name, why in found.items() if name in present}


def destroy(site: Site, families: Iterable[str], *, data: bool) -> dict[str, str]:
    """Remove an environment's stacks, its revisions and, if asked, its data.

    Returns:
        The names of its stacks, and why each stays: empty for one that is removed.
    """
    cloud, ecs, console = site.clients.cloudformation, site.clients.ecs, site.console
    stacks = plan(present(cloud), environment=site.name, data=data)
    for name, reason in stacks.items():
        console.step("stays" if reason else "goes", f"{name}: {reason}" if reason else name)
    if all(stacks.values()):
        raise Refused(f"destroy: there is no environment {site.name} here")
    cluster = outputs_of(cloud, stack_name(ENVIRONMENT, site.name)).get("Cluster")
    if cluster and (running := ecs.list_tasks(cluster=cluster)["taskArns"]):
        raise Refused(
            f"destroy: {len(running)} task is still running in {cluster}",
            advice="wait for its end: `./deploy.sh status`",
        )
    if not site.confirm(f"Remove environment {site.name}?"):
        raise Refused("destroy: nothing was removed", advice="say yes, or --yes")
    for family in families:
        deregister_all(ecs, family=family)
    for name in [name for name, reason in stacks.items() if not reason]:
        outputs = outputs_of(cloud, name)
        # CloudFormation refuses to remove either of them with what it holds.
        if bucket := outputs.get("Bucket"):
            empty_bucket(site.clients.s3, bucket)
        if repository := outputs.get("Repository"):
            site.clients.ecr.delete_repository(repositoryName=repository, force=True)
        remove(cloud, name)
        console.step("removed", name)
    return stacks


def present(cloud: CloudFormationClient) -> list[str]:
    """The names of the account's stacks that are ours to look at."""
    names = cloud.get_paginator("describe_stacks").paginate().search("Stacks[].StackName")
    return [name for name in names if name.startswith(f"{PREFIX}-")]


def deregister_all(ecs: Any, *, family: str) -> None:
    """Deregister each revision of a family: the roles that they name are removed."""
    pages = ecs.get_paginator("list_task_definitions").paginate(familyPrefix=family)
    for arn in list(pages.search("taskDefinitionArns[]")):
        if family_of(arn) == family:
            ecs.deregister_task_definition(taskDefinition=arn)


def empty_bucket(s3: Any, bucket: str) -> None:
    """Delete all objects of a bucket, with all of their versions."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        versions = [{key: item[key] for key in ("Key", "VersionId")} for item in found]
        if versions:
            s3.delete_objects(Bucket=bucket, Delete={"Objects": versions, "Quiet": True})
