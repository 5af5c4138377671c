"""The state machine runs on an emulator, with tasks that end with each exit code."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from dev.loopback import CREDENTIALS, serve_aws
from micro_etl import errors
from tests.recipes import FINAL, RECIPES

_DEFINITION = RECIPES / "step-functions.asl.json"
_ROLE = "arn:aws:iam::111122223333:role/step-functions"
_SECONDS = 30

CASES: dict[str, tuple[list[int], int]] = {
    "published": ([0], 0),
    "overtaken": ([errors.RaceLostError.exit_code], 0),
    "busy": ([69, 71, 0], 0),
    "down": ([74, 74, 74, 74], 74),
    **{f"final{code}": ([code], code) for code in sorted(FINAL)},
}
"""A name to the exit codes of its tasks, and the one that the execution ends with."""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, str]]:
    """A client of the emulator, and the state machine there; its waits take no time."""
    mocks = tmp_path_factory.mktemp("step-functions") / "mocks.json"
    mocks.write_text(json.dumps(_mocks()))
    with serve_aws(SFN_MOCK_CONFIG=str(mocks), SFN_WAIT_SCALE="0") as endpoint:
        client = boto3.client(
            "stepfunctions",
            endpoint_url=endpoint,
            region_name=CREDENTIALS["AWS_REGION"],
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )
        definition = _DEFINITION.read_text("utf-8")
        made = client.create_state_machine(name="recipe", definition=definition, roleArn=_ROLE)
        yield client, made["stateMachineArn"]
        client.close()


@pytest.mark.parametrize("case", CASES)
def test_the_execution_ends_as_the_task_means_it(case: str, machine: tuple[Any, str]) -> None:
    """Retried where that may help, failed at once where it can't, with the code in its cause."""
    codes, ends_with = CASES[case]
    client, arn = machine
    execution = client.start_execution(stateMachineArn=f"{arn}#{case}")["executionArn"]
    ended = _wait(client, execution)
    history = client.get_execution_history(executionArn=execution)["events"]
    entered = [event.get("stateEnteredEventDetails", {}).get("name") for event in history]
    assert ended["status"] == ("FAILED" if ends_with else "SUCCEEDED")
    assert f"exit code {ends_with}" in ended.get("cause", "exit code 0")
    assert entered.count("Publish") == len(codes)


def test_the_definition_keeps_the_schema_of_the_language(tmp_path: Path) -> None:
    """As the linter of CloudFormation has it."""
    template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": {
            "Machine": {
                "Type": "AWS::StepFunctions::StateMachine",
                "Properties": {
                    "RoleArn": _ROLE,
                    "Definition": json.loads(_DEFINITION.read_text("utf-8")),
                },
            }
        },
    }
    file = tmp_path / "template.json"
    file.write_text(json.dumps(template))
    subprocess.run([Path(sys.executable).parent / "cfn-lint", file], check=True)


def _mocks() -> dict[str, Any]:
    return {
        "StateMachines": {"recipe": {"TestCases": {name: {"Publish": name} for name in CASES}}},
        "MockedResponses": {
            name: {str(attempt): _task(code) for attempt, code in enumerate(codes)}
            for name, (codes, _) in CASES.items()
        },
    }


def _task(code: int) -> dict[str, Any]:
    """What ``ecs:runTask.sync`` gives: the task, or an error whose cause is the task as JSON."""
    task = {"Containers": [{"Name": "micro-etl", "ExitCode": code}], "LastStatus": "STOPPED"}
    if code == 0:
        return {"Return": task}
    return {"Throw": {"Error": "States.TaskFailed", "Cause": json.dumps(task)}}


def _wait(client: Any, execution: str) -> dict[str, Any]:
    deadline = time.monotonic() + _SECONDS
    while True:
        described: dict[str, Any] = client.describe_execution(executionArn=execution)
        if described["status"] != "RUNNING" or time.monotonic() > deadline:
            return described
        time.sleep(0.05)
