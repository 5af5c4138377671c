"""The steps of a deploy: each does its part, says so in a line, and notes it for the verdict."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from deploy.aws import ERRORS, words_of
from deploy.build import build, smoke_run
from deploy.console import shorten_hashes, table
from deploy.discover import Target, registry_of
from deploy.ending import Names, ending_of
from deploy.engine import find_engine
from deploy.explain import OTHER_ARCHITECTURE, explain
from deploy.find_architecture import find_architecture
from deploy.follow_log import TaskLog, readable
from deploy.outcome import Exit, NotLaunched, NotMoved, Refused, RunFailed, code_for
from deploy.prove import integration_test, prove_digest, prove_written
from deploy.prune import Pruned, prune
from deploy.push import digest_of, push
from deploy.register import register
from deploy.revisions import Revision, deployed, mark_passed, mark_withdrawn, our_revisions
from deploy.run_task import TaskRun, exit_code_of, follow
from deploy.schedule import facts_of, has_schedule, in_words, move
from deploy.signals import stoppable
from deploy.source_tree import Source, read_source
from deploy.start_task import start_task
from deploy.task_definition import log_stream, task_definition
from deploy.verify import verify
from deploy.work import Work, names_of


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
        return f"{self.address}@{self.digest or 'sha256:(known after the push)'}"


def verify_step(work: Work, *, show_all: bool) -> None:
    """Look at every resource; refuse to go on when one would make the task fail."""
    findings = verify(work.target, work.clients)
    rows = [
        ("ok" if finding.good else "!!", finding.about, finding.text) for finding in findings.seen
    ]
    problems = findings.problems
    count = f"{len(findings.seen) - len(problems)} of {len(findings.seen)} checks are good"
    work.console.step("verify", count)
    for line, finding in zip(table(rows), findings.seen, strict=True):
        if show_all or not finding.good:
            work.console.more(line)
        if finding.advice:
            work.console.more(f"    → {finding.advice}")
    if findings.unseen:
        work.console.more(f"could not look: {', '.join(findings.unseen)}")
    work.verdict.facts |= {
        "problems": [{"about": item.about, "text": item.text} for item in problems],
        "not_looked_at": list(findings.unseen),
    }
    if problems:
        raise Refused(
            f"verify: {problems[0].about}: {problems[0].text}"
            + (f", and {len(problems) - 1} more" if len(problems) > 1 else ""),
            advice=problems[0].advice,
        )


def ship_step(work: Work, *, digest: str = "") -> Shipped:
    """Make sure that this commit's image is in the repository.

    Args:
        work: The command's.
        digest: The only image that will do, where one has been tested elsewhere.
    """
    shipped = in_repository(work)
    facts: dict[str, Any] = {
        "address": shipped.address,
        "tag": shipped.tag,
        "digest": shipped.digest,
        "pushed": False,
    }
    work.verdict.facts["image"] = facts
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
    engine = find_engine()
    work.console.step("build", f"{shipped.tag} with {engine.name}")
    image = build(
        engine, environment=work.environment, source=shipped.source, timeout=work.limits.build
    )
    work.console.more(f"for {work.environment.architecture}, runs as user {image.user}")
    smoke_run(engine, image)
    work.console.step("smoke run", "it starts with a read-only root and no capabilities")
    work.verdict.stage = Exit.NOT_LAUNCHED
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


def register_step(work: Work, shipped: Shipped) -> Revision:
    """Make sure that the deployed revision is the one that this environment and image give."""
    current = deployed(our_revisions(work.clients.ecs, work.environment))
    definition = task_definition(work.target, image=shipped.reference)
    work.verdict.stage = Exit.NOT_LAUNCHED
    revision, changes = register(
        work.clients.ecs,
        definition,
        current=current,
        names=names_of(work.target, image=shipped.reference),
    )
    if changes or current is None:
        text = f"differs from {current.label}:" if current else "this tool's first revision"
        work.console.step("register", f"{revision.label}, {text}")
        for line in changes if current else ():
            work.console.more(shorten_hashes(line))
    else:
        work.console.step("register", f"not needed: {revision.label} has no difference")
    work.verdict.facts |= {
        "revision": revision.label,
        "registered": bool(changes),
        "changes": changes,
    }
    return revision


def run_step(work: Work, revision: Revision) -> TaskRun:
    """Run one task to its end; raise when it ended badly."""
    run_id = uuid.uuid4().hex
    names = names_of(work.target, image=revision.image)
    container = work.environment.container
    work.verdict.stage = Exit.NOT_LAUNCHED
    with stoppable() as stop:
        run = start_task(
            work.clients.ecs,
            work.target,
            revision=revision.arn,
            run_id=run_id,
            names=names,
            pace=work.pace,
        )
        work.verdict.stage = Exit.RUN_FAILED
        work.console.step("run", f"{revision.label} as task {run.id}")
        follow(
            work.clients.ecs,
            work.target,
            run,
            log=TaskLog(
                work.clients.logs,
                group=work.environment.log_group,
                stream=log_stream(work.target, run.id),
            ),
            stop=stop,
            timeout=work.limits.run,
            say=work.console.more,
            show=lambda line: work.console.log(readable(line)),
            pace=work.pace,
        )
    if run.log_denied:
        work.console.more("the log may not be read: the caller needs logs:GetLogEvents")
    code = exit_code_of(run, container)
    if code is not None and not run.lines and not run.log_denied:
        work.console.more("no line of its log has come; `./deploy.sh logs` looks again")
    work.console.more(
        f"stopped after {run.seconds:.0f} s, "
        + ("no exit code" if code is None else f"exit code {code}")
    )
    work.verdict.facts["task"] = {
        "arn": run.arn,
        "run_id": run.run_id,
        "exit_code": code,
        "stop_code": run.task.get("stopCode", ""),
        "stopped_reason": run.task.get("stoppedReason", ""),
        "seconds": round(run.seconds, 1),
        "result": run.finished or None,
        "log_read": not run.log_denied,
    }
    _raise_for(work, run, names=names, interrupted_by=stop.signal)
    return run


def _raise_for(work: Work, run: TaskRun, *, names: Names, interrupted_by: int) -> None:
    """Raise the error that a task's end stands for, if it stands for one."""
    if interrupted_by and not run.cut_short:
        raise RunFailed(
            "interrupted; the task had already ended by itself", exit_code=128 + interrupted_by
        )
    if run.cut_short:
        end = "has been stopped" if run.stopped else f"has been told to stop: {run.arn}"
        raise RunFailed(
            f"{run.cut_short}; the task {end}",
            advice=run.advice,
            exit_code=128 + interrupted_by if interrupted_by else Exit.RUN_FAILED,
        )
    ending = ending_of(run.task, container=work.environment.container, log=run.lines)
    explanation = explain(ending, names)
    if explanation is None:
        return
    if explanation.row == OTHER_ARCHITECTURE:
        found = find_architecture(
            work.clients.ecr,
            repository=work.environment.repository,
            digest=names.image.partition("@")[2],
        )
        explanation = explain(ending, replace(names, image_architecture=found)) or explanation
    if not ending.launched:
        raise NotLaunched(explanation.cause, advice=explanation.advice)
    from_outside = explanation.row == "stopped from outside"
    raise RunFailed(
        explanation.cause,
        advice=explanation.advice,
        exit_code=Exit.RUN_FAILED if from_outside else code_for(ending.exit_code),
    )


