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
from deploy.image.build import Image, build, build_command, smoke_command, smoke_run
from deploy.image.engine import Engine, find_engine
from deploy.image.push import digest_of, push
from deploy.image.source_tree import Source
from deploy.outcome import NotLaunched, Refused

if TYPE_CHECKING:
    from tests.deploy.conftest import Recorded

COMMIT = "0123456789abcdef0123456789abcdef01234567"
IMAGE = Image("micro-etl:0123456789ab", "10001")
DOCKER = Engine("docker", "docker", "20.10.24")
BUILDX = Engine("docker", "docker", "28.2.2", buildx=True)
PODMAN = Engine("podman", "podman", "5.4.0")

MakeEngine = Callable[..., str]


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """A clean commit."""
    return Source(
        root=tmp_path,
        commit=COMMIT,
        tree="",
        changed=(),
        version="1.2.3",
        url="https://example.org/micro-etl",
    )


@pytest.fixture
def make_engine(tmp_path: Path) -> MakeEngine:
    """Make a program that acts like an engine, and notes its arguments and its input.

    Args of what it makes:
        folder: Where it lies.
        name: What it is called.
        version: What `--version` prints.
        cases: More branches of its shell `case` over all its arguments; they come first.
    """

    def make(folder: str, *, name: str = "docker", version: str, cases: str = "") -> str:
        path = tmp_path / folder / name
        path.parent.mkdir(exist_ok=True)
        found = [{"Architecture": "amd64", "Config": {"User": "10001:10001"}, "Id": "sha256:1"}]
        path.write_text(
            "#!/bin/sh\n"
            f'echo "$0 $*" >> {tmp_path}/called\n'
            f'case "$*" in\n{cases}\n'
            f'--version) echo "{version}" ;;\n'
            'info*) echo "20.10.24" ;;\n'
            f"login*) cat >> {tmp_path}/input ;;\n"
            f"'image inspect'*) echo '{json.dumps(found)}' ;;\n"
            "esac\n"
        )
        path.chmod(0o755)
        return str(path)

    return make


def called(tmp_path: Path) -> str:
    """Return every command line that the engines were given."""
    return (tmp_path / "called").read_text()


NO_BUILDX = "'buildx version') echo 'docker: unknown command: docker buildx' >&2; exit 1 ;;"
NO_DAEMON = "info*) echo 'Cannot connect to the Docker daemon' >&2; exit 1 ;;"


def path_of(*engines: str) -> dict[str, str]:
    """Return an environment whose path leads to these engines, and to the shell's own programs."""
    folders = [str(Path(engine).parent) for engine in engines]
    return {"PATH": os.pathsep.join(folders)}


def test_docker_with_buildx_is_found(make_engine: MakeEngine) -> None:
    """The usual case."""
    docker = make_engine("a", version="Docker version 28.2.2, build e6534b4")

    found = find_engine(path_of(docker))

    assert (found.kind, found.version, found.buildx) == ("docker", "28.2.2", True)
    assert found.name == "docker 28.2.2 with buildx"


def test_an_older_docker_needs_no_buildx(make_engine: MakeEngine) -> None:
    """BuildKit is built in before version 23."""
    docker = make_engine("a", version="Docker version 20.10.24+dfsg1", cases=NO_BUILDX)

    found = find_engine(path_of(docker))

    assert (found.version, found.buildx) == ("20.10.24+dfsg1", False)


def test_a_docker_that_cannot_build_is_passed_over(make_engine: MakeEngine) -> None:
    """For a second one further on the path, or for Podman."""
    bad = make_engine("a", version="Docker version 28.2.2", cases=NO_BUILDX)
    old = make_engine("b", version="Docker version 20.10.24", cases=NO_BUILDX)
    podman = make_engine("c", name="podman", version="podman version 5.4.0")

    assert find_engine(path_of(bad, old, podman)).command == old
    assert find_engine(path_of(bad, podman)).kind == "podman"


