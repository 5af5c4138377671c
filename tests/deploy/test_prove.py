"""The proof: the pushed image ran, this run wrote the object, and the object is right."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.stub import Stubber

from deploy.aws import Clients
from deploy.image.push import children_of
from deploy.outcome import Exit, Refused, Unproven
from deploy.proof import prove
from deploy.proof.columns import new_columns
from deploy.proof.integration import integration_test, pytest_variables
from deploy.proof.prove import prove_digest, prove_written
from deploy.target import Target
from deploy.task.task_run import TaskRun
from deploy.work import Work
from tests.deploy.test_source_tree import git

if TYPE_CHECKING:
    from tests.deploy.conftest import MakeWork, Recorded

MakeTask = Callable[..., dict[str, Any]]
PUSHED = "sha256:" + "a1" * 32
OTHER = "sha256:" + "b2" * 32


@pytest.fixture
def work(clients: Clients, world: Target, make_work: MakeWork) -> Work:
    """What the proof takes, in the emulator."""
    return make_work(world, clients)


def test_the_digest_that_ran_is_the_one_that_was_pushed(work: Work, make_task: MakeTask) -> None:
    """As ECS reports it, not as the task definition has it."""
    run = TaskRun(arn="a", run_id="r", task=make_task())

    found = prove_digest(work, run, pushed=PUSHED)

    assert found == "the pushed image ran: sha256:a1a1a1a1a1a1"


def test_another_digest_is_a_failed_test(work: Work, make_task: MakeTask) -> None:
    """Both are named."""
    run = TaskRun(arn="a", run_id="r", task=make_task(container={"imageDigest": OTHER}))

    with pytest.raises(Unproven, match=f"{OTHER}, pushed was {PUSHED}") as caught:
        prove_digest(work, run, pushed=PUSHED)

    assert caught.value.exit_code == Exit.TEST_FAILED


def test_without_a_reported_digest_the_reference_decides(work: Work, make_task: MakeTask) -> None:
    """And the user is told that it was this which decided."""
    unreported = make_task(container={"imageDigest": None})
    by_tag = make_task(container={"imageDigest": None, "image": "repo:latest"})

    found = prove_digest(work, TaskRun(arn="a", run_id="r", task=unreported), pushed=PUSHED)

    assert "by its reference" in found
    with pytest.raises(Unproven, match="repo:latest"):
        prove_digest(work, TaskRun(arn="a", run_id="r", task=by_tag), pushed=PUSHED)


def put_object(clients: Clients, run_id: str) -> str:
    """Put the object as a run of this id writes it; return its ETag."""
    answer = clients.s3.put_object(
        Bucket="trial-bucket",
        Key="launches.parquet",
        Body=run_id.encode(),
        Metadata={"run-id": run_id, "rows": "5"},
    )
    return answer["ETag"]


def unchanged(etag: str) -> list[str]:
    """The log of a run that found the object unchanged."""
    plain = etag.strip('"')
    return [f'{{"event": "run_finished", "result": "unchanged", "etag": "{plain}"}}']


def test_the_run_that_wrote_the_object_is_in_its_metadata(clients: Clients, work: Work) -> None:
    """And the integration test is told to expect it."""
    put_object(clients, "mine")

    text, expected = prove_written(work, TaskRun(arn="a", run_id="mine"))

    assert text == "this run wrote s3://trial-bucket/launches.parquet"
    assert expected == "mine"


def test_an_unchanged_object_is_the_one_that_the_run_compared_with(
    clients: Clients, work: Work
) -> None:
    """It keeps the id of the run that wrote it."""
    etag = put_object(clients, "older")
    run = TaskRun(arn="a", run_id="mine", lines=unchanged(etag))

    text, expected = prove_written(work, run)

    assert "nothing had changed" in text
    assert expected == "older"


def test_an_object_that_was_replaced_meanwhile_is_a_failed_test(
    clients: Clients, work: Work
) -> None:
    """The run's word that nothing changed is about another object then."""
    etag = put_object(clients, "older")
    put_object(clients, "another")

    with pytest.raises(Unproven, match="was replaced after this run"):
        prove_written(work, TaskRun(arn="a", run_id="m", lines=unchanged(etag)))


