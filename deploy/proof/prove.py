"""Proves that the pushed image ran, that it wrote or kept the object, and that this is right."""

import re
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from deploy.aws import ERRORS, is_denied, message_of
from deploy.image.push import children_of, tags_of
from deploy.image.source_tree import file_at
from deploy.outcome import Exit, Unproven
from deploy.proof.integration import integration_test
from deploy.task.revisions import Revision
from deploy.task.task_run import TaskRun
from deploy.work import Work

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
    work.console.step("test", prove_digest(work, run, pushed=revision.digest))
    written, run_id = prove_written(work, run, before=before)
    work.console.more(written)
    with tempfile.TemporaryDirectory(prefix="micro-etl-dataset-") as folder:
        environment = replace(work.environment, dataset=_dataset(work, revision, Path(folder)))
        target = replace(work.target, environment=environment)
        integration_step(replace(work, target=target), expected_run_id=run_id)


def _dataset(work: Work, revision: Revision, folder: Path) -> str:
    """The dataset as a revision's image has it, which can be older than the checkout.

    The image's commit is in one of its tags. Where that is not known, the checkout's file must do.
    """
    environment, file = work.environment, work.environment.dataset_file
    tags = tags_of(work.clients.ecr, repository=environment.repository, digest=revision.digest)
    commit = next((match[0] for tag in tags if (match := COMMIT.match(tag))), "")
    text = file_at(work.root, commit, file) if commit and file else None
    if file is None or text is None:
        return environment.dataset
    copy = folder / file.name
    copy.write_text(text, encoding="utf-8")
    return str(copy)


def integration_step(work: Work, *, expected_run_id: str) -> None:
    """Run the integration test, and say what it could not check."""
    facts = work.verdict.facts["test"] = {"passed": False}
    checks, not_checked = integration_test(
        work.target, root=work.root, expected_run_id=expected_run_id, timeout=work.limits.test
    )
    work.console.more(f"the integration test passed, {checks} checks")
    for reason in not_checked:
        work.console.more(f"not checked: {reason}")
    facts |= {"passed": True, "checks": checks, "not_checked": not_checked}


def prove_digest(work: Work, run: TaskRun, *, pushed: str) -> str:
    """In words that the image that ran is the one that was pushed, by their digests."""
    ran = run.container.get("imageDigest", "")
    image = run.container.get("image", "an unknown image")
    # Fargate reports the digest that it ran. Where ECS does not, the reference tells: the task
    # names its image by digest, and no engine runs anything else under one.
    if (ran or image.partition("@")[2]) != pushed:
        # Of an index, ECS can report the image that fits the platform.
        repository = work.environment.repository
        if ran not in children_of(work.clients.ecr, repository=repository, digest=pushed):
            raise Unproven(
                f"another image ran: {ran or image}, pushed was {pushed}",
                advice="look for another deploy at the same time: `./deploy.sh status`",
            )
    how = "" if ran else ", by its reference"
    return f"the pushed image ran{how}: {pushed[:19]}"


def prove_written(work: Work, run: TaskRun, *, before: str = "") -> tuple[str, str]:
    """In words that this run wrote the object, and the run id that the object must have.

    An unchanged table is not written again. Then the object must be the one that the run compared
    with, by its log; or, since a log can lose lines and may not be readable, the one from before
    the run, which ended well. `before` is the ETag that it had then, where it is known.
    """
    head, where, finished = head_object(work), work.target.object_url, run.finished
    writer, etag = head["Metadata"].get("run-id", ""), head["ETag"]
    if writer == run.run_id:
        return f"this run wrote {where}", run.run_id
    unchanged = finished.get("result") == "unchanged"
    if unchanged and str(finished.get("etag", "")).strip('"') == etag.strip('"'):
        return f"nothing had changed: {where} is what this run compared with", writer
    if unchanged:
        raise Unproven(
            f"{where} was replaced after this run had found it unchanged",
            advice="look for another run at the same time, and test again: `./deploy.sh test`",
        )
    if not finished and before == etag:
        how = "as it was before this run, which ended well"
        return f"nothing had changed: {where} is {how}", writer
    text = f"{where} is not of this run ({run.run_id}), but of {writer or 'one without an id'}"
    advice = "look for another run at the same time, and run again: `./deploy.sh run`"
    if not finished:
        text += "; whether this run found it unchanged can't be told without the end of its log"
        late = "the log came too late, or not at all: `./deploy.sh logs`, then run again"
        advice = "the caller needs logs:GetLogEvents" if run.log_denied else late
    raise Unproven(text, advice=advice)


def head_object(work: Work) -> Mapping[str, Any]:
    """The published object's description."""
    where, environment = work.target.object_url, work.environment
    try:
        return work.clients.s3.head_object(Bucket=environment.bucket, Key=environment.key)
    except ClientError as error:
        if is_denied(error):
            how = "the caller needs s3:GetObject on it"
            raise Unproven(f"{where} may not be read", advice=how) from None
        raise Unproven(f"{where} is not there: {message_of(error)}") from None


def find_etag(work: Work) -> str:
    """The published object's ETag, or an empty string where there is none to be seen."""
    try:
        return str(head_object(work)["ETag"])
    except (*ERRORS, Unproven):
        return ""
