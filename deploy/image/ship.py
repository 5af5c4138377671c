"""Makes sure that the image of a commit is in the repository."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from deploy.image.build import build, smoke_run
from deploy.image.engine import find_engine
from deploy.image.push import digest_of, push
from deploy.image.source_tree import exported, read_source
from deploy.outcome import Exit, NotLaunched, Refused
from deploy.target import registry_of
from deploy.work import Work

UNKNOWN_DIGEST = "sha256:(known after the push)"


@dataclass(frozen=True)
class Shipped:
    """An image by its tag and digest, which is empty where it is not in the repository yet."""

    address: str
    tag: str
    digest: str

    @property
    def reference(self) -> str:
        """The image by its digest, as everything refers to it."""
        return f"{self.address}@{self.digest or UNKNOWN_DIGEST}"


def ship_step(work: Work, *, digest: str = "", dry_run: bool = False) -> Shipped:
    """Build this commit's image and push it, unless the repository has it.

    Args:
        work: the command's.
        digest: the only image that will do, where one has been tested elsewhere.
        dry_run: whether to say only what would be done.
    """
    environment, console, ecr = work.environment, work.console, work.clients.ecr
    repository = environment.repository
    source = read_source(work.root)
    if source.changes:
        console.step("source", f"{source.commit[:12]} with changes: {source.changed}")
    elif not source.commit:
        console.step("source", f"no git checkout: named after its content, {source.tree[:12]}")
    tag = source.tag(environment.architecture)
    try:
        present = digest_of(ecr, repository=repository, tag=tag)
    except Refused as error:
        if not dry_run:
            raise
        console.step("note", f"{error}: {tag} is taken for new")
        present = ""
    endpoint = ecr.meta.endpoint_url
    address = registry_of(
        work.target.repository_address, environment=environment, endpoint=endpoint
    )
    shipped = Shipped(address, tag, present)
    facts: dict[str, Any] = {"address": address, "tag": tag, "digest": present, "pushed": False}
    work.common.facts["image"] = facts
    if digest and present != digest:
        raise Refused(
            f"{tag} is {present or 'not in the repository'}, not {digest}",
            advice="check out the commit that the image was built from",
        )
    if present:
        console.step("build", f"not needed: {tag} is in the repository")
        console.step("push", f"already there: {present}")
        return shipped
    if not environment.builds:
        raise Refused(
            f"{tag} is not in the repository, and {environment.name} builds no images",
            advice="deploy this commit to the environment that builds them first",
        )
    if dry_run:
        console.step("build", f"would build {tag} for {environment.architecture}")
        console.step("push", f"would push it to {address}")
        return shipped
    engine = find_engine()
    console.step("build", f"{tag} for {environment.architecture} with {engine}")
    with exported(source) as context:
        limit = work.limits.build
        image = build(engine, environment, source, context=context, timeout=limit)
    smoke_run(engine, environment, image)
    console.step("smoke run", "it starts with a read-only root and no capabilities")
    work.common.stage = Exit.NOT_LAUNCHED
    push(ecr, engine, image, remote=f"{address}:{tag}")
    pushed = digest_of(ecr, repository=repository, tag=tag)
    if not pushed:
        raise NotLaunched(f"push: {address}:{tag} was pushed, but {repository} has no such tag")
    console.step("push", f"{address}:{tag}")
    console.more(pushed)
    facts |= {"digest": pushed, "pushed": True}
    return replace(shipped, digest=pushed)