@pytest.mark.parametrize(
    ("writer", "log", "denied", "words", "advice"),
    [
        ("another", [], False, "can't be told without the end of its log", "came too late"),
        (
            "another",
            ['{"event": "run_finished", "result": "published"}'],
            False,
            "not of this run (mine), but of another",
            "another run",
        ),
        ("another", [], True, "not of this run", "logs:GetLogEvents"),
    ],
)
def test_an_object_of_another_run_is_a_failed_test(
    clients: Clients,
    work: Work,
    writer: str,
    log: list[str],
    denied: bool,
    words: str,
    advice: str,
) -> None:
    """A good exit code is no proof that something was written."""
    put_object(clients, writer)

    with pytest.raises(Unproven) as caught:
        prove_written(work, TaskRun(arn="a", run_id="mine", lines=log, log_denied=denied))

    assert words in str(caught.value)
    assert advice in caught.value.advice


def test_an_object_without_an_id_is_told_so(clients: Clients, work: Work) -> None:
    """Something else wrote it."""
    clients.s3.put_object(Bucket="trial-bucket", Key="launches.parquet", Body=b"x")

    with pytest.raises(Unproven, match="one without an id"):
        prove_written(work, TaskRun(arn="a", run_id="mine"))


def test_a_missing_object_is_a_failed_test(work: Work) -> None:
    """Whatever the exit code was."""
    with pytest.raises(Unproven, match=r"s3://trial-bucket/launches\.parquet is not there"):
        prove_written(work, TaskRun(arn="a", run_id="mine"))


def test_an_object_that_may_not_be_read_names_the_permission(clients: Clients, work: Work) -> None:
    """Which is the caller's, not the task's."""
    with Stubber(clients.s3) as stub:
        stub.add_client_error("head_object", "403", http_status_code=403)
        with pytest.raises(Unproven) as caught:
            prove_written(work, TaskRun(arn="a", run_id="mine"))

    assert "s3:GetObject" in caught.value.advice


@pytest.fixture
def checkout(tmp_path: Path) -> Callable[[str], Path]:
    """Make a checkout whose integration test is this text."""

    def make(text: str) -> Path:
        folder = tmp_path / "tests" / "integration"
        folder.mkdir(parents=True)
        (folder / "test_it.py").write_text(text)
        # Neither the settings nor the fixtures of other tests may matter.
        (tmp_path / "pyproject.toml").write_text(
            '[tool.pytest.ini_options]\naddopts = "--no-such-flag"\n'
        )
        (tmp_path / "tests" / "conftest.py").write_text("raise RuntimeError('not for this test')")
        return tmp_path

    return make


def test_the_integration_test_gets_where_to_look(
    target: Target, checkout: Callable[[str], Path]
) -> None:
    """In its environment, with nothing else of the project around it."""
    root = checkout(
        "import os\n"
        "def test_one():\n"
        "    assert os.environ['S3_BUCKET'] == 'trial-bucket'\n"
        "    assert os.environ['S3_KEY'] == 'launches.parquet'\n"
        "    assert os.environ['EXPECTED_RUN_ID'] == 'mine'\n"
        "    assert os.environ['AWS_DEFAULT_REGION'] == 'eu-west-1'\n"
        "def test_two():\n"
        "    pass\n"
    )

    report = integration_test(target, root=root, expected_run_id="mine", timeout=60)

    assert report == (2, [])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def test_rows():\n    assert 186 == 187\n", "test_rows - assert 186 == 187"),
        (
            "import pytest\ndef test_values():\n    pytest.skip('the source has changed')\n",
            "could not tell:\nthe source has changed",
        ),
        ("import no_such_module\n", "no_such_module"),
        ("", "holds no test"),
    ],
)
def test_whatever_is_no_pass_is_a_failed_test(
    target: Target, checkout: Callable[[str], Path], text: str, words: str
) -> None:
    """A failure, a skip, a test that can't be read, or none at all."""
    with pytest.raises(Unproven) as caught:
        integration_test(target, root=checkout(text), expected_run_id="mine", timeout=60)

    assert words in str(caught.value)


