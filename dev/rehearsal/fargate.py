"""The emulator's process: MiniStack, and what Fargate does to a task that MiniStack leaves out.

MiniStack starts a task's container as the machine's engine would by default. Fargate does not: it
always pulls, gives the memory and CPU of the task definition and no more, hands out the task
role's credentials, and mounts the task's volumes. Without these a rehearsal would prove little, so
this module adds them, for exactly the version of MiniStack that it was written for.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack import app  # type: ignore[import-untyped]
from ministack.core import iam_evaluator  # type: ignore[import-untyped]
from ministack.core.responses import get_region  # type: ignore[import-untyped]
from ministack.services import cloudwatch_logs, ec2, ecs, sts  # type: ignore[import-untyped]

from dev.rehearsal.permissions import correct_permissions

WRITTEN_FOR = "1.5.33"

ROOT_ONLY = "mode=0755"
"""How Fargate mounts a volume over a folder that the image does not declare as one."""

SESSION_SECONDS = 3600


def container_options(
    task_definition: Mapping[str, Any], container: Mapping[str, Any], *, declared: set[str]
) -> dict[str, Any]:
    """What Fargate takes from a task definition, as the engine's options.

    Args:
        task_definition: as it was registered.
        container: the one of its containers that is to be started.
        declared: the folders that the image declares as volumes.
    """
    linux = container.get("linuxParameters") or {}
    memory = container.get("memory") or task_definition["memory"]
    empty = {
        volume["name"] for volume in task_definition.get("volumes") or [] if not volume.get("host")
    }
    mounts = [
        mount["containerPath"]
        for mount in container.get("mountPoints") or []
        if mount["sourceVolume"] in empty
    ]
    return {
        "mem_limit": f"{memory}m",
        "memswap_limit": f"{memory}m",
        "nano_cpus": int(task_definition["cpu"]) * 1_000_000_000 // 1024,
        "read_only": bool(container.get("readonlyRootFilesystem")),
        "init": bool(linux.get("initProcessEnabled")),
        "cap_drop": (linux.get("capabilities") or {}).get("drop") or [],
        "user": container.get("user"),
        "entrypoint": container.get("entryPoint"),
        "tmpfs": {path: ROOT_ONLY for path in mounts if path not in declared},
    }


def role_session(role: str, task_id: str) -> tuple[dict[str, str], dict[str, Any]]:
    """New credentials of a role: as variables for its task, and as the emulator's record."""
    account, name = role.split(":")[4], role.rsplit("/", 1)[-1]
    variables = {
        "AWS_ACCESS_KEY_ID": "ASIA" + secrets.token_hex(8).upper(),
        "AWS_SECRET_ACCESS_KEY": secrets.token_hex(20),
        "AWS_SESSION_TOKEN": secrets.token_hex(32),
    }
    record = {
        "Arn": f"arn:aws:sts::{account}:assumed-role/{name}/{task_id}",
        "UserId": f"AROA{name.upper()}:{task_id}",
        "SecretAccessKey": variables["AWS_SECRET_ACCESS_KEY"],
        "SessionToken": variables["AWS_SESSION_TOKEN"],
        "Expiration": time.time() + SESSION_SECONDS,
        "AccountId": account,
        "PrincipalType": "AssumedRole",
        "SessionTags": [],
        "SessionPolicies": None,
    }
    return variables, record


def task_variables(task_definition: Mapping[str, Any], task_id: str) -> dict[str, str]:
    """The variables that Fargate adds to a task's own, its role's credentials among them.

    Fargate serves the credentials at an address of its own, which this machine does not have.
    """
    region = get_region()
    variables = {
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
    }
    role = task_definition.get("taskRoleArn")
    if role:
        credentials, record = role_session(role, task_id)
        sts.register_session(credentials["AWS_ACCESS_KEY_ID"], record)
        variables |= credentials
    return variables


def pull(engine: Any, reference: str) -> Any:
    """Pull an image, as Fargate does for every task, whatever the engine has already.

    The registry is asked for it first: an engine that knows a digest pulls it from its own store.
    """
    try:
        engine.images.get_registry_data(reference)
        return engine.images.pull(reference)
    except Exception as error:
        raise ecs._ImagePullError(
            f"pull image manifest has been retried 1 time(s): failed to resolve ref {reference}: "
            f"{error}"
        ) from error


def check_log_group(container: Mapping[str, Any]) -> None:
    """Refuse to start a container whose log group does not exist, as Fargate does.

    Raises:
        LookupError: it does not exist.
    """
    options = (container.get("logConfiguration") or {}).get("options") or {}
    group = options.get("awslogs-group")
    if group and group not in cloudwatch_logs._log_groups:
        raise LookupError(
            "failed to validate logger args: create stream has been retried 1 times: failed to "
            "create Cloudwatch log stream: ResourceNotFoundException: The specified log group "
            "does not exist."
        )


def start_container(engine: Any, container: dict[str, Any], options: dict[str, Any]) -> Any:
    """Pull and start a container, and note on its task the digest of the image that it runs."""
    check_log_group(container)
    image = pull(engine, container["image"])
    declared = set(image.attrs["Config"].get("Volumes") or {})
    labels = options["labels"]
    arn = labels["com.amazonaws.ecs.task-arn"]
    task_definition = ecs._task_defs[
        f"{labels['com.amazonaws.ecs.task-definition-family']}"
        f":{labels['com.amazonaws.ecs.task-definition-version']}"
    ]
    options |= container_options(task_definition, container, declared=declared)
    for name in ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN"):
        options["environment"].pop(name)
    options["environment"] |= task_variables(task_definition, arn.rsplit("/", 1)[-1])
    for record in ecs._tasks[arn]["containers"]:
        if record["name"] == container["name"]:
            record["imageDigest"] = digest(image, container["image"])
    return engine.containers.run(container["image"], **options)


def digest(image: Any, reference: str) -> str:
    """The digest under which the reference's registry has an image."""
    repository = reference.partition("@")[0].rpartition(":")[0] or reference.partition("@")[0]
    known = [entry.partition("@") for entry in image.attrs["RepoDigests"]]
    exact = reference.partition("@")[2]
    return exact or next(found for name, _, found in known if name == repository)


def note_memory_kills(task: dict[str, Any]) -> None:
    """Note on a task's containers which of them the kernel killed for their use of memory."""
    engine = ecs._get_docker()
    for container_id, record in zip(task["_docker_ids"], task["containers"], strict=False):
        if engine.containers.get(container_id).attrs["State"]["OOMKilled"]:
            record["reason"] = "OutOfMemoryError: Container killed due to memory usage"


def add_fargate() -> None:
    """Put the functions of this module where MiniStack calls its own."""
    mark_stopped = ecs._mark_task_stopped

    def mark_task_stopped(
        arn: str, task: dict[str, Any], reason: str, code: str, exit_code: int | None = None
    ) -> bool:
        if code == "EssentialContainerExited":
            note_memory_kills(task)
        stopped: bool = mark_stopped(arn, task, reason, code, exit_code=exit_code)
        return stopped

    def run_container(
        engine: Any, container: dict[str, Any], options: dict[str, Any], **_: Any
    ) -> Any:
        return start_container(engine, container, options)

    ecs._mark_task_stopped = mark_task_stopped
    ecs._run_docker_container = run_container


def hand_out_ids(subnet: str, security_group: str) -> None:
    """Give the next subnet and the next security group that are created these ids."""
    subnets, groups = iter([subnet]), iter([security_group])
    new_subnet, new_group = ec2._new_subnet_id, ec2._new_sg_id
    ec2._new_subnet_id = lambda: next(subnets, None) or new_subnet()
    ec2._new_sg_id = lambda: next(groups, None) or new_group()


def record_calls(file: Path) -> None:
    """Write down each call that permissions are asked for: who, what, and whether it was allowed.

    One JSON object a line, as soon as it is known.
    """
    enforce = iam_evaluator.enforce

    def enforce_and_record(
        access_key: str, action: str, service: str, region: str, **rest: Any
    ) -> Any:
        denied = enforce(access_key, action, service, region, **rest)
        call = {
            "caller": iam_evaluator.caller_arn(),
            "action": action,
            "resource": rest.get("resource_arn", "*"),
            "allowed": denied is None,
        }
        with file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(call) + "\n")
        return denied

    iam_evaluator.enforce = enforce_and_record


def main() -> None:
    """Serve until SIGTERM or SIGINT, on the addresses that `REHEARSAL_BIND` lists."""
    installed = version("ministack")
    if installed != WRITTEN_FOR:
        raise SystemExit(f"the rehearsal was written for MiniStack {WRITTEN_FOR}, not {installed}")
    add_fargate()
    correct_permissions(os.environ["MINISTACK_ACCOUNT_ID"], os.environ["MINISTACK_REGION"])
    record_calls(Path(os.environ["REHEARSAL_CALLS"]))
    hand_out_ids(os.environ["REHEARSAL_SUBNET"], os.environ["REHEARSAL_SECURITY_GROUP"])
    config = Config()
    config.bind = os.environ["REHEARSAL_BIND"].split()
    config.keep_alive_timeout = 75
    asyncio.run(serve(app.app, config))


if __name__ == "__main__":
    main()
