"""The task definition: what is in it, and how two are compared."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

from deploy.aws import Clients
from deploy.target import Target
from deploy.task.definition import difference, log_stream, task_definition

IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/trial-repo@sha256:" + "a1" * 32


def test_the_whole_definition(target: Target) -> None:
    """Locked down, on Fargate, with its settings, and nothing secret."""
    assert task_definition(target, image=IMAGE) == {
        "family": "trial-task",
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": "256",
        "memory": "512",
        "runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"},
        "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
        "taskRoleArn": "arn:aws:iam::123456789012:role/task",
        "volumes": [{"name": "tmp"}],
        "containerDefinitions": [
            {
                "name": "micro-etl",
                "image": IMAGE,
                "essential": True,
                "readonlyRootFilesystem": True,
                "mountPoints": [{"sourceVolume": "tmp", "containerPath": "/tmp"}],
                "linuxParameters": {
                    "initProcessEnabled": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "stopTimeout": 30,
                "environment": [
                    {"name": "AWS_REGION", "value": "eu-west-1"},
                    {"name": "DATASET", "value": "launches"},
                    {"name": "LOG_FORMAT", "value": "json"},
                    {"name": "S3_BUCKET", "value": "trial-bucket"},
                    {"name": "S3_KEY", "value": "launches.parquet"},
                ],
                "logConfiguration": {
                    "logDriver": "awslogs",
                    "options": {
                        "awslogs-group": "/ecs/trial",
                        "awslogs-region": "eu-west-1",
                        "awslogs-stream-prefix": "run",
                    },
                },
            }
        ],
    }


def test_the_settings_of_the_environment_are_in_it(target: Target) -> None:
    """`source_url` and `variables` reach the service; `run_variables` are not in the definition."""
    environment = replace(
        target.environment,
        source_url="https://example.org/launches",
        variables={"LOG_LEVEL": "debug"},
        run_variables={"AWS_ACCESS_KEY_ID": "test"},
    )

    built = task_definition(replace(target, environment=environment), image=IMAGE)

    given = built["containerDefinitions"][0]["environment"]
    assert {"name": "SOURCE_URL", "value": "https://example.org/launches"} in given
    assert {"name": "LOG_LEVEL", "value": "debug"} in given
    assert "AWS_ACCESS_KEY_ID" not in str(built)


def test_the_log_stream_is_the_one_that_ecs_writes() -> None:
    """The prefix, the container and the task's id."""
    assert log_stream("abc") == "run/micro-etl/abc"


def as_ecs_describes_it(definition: dict[str, Any]) -> dict[str, Any]:
    """A definition with what ECS adds to it, and lists in another order."""
    described = deepcopy(definition)
    described |= {
        "taskDefinitionArn": "arn:aws:ecs:eu-west-1:1:task-definition/trial-task:7",
        "revision": 7,
        "status": "ACTIVE",
        "requiresAttributes": [{"name": "com.amazonaws.ecs.capability.logging-driver.awslogs"}],
        "compatibilities": ["EC2", "FARGATE"],
        "placementConstraints": [],
        "registeredAt": 1,
        "enableFaultInjection": False,
    }
    described["volumes"] = [{"name": "tmp", "host": {}}]
    container = described["containerDefinitions"][0]
    container |= {"cpu": 0, "portMappings": [], "volumesFrom": [], "systemControls": []}
    container["environment"].reverse()
    container["mountPoints"][0]["readOnly"] = False
    container["linuxParameters"]["capabilities"]["add"] = []
    return described


def test_what_ecs_adds_is_no_difference(target: Target) -> None:
    """Defaults that ECS fills in, and its order of lists, register nothing."""
    built = task_definition(target, image=IMAGE)

    assert difference(as_ecs_describes_it(built), built) == []


def test_each_change_is_a_line(target: Target) -> None:
    """Added, removed and changed settings are told by the path that people know them by."""
    built = task_definition(target, image=IMAGE)
    old = as_ecs_describes_it(built)
    container = old["containerDefinitions"][0]
    container["image"] = "old@sha256:b2"
    container["environment"] += [{"name": "GONE", "value": "1"}]
    container["environment"] = [
        item for item in container["environment"] if item["name"] != "DATASET"
    ]
    container["readonlyRootFilesystem"] = False
    container["linuxParameters"]["capabilities"]["drop"] = ["NET_RAW", "MKNOD"]
    old["memory"] = "1024"

    assert difference(old, built) == [
        "~ memory: 1024 → 512",
        "+ micro-etl.environment.DATASET = launches",
        "- micro-etl.environment.GONE = 1",
        f"~ micro-etl.image: old@sha256:b2 → {IMAGE}",
        "~ micro-etl.linuxParameters.capabilities.drop: MKNOD, NET_RAW → ALL",
        "+ micro-etl.readonlyRootFilesystem = True",
    ]


def test_what_somebody_set_in_the_console_is_a_difference(target: Target) -> None:
    """Also what this tool never sets, and items of lists that have no name."""
    built = task_definition(target, image=IMAGE)
    old = as_ecs_describes_it(built)
    old |= {"ephemeralStorage": {"sizeInGiB": 50}, "pidMode": "task"}
    container = old["containerDefinitions"][0]
    container["portMappings"] = [{"containerPort": 80, "protocol": "tcp"}]
    container["dependsOn"] = [{"containerName": "web", "condition": "START"}]

    assert difference(old, built) == [
        "- ephemeralStorage.sizeInGiB = 50",
        '- micro-etl.dependsOn = {"condition": "START", "containerName": "web"}',
        '- micro-etl.portMappings = {"containerPort": 80, "protocol": "tcp"}',
        "- pidMode = task",
    ]


def test_without_an_old_one_everything_is_new(target: Target) -> None:
    """The first revision is told like any other."""
    lines = difference(None, task_definition(target, image=IMAGE))

    assert "+ volumes.tmp = (empty)" in lines
    assert "+ micro-etl.mountPoints./tmp = tmp" in lines
    assert "+ requiresCompatibilities = FARGATE" in lines
    assert all(line.startswith("+ ") for line in lines)


def test_the_api_takes_it_and_gives_it_back_the_same(clients: Clients, target: Target) -> None:
    """A round trip through the API shows no difference."""
    built = task_definition(target, image=IMAGE)

    clients.ecs.register_task_definition(**built)
    described = clients.ecs.describe_task_definition(taskDefinition="trial-task")

    assert difference(described["taskDefinition"], built) == []