def test_what_each_engine_lacks_is_told(make_engine: MakeEngine) -> None:
    """In one line, with what to install."""
    bad = make_engine("a", version="Docker version 28.2.2", cases=NO_BUILDX)
    off = make_engine("b", version="Docker version 28.2.2", cases=NO_DAEMON)

    with pytest.raises(Refused) as caught:
        find_engine(path_of(bad, off))

    assert f"{bad} 28.2.2 has no buildx plugin" in str(caught.value)
    assert f"{off} info: Cannot connect to the Docker daemon" in str(caught.value)
    assert "CONTAINER_ENGINE" in caught.value.advice


def test_the_engine_that_the_user_names_is_the_only_one(make_engine: MakeEngine) -> None:
    """No other is taken instead, and its name is told."""
    good = make_engine("a", version="Docker version 28.2.2")
    named = make_engine("b", name="nerdctl", version="podman version 5.0")

    assert find_engine(path_of(good) | {"CONTAINER_ENGINE": named}).command == named
    with pytest.raises(Refused, match="/no/engine is not installed"):
        find_engine(path_of(good) | {"CONTAINER_ENGINE": "/no/engine"})


def test_without_any_engine_the_user_is_told_what_to_install(tmp_path: Path) -> None:
    """Both kinds are named."""
    with pytest.raises(Refused, match="neither docker nor podman is installed") as caught:
        find_engine({"PATH": str(tmp_path)})

    assert "Docker" in caught.value.advice


@pytest.mark.parametrize(
    ("engine", "begin"),
    [
        (DOCKER, ["docker", "build", "--platform", "linux/amd64"]),
        (
            BUILDX,
            ["docker", "buildx", "build", "--load", "--provenance=false",
             "--platform", "linux/amd64"],
        ),
        (PODMAN, ["podman", "build", "--platform", "linux/amd64"]),
    ],
)  # fmt: skip
def test_each_engine_builds_in_its_own_way(
    environment: Environment, source: Source, engine: Engine, begin: list[str]
) -> None:
    """Always for the task's architecture, labelled, and one plain image."""
    found = build_command(
        engine,
        environment=environment,
        source=source,
        context=source.root,
        reference="micro-etl:x",
    )

    assert found == [
        *begin,
        *("--build-arg", f"REVISION={COMMIT}"),
        *("--build-arg", "VERSION=1.2.3"),
        *("--build-arg", "SOURCE=https://example.org/micro-etl"),
        *("--tag", "micro-etl:x", str(source.root)),
    ]


def test_the_environment_can_change_base_flags_and_architecture(
    environment: Environment, source: Source
) -> None:
    """A base pinned by digest, flags of the engine's, ARM."""
    chosen = replace(
        environment, architecture="ARM64", base_image="b@sha256:1", build_flags=("--network=host",)
    )

    found = build_command(
        DOCKER, environment=chosen, source=source, context=source.root, reference="micro-etl:x"
    )

    assert found[2:4] == ["--platform", "linux/arm64"]
    assert "BASE_IMAGE=b@sha256:1" in found
    assert "--network=host" in found


