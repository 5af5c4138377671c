"""Proves what a task did: that the pushed image ran, and that it wrote or kept the object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from deploy.aws import ERRORS, is_denied, message_of
from deploy.outcome import Unproven
from deploy.target import Target
from deploy.task.explain import container_of
from deploy.task.follow import TaskRun

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def prove_digest(
    run: TaskRun, *, container: str, pushed: str, children: Callable[[], set[str]] = set
) -> str:
    """Return in words that the image that ran is the one that was pushed.

    Args:
        run: The run.
        container: The name of the container.
        pushed: The digest that was pushed.
        children: Returns the digests of the images that it is an index of. ECS can report the one
            that fits the platform.
    """
    found = container_of(run.task, container)
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
    """Return in words that this run wrote the object, and the run id that the object must have.

    An unchanged table is not written again. Then the object must be the one that the run compared
    with, by its log; or, since a log can lose lines and may not be readable, the one from before
    the run, which ended well.

    Args:
        s3: Has the object.
        target: Says where it is.
        run: The run, which ended well.
        before: The object's ETag before the run, where it is known.
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
    """Return the published object's description."""
    where = target.object_url
    try:
        return s3.head_object(Bucket=target.environment.bucket, Key=target.environment.key)
    except ClientError as error:
        if is_denied(error):
            how = "the caller needs s3:GetObject on it"
            raise Unproven(f"{where} may not be read", advice=how) from None
        raise Unproven(f"{where} is not there: {message_of(error)}") from None


def find_etag(s3: S3Client, target: Target) -> str:
    """Return the published object's ETag, or an empty string where there is none to be seen."""
    try:
        return str(head_object(s3, target)["ETag"])
    except (*ERRORS, Unproven):
        return ""
