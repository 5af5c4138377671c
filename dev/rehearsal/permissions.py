"""What each call is authorized on, as AWS's service authorization reference has it.

MiniStack enforces policies, but takes every call to ECS for one on its cluster, knows nothing of
`ecs:cluster`. This module corrects that for the calls which deploy.sh makes, so that the policies
which it prints are tried in earnest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ministack import app  # type: ignore[import-untyped]
from ministack.core import iam_actions  # type: ignore[import-untyped]

Request = Mapping[str, Any]


def resource(action: str, request: Request, *, region: str, account: str) -> str:
    """The ARN that a call is authorized on, or an empty string where MiniStack knows."""
    ecs = f"arn:aws:ecs:{region}:{account}"
    cluster = str(request.get("cluster", "")).rsplit("/", 1)[-1]
    log_stream = (
        f"arn:aws:logs:{region}:{account}:log-group:{request.get('logGroupName', '')}"
        f":log-stream:{request.get('logStreamName', '')}"
    )
    return {
        "ecs:DescribeClusters": f"{ecs}:cluster/{first(request, 'clusters')}",
        "ecs:DescribeServices": f"{ecs}:service/{cluster}/{first(request, 'services')}",
        "ecs:DescribeTasks": task_arn(ecs, cluster, first(request, "tasks")),
        "ecs:ListServices": "*",
        "ecs:ListTasks": "*",
        "ecs:RegisterTaskDefinition": f"{ecs}:task-definition/{request.get('family', '')}:1",
        "ecs:RunTask": str(request.get("taskDefinition", "")),
        "ecs:StopTask": task_arn(ecs, cluster, str(request.get("task", ""))),
        "ecs:TagResource": str(request.get("resourceArn", "")),
        "ecs:UntagResource": str(request.get("resourceArn", "")),
        "ecr:DescribeRepositories": (
            f"arn:aws:ecr:{region}:{account}:repository/{first(request, 'repositoryNames')}"
        ),
        "logs:DescribeLogStreams": log_stream,
        "logs:GetLogEvents": log_stream,
    }.get(action, "")


def schedule_arn(path: str, request: Request, *, region: str, account: str) -> str:
    """The ARN of the schedule that a call names, its group included."""
    group = request.get("GroupName") or first(request, "groupName")
    return f"arn:aws:scheduler:{region}:{account}:schedule/{group}/{path.rsplit('/', 1)[-1]}"


def conditions(action: str, request: Request, *, region: str, account: str) -> dict[str, str]:
    """The condition keys of ECS that a call has."""
    cluster = str(request.get("cluster", ""))
    if not action.startswith("ecs:") or not cluster:
        return {}
    name = cluster.rsplit("/", 1)[-1]
    return {"ecs:cluster": f"arn:aws:ecs:{region}:{account}:cluster/{name}"}


def first(request: Request, name: str) -> str:
    """The first of the values that a call gives for a name."""
    values = request.get(name) or [""]
    return str(values[0])


def task_arn(ecs: str, cluster: str, task: str) -> str:
    """The ARN of a task, which a call may name by its id."""
    return task if task.startswith("arn:") else f"{ecs}:task/{cluster}/{task}"


def correct_permissions(account: str, region: str) -> None:
    """Put the functions of this module before MiniStack's own."""
    extract_resource = iam_actions.extract_resource_arn
    tag_context = iam_actions.request_tag_context

    def resource_arn(
        service: str,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        parameters: Request,
        *rest: str,
    ) -> str:
        action = iam_actions.extract_iam_action(service, method, path, headers, body, parameters)
        request = request_of(body, parameters)
        known = resource(action or "", request, region=region, account=account)
        if service == "scheduler" and "/schedules/" in path:
            known = schedule_arn(path, request, region=region, account=account)
        found: str = known or extract_resource(
            service, method, path, headers, body, parameters, *rest
        )
        return found

    def context(service: str, action: str, body: bytes, parameters: Request) -> dict[str, Any]:
        tags: dict[str, Any] = tag_context(service, action, body, parameters)
        request = request_of(body, parameters)
        return tags | conditions(action, request, region=region, account=account)

    pin_origin = app.pin_request_origin

    def pin_secure_origin(address: str, _: bool) -> None:
        # On AWS every call comes over TLS, which a bucket's policy may insist on.
        pin_origin(address, True)

    app.pin_request_origin = pin_secure_origin
    iam_actions.extract_resource_arn = resource_arn
    iam_actions.request_tag_context = context


def request_of(body: bytes, parameters: Request) -> Request:
    """What a call asks for, whether its body is JSON or a form."""
    if body.startswith(b"{"):
        request: Request = json.loads(body)
        return request
    return parameters