def test_what_cannot_be_checked_without_a_run_is_told(
    target: Target, checkout: Callable[[str], Path]
) -> None:
    """`test` alone has no run to expect."""
    root = checkout(
        "import pytest\ndef test_a():\n    pass\ndef test_b():\n    pytest.skip('no run')\n"
    )

    report = integration_test(target, root=root, expected_run_id="", timeout=60)

    assert report == (1, ["no run"])


def test_a_test_that_hangs_is_ended(target: Target, checkout: Callable[[str], Path]) -> None:
    """And the user told which flag gives it longer."""
    root = checkout("import time\ndef test_slow():\n    time.sleep(60)\n")

    with pytest.raises(Unproven, match="not done after 2 s") as caught:
        integration_test(target, root=root, expected_run_id="", timeout=2)

    assert "--test-timeout" in caught.value.advice


def test_without_a_checkout_the_test_does_not_start(target: Target, tmp_path: Path) -> None:
    """The end of what pytest says is shown."""
    with pytest.raises(Unproven, match=r"(?s)(did not start|failed).*tests/integration"):
        integration_test(target, root=tmp_path, expected_run_id="", timeout=60)


def test_the_source_is_the_environments(target: Target) -> None:
    """The test must fetch what the task fetched, not what the user's shell names."""
    environment = replace(target.environment, source_url="https://example.org/x")
    mine = {
        "SOURCE_URL": "https://example.org/mine",
        "HOME": "/home/me",
        "PYTEST_ADDOPTS": "-k nothing",
    }

    found = pytest_variables(replace(target, environment=environment), mine, expected_run_id="")

    assert found["SOURCE_URL"] == "https://example.org/x"
    assert found["HOME"] == "/home/me"
    assert not {"EXPECTED_RUN_ID", "PYTEST_ADDOPTS"} & found.keys()
    assert "SOURCE_URL" not in pytest_variables(target, mine, expected_run_id="")


def test_a_child_of_the_pushed_index_is_the_pushed_image(
    target: Target,
    make_work: MakeWork,
    make_task: MakeTask,
    recorded: Recorded,
    recorded_clients: Clients,
) -> None:
    """ECS can report the digest of the platform's image; it is looked for only then."""
    run = TaskRun(arn="a", run_id="r", task=make_task(container={"imageDigest": OTHER}))
    work = make_work(target, recorded_clients)
    manifests = [json.dumps({"manifests": [{"digest": item}]}) for item in (OTHER, "sha256:other")]
    recorded.answers = {
        "BatchGetImage": [{"images": [{"imageManifest": manifest}]} for manifest in manifests]
    }

    found = prove_digest(work, run, pushed=PUSHED)

    assert found.startswith("the pushed image ran")
    with pytest.raises(Unproven):
        prove_digest(work, run, pushed=PUSHED)


def test_the_children_of_an_index_are_in_its_manifest(
    recorded: Recorded, recorded_clients: Clients
) -> None:
    """One image has none, and neither has what may not be read."""
    index = json.dumps({"manifests": [{"digest": OTHER}, {"digest": "sha256:arm"}]})
    recorded.answers = {
        "BatchGetImage": [
            {"images": [{"imageManifest": index}]},
            {"images": [{"imageManifest": "{}"}]},
            ("AccessDeniedException", "no"),
        ]
    }

    found = [
        children_of(recorded_clients.ecr, repository="trial-repo", digest=PUSHED) for _ in range(3)
    ]

    assert found == [{OTHER, "sha256:arm"}, set(), set()]


@pytest.mark.parametrize("denied", [False, True])
def test_unchanged_data_are_proven_without_a_log(
    clients: Clients, work: Work, denied: bool
) -> None:
    """A log can lose its last line, or not be readable; the object is as before a good run."""
    etag = put_object(clients, "older")
    run = TaskRun(arn="a", run_id="mine", log_denied=denied)

    text, expected = prove_written(work, run, before=etag)

    assert "as before this run, which ended well" in text
    assert expected == "older"
    put_object(clients, "another")
    with pytest.raises(Unproven):
        prove_written(work, run, before=etag)


