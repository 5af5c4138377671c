"""Environment files: what they may hold, and how a mistake in one is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deploy.environment import Environment, load, parse
from deploy.outcome import Refused

MINIMAL: dict[str, Any] = {
    "cluster": "c",
    "repository": "r",
    "bucket": "b",
    "key": "k",
    "log_group": "/l",
    "subnets": ["subnet-1"],
    "security_groups": ["sg-1"],
    "family": "f",
}


def read(changes: dict[str, Any], environ: dict[str, str] | None = None) -> Environment:
    """Parse the minimal environment with changes."""
    return parse(MINIMAL | changes, name="x", source="x.toml", environ=environ or {})


def test_the_assessment_is_what_the_assessment_says() -> None:
    """The environment that ships names the assessment's resources, and is complete."""
    found = load("assessment", environ={})

    assert found == Environment(
        name="assessment",
        cluster="candidate-test-cluster",
        repository="candidate-test-repo",
        bucket="candidate-test-bucket2k25",
        key="launches.parquet",
        log_group="/ecs/candidate-test-task",
        subnets=("subnet-048995eadd3bbf8eb",),
        security_groups=("sg-0917ce879ec223119",),
        family="candidate-test-task",
    )


def test_a_path_names_an_environment_too(tmp_path: Path) -> None:
    """`--env` takes any file; its name is the environment's."""
    file = tmp_path / "mine.toml"
    file.write_text(
        'cluster = "c"\nrepository = "r"\nbucket = "b"\nkey = "k"\nlog_group = "/l"\n'
        'subnets = ["s"]\nsecurity_groups = ["g"]\nfamily = "f"\nassign_public_ip = false\n'
        '[variables]\nLOG_LEVEL = "debug"\n'
    )

    found = load(str(file), environ={})

    assert (found.name, found.assign_public_ip) == ("mine", False)
    assert found.variables == {"LOG_LEVEL": "debug"}


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("DEPLOY_CLUSTER", "other", "cluster", "other"),
        ("DEPLOY_SUBNETS", '["subnet-1", "subnet-2"]', "subnets", ("subnet-1", "subnet-2")),
        ("DEPLOY_CPU", "512", "cpu", 512),
        ("DEPLOY_ASSIGN_PUBLIC_IP", "false", "assign_public_ip", False),
        ("DEPLOY_BUILD_FLAGS", '["--network=host", "--label=a b"]', "build_flags",
         ("--network=host", "--label=a b")),
        ("DEPLOY_VARIABLES", '{ A = "1", B = "x y" }', "variables", {"A": "1", "B": "x y"}),
    ],
)  # fmt: skip
def test_a_variable_wins_over_the_file(variable: str, text: str, field: str, value: object) -> None:
    """Every key is also a variable, whatever its type."""
    found = read({"memory": 1024}, {variable: text})

    assert getattr(found, field) == value


def test_a_variable_can_stand_for_a_missing_key() -> None:
    """Nothing has to be in the file that a variable gives."""
    content = {key: value for key, value in MINIMAL.items() if key != "bucket"}

    found = parse(content, name="x", source="x.toml", environ={"DEPLOY_BUCKET": "b2"})

    assert found.bucket == "b2"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"clutser": "c"}, ("x.toml: clutser: no such key", "cluster")),
        ({"cluster": 1}, ("x.toml: cluster: 1 is not a string",)),
        ({"cpu": "256"}, ("x.toml: cpu: '256' is not a whole number",)),
        ({"cpu": True}, ("x.toml: cpu: True is not a whole number",)),
        ({"assign_public_ip": 1}, ("x.toml: assign_public_ip: 1 is not true or false",)),
        ({"subnets": "subnet-1"}, ("x.toml: subnets", "is not a list of strings")),
        ({"subnets": [1]}, ("x.toml: subnets", "is not a list of strings")),
        ({"subnets": []}, ("x.toml: subnets: missing or empty", "DEPLOY_SUBNETS")),
        ({"variables": {"A": 1}}, ("x.toml: variables", "is not a table of strings")),
        ({"architecture": "x86"}, ("x.toml: architecture: 'x86' is not one of: X86_64, ARM64",)),
        ({"variables": {"DB_PASSWORD": "x"}}, ("x.toml: variables: DB_PASSWORD", "task role")),
        ({"variables": {"AWS_ACCESS_KEY_ID": "x"}}, ("AWS_ACCESS_KEY_ID", "task role")),
        ({"variables": {"S3_KEY": "x"}}, ("x.toml: variables: S3_KEY", "set by the deploy tool")),
        ({"schedule": "every day"}, ("x.toml: schedule: 'every day' is not like rate(1 day)",)),
        ({"run_variables": {"RUN_ID": "x"}}, ("RUN_ID", "set by the deploy tool")),
        ({"run_variables": {"AWS_SECRET_ACCESS_KEY": "x"}}, ("run_variables", "task role")),
    ],
)
def test_a_mistake_gets_one_line(changes: dict[str, Any], words: tuple[str, ...]) -> None:
    """The line names the file, the key, and what is allowed."""
    with pytest.raises(Refused) as caught:
        read(changes)

    assert "\n" not in str(caught.value)
    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize(
    ("variable", "text", "words"),
    [
        ("DEPLOY_CPU", "many", "DEPLOY_CPU: 'many' is not a whole number"),
        ("DEPLOY_ASSIGN_PUBLIC_IP", "yes", "DEPLOY_ASSIGN_PUBLIC_IP: 'yes' is not true or false"),
        ("DEPLOY_VARIABLES", "A", "DEPLOY_VARIABLES: its value is not a table of strings"),
    ],
)
def test_a_mistake_in_a_variable_names_the_variable(variable: str, text: str, words: str) -> None:
    """Not the file, which is right."""
    with pytest.raises(Refused, match=words):
        read({}, {variable: text})


def test_an_unknown_name_lists_the_known() -> None:
    """A typing mistake in `--env` is told together with what there is."""
    with pytest.raises(Refused) as caught:
        load("asessment", environ={})

    assert "assessment" in caught.value.advice


def test_a_file_that_is_no_toml_says_where(tmp_path: Path) -> None:
    """The parser's own words, with the line."""
    (tmp_path / "bad.toml").write_text("cluster = \n")

    with pytest.raises(Refused, match=r"bad\.toml: not TOML: .*line 1"):
        load(str(tmp_path / "bad.toml"), environ={})
