"""Builds the least-privilege policies that a deploy needs, from the environment's own names.

Who may do what is in `infra/policies.toml`. `./deploy.sh verify --policy` prints the policies, and
`bootstrap` gives them to the roles that it makes.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from typing import Any

from deploy.environment import ROOT, Environment
from deploy.target import Target
from deploy.task.definition import secret_arn

Statement = dict[str, Any]
SECRET_SUFFIX = re.compile(r"-\w{6}$")
"""What Secrets Manager adds to the name of a secret in its ARN."""


def policies(target: Target) -> dict[str, Any]:
    """The policy documents for the caller and both roles, and the roles' trust policy."""
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "ecs-tasks.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": target.account}},
    }
    names = ("caller", "execution_role", "task_role")
    documents = {name: document(statements(target)[name]) for name in names}
    return documents | {"trust_of_both_roles": document([trust])}


def document(listed: list[Statement]) -> dict[str, Any]:
    """A policy document of these statements."""
    return {"Version": "2012-10-17", "Statement": listed}


def statements(target: Target) -> dict[str, list[Statement]]:
    """What each must be allowed: the caller, and the roles of a task and of a schedule."""
    table = tomllib.loads((ROOT / "infra" / "policies.toml").read_text(encoding="utf-8"))
    resources = resources_of(target)
    return {
        who: [_statement(row, resources) for row in rows if any(resources[row["on"]])]
        for who, rows in table.items()
    }


def pass_role_statement(target: Target) -> Statement:
    """The statement that lets a caller hand both roles to ECS."""
    return next(item for item in statements(target)["caller"] if item["Sid"] == "PassRoles")


def resources_of(target: Target) -> dict[str, list[str]]:
    """The ARNs of what an environment's policies are about, by their names in the table."""
    environment, each = target.environment, target.environment.each()
    objects = _in_s3(target, (f"s3://{environment.bucket}/{item.key}" for item in each))
    copies = _in_s3(target, (item.variables.get("RAW_URL", "") for item in each))
    raw = [f"{place}/*" for place in copies]
    sources = _in_s3(target, map(_source_pattern, each))
    buckets = dict.fromkeys(place.partition("/")[0] for place in (*objects, *raw, *sources))
    parameters, group = _secrets(target, "ssm"), environment.schedule_group
    schedules = [f"schedule/{group}/{item.family}" for item in each if group]
    stack = target.arn("cloudformation", f"stack/micro-etl-{environment.name}-datasets/*")
    return {
        "any": ["*"],
        "any_parameter": ["*"] if parameters else [],
        "buckets": [*buckets],
        "cluster": [target.cluster_arn],
        "families": [target.arn("ecs", f"task-definition/{item.family}:*") for item in each],
        "login": ["*"] if environment.builds else [],
        "objects": objects,
        "parameters": parameters,
        "pushed_to": [target.repository_arn] if environment.builds else [],
        "queue": [environment.schedule_queue],
        "raw": raw,
        "repository": [target.repository_arn],
        "roles": sorted({target.execution_role, target.task_role}),
        "schedule_role": [environment.schedule_role],
        "schedules": [target.arn("scheduler", name) for name in schedules],
        "secrets": _secrets(target, "secretsmanager"),
        "sources": sources,
        "stack": [stack] if group else [],
        "streams": [f"{target.log_group_arn}:*"],
        "tasks": [target.arn("ecs", f"task/{environment.cluster}/*")],
    }


def _statement(row: dict[str, Any], resources: dict[str, list[str]]) -> Statement:
    found, condition = resources[row["on"]], {}
    if row.get("in_cluster"):
        condition = {"ArnEquals": {"ecs:cluster": resources["cluster"][0]}}
    if service := row.get("passed_to"):
        condition = {"StringEquals": {"iam:PassedToService": f"{service}.amazonaws.com"}}
    return {
        "Sid": row["sid"],
        "Effect": "Allow",
        "Action": row["actions"].split(),
        "Resource": found[0] if len(found) == 1 else found,
        **({"Condition": condition} if condition else {}),
    }


def _in_s3(target: Target, urls: Iterable[str]) -> list[str]:
    """The ARNs of those URLs that are in S3, each once."""
    keys = (url.removeprefix("s3://").rstrip("/") for url in urls if url.startswith("s3://"))
    return [f"arn:{target.partition}:s3:::{key}" for key in dict.fromkeys(keys)]


def _source_pattern(environment: Environment) -> str:
    """Where a dataset's source is, as a policy names all that may be read there."""
    source = environment.read_dataset().get("source", {})
    url = environment.source_url or str(source.get("url", "") if isinstance(source, dict) else "")
    # A folder is all that is below it; what is filled in, and sets of characters, may be anything.
    folder = url + "*" if url.endswith("/") else url
    return re.sub(r"\$?\{[^}]*\}|\[[^]]*\]", "*", folder)


def _secrets(target: Target, service: str) -> list[str]:
    """The ARNs of the secrets in a service, whatever it adds to their names."""
    found = set()
    for environment in target.environment.each():
        for reference in environment.secrets.values():
            parts = secret_arn(target, reference).split(":")[:7]  # the rest names a key in it
            if parts[2] == service:
                whole = reference.startswith("arn:") and SECRET_SUFFIX.search(parts[-1])
                plain = service == "ssm" or whole
                found.add(":".join(parts) + ("" if plain else "-??????"))
    return sorted(found)