def test_the_test_is_told_which_dataset_and_where_its_raw_copies_are(target: Target) -> None:
    """So that it can read both again."""
    chosen = replace(target.environment, dataset="orders", variables={"RAW_URL": "s3://b/raw"})

    given = pytest_variables(replace(target, environment=chosen), {}, expected_run_id="")

    assert (given["DATASET"], given["RAW_URL"]) == ("orders", "s3://b/raw")


def test_other_columns_are_told_before_a_run_needs_force(
    clients: Clients,
    world: Target,
    make_work: MakeWork,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the published object's own schema and the dataset file."""
    schema = pa.schema(
        [
            pa.field("id", pa.int64(), nullable=False),
            pa.field("price", pa.decimal128(12, 2)),
            pa.field("gone", pa.string()),
        ]
    )
    sink = io.BytesIO()
    pq.write_table(schema.empty_table(), sink)
    clients.s3.put_object(Bucket="trial-bucket", Key="launches.parquet", Body=sink.getvalue())
    (tmp_path / "datasets").mkdir()
    file = tmp_path / "datasets" / "launches.toml"
    monkeypatch.setattr("deploy.environment.ROOT", tmp_path)
    same = (
        'name = "launches"\n[columns]\nid = { type = "int64", required = true }\n'
        'price = { type = "decimal(12,2)" }\n'
    )
    file.write_text(same + 'gone = { type = "string" }\n')
    work = make_work(world, clients)
    assert new_columns(work) == []
    file.write_text(same.replace("int64", "int32") + 'labels = { type = "string[]" }\n')

    assert new_columns(work) == [
        "- gone = string",
        "~ id: int64 required → int32 required",
        "+ labels = list<string>",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [("name = ", "not TOML"), ('title = "x"', "name: missing"), ("name = 1", "name")],
)
def test_a_dataset_file_that_cannot_be_read_is_named(
    work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, words: str
) -> None:
    """In one line, by whatever reads it."""
    file = tmp_path / "datasets" / "launches.toml"
    file.parent.mkdir()
    file.write_text(text)
    monkeypatch.setattr("deploy.environment.ROOT", tmp_path)

    with pytest.raises(Refused, match=f"launches.toml: .*{words}"):
        new_columns(work)
    with pytest.raises(Refused, match=f"launches.toml: .*{words}"):
        _ = work.environment.dataset_name


def test_a_dataset_file_without_columns_is_left_to_the_run(
    work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which says what is wrong with it."""
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "launches.toml").write_text('name = "launches"')
    monkeypatch.setattr("deploy.environment.ROOT", tmp_path)

    assert new_columns(work) == []


def test_the_dataset_file_is_that_of_the_images_commit(
    work: Work,
    make_task: MakeTask,
    make_revision: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A rollback goes to an image whose dataset file can differ from the checkout's."""
    file = tmp_path / "datasets" / "launches.toml"
    file.parent.mkdir()
    file.write_text('name = "older"')
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "x")
    commit = git(tmp_path, "rev-parse", "HEAD").strip()[:12]
    file.write_text('name = "newer"')
    monkeypatch.setattr("deploy.environment.ROOT", tmp_path)
    read = []

    def integration_test(target: Target, **_: object) -> tuple[int, list[str]]:
        read.append(target.environment.dataset_name)
        return 1, []

    monkeypatch.setattr(prove, "integration_test", integration_test)
    put_object(work.clients, "mine")
    run = TaskRun("a", "mine", task=make_task())
    for tags in ([commit, f"good-{commit}"], [f"{commit}-dirty-0123abcd"], []):
        monkeypatch.setattr(prove, "tags_of", lambda *_, found=tags, **__: found)
        prove.proof_step(work, run, make_revision(7), before="")

    assert read == ["older", "newer", "newer"]
