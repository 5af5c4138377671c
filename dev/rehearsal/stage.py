"""What a scenario acts with and looks at: a copy of the checkout, deploy.sh, and the emulator."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from dev.rehearsal import emulator
from dev.rehearsal.emulator import Emulator
from dev.rehearsal.engine import Engine, Unready
from dev.rehearsal.source import Source

ROOT = Path(__file__).parents[2]
FOREIGN = ("AWS_", "DEPLOY_", "S3_", "SOURCE_", "TARGET_", "RAW_", "DATASET", "VIRTUAL_ENV")
"""What the variables begin with that would turn a rehearsal into something else."""
DEPLOY_SECONDS = 600
STOP_SECONDS = 60


class Unexpected(Exception):  # noqa: N818 - what a scenario found
    """A scenario found something other than what it promises."""


def expect(holds: object, message: str) -> None:
    """Go on only if something holds.

    Raises:
        Unexpected: it does not; the message says what was found.
    """
    if not holds:
        raise Unexpected(message)


@dataclass(frozen=True)
class Deployed:
    """How one run of deploy.sh ended."""

    arguments: tuple[str, ...]
    exit_code: int
    verdict: Mapping[str, Any]
    said: str

    def expect_exit(self, exit_code: int, *words: str) -> Deployed:
        """Itself if it ended so, and said each of these words.

        Raises:
            Unexpected: it ended or said otherwise.
        """
        command = " ".join(("./deploy.sh", *self.arguments))
        expect(self.exit_code == exit_code, f"{command} ended with {self.exit_code}")
        for word in words:
            expect(word in self.said, f"{command} did not say {word!r}")
        return self


@dataclass
class Stage:
    """Everything that scenarios share."""

    checkout: Path
    engine: Engine
    emulator: Emulator
    source: Source
    variables: dict[str, str]
    show: Callable[[str], None]
    """Shows a line of what deploy.sh says."""

    def deploy(
        self,
        *arguments: str,
        meanwhile: Callable[[subprocess.Popen[str]], None] | None = None,
    ) -> Deployed:
        """Run deploy.sh as a user would, to its end, showing what it says.

        Args:
            arguments: its arguments.
            meanwhile: is called with its process while it runs.
        """
        self.show(" ".join(("$ ./deploy.sh", *arguments)))
        process = subprocess.Popen(
            ["./deploy.sh", *arguments, "--json"],
            cwd=self.checkout,
            env={**os.environ, **self.variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        with ThreadPoolExecutor() as pool:
            watching = pool.submit(meanwhile, process) if meanwhile else None
            verdict, said = self._follow(process)
            if watching:
                watching.result()
        expect(verdict.strip(), f"deploy.sh gave no verdict:\n{said}")
        return Deployed(arguments, process.returncode, json.loads(verdict), said + verdict)

    def _follow(self, process: subprocess.Popen[str]) -> tuple[str, str]:
        """Both outputs of a deploy.sh, which ends with this call at the latest."""
        assert process.stdout is not None  # noqa: S101 - it was started with pipes
        assert process.stderr is not None  # noqa: S101
        timer = threading.Timer(DEPLOY_SECONDS, signal_group, (process, signal.SIGKILL))
        timer.start()
        said = []
        try:
            for line in process.stderr:
                said.append(line)
                self.show(line.rstrip())
            verdict = process.stdout.read()
            process.wait()
        finally:
            timer.cancel()
            if process.poll() is None:
                signal_group(process, signal.SIGTERM)
                process.wait(timeout=STOP_SECONDS)
        return verdict, "".join(said)

    def published(self) -> Mapping[str, Any]:
        """The published object's ETag, times and metadata.

        Raises:
            Unexpected: there is none.
        """
        try:
            head: Mapping[str, Any] = self.emulator.client("s3").head_object(
                Bucket=emulator.BUCKET, Key=emulator.KEY
            )
        except ClientError as error:
            raise Unexpected(f"no s3://{emulator.BUCKET}/{emulator.KEY}: {error}") from error
        return head

    @contextmanager
    def object_untouched(self) -> Iterator[None]:
        """Expect that the object is afterwards what it was before."""
        before = self.published()
        yield
        after = self.published()
        for key in ("ETag", "LastModified", "Metadata"):
            expect(
                before[key] == after[key],
                f"the object's {key} has changed: {before[key]} to {after[key]}",
            )

    def newest_task(self) -> Mapping[str, Any]:
        """The task that was started last, as ECS describes it."""
        ecs = self.emulator.client("ecs")
        arns = ecs.list_tasks(cluster=emulator.CLUSTER, desiredStatus="STOPPED")["taskArns"]
        expect(arns, "no task has run")
        tasks = ecs.describe_tasks(cluster=emulator.CLUSTER, tasks=arns)["tasks"]
        newest: Mapping[str, Any] = max(tasks, key=lambda task: task["createdAt"])
        return newest

    def run_id(self, task: Mapping[str, Any]) -> str:
        """The run id that deploy.sh gave a task."""
        given = task["overrides"]["containerOverrides"][0]["environment"]
        return next(str(item["value"]) for item in given if item["name"] == "RUN_ID")

    def log(self, task: Mapping[str, Any]) -> list[str]:
        """The lines of a task's log."""
        logs = self.emulator.client("logs")
        task_id = task["taskArn"].rsplit("/", 1)[-1]
        streams = logs.describe_log_streams(logGroupName=emulator.LOG_GROUP)["logStreams"]
        names = [stream["logStreamName"] for stream in streams]
        answer = logs.get_log_events(
            logGroupName=emulator.LOG_GROUP,
            logStreamName=next(name for name in names if name.endswith(f"/{task_id}")),
            startFromHead=True,
        )
        return [event["message"] for event in answer["events"]]

    def images(self) -> list[Mapping[str, Any]]:
        """The images in the repository, the newest first."""
        answer = self.emulator.client("ecr").describe_images(repositoryName=emulator.REPOSITORY)
        expect(answer["imageDetails"], "there is no image in the repository")
        return list(reversed(answer["imageDetails"]))

    def image_reference(self, digest: str) -> str:
        """What the container engine calls an image of the repository."""
        return f"{self.emulator.registry}/{emulator.REPOSITORY}@{digest}"

    def manifest(self, digest: str) -> Mapping[str, Any]:
        """An image's manifest from the registry."""
        answer = self.emulator.client("ecr").batch_get_image(
            repositoryName=emulator.REPOSITORY, imageIds=[{"imageDigest": digest}]
        )
        manifest: Mapping[str, Any] = json.loads(answer["images"][0]["imageManifest"])
        return manifest

    @contextmanager
    def image_hidden(self, digest: str) -> Iterator[None]:
        """Delete an image from the repository, and push it again afterwards."""
        tag = next(item for item in self.images() if item["imageDigest"] == digest)["imageTags"][0]
        url = f"{self.emulator.endpoint}/v2/{emulator.REPOSITORY}/manifests/{digest}"
        with urllib.request.urlopen(urllib.request.Request(url, method="DELETE")):  # noqa: S310
            pass
        try:
            yield
        finally:
            self.engine.run("push", f"{self.emulator.registry}/{emulator.REPOSITORY}:{tag}")

    def revisions(self) -> list[str]:
        """The ARNs of the active revisions of the task definition, the newest first."""
        answer = self.emulator.client("ecs").list_task_definitions(sort="DESC")
        return list(answer["taskDefinitionArns"])

    def container_variables(self, **variables: str) -> list[str]:
        """The flags of `docker run` that give a container what a task is given."""
        given = {
            **emulator.OWNER,
            "AWS_ENDPOINT_URL": f"http://{self.engine.address}:{self.emulator.port}",
            "AWS_REGION": emulator.REGION,
            "S3_BUCKET": emulator.BUCKET,
            "SOURCE_URL": self.source.url,
            **variables,
        }
        return [f"--env={name}={value}" for name, value in given.items()]

    def commit(self, message: str) -> None:
        """Commit what a scenario changed in the copy."""
        git(self.checkout, "add", "--all")
        git(self.checkout, "commit", "--quiet", "--message", message)

    def commit_nothing(self, message: str) -> None:
        """Commit, also where nothing was changed."""
        git(self.checkout, "add", "--all")
        git(self.checkout, "commit", "--quiet", "--allow-empty", "--message", message)

    def containers(self) -> list[str]:
        """The containers of tasks that are running."""
        return self.engine.containers(self.emulator.label)


