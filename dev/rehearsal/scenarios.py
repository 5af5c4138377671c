"""What a deploy promises, one function each: acting as a user, looking at what AWS would show.

Each takes the stage, raises `Unexpected` where the promise in its docstring does not hold, and
returns a few words on what it saw. They are played in the order of `SCENARIOS`: most need what an
earlier one left.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace

from deploy.image.engine import lockdown_flags
from dev.rehearsal import emulator, source
from dev.rehearsal.stage import Stage, expect, signal_group

Scenario = Callable[[Stage], str]

OK, REFUSED, NOT_LAUNCHED, TIMED_OUT, TEST_FAILED, INTERRUPTED = 0, 10, 11, 12, 13, 130
"""How deploy.sh ends when no task's exit code decides."""
BAD_DATA, SOURCE_DOWN, BAD_TARGET, DENIED, KILLED = 65, 69, 74, 77, 137
"""How the service ends, and deploy.sh with it."""

CODE_CHANGE_LIMIT = 1_000_000
ADDED_LIMIT = 35_000_000
"""How many bytes may be pushed after a change of code, and added to the base, compressed."""
REMOVALS_LIMIT = 10_000
"""How large the layer is, at most, that only removes: its times differ with each build."""
STALL_SECONDS = 60

MEMORY_HOG = """
import sys

if "run" in sys.argv:
    hog = b"x" * (700 << 20)
"""


def first_deploy(stage: Stage) -> str:
    """A first deploy builds, pushes, runs and tests: the image that was pushed wrote the object."""
    deployed = stage.deploy().expect_exit(OK)
    task = stage.newest_task()
    container = task["containers"][0]
    pushed = stage.images()[0]["imageDigest"]
    expect(container["imageDigest"] == pushed, f"{container['imageDigest']} ran, not {pushed}")
    last = json.loads(stage.log(task)[-1])
    expect(last["event"] == "run_finished", f"the log ends with {last}")
    expect(last["etag"] in deployed.said, "deploy.sh did not show the log's last line")
    head = stage.published()
    run_id = stage.run_id(task)
    expect(head["Metadata"]["run-id"] == run_id, f"the object is not of run {run_id}: {head}")
    rows = int(head["Metadata"]["rows"])
    expect(rows == len(stage.source.records), f"{rows} rows of {len(stage.source.records)}")
    return f"{pushed[:19]} wrote {rows} rows"


def locked_down(stage: Stage) -> str:
    """The image does the job read-only, without root or capabilities, on a quarter of a CPU."""
    image = stage.image_reference(stage.images()[0]["imageDigest"])
    report = json.loads(
        stage.engine.run(
            *("run", "--rm", *lockdown_flags()),
            *("--memory", "512m", "--memory-swap", "512m", "--cpus", "0.25"),
            *stage.container_variables(S3_KEY="locked-down.parquet"),
            *("--entrypoint", "python", image, "-c", MEASURE),
        ).splitlines()[-1]
    )
    expect(report["exit_code"] == OK, f"the job ended with {report['exit_code']}")
    expect(report["user"] != 0, "the image runs as root")
    expect(report["files"], "there is no code in /app")
    expect(not report["not_roots"], f"not root's alone: {report['not_roots']}")
    expect(not report["installers"], f"it can install: {report['installers']}")
    return f"{report['seconds']:.1f} s, {report['mebibytes']:.0f} MiB at most"


MEASURE = """
import importlib.util, json, os, pathlib, resource, subprocess, sys, time
begun = time.monotonic()
done = subprocess.run([sys.executable, "-m", "micro_etl", "run"])
seconds = time.monotonic() - begun
code = [(str(path), path.lstat()) for path in pathlib.Path("/app").rglob("*")]
print(json.dumps({
    "exit_code": done.returncode,
    "seconds": seconds,
    "mebibytes": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
    "user": os.getuid(),
    "files": len(code),
    "not_roots": [path for path, stat in code if stat.st_uid or stat.st_mode & 0o022],
    "installers": [name for name in ("pip", "ensurepip", "setuptools", "wheel", "hatchling")
                   if importlib.util.find_spec(name)],
}))
"""


def same_image(stage: Stage) -> str:
    """The same commit builds the same layers without a cache, and they add little to the base."""
    digest = stage.images()[0]["imageDigest"]
    pushed = stage.engine.layers(stage.image_reference(digest))
    base = stage.variables["DEPLOY_BASE_IMAGE"]
    again = stage.engine.run(
        *("build", "--no-cache", "--quiet", "--build-arg", f"BASE_IMAGE={base}"),
        str(stage.checkout),
    )
    try:
        built = stage.engine.layers(again)
    finally:
        stage.engine.run("image", "rm", "--force", again)
    sizes = [layer["size"] for layer in stage.manifest(digest)["layers"]]
    other = [size for size, layer in zip(sizes, pushed, strict=True) if layer not in built]
    expect(sum(other) < REMOVALS_LIMIT, f"layers of {other} bytes are not the same again")
    of_base = len(stage.engine.layers(base))
    added = sum(sizes[of_base:])
    expect(added < ADDED_LIMIT, f"{added:,} bytes are added to the base")
    return f"base {sum(sizes[:of_base]):,} bytes, added {added:,}, all {sum(sizes):,}, compressed"


def nothing_changed(stage: Stage) -> str:
    """A second deploy changes nothing: no image, no revision, and the object stays."""
    images, revisions = stage.images(), stage.revisions()
    with stage.object_untouched():
        stage.deploy().expect_exit(OK)
    expect(stage.images() == images, "it pushed an image")
    expect(stage.revisions() == revisions, f"it registered a revision: {stage.revisions()}")
    return f"still {revisions[0].rsplit('/', 1)[-1]}"


def looking(stage: Stage) -> str:
    """Looking changes nothing, and may look at everything: plan, verify, status, logs and test."""
    images, revisions = stage.images(), stage.revisions()
    task = stage.newest_task()["taskArn"]
    with stage.object_untouched():
        for command in ("plan", "status", "test"):
            stage.deploy(command).expect_exit(OK)
        unseen = stage.deploy("verify").expect_exit(OK).verdict["not_looked_at"]
        expect(not unseen, f"verify could not look: {unseen}")
        stage.deploy("logs").expect_exit(OK, "run_finished")
    expect(stage.newest_task()["taskArn"] == task, "a task was started")
    expect((images, revisions) == (stage.images(), stage.revisions()), "something was registered")
    return "no task, no image, no revision"


def new_launch(stage: Stage) -> str:
    """A launch that is new at the source is in the object after the next run."""
    before = int(stage.published()["Metadata"]["rows"])
    stage.source.records = source.with_new_launch(stage.source.records)
    stage.deploy("run").expect_exit(OK)
    rows = int(stage.published()["Metadata"]["rows"])
    expect(rows == before + 1, f"{before} rows became {rows}")
    return f"{before} rows became {rows}"


def code_change(stage: Stage) -> str:
    """A change of code pushes the layer with the code, and no other."""
    before = stage.manifest(stage.images()[0]["imageDigest"])
    with (stage.checkout / "src/micro_etl/__init__.py").open("a") as file:
        file.write("\n# A change.\n")
    stage.commit("A change of code")
    with stage.object_untouched():
        stage.deploy().expect_exit(OK)
    after = stage.manifest(stage.images()[0]["imageDigest"])
    known = {layer["digest"] for layer in before["layers"]}
    sizes = [layer["size"] for layer in after["layers"] if layer["digest"] not in known]
    new = [size for size in sizes if size > REMOVALS_LIMIT]
    expect(len(new) == 1, f"layers of {sizes} bytes are new")
    pushed = sum(sizes) + after["config"]["size"]
    expect(pushed < CODE_CHANGE_LIMIT, f"{pushed:,} bytes were pushed")
    total = sum(layer["size"] for layer in after["layers"])
    return f"{pushed:,} of {total:,} bytes"


def source_down(stage: Stage) -> str:
    """A source that is down ends the deploy with 69 and says so; the object stays."""
    with stage.source.down(), stage.object_untouched():
        stage.deploy("run").expect_exit(SOURCE_DOWN, "the source is down", "503")
    return f"exit code {SOURCE_DOWN}"


def contract_broken(stage: Stage) -> str:
    """Data that breaks the contract end with 65 and name record and column; the object stays."""
    broken = source.with_broken_contract(stage.source.records)
    with stage.source.serving(broken), stage.object_untouched():
        stage.deploy("run").expect_exit(BAD_DATA, "contract", "record 3: flight_number")
    return f"exit code {BAD_DATA}"


def write_denied(stage: Stage) -> str:
    """A task role that may not write ends with 77 and names the role's policy; the object stays."""
    role = {"RoleName": emulator.TASK_ROLE, "PolicyName": emulator.POLICY}
    iam = stage.emulator.client("iam")
    document = iam.get_role_policy(**role)["PolicyDocument"]
    less = json.loads(json.dumps(document).replace("s3:PutObject", "s3:GetObject"))
    iam.put_role_policy(**role, PolicyDocument=json.dumps(less))
    more = source.with_new_launch(stage.source.records)
    try:
        with stage.source.serving(more), stage.object_untouched():
            stage.deploy("run").expect_exit(DENIED, "access denied", "verify --policy")
    finally:
        iam.put_role_policy(**role, PolicyDocument=json.dumps(document))
    return f"exit code {DENIED}"


def bucket_missing(stage: Stage) -> str:
    """Without its bucket a deploy is refused beforehand, and a task ends with 74."""
    s3 = stage.emulator.client("s3")
    place = {"Bucket": emulator.BUCKET, "Key": emulator.KEY}
    head = stage.published()
    body = s3.get_object(**place)["Body"].read()
    for item in s3.list_objects_v2(Bucket=emulator.BUCKET)["Contents"]:
        s3.delete_object(Bucket=emulator.BUCKET, Key=item["Key"])
    s3.delete_bucket(Bucket=emulator.BUCKET)
    try:
        stage.deploy().expect_exit(REFUSED, f"{emulator.BUCKET} does not exist")
        stage.deploy("run").expect_exit(BAD_TARGET, "there is no such bucket")
    finally:
        s3.create_bucket(Bucket=emulator.BUCKET)
        s3.put_object(
            **place, Body=body, ContentType=head["ContentType"], Metadata=head["Metadata"]
        )
    return f"refused beforehand; a task ends with {BAD_TARGET}"


def log_group_missing(stage: Stage) -> str:
    """Without its log group a deploy is refused beforehand, and a task never starts: 11."""
    logs = stage.emulator.client("logs")
    logs.delete_log_group(logGroupName=emulator.LOG_GROUP)
    how = f"aws logs create-log-group --log-group-name {emulator.LOG_GROUP}"
    try:
        stage.deploy().expect_exit(REFUSED, f"{emulator.LOG_GROUP} does not exist", how)
        stage.deploy("run").expect_exit(NOT_LAUNCHED, f"{emulator.LOG_GROUP} does not exist", how)
    finally:
        logs.create_log_group(logGroupName=emulator.LOG_GROUP)
    return f"refused beforehand; a task ends with {NOT_LAUNCHED}"


def image_missing(stage: Stage) -> str:
    """A task whose image has gone never starts: 11, with the digest that is missing."""
    digest = stage.images()[0]["imageDigest"]
    with stage.image_hidden(digest), stage.object_untouched():
        stage.deploy("run").expect_exit(NOT_LAUNCHED, digest, "is not in the repository")
    return f"exit code {NOT_LAUNCHED}"


def wrong_values(stage: Stage) -> str:
    """A release that publishes wrong values fails its test: 13, and is not taken for good."""
    dataset = stage.checkout / "src/micro_etl/datasets/launches.toml"
    right = dataset.read_text()
    wrong = right.replace('from = "success"', 'from = "upcoming"')
    expect(wrong != right, "the dataset has no column from `success`")
    dataset.write_text(wrong)
    stage.commit("A release that takes the wrong field")
    stage.deploy().expect_exit(TEST_FAILED, "the integration test failed")
    return f"exit code {TEST_FAILED}"


def out_of_memory(stage: Stage) -> str:
    """A task that is killed for its memory ends with 137 and the next size; the object stays."""
    with (stage.checkout / "src/micro_etl/__init__.py").open("a") as file:
        file.write(MEMORY_HOG)
    stage.commit("A release that takes too much memory")
    with stage.object_untouched():
        stage.deploy().expect_exit(KILLED, "out of memory", "512 MiB", "memory = 1024")
    return f"exit code {KILLED}"


