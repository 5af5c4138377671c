"""What a deploy shares with others: a repository, an account, permissions that it may not have."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from dev.rehearsal import emulator
from dev.rehearsal.scenarios import OK, SOURCE_DOWN, STALL_SECONDS, Scenario
from dev.rehearsal.stage import Stage, expect, git

INDEX = "application/vnd.oci.image.index.v1+json"


def subfolder(stage: Stage) -> str:
    """In a folder of a larger repository each change has a tag of its own, and is what runs."""
    larger = stage.checkout.parent / "larger"
    project = larger / "etl"
    shutil.copytree(stage.checkout, project, ignore=shutil.ignore_patterns(".git", ".venv-deploy"))
    (project / ".venv-deploy").symlink_to(stage.checkout / ".venv-deploy")
    git(larger, "init", "--quiet")
    git(larger, "add", "--all")
    git(larger, "-c", "user.name=r", "-c", "user.email=r@r", "commit", "--quiet", "-m", "Both")
    inside = replace(stage, checkout=project)
    tags = []
    for version in ("9.9.1", "9.9.2"):
        set_version(project, version)
        tags.append(inside.deploy().expect_exit(OK, "with changes").verdict["image"]["tag"])
        begun = json.loads(stage.log(stage.newest_task())[0])
        expect(begun["version"] == version, f"{tags[-1]} runs {begun['version']}, not {version}")
    expect(tags[0] != tags[1], f"both changes have the tag {tags[0]}")
    return " and ".join(tags)


def anothers_revision(stage: Stage) -> str:
    """A rollback withdraws the revision that failed, and not another's that passed meanwhile."""
    ecs = stage.emulator.client("ecs")
    good = stage.deploy("status").expect_exit(OK).verdict["good"]
    theirs = ""

    def pass_another(_: subprocess.Popen[str]) -> None:
        nonlocal theirs
        expect(stage.source.waiting.wait(STALL_SECONDS), "no task ran")
        theirs = register_good(ecs, good)
        stage.source.status = 503
        stage.source.gate.set()

    larger = replace(stage, variables={**stage.variables, "DEPLOY_MEMORY": "1024"})
    try:
        with stage.source.stalling(), stage.object_untouched():
            ended = larger.deploy("--rollback", meanwhile=pass_another)
    finally:
        stage.source.status = 200
    label = theirs.rsplit("/", 1)[-1]
    ended.expect_exit(SOURCE_DOWN, f"not needed: {label} has passed meanwhile")
    good = stage.deploy("status").expect_exit(OK).verdict["good"]
    expect(good == label, f"{good} is the good one, not {label}")
    ecs.deregister_task_definition(taskDefinition=theirs)
    return f"still {label}"


def log_denied(stage: Stage) -> str:
    """Without the permission to read logs, a deploy over unchanged data passes, and says so."""
    with denied(stage, "logs:GetLogEvents"), stage.object_untouched():
        ended = stage.deploy().expect_exit(OK, "the caller needs logs:GetLogEvents")
    expect(ended.verdict["test"]["passed"], "the test has not passed")
    return "passed without its log"


def index_pushed(stage: Stage) -> str:
    """An image that was pushed with an index is deployed by the index, and what ran is proven."""
    digest = stage.deploy("ship").expect_exit(OK).verdict["image"]["digest"]
    manifest = stage.manifest(digest)
    child = {
        "mediaType": manifest["mediaType"],
        "digest": digest,
        "size": len(json.dumps(manifest)),
        "platform": {"architecture": "amd64", "os": "linux"},
    }
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [child]}
    stage.commit_nothing("A commit whose image is pushed with an index")
    tag = git(stage.checkout, "rev-parse", "HEAD")[:12]
    url = f"{stage.emulator.endpoint}/v2/{emulator.REPOSITORY}/manifests/{tag}"
    headers = {"Content-Type": INDEX}
    request = Request(url, json.dumps(index).encode(), headers, method="PUT")  # noqa: S310
    with urlopen(request) as answer:  # noqa: S310
        made = answer.headers["Docker-Content-Digest"]
    stage.deploy().expect_exit(OK, f"already there: {made}", "the pushed image ran")
    ran = stage.newest_task()["containers"][0]["imageDigest"]
    return f"{made[:19]} was pushed, {ran[:19]} reported"


SCENARIOS: tuple[Scenario, ...] = (subfolder, anothers_revision, log_denied, index_pushed)


def set_version(project: Path, version: str) -> None:
    """Change the service's version, which each run tells."""
    file = project / "src" / "micro_etl" / "__init__.py"
    lines = file.read_text().splitlines(keepends=True)
    changed = [
        f'__version__ = "{version}"\n' if "__version__ =" in line else line for line in lines
    ]
    file.write_text("".join(changed))


def register_good(ecs: Any, revision: str) -> str:
    """Register what another deploys: a copy of a revision, marked as one that passed."""
    found = ecs.describe_task_definition(taskDefinition=revision)["taskDefinition"]
    keys = ("family", "containerDefinitions", "executionRoleArn", "taskRoleArn", "networkMode",
            "requiresCompatibilities", "cpu", "volumes", "runtimePlatform")  # fmt: skip
    made = ecs.register_task_definition(
        **{key: found[key] for key in keys if key in found},
        memory="2048",
        tags=[{"key": "micro-etl:passed", "value": "2026-01-01T00:00:00Z"}],
    )
    return str(made["taskDefinition"]["taskDefinitionArn"])


@contextmanager
def denied(stage: Stage, action: str) -> Iterator[None]:
    """Take one permission away from the user who deploys."""
    iam = stage.emulator.client("iam")
    policy = {"UserName": emulator.CALLER, "PolicyName": emulator.POLICY}
    document = iam.get_user_policy(**policy)["PolicyDocument"]
    deny = {"Effect": "Deny", "Action": action, "Resource": "*"}
    less = {**document, "Statement": [*document["Statement"], deny]}
    iam.put_user_policy(**policy, PolicyDocument=json.dumps(less))
    try:
        yield
    finally:
        iam.put_user_policy(**policy, PolicyDocument=json.dumps(document))