def signal_group(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """Send a signal to a process and all that it started, as a terminal does."""
    os.killpg(process.pid, number)


def deploy_variables(aws: Emulator, *, base_image: str, source_url: str) -> dict[str, str]:
    """What a user of deploy.sh would set, but for the credentials; and the emulator."""
    return {
        "AWS_ENDPOINT_URL": aws.endpoint,
        "AWS_REGION": emulator.REGION,
        "DEPLOY_BASE_IMAGE": base_image,
        "DEPLOY_EXECUTION_ROLE": emulator.EXECUTION_ROLE,
        "DEPLOY_SOURCE_URL": source_url,
        "DEPLOY_TASK_ROLE": emulator.TASK_ROLE,
    }


def forget_settings() -> None:
    """Remove the user's own settings of AWS, a deploy and the service from this process."""
    for name in list(os.environ):
        if name.startswith(FOREIGN) and name != "AWS_CA_BUNDLE":
            del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull


def copy_checkout(target: Path) -> None:
    """Copy what git tracks, and what it would, into a repository of its own with one commit.

    So a rehearsal shows the tree as it is now, may change it, and never touches the original.

    Raises:
        Unready: this is no git checkout.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode != 0:
        raise Unready(f"{ROOT} is no git checkout: {listed.stderr.strip()}")
    for name in listed.stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)
    git(target, "init", "--quiet")
    git(target, "config", "user.name", "rehearsal")
    git(target, "config", "user.email", "rehearsal@localhost")
    git(target, "add", "--all")
    git(target, "commit", "--quiet", "--message", "The tree as it is")


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder, and return what it printed."""
    done = subprocess.run(
        ["git", "-c", "commit.gpgsign=false", *arguments],  # noqa: S607 - the user's own git
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout
