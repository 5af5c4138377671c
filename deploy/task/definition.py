"""Builds the task definition, and compares two of them. Nothing here talks to AWS."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from deploy.environment import CONTAINER, looks_secret
from deploy.target import Target

VOLUME = "tmp"
STREAM_PREFIX = "run"
SSM = "ssm:"
OF_ECS = {
    *("taskDefinitionArn", "revision", "status", "requiresAttributes", "compatibilities"),
    *("registeredAt", "registeredBy", "deregisteredAt"),
}
"""What ECS itself adds to a task definition when it describes one."""


def task_definition(target: Target, *, image: str) -> dict[str, Any]:
    """The request that registers the task definition for an image.

    The same environment and image always give the same request, so that nothing needs to be
    registered when neither has changed.
    """
    environment = target.environment
    secrets = [
        {"name": name, "valueFrom": secret_arn(target, reference)}
        for name, reference in sorted(environment.secrets.items())
    ]
    return {
        "family": environment.family,
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": str(environment.cpu),
        "memory": str(environment.memory),
        "runtimePlatform": {
            "cpuArchitecture": environment.architecture,
            "operatingSystemFamily": "LINUX",
        },
        "executionRoleArn": target.execution_role,
        "taskRoleArn": target.task_role,
        # An empty volume of the task's own disk, so that /tmp can be written to although the root
        # file system can't. It takes the owner and mode of the image's VOLUME /tmp; without that
        # line in the Dockerfile it would belong to root. A tmpfs would count as memory instead.
        "volumes": [{"name": VOLUME}],
        "containerDefinitions": [
            {
                "name": CONTAINER,
                "image": image,
                "essential": True,
                "readonlyRootFilesystem": True,
                "mountPoints": [{"sourceVolume": VOLUME, "containerPath": "/tmp"}],  # noqa: S108
                # Fargate never allows privileged containers and takes no `no-new-privileges`;
                # with every capability dropped, a set-uid program has no privileges to give.
                "linuxParameters": {"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}},
                "stopTimeout": environment.stop_timeout,
                "environment": [
                    {"name": name, "value": value}
                    for name, value in sorted(service_settings(target).items())
                ],
                # ECS reads these itself, so that no secret passes through this tool.
                **({"secrets": secrets} if secrets else {}),
                "logConfiguration": {
                    "logDriver": "awslogs",
                    "options": {
                        "awslogs-group": environment.log_group,
                        "awslogs-region": target.region,
                        "awslogs-stream-prefix": STREAM_PREFIX,
                    },
                },
            }
        ],
    }


def service_settings(target: Target) -> dict[str, str]:
    """The service's settings as they stand in the task definition."""
    environment = target.environment
    source = {"SOURCE_URL": environment.source_url} if environment.source_url else {}
    return {
        **environment.variables,
        **source,
        "AWS_REGION": target.region,
        "S3_BUCKET": environment.bucket,
        "S3_KEY": environment.key,
        "DATASET": environment.dataset,
        "LOG_FORMAT": "json",
    }


def overrides(target: Target, *, run_id: str = "", force: bool = False) -> dict[str, Any]:
    """What is given to a task beyond its definition; a run without an id makes its own."""
    settings = dict(target.environment.run_variables) | ({"RUN_ID": run_id} if run_id else {})
    container: dict[str, Any] = {
        "name": CONTAINER,
        "environment": [{"name": name, "value": value} for name, value in sorted(settings.items())],
    }
    if force:
        container["command"] = ["run", "--force"]
    return {"containerOverrides": [container]}


def network_configuration(target: Target) -> dict[str, Any]:
    """Where in the network a task runs, as RunTask takes it."""
    environment = target.environment
    configuration = {
        "subnets": list(environment.subnets),
        "securityGroups": list(environment.security_groups),
        "assignPublicIp": "ENABLED" if environment.assign_public_ip else "DISABLED",
    }
    return {"awsvpcConfiguration": configuration}


def secret_arn(target: Target, reference: str) -> str:
    """The ARN of a secret by its ARN, its name, or `ssm:` and the name of a parameter.

    The ARN of a secret by its name lacks the six characters that Secrets Manager adds to it, which
    ECS accepts.
    """
    if reference.startswith("arn:"):
        return reference
    if reference.startswith(SSM):
        name = reference.removeprefix(SSM).removeprefix("/")
        return target.arn("ssm", f"parameter/{name}")
    return target.arn("secretsmanager", f"secret:{reference}")


def log_stream(task_id: str) -> str:
    """The name of the log stream that a task of this definition writes."""
    return f"{STREAM_PREFIX}/{CONTAINER}/{task_id}"


def difference(old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> list[str]:
    """How a new definition differs from the one that ECS describes, a line a change.

    An empty list means that the two describe the same task.
    """
    before, after = (
        dict(_flat({key: value for key, value in side.items() if key not in OF_ECS}))
        for side in (old or {}, new)
    )
    return changes(before, after)


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """A line that begins with `+`, `-` or `~` for each name that differs."""
    lines = []
    for path in sorted(before.keys() | after.keys()):
        if path not in before:
            lines.append(f"+ {path} = {after[path]}")
        elif path not in after:
            lines.append(f"- {path} = {before[path]}")
        elif before[path] != after[path]:
            lines.append(f"~ {path}: {before[path]} → {after[path]}")
    return lines


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield settings by the path that people know them by, without what ECS leaves empty.

    ECS keeps no order of lists: an item is known by its name, plain ones are sorted.
    """
    if isinstance(value, Mapping):
        for key, item in value.items():
            # There is one container: its name says enough.
            yield from _flat(item, "" if key == "containerDefinitions" else _join(path, key))
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        for item in value:
            yield from _flat_item(item, path)
    elif isinstance(value, list) and value:
        yield path, ", ".join(sorted(map(str, value)))
    elif not _is_unset(value):
        yield path, str(value)


def _flat_item(item: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    """Yield an item of a list by what names it; as its JSON where nothing does."""
    named_by = next((key for key in ("name", "containerPath") if key in item), "")
    if not named_by:
        yield _join(path, json.dumps(item, sort_keys=True)), "set"
        return
    rest = {key: value for key, value in item.items() if key != named_by and not _is_unset(value)}
    where = _join(path, item[named_by])
    if not rest.keys() <= {"value", "sourceVolume", "valueFrom"}:
        yield from _flat(rest, where)
        return
    value = str(next(iter(rest.values()), "(empty)"))
    # A revision that was registered by other means can hold a secret in plain text.
    hidden = "value" in rest and looks_secret(str(item[named_by]), value)
    yield where, "(hidden)" if hidden else value


def _is_unset(value: Any) -> bool:
    """Tell whether a value is one that ECS fills in for what was never set."""
    return value in (None, "", 0, False, [], {})


def _join(path: str, key: object) -> str:
    return f"{path}.{key}" if path else str(key)
