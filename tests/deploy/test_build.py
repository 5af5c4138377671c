"""Engines, builds and pushes. The engines here are small programs that act like the real ones."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy.aws import Clients
from deploy.environment import Environment
from deploy.image.build import build, build_command, smoke_run
from deploy.image.engine import find_engine
from deploy.image.push import digest_of, push
from deploy.image.source_tree import Source
from deploy.outcome import NotLaunched, Refused

if TYPE_CHECKING:
    from tests.deploy.conftest import Recorded

COMMIT = "0123456789abcdef0123456789abcdef01234567"
IMAGE = "micro-etl:0123456789ab"

MakeEngine = Callable[..., str]


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """A clean commit."""
    return Source(
        root=tmp_path,
        commit=COMMIT,
        tree="",
        changed="",
        url="https://example.org/micro-etl",
    )


@pytest.fixture
def make_engine(tmp_path: Path) -> MakeEngine:
    """Make a program that acts like an engine, and notes its arguments and its input.

    Args of what it makes:
        folder: Where it lies.
        name: What it is called.
        cases: More branches of its shell `case` over all its arguments; they come first.
    """

    def make(folder: str, *, name: str = "docker", cases: str = "") -> str:
        path = tmp_path / folder / name
        path.parent.mkdir(exist_ok=True)
        found = [{"Architecture": "amd64", "Config": {"User": "10001:10001"}, "Id": "sha256:1"}]
        path.write_text(
            "#!/bin/sh\n"
            f'echo "$0 $*" >> {tmp_path}/called\n'
            f'case "$*" in\n{cases}\n'
            f"'image inspect'*) echo '{json.dumps(found)}' ;;\n"
            "esac\n"
        )
        path.chmod(0o755)
        return str(path)

    return make


def called(tmp_path: Path) -> str:
    """Every command line that the engines were given."""
    return (tmp_path / "called").read_text()


NO_BUILDX = (
    "'build --help') if [ $DOCKER_BUILDKIT = 1 ]; then"
    " echo 'ERROR: BuildKit is enabled but the buildx component is missing' >&2; exit 1; fi ;;"
)
NO_DAEMON = "ps) echo 'Cannot connect to the Docker daemon' >&2; exit 1 ;;"


def path_of(*engines: str) -> dict[str, str]:
    """An environment whose path leads to these engines, and to the shell's own programs."""
    folders = [str(Path(engine).parent) for engine in engines]
    return {"PATH": os.pathsep.join(folders)}


def test_a_docker_that_cannot_build_is_passed_over(make_engine: MakeEngine) -> None:
    """For another one further on the path, whose BuildKit is built in or has its plugin."""
    bad = make_engine("a", cases=NO_BUILDX)
    good = make_engine("b")

    assert find_engine(path_of(bad, good)) == good


def test_what_each_engine_lacks_is_told(make_engine: MakeEngine) -> None:
    """In its own words, with what to install."""
    bad = make_engine("a", cases=NO_BUILDX)
    off = make_engine("b", cases=NO_DAEMON)

    with pytest.raises(Refused) as caught:
        find_engine(path_of(bad, off))

    assert f"{bad} build ended with 1: ERROR: BuildKit is enabled but" in str(caught.value)
    assert f"{off} ps ended with 1: Cannot connect to the Docker daemon" in str(caught.value)
    assert "buildx" in caught.value.advice
    assert "CONTAINER_ENGINE" in caught.value.advice


def test_the_engine_that_the_user_names_is_the_only_one(make_engine: MakeEngine) -> None:
    """No other is taken instead, and its name is told."""
    good = make_engine("a")
    named = make_engine("b", name="podman")

    assert find_engine(path_of(good) | {"CONTAINER_ENGINE": named}) == named
    with pytest.raises(Refused, match="/no/engine ps: No such file"):
        find_engine(path_of(good) | {"CONTAINER_ENGINE": "/no/engine"})


def test_without_any_engine_the_user_is_told_what_to_install(tmp_path: Path) -> None:
    """And which one would be used."""
    with pytest.raises(Refused, match="there is no `docker` on the PATH") as caught:
        find_engine({"PATH": str(tmp_path)})

    assert "Docker" in caught.value.advice


def test_the_image_is_built_for_the_task_and_labelled(
    environment: Environment, source: Source
) -> None:
    """By the same command, with the plugin and without it."""
    found = build_command("docker", environment, source, context=source.root, image="micro-etl:x")

    assert found == [
        *("docker", "build", "--platform", "linux/amd64"),
        f"--build-arg=REVISION={COMMIT}",
        "--build-arg=SOURCE=https://example.org/micro-etl",
        *("--tag", "micro-etl:x", str(source.root)),
    ]


