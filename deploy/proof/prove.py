"""Proves that the pushed image ran, that it wrote or kept the object, and that this is right."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from deploy.aws import ERRORS, is_denied, message_of
from deploy.image.push import children_of, tags_of
from deploy.image.source_tree import file_at
from deploy.outcome import Exit, Unproven
from deploy.proof.integration import integration_test
from deploy.target import Target
from deploy.task.explain import container_of
from deploy.task.follow import TaskRun
from deploy.task.revisions import Revision
from deploy.work import Work

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

COMMIT = re.compile(r"[0-9a-f]{12}(?=$|-a)")
"""What the tag of an image that holds a commit, and nothing else, begins with."""


def proof_step(work: Work, run: TaskRun, revision: Revision, *, before: str) -> None:
    """Prove that the pushed image ran, that it wrote the object, and that the object is right.

    `before` is the published object's ETag before the run, where it is known.
    """
    if work.dry_run:
        work.console.step("test", f"would test {work.target.object_url}")
        return
    work.verdict.stage = Exit.TEST_FAILED
    ecr, repository = work.clients.ecr, work.environment.repository
    proof = prove_digest(
        run,
        pushed=revision.digest,
        children=lambda: children_of(ecr, repository=repository, digest=revision.digest),
    )
    work.console.step("test", proof)
    written, run_id = prove_written(work.clients.s3, work.target, run, before=before)
    work.console.more(written)
    integration_step(work, expected_run_id=run_id)


@contextmanager
def dataset_of(work: Work, revision: Revision) -> Iterator[Work]:
    """Give the work with the dataset file of a revision's image, which is older than the checkout.

    Its commit is in a tag of the image. Where that is not known, the checkout's file must do.
    """
    environment = work.environment
    tags = tags_of(work.clients.ecr, repository=environment.repository, digest=revision.digest)
    commit = next((match[0] for tag in tags if (match := COMMIT.match(tag))), "")
    file = environment.dataset_file
    text = file_at(work.root, commit, file) if commit and file else None
    with tempfile.TemporaryDirectory(prefix="micro-etl-dataset-") as folder:
        if file and text is not None:
            copy = Path(folder) / file.name
            copy.write_text(text, encoding="utf-8")
            environment = replace(environment, dataset=str(copy))
        yield replace(work, target=replace(work.target, environment=environment))


def integration_step(work: Work, *, expected_run_id: str) -> None:
    """Run the integration test, and say what it could not check."""
    work.verdict.facts["test"] = {"passed": False}
    report = integration_test(
        work.target, root=work.root, expected_run_id=expected_run_id, timeout=work.limits.test
    )
    work.console.more(f"the integration test passed, {report.passed} checks")
    for skipped in report.skipped:
        work.console.more(f"not checked: {skipped}")
    work.verdict.facts["test"] = {
        "passed": True,
        "checks": report.passed,
        "not_checked": report.skipped,
    }


def prove_digest(run: TaskRun, *, pushed: str, children: Callable[[], set[str]] = set) -> str:
    """In words that the image that ran is the one that was pushed, by their digests.

    `children` finds those of the images that it is an index of. ECS can report the one that fits
    the platform.
    """
    found = container_of(run.task)
    ran, image = found.get("imageDigest", ""), found.get("image", "an unknown image")
    # Fargate reports the digest that it ran. Where ECS does not, the reference tells: the task
    # names its image by digest, and no engine runs anything else under one.
    if (ran or image.partition("@")[2]) != pushed and ran not in children():
        raise Unproven(
            f"another image ran: {ran or image}, pushed was {pushed}",
            advice="look for another deploy at the same time: `./deploy.sh status`",
        )
    how = "" if ran else ", by its reference"
    return f"the pushed image ran{how}: {pushed[:19]}"


def prove_written(
    s3: S3Client, target: Target, run: TaskRun, *, before: str = ""
) -> tuple[str, str]:
    """In words that this run wrote the object, and the run id that the object must have.

    An unchanged table is not written again. Then the object must be the one that the run compared
    with, by its log; or, since a log can lose lines and may not be readable, the one from before
    the run, which ended well. `before` is the ETag that it had then, where it is known.
    """
    head = head_object(s3, target)
    writer, etag, where = head["Metadata"].get("run-id", ""), head["ETag"], target.object_url
    finished = run.finished
    if writer == run.run_id:
        return f"this run wrote {where}", run.run_id
    if finished.get("result") == "unchanged":
        if str(finished.get("etag", "")).strip('"') == etag.strip('"'):
            return f"nothing had changed: {where} is what this run compared with", writer
        raise Unproven(
            f"{where} was replaced after this run had found it unchanged",
            advice="look for another run at the same time, and test again: `./deploy.sh test`",
        )
    if not finished and before == etag:
        how = "as it was before this run, which ended well"
        return f"nothing had changed: {where} is {how}", writer
    whose = f"{where} is not of this run ({run.run_id}), but of {writer or 'one without an id'}"
    if finished:
        raise Unproven(
            whose, advice="look for another run at the same time, and run again: `./deploy.sh run`"
        )
    raise Unproven(
        f"{whose}; whether this run found it unchanged can't be told without the end of its log",
        advice="the caller needs logs:GetLogEvents"
        if run.log_denied
        else "the log came too late, or not at all: `./deploy.sh logs`, then run again",
    )


def head_object(s3: S3Client, target: Target) -> Mapping[str, Any]:
    """The published object's description."""
    where = target.object_url
    try:
        return s3.head_object(Bucket=target.environment.bucket, Key=target.environment.key)
    except ClientError as error:
        if is_denied(error):
            how = "the caller needs s3:GetObject on it"
            raise Unproven(f"{where} may not be read", advice=how) from None
        raise Unproven(f"{where} is not there: {message_of(error)}") from None


def find_etag(s3: S3Client, target: Target) -> str:
    """The published object's ETag, or an empty string where there is none to be seen."""
    try:
        return str(head_object(s3, target)["ETag"])
    except (*ERRORS, Unproven):
        return ""
