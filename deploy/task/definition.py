"""Fills definition.toml, and compares two task definitions. Nothing here talks to AWS."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.environment import CONTAINER, looks_secret
from deploy.target import Target

TEMPLATE = tomllib.loads((Path(__file__).parent / "definition.toml").read_text(encoding="utf-8"))
SSM = "ssm:"
OF_ECS = {
    *("taskDefinitionArn", "revision", "status", "requiresAttributes", "compatibilities"),
    *("registeredAt", "registeredBy", "deregisteredAt"),
}
"""What ECS itself adds to a task definition when it describes one."""
UNSET: tuple[Any, ...] = (None, "", 0, False, [], {})
"""What ECS fills in for what was never set."""
SAID_BY_NAME = {"containerDefinitions", "value", "valueFrom", "sourceVolume"}


def task_definition(target: Target, *, image: str) -> dict[str, Any]:
    """The request that registers an image's task definition: always the same for the same image."""
    environment = target.environment
    settings = {
        **environment.variables,
        **({"SOURCE_URL": environment.source_url} if environment.source_url else {}),
        "AWS_REGION": target.region,
        "S3_BUCKET": environment.bucket,
        "S3_KEY": environment.key,
        "DATASET": environment.dataset,
        "LOG_FORMAT": "json",
    }
    gaps = {"target": target, "environment": environment, "image": image}
    definition: dict[str, Any] = _filled(TEMPLATE, gaps)
    (container,) = definition["containerDefinitions"]
    container |= {"stopTimeout": environment.stop_timeout, "environment": _variables(settings)}
    if environment.secrets:  # ECS reads these itself, so that no secret passes through this tool
        container["secrets"] = [
            {"name": name, "valueFrom": secret_arn(target, reference)}
            for name, reference in sorted(environment.secrets.items())
        ]
    return definition


def _filled(value: Any, gaps: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(item, gaps) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, gaps) for item in value]
    return value.format_map(gaps) if isinstance(value, str) else value


def overrides(target: Target, *, run_id: str = "", force: bool = False) -> dict[str, Any]:
    """What is given to a task beyond its definition; a run without an id makes its own."""
    settings = dict(target.environment.run_variables) | ({"RUN_ID": run_id} if run_id else {})
    container: dict[str, Any] = {"name": CONTAINER, "environment": _variables(settings)}
    if force:
        container["command"] = ["run", "--force"]
    return {"containerOverrides": [container]}


def _variables(settings: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in sorted(settings.items())]


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
    """The ARN of a secret by its ARN, its name, or `ssm:` and the name of a parameter."""
    if reference.startswith("arn:"):
        return reference
    if reference.startswith(SSM):
        name = reference.removeprefix(SSM).removeprefix("/")
        return target.arn("ssm", f"parameter/{name}")
    # Without the six characters that Secrets Manager adds to it, which ECS accepts.
    return target.arn("secretsmanager", f"secret:{reference}")


def log_stream(task_id: str) -> str:
    """The name of the log stream that a task of this definition writes."""
    return f"run/{CONTAINER}/{task_id}"


def difference(old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> list[str]:
    """How a new definition differs from the one that ECS describes, a line a change."""
    known = {key: value for key, value in (old or {}).items() if key not in OF_ECS}
    return changes(_flat(known), _flat(new))


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


def _flat(value: Any, path: str = "") -> dict[str, str]:
    """Settings by the path that people know them by, without what ECS leaves empty.

    ECS keeps no order of lists: an item is known by its name, others are sorted.
    """
    if isinstance(value, list) and all(isinstance(item, Mapping) and _name(item) for item in value):
        value = {_name(item): _rest(item) for item in value}
    if isinstance(value, list):
        value = ", ".join(sorted(_text(item) for item in value))
    if not isinstance(value, Mapping):
        return {} if value in UNSET else {path: str(value)}
    flat: dict[str, str] = {}
    for key, item in value.items():
        # There is one container, whose name says enough; so does that of a variable or a volume.
        inner = path if key in SAID_BY_NAME else f"{path}.{key}".removeprefix(".")
        flat |= _flat(item, inner)
    return flat


def _text(item: Any) -> str:
    return item if isinstance(item, str) else json.dumps(item, sort_keys=True)


def _name(item: Mapping[str, Any]) -> str:
    return str(item.get("name") or item.get("containerPath") or "")


def _rest(item: Mapping[str, Any]) -> Any:
    """What an item of a list is, beside its name."""
    # A revision that was registered by other means can hold a secret in plain text.
    if "value" in item and looks_secret(_name(item), str(item["value"])):
        return "(hidden)"
    named = {"name", "containerPath"}
    return {k: item[k] for k in item if k not in named and item[k] not in UNSET} or "(empty)"