def rollback(stage: Stage) -> str:
    """A rollback runs and tests the last revision that was good, which repairs the object."""
    failed = stage.newest_task()["containers"][0]["imageDigest"]
    stage.deploy("rollback").expect_exit(OK)
    task = stage.newest_task()
    container = task["containers"][0]
    expect(container["imageDigest"] != failed, f"it ran {failed}, which had failed")
    writer = stage.published()["Metadata"]["run-id"]
    expect(writer == stage.run_id(task), f"the object is of run {writer}")
    return f"{failed[:19]} back to {container['imageDigest'][:19]}"


def took_too_long(stage: Stage) -> str:
    """A task that takes too long is stopped, and the deploy ends with 12; the object stays."""
    with stage.source.stalling(), stage.object_untouched():
        stage.deploy("run", "--run-timeout", "5").expect_exit(TIMED_OUT, "--run-timeout")
    expect(not stage.containers(), "its container is still running")
    return f"exit code {TIMED_OUT}, task stopped"


def interrupted(stage: Stage) -> str:
    """Ctrl-C stops the task, waits for its end, and ends with 130; the object stays."""

    def press_ctrl_c(process: subprocess.Popen[str]) -> None:
        asked = stage.source.waiting.wait(STALL_SECONDS)
        running = stage.containers()
        if process.poll() is None:
            signal_group(process, signal.SIGINT)
        expect(asked and running, "no task ran before the interrupt")

    with stage.source.stalling(), stage.object_untouched():
        stage.deploy("run", meanwhile=press_ctrl_c).expect_exit(INTERRUPTED)
    expect(not stage.containers(), "its container is still running")
    task = stage.newest_task()
    expect(task["stopCode"] == "UserInitiated", f"the task's stop code is {task['stopCode']}")
    return f"exit code {INTERRUPTED}, task stopped"


def stopped_by_hand(stage: Stage) -> str:
    """A task can be stopped from another shell; the deploy that follows it ends with 12."""

    def stop(_: subprocess.Popen[str]) -> None:
        expect(stage.source.waiting.wait(STALL_SECONDS), "no task ran before the stop")
        stage.deploy("stop").expect_exit(OK, "has been told to stop")

    with stage.source.stalling(), stage.object_untouched():
        stage.deploy("run", meanwhile=stop).expect_exit(TIMED_OUT, "stopped by a user")
    expect(not stage.containers(), "its container is still running")
    return f"exit code {TIMED_OUT}"


def without_git(stage: Stage) -> str:
    """An unpacked archive is shipped, beside a credential helper that fails, without its `.env`."""
    copy = stage.checkout.parent / "archive"
    hidden = shutil.ignore_patterns(".git", ".venv-deploy", "__pycache__")
    shutil.copytree(stage.checkout, copy, ignore=hidden)
    (copy / ".venv-deploy").symlink_to(stage.checkout / ".venv-deploy")
    for folder in (copy, copy / "src" / "micro_etl"):
        (folder / ".env").write_text("A_SECRET=1\n")
    login = stage.checkout.parent / "docker"
    login.mkdir()
    (login / "config.json").write_text('{"credsStore": "no-such-helper"}')
    variables = {**stage.variables, "DOCKER_CONFIG": str(login)}
    archive = replace(stage, checkout=copy, variables=variables)
    shipped = archive.deploy("ship").expect_exit(OK, "no git checkout").verdict["image"]
    expect(shipped["tag"].startswith("tree-"), f"its tag is {shipped['tag']}")
    again = archive.deploy("ship").expect_exit(OK, "already there").verdict["image"]
    expect(again["digest"] == shipped["digest"], "the same content has another image")
    image = stage.image_reference(shipped["digest"])
    found = stage.engine.run("run", "--rm", "--entrypoint", "find", image, "/app", "-name", ".env")
    expect(not found, f"{found} is in the image")
    return str(shipped["tag"])


SCENARIOS: tuple[Scenario, ...] = (
    first_deploy,
    locked_down,
    nothing_changed,
    looking,
    new_launch,
    code_change,
    same_image,
    source_down,
    contract_broken,
    write_denied,
    bucket_missing,
    log_group_missing,
    image_missing,
    wrong_values,
    out_of_memory,
    rollback,
    took_too_long,
    interrupted,
    stopped_by_hand,
    without_git,
)