def test_step(work: Work, run: TaskRun, revision: Revision) -> None:
    """Prove that the pushed image ran, that it wrote the object, and that the object is right."""
    work.verdict.stage = Exit.TEST_FAILED
    proof = prove_digest(run, container=work.environment.container, pushed=revision.digest)
    work.console.step("test", proof)
    written, run_id = prove_written(work.clients.s3, work.target, run)
    work.console.more(written)
    integration_step(work, expected_run_id=run_id)


def integration_step(work: Work, *, expected_run_id: str) -> None:
    """Run the integration test, and say what it could not check."""
    work.verdict.facts["test"] = {"passed": False}
    report = integration_test(
        work.target,
        root=work.root,
        expected_run_id=expected_run_id,
        timeout=work.limits.test,
    )
    work.console.more(f"the integration test passed, {report.passed} checks")
    for skipped in report.skipped:
        work.console.more(f"not checked: {skipped}")
    work.verdict.facts["test"] = {
        "passed": True,
        "checks": report.passed,
        "not_checked": list(report.skipped),
    }


def promote_step(work: Work, revision: Revision) -> None:
    """Mark the revision as the good one, move the schedule to it, and remove old ones."""
    mark_step(work, revision, ())
    schedule_step(work, revision)
    try:
        revisions = list(our_revisions(work.clients.ecs, work.environment))
        pruned = prune(work.clients, work.environment, revisions)
    except ERRORS as error:
        pruned = Pruned(refused=[words_of(error)])
    if pruned.revisions:
        work.console.step(
            "prune",
            f"deregistered {', '.join(pruned.revisions)}; deleted {len(pruned.images)} images",
        )
    if pruned.refused:
        work.console.step("prune", f"left as it is: {'; '.join(pruned.refused)}")
    work.verdict.facts["pruned"] = pruned.revisions


