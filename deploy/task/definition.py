"""Builds the task definition, and compares two of them. Nothing here talks to AWS."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from deploy.environment import looks_secret
from deploy.target import Target

VOLUME = "tmp"
STREAM_PREFIX = "run"

ADDED = {
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "registeredBy",
    "deregisteredAt",
}
"""What ECS itself adds to a task definition when it describes one."""


def task_definition(target: Target, *, image: str) -> dict[str, Any]:
    """Return the request that registers the task definition for an image.

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
                "name": environment.container,
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
    """Return the service's settings as they stand in the task definition."""
    environment = target.environment
    settings = dict(environment.variables) | {
        "AWS_REGION": target.region,
        "S3_BUCKET": environment.bucket,
        "S3_KEY": environment.key,
        "DATASET": environment.dataset,
        "LOG_FORMAT": "json",
    }
    if environment.source_url:
        settings["SOURCE_URL"] = environment.source_url
    return settings


SSM = "ssm:"


def secret_arn(target: Target, reference: str) -> str:
    """Return the ARN of a secret by its ARN, its name, or `ssm:` and the name of a parameter.

    The ARN of a secret by its name lacks the six characters that Secrets Manager adds to it, which
    ECS accepts.
    """
    if reference.startswith("arn:"):
        return reference
    if reference.startswith(SSM):
        name = reference.removeprefix(SSM).removeprefix("/")
        return target.arn("ssm", f"parameter/{name}")
    return target.arn("secretsmanager", f"secret:{reference}")


def log_stream(target: Target, task_id: str) -> str:
    """Return the name of the log stream that a task of this definition writes."""
    return f"{STREAM_PREFIX}/{target.environment.container}/{task_id}"


def difference(old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> list[str]:
    """Return how a new definition differs from the one that ECS describes, a line a change.

    Lines begin with `+`, `-` or `~`. An empty list means that the two describe the same task.
    """
    before, after = _flat(old or {}), _flat(new)
    lines = []
    for path in sorted(before.keys() | after.keys()):
        if path not in before:
            lines.append(f"+ {path} = {after[path]}")
        elif path not in after:
            lines.append(f"- {path} = {before[path]}")
        elif before[path] != after[path]:
            lines.append(f"~ {path}: {before[path]} → {after[path]}")
    return lines


def _flat(definition: Mapping[str, Any]) -> dict[str, str]:
    """Return a definition's settings by their path, without what ECS adds or leaves empty."""
    found: dict[str, str] = {}
    for key in definition.keys() - ADDED:
        # There is one container: its name says enough.
        _walk(definition[key], "" if key == "containerDefinitions" else key, found)
    return found


def _walk(value: Any, path: str, found: dict[str, str]) -> None:
    if _is_unset(value):
        return
    if isinstance(value, Mapping):
        for key, item in value.items():
            _walk(item, _join(path, key), found)
    elif isinstance(value, list):
        # ECS keeps no order: an item is known by its name, plain ones are sorted.
        plain = sorted(str(item) for item in value if not isinstance(item, Mapping))
        if plain:
            found[path] = ", ".join(plain)
        for item in value:
            if isinstance(item, Mapping):
                _walk_item(item, path, found)
    else:
        found[path] = str(value)


def _walk_item(item: Mapping[str, Any], path: str, found: dict[str, str]) -> None:
    """Walk an item of a list under the key that names it; as its JSON where none does."""
    named_by = next((key for key in NAMED_BY if key in item), "")
    if not named_by:
        found[_join(path, json.dumps(item, sort_keys=True))] = "set"
        return
    rest = {key: value for key, value in item.items() if key != named_by and not _is_unset(value)}
    where = _join(path, item[named_by])
    if rest.keys() <= {"value", "sourceVolume", "valueFrom"}:
        value = str(next(iter(rest.values()), "(empty)"))
        # A revision that was registered by other means can hold a secret in plain text.
        found[where] = (
            "(hidden)" if "value" in rest and looks_secret(str(item[named_by]), value) else value
        )
    else:
        _walk(rest, where, found)


def _is_unset(value: Any) -> bool:
    """Tell whether a value is one that ECS fills in for what was never set."""
    return value in (None, "", 0, False, [], {})


NAMED_BY = ("name", "containerPath")
"""The keys by which the items of a task definition's lists are known."""


def _join(path: str, key: object) -> str:
    return f"{path}.{key}" if path else str(key)