def test_the_smoke_run_is_as_locked_down_as_a_task() -> None:
    """And has no network, so that it can't publish anything."""
    assert smoke_command(DOCKER, IMAGE) == [
        *("docker", "run", "--rm", "--platform", "linux/amd64", "--network", "none"),
        *("--read-only", "--tmpfs", "/tmp"),
        *("--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
        *("micro-etl:0123456789ab", "datasets"),
    ]


def engine_of(command: str) -> Engine:
    """Return an older docker of this command."""
    return Engine(command, "docker", "20.10.24")


def test_a_build_gives_an_image_that_a_task_can_run(
    make_engine: MakeEngine, environment: Environment, source: Source
) -> None:
    """Its name, and the user that it runs as."""
    engine = engine_of(make_engine("a", version="x"))

    found = build(engine, environment=environment, source=source, context=source.root, timeout=60)

    assert found == Image("micro-etl:0123456789ab", "10001:10001")


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
    engine = engine_of(make_engine("a", version="x", cases=cases))

    with pytest.raises(Refused, match=words):
        build(engine, environment=environment, source=source, context=source.root, timeout=1)


def test_an_image_that_does_not_start_is_refused(make_engine: MakeEngine) -> None:
    """With the end of what it said, and advice where the architecture is the cause."""
    cases = "run*) echo 'exec /usr/local/bin/python: Exec format error'; exit 1 ;;"
    engine = engine_of(make_engine("a", version="x", cases=cases))

    with pytest.raises(Refused, match="`datasets` ended with 1:\nexec ") as caught:
        smoke_run(engine, IMAGE)

    assert "QEMU" in caught.value.advice


def test_a_push_logs_in_tags_pushes_and_asks_for_the_digest(
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
    engine = engine_of(make_engine("a", version="x", cases=cases))
    recorded.answers = {
        "GetAuthorizationToken": [
            {"authorizationData": [{"authorizationToken": "QVdTOnMzY3JldA=="}]}
        ],
        "DescribeImages": [{"imageDetails": [{"imageDigest": "sha256:1"}]}],
    }

    digest = push(
        recorded_clients.ecr,
        engine,
        image=IMAGE,
        address="1.dkr.ecr.eu-west-1.amazonaws.com/trial-repo",
        repository="trial-repo",
        tag="0123456789ab",
    )

    assert digest == "sha256:1"
    assert json.loads((tmp_path / "input").read_text()) == {
        "currentContext": "c",
        "auths": {"1.dkr.ecr.eu-west-1.amazonaws.com": {"auth": "QVdTOnMzY3JldA=="}},
    }
    assert (tmp_path / "listed").read_text().split() == ["cli-plugins", "config.json"]
    assert (mine / "config.json").read_text() == before
    remote = "1.dkr.ecr.eu-west-1.amazonaws.com/trial-repo:0123456789ab"
    assert called(tmp_path).splitlines() == [
        f"{engine.command} tag micro-etl:0123456789ab {remote}",
        f"{engine.command} push {remote}",
    ]


def test_podman_is_told_that_loopback_speaks_http(
    make_engine: MakeEngine, tmp_path: Path, recorded: Recorded, recorded_clients: Clients
) -> None:
    """Docker knows by itself; nothing but loopback is ever trusted so."""
    engine = Engine(make_engine("a", name="podman", version="x"), "podman", "5.4.0")
    recorded.answers = {
        "GetAuthorizationToken": [
            {"authorizationData": [{"authorizationToken": "QVdTOnMzY3JldA=="}]}
        ],
        "DescribeImages": [{"imageDetails": [{"imageDigest": "sha256:1"}]}],
    }

    for address in ("localhost:4566/trial-repo", "registry.example.org/trial-repo"):
        push(
            recorded_clients.ecr,
            engine,
            image=IMAGE,
            address=address,
            repository="trial-repo",
            tag="t",
        )

    assert called(tmp_path).count("--tls-verify=false") == 1


def test_a_push_that_fails_is_not_launched(
    make_engine: MakeEngine, recorded: Recorded, recorded_clients: Clients
) -> None:
    """With the last line of what the engine said."""
    cases = "push*) echo 'preparing'; echo 'denied: no basic auth credentials'; exit 1 ;;"
    engine = engine_of(make_engine("a", version="x", cases=cases))
    recorded.answers = {
        "GetAuthorizationToken": [
            {"authorizationData": [{"authorizationToken": "QVdTOnMzY3JldA=="}]}
        ]
    }

    with pytest.raises(NotLaunched, match="push failed: denied: no basic auth credentials"):
        push(
            recorded_clients.ecr,
            engine,
            image=IMAGE,
            address="r/trial-repo",
            repository="trial-repo",
            tag="t",
        )


def test_without_a_token_the_permission_is_named(
    make_engine: MakeEngine, recorded: Recorded, recorded_clients: Clients
) -> None:
    """Which has no resource but the star."""
    engine = engine_of(make_engine("a", version="x"))
    recorded.answers = {"GetAuthorizationToken": [("AccessDeniedException", "no")]}

    with pytest.raises(NotLaunched, match="no token for ECR: no") as caught:
        push(
            recorded_clients.ecr,
            engine,
            image=IMAGE,
            address="r/trial-repo",
            repository="trial-repo",
            tag="t",
        )

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
