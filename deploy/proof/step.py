"""The step that proves what a run published."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from deploy.image.push import children_of, tags_of
from deploy.image.source_tree import file_at
from deploy.outcome import Exit
from deploy.proof.integration import integration_test
from deploy.proof.prove import prove_digest, prove_written
from deploy.task.follow import TaskRun
from deploy.task.revisions import Revision
from deploy.work import Work


def proof_step(work: Work, run: TaskRun, revision: Revision, *, before: str) -> None:
    """Prove that the pushed image ran, that it wrote the object, and that the object is right.

    Args:
        work: The command's.
        run: The run, which ended well.
        revision: What it ran.
        before: The published object's ETag before the run, where it is known.
    """
    if work.dry_run:
        work.console.step("test", f"would test {work.target.object_url}")
        return
    work.verdict.stage = Exit.TEST_FAILED
    ecr, repository = work.clients.ecr, work.environment.repository
    proof = prove_digest(
        run,
        container=work.environment.container,
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


COMMIT = re.compile(r"[0-9a-f]{12}(?=$|-a)")
"""What the tag of an image that holds a commit, and nothing else, begins with."""


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