def test_the_environment_can_change_base_flags_and_architecture(
    environment: Environment, source: Source
) -> None:
    """A base pinned by digest, flags of the engine's, ARM."""
    chosen = replace(
        environment, architecture="ARM64", base_image="b@sha256:1", build_flags=("--network=host",)
    )

    found = build_command("docker", chosen, source, context=source.root, image="micro-etl:x")

    assert found[2:4] == ["--platform", "linux/arm64"]
    assert "--build-arg=BASE_IMAGE=b@sha256:1" in found
    assert "--network=host" in found


def test_the_smoke_run_is_as_locked_down_as_a_task(
    make_engine: MakeEngine, tmp_path: Path, environment: Environment
) -> None:
    """And has no network, so that it can't publish anything."""
    smoke_run(make_engine("a"), environment, IMAGE)

    assert called(tmp_path).endswith(
        "/docker run --rm --platform linux/amd64 --network none --read-only --tmpfs /tmp"
        " --cap-drop ALL --security-opt no-new-privileges micro-etl:0123456789ab datasets\n"
    )


def test_a_build_gives_one_plain_image_that_a_task_can_run(
    make_engine: MakeEngine, tmp_path: Path, environment: Environment, source: Source
) -> None:
    """Built by BuildKit, and without an index for a document of its provenance."""
    settings = f"echo $DOCKER_BUILDKIT $BUILDX_NO_DEFAULT_ATTESTATIONS > {tmp_path}/settings"
    engine = make_engine("a", cases=f"build*) {settings} ;;")

    found = build(engine, environment, source, context=source.root, timeout=60)

    assert found == IMAGE
    assert (tmp_path / "settings").read_text() == "1 1\n"


@pytest.mark.parametrize(
    ("cases", "words"),
    [
        ("build*) echo 'step one'; echo 'no space left' >&2; exit 1 ;;", "no space left"),
        (
            """'image inspect'*) echo '[{"Architecture": "arm64", "Config": {"User": "1"}}]' ;;""",
            "the image is for arm64, the task definition for amd64",
        ),
        (
            """'image inspect'*) echo '[{"Architecture": "amd64", "Config": {"User": ""}}]' ;;""",
            "runs as root",
        ),
        (
            """'image inspect'*) echo '[{"Architecture": "amd64", "Config": {"User": "0"}}]' ;;""",
            "runs as root",
        ),
        ("build*) sleep 30 ;;", "not done after 1 s"),
        ("'image inspect'*) echo 'No such image' >&2; exit 1 ;;", "No such image"),
    ],
)
def test_an_image_that_no_task_could_run_is_refused(
    make_engine: MakeEngine, environment: Environment, source: Source, cases: str, words: str
) -> None:
    """Before anything is pushed."""
    engine = make_engine("a", cases=cases)

    with pytest.raises(Refused, match=words):
        build(engine, environment, source, context=source.root, timeout=1)


def test_an_image_that_does_not_start_is_refused(
    make_engine: MakeEngine, environment: Environment
) -> None:
    """With the end of what it said, and advice where the architecture is the cause."""
    cases = "run*) echo 'exec /usr/local/bin/python: Exec format error'; exit 1 ;;"
    engine = make_engine("a", cases=cases)

    with pytest.raises(Refused, match=r"smoke run: .* run ended with 1: exec ") as caught:
        smoke_run(engine, environment, IMAGE)

    assert "QEMU" in caught.value.advice


TOKEN = {
    "GetAuthorizationToken": [{"authorizationData": [{"authorizationToken": "QVdTOnMzY3JldA=="}]}]
}