def mark_step(work: Work, revision: Revision, left_behind: Sequence[Revision]) -> None:
    """Mark a revision as good and others as left behind; say so when that can't be done.

    What has run and passed is no failure for want of a mark.
    """
    work.verdict.facts["good"] = None
    try:
        if not revision.passed or revision.withdrawn:
            mark_passed(work.clients.ecs, revision)
            work.console.step("promote", f"{revision.label} is the good one now")
        elif left_behind:
            work.console.step("promote", f"{revision.label} is the good one again")
        else:
            work.console.step("promote", f"not needed: {revision.label} is marked as good")
        for item in left_behind:
            mark_withdrawn(work.clients.ecs, item)
            work.console.more(f"{item.label} is left behind")
        work.verdict.facts["good"] = revision.label
    except ERRORS as error:
        work.console.step(
            "promote", f"proven, but not all marks of {revision.label} were made: {words_of(error)}"
        )
        work.console.more("→ without its mark, `rollback` needs --to NUMBER to come back to it")


def schedule_step(work: Work, revision: Revision) -> None:
    """Let the schedule run this revision, where the environment has one.

    Raises:
        NotMoved: It could not be moved: what runs from now on is not what was just proven.
    """
    if not has_schedule(work.environment):
        return
    try:
        schedule, done = move(work.clients.scheduler, work.target, revision=revision.arn)
    except ERRORS as error:
        raise NotMoved(
            f"schedule: could not be moved to {revision.label}: {words_of(error)}",
            advice="`./deploy.sh schedule set` tries again",
        ) from None
    work.console.step("schedule", f"{done}: {in_words(schedule)}")
    work.verdict.facts["schedule"] = facts_of(schedule) | {"done": done}


def in_repository(work: Work) -> Shipped:
    """Return this commit's image, with a digest if it is in the repository."""
    source = read_source(work.root)
    tag = source.tag(work.environment.architecture)
    repository = work.environment.repository
    digest = digest_of(work.clients.ecr, repository=repository, tag=tag)
    uri = f"{work.target.account}.dkr.ecr.{work.target.region}.{_suffix(work.target)}/{repository}"
    address = registry_of(
        uri, environment=work.environment, endpoint=work.clients.ecr.meta.endpoint_url
    )
    if source.changes:
        work.console.step("source", f"{source.commit[:12]} with changes: {source.changes_in_words}")
    return Shipped(source=source, address=address, tag=tag, digest=digest)


def _suffix(target: Target) -> str:
    return "amazonaws.com.cn" if target.partition == "aws-cn" else "amazonaws.com"
