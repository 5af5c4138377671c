"""Makes sure that the image of a commit is in the repository."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from deploy.image.build import build, smoke_run
from deploy.image.engine import find_engine
from deploy.image.push import digest_of, push
from deploy.image.source_tree import Source, exported, read_source
from deploy.outcome import Exit, Refused
from deploy.target import registry_of
from deploy.work import Work

UNKNOWN_DIGEST = "sha256:(known after the push)"


@dataclass(frozen=True)
class Shipped:
    """An image in the repository.

    Attributes:
        source: What it is built from.
        address: The repository's address.
        tag: The image's tag.
        digest: Its digest, or empty when it is not there yet.
    """

    source: Source
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
        work: The command's.
        digest: The only image that will do, where one has been tested elsewhere.
        dry_run: Whether to say only what would be done.
    """
    shipped = find_shipped(work, dry_run=dry_run)
    facts: dict[str, Any] = {
        "address": shipped.address,
        "tag": shipped.tag,
        "digest": shipped.digest,
        "pushed": False,
    }
    work.common.facts["image"] = facts
    if digest and shipped.digest != digest:
        raise Refused(
            f"{shipped.tag} is {shipped.digest or 'not in the repository'}, not {digest}",
            advice="check out the commit that the image was built from",
        )
    if shipped.digest:
        work.console.step("build", f"not needed: {shipped.tag} is in the repository")
        work.console.step("push", f"already there: {shipped.digest}")
        return shipped
    if not work.environment.builds:
        raise Refused(
            f"{shipped.tag} is not in the repository, and {work.environment.name} builds no images",
            advice="deploy this commit to the environment that builds them first",
        )
    if dry_run:
        work.console.step("build", f"would build {shipped.tag} for {work.environment.architecture}")
        work.console.step("push", f"would push it to {shipped.address}")
        return shipped
    engine = find_engine()
    work.console.step("build", f"{shipped.tag} with {engine.name}")
    with exported(shipped.source) as context:
        image = build(
            engine,
            environment=work.environment,
            source=shipped.source,
            context=context,
            timeout=work.limits.build,
        )
    work.console.more(f"for {work.environment.architecture}, runs as user {image.user}")
    smoke_run(engine, image)
    work.console.step("smoke run", "it starts with a read-only root and no capabilities")
    work.common.stage = Exit.NOT_LAUNCHED
    pushed = push(
        work.clients.ecr,
        engine,
        image=image,
        address=shipped.address,
        repository=work.environment.repository,
        tag=shipped.tag,
    )
    work.console.step("push", f"{shipped.address}:{shipped.tag}")
    work.console.more(pushed)
    facts |= {"digest": pushed, "pushed": True}
    return replace(shipped, digest=pushed)


def find_shipped(work: Work, *, dry_run: bool) -> Shipped:
    """Return this commit's image, with a digest if it is in the repository."""
    source = read_source(work.root)
    if source.changes:
        work.console.step("source", f"{source.commit[:12]} with changes: {source.changes_in_words}")
    elif not source.commit:
        work.console.step("source", f"no git checkout: named after its content, {source.tree[:12]}")
    tag = source.tag(work.environment.architecture)
    try:
        digest = digest_of(work.clients.ecr, repository=work.environment.repository, tag=tag)
    except Refused as error:
        if not dry_run:
            raise
        work.console.step("note", f"{error}: {tag} is taken for new")
        digest = ""
    return Shipped(
        source=source,
        address=registry_of(
            work.target.repository_address,
            environment=work.environment,
            endpoint=work.clients.ecr.meta.endpoint_url,
        ),
        tag=tag,
        digest=digest,
    )