def test_a_push_logs_in_tags_and_pushes(
    make_engine: MakeEngine,
    tmp_path: Path,
    recorded: Recorded,
    recorded_clients: Clients,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The login is beside the user's own, whatever helper that uses, and ends with the push."""
    mine = tmp_path / "docker"
    (mine / "cli-plugins").mkdir(parents=True)
    (mine / "config.json").write_text(
        json.dumps({"credsStore": "ecr-login", "currentContext": "c", "auths": {"mine": {}}})
    )
    monkeypatch.setenv("DOCKER_CONFIG", str(mine))
    before = (mine / "config.json").read_text()
    cases = (
        f"push*) cat $DOCKER_CONFIG/config.json > {tmp_path}/input;"
        f" ls $DOCKER_CONFIG > {tmp_path}/listed ;;"
    )
    engine = make_engine("a", cases=cases)
    recorded.answers = TOKEN

    remote = "1.dkr.ecr.eu-west-1.amazonaws.com/trial-repo:0123456789ab"
    push(recorded_clients.ecr, engine, IMAGE, remote=remote)

    assert json.loads((tmp_path / "input").read_text()) == {
        "currentContext": "c",
        "auths": {"1.dkr.ecr.eu-west-1.amazonaws.com": {"auth": "QVdTOnMzY3JldA=="}},
    }
    assert (tmp_path / "listed").read_text().split() == ["cli-plugins", "config.json"]
    assert (mine / "config.json").read_text() == before
    assert called(tmp_path).splitlines() == [
        f"{engine} tag micro-etl:0123456789ab {remote}",
        f"{engine} push {remote}",
    ]


@pytest.mark.parametrize("content", ["{", "[]", "\udcff"])
def test_a_broken_configuration_of_the_engine_is_told(
    content: str,
    make_engine: MakeEngine,
    tmp_path: Path,
    recorded: Recorded,
    recorded_clients: Clients,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By its file."""
    (tmp_path / "config.json").write_text(content, errors="surrogateescape")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    recorded.answers = TOKEN

    with pytest.raises(NotLaunched, match=r"config\.json (is not JSON|should hold)"):
        push(recorded_clients.ecr, make_engine("a"), IMAGE, remote="r/trial-repo:t")


def test_a_push_that_fails_is_not_launched(
    make_engine: MakeEngine, recorded: Recorded, recorded_clients: Clients
) -> None:
    """With the last line of what the engine said."""
    cases = "push*) echo 'preparing'; echo 'denied: no basic auth credentials'; exit 1 ;;"
    engine = make_engine("a", cases=cases)
    recorded.answers = TOKEN

    with pytest.raises(NotLaunched, match="push ended with 1: denied: no basic auth credentials"):
        push(recorded_clients.ecr, engine, IMAGE, remote="r/trial-repo:t")


def test_without_a_token_the_permission_is_named(
    make_engine: MakeEngine, recorded: Recorded, recorded_clients: Clients
) -> None:
    """Which has no resource but the star."""
    engine = make_engine("a")
    recorded.answers = {"GetAuthorizationToken": [("AccessDeniedException", "no")]}

    with pytest.raises(NotLaunched, match="no token for ECR: no") as caught:
        push(recorded_clients.ecr, engine, IMAGE, remote="r/trial-repo:t")

    assert "ecr:GetAuthorizationToken on *" in caught.value.advice


def test_a_tag_is_looked_up(clients: Clients) -> None:
    """Its digest, nothing for one that is not there, an error without the repository."""
    clients.ecr.create_repository(repositoryName="trial-repo")
    put = clients.ecr.put_image(
        repositoryName="trial-repo", imageManifest='{"schemaVersion": 2}', imageTag="there"
    )

    there = digest_of(clients.ecr, repository="trial-repo", tag="there")
    gone = digest_of(clients.ecr, repository="trial-repo", tag="gone")

    assert there == put["image"]["imageId"]["imageDigest"]
    assert gone == ""
    with pytest.raises(Refused, match="ECR repository no-repo"):
        digest_of(clients.ecr, repository="no-repo", tag="t")


def test_a_tag_that_ecr_does_not_know_is_not_there(
    recorded: Recorded, recorded_clients: Clients
) -> None:
    """ECR itself says so with an error."""
    recorded.answers = {"DescribeImages": [("ImageNotFoundException", "no")]}

    assert digest_of(recorded_clients.ecr, repository="trial-repo", tag="t") == ""


def test_a_tag_is_looked_up_in_another_way_where_the_first_is_denied(
    recorded: Recorded, recorded_clients: Clients
) -> None:
    """Whoever may push may ask for an image."""
    denied = ("AccessDeniedException", "no")
    recorded.answers = {
        "DescribeImages": [denied],
        "BatchGetImage": [
            {"images": [{"imageId": {"imageDigest": "sha256:1"}}], "failures": []},
            {"images": [], "failures": [{"failureCode": "ImageNotFound"}]},
            denied,
        ],
    }

    def look() -> str:
        return digest_of(recorded_clients.ecr, repository="trial-repo", tag="t")

    assert (look(), look()) == ("sha256:1", "")
    with pytest.raises(Refused) as caught:
        look()
    assert "ecr:DescribeImages" in caught.value.advice
