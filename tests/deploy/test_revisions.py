"""Registering, marking and rolling back to revisions, in the emulator."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from deploy.aws import Clients
from deploy.commands import run_command
from deploy.outcome import NotLaunched, Refused
from deploy.rollback import chosen_revision
from deploy.target import Target
from deploy.task.definition import task_definition
from deploy.task.promote import promote_step
from deploy.task.register import register_step
from deploy.task.revisions import (
    PASSED,
    WITHDRAWN,
    Revision,
    deployed,
    good,
    mark,
    our_revisions,
    rollback_target,
)
from deploy.work import Work

if TYPE_CHECKING:
    from tests.deploy.conftest import MakeWork, Recorded

MakeRevision = Callable[..., Revision]
ADDRESS = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/trial-repo"


def image(number: int) -> str:
    """The image of a revision."""
    return f"{ADDRESS}@{digest(number)}"


def digest(number: int) -> str:
    """A digest that a number stands for."""
    return f"sha256:{number:064x}"


def register_many(clients: Clients, target: Target, count: int) -> list[Revision]:
    """Register this many revisions and return them, newest first."""
    for number in range(1, count + 1):
        clients.ecs.register_task_definition(**task_definition(target, image=image(number)))
    return list(our_revisions(clients, target.environment))


def test_the_first_revision_is_registered(
    clients: Clients, target: Target, make_work: MakeWork
) -> None:
    """And told as wholly new."""
    work = make_work(target, clients)

    revision = register_step(work, image(1))

    assert (revision.label, revision.digest) == ("trial-task:1", digest(1))
    assert work.verdict.facts["changes"]


def test_nothing_is_registered_without_a_difference(
    clients: Clients, target: Target, make_work: MakeWork
) -> None:
    """The same environment and image stay the same revision."""
    work = make_work(target, clients)
    register_step(work, image(1))

    revision = register_step(work, image(1))

    assert (revision.label, work.verdict.facts["changes"]) == ("trial-task:1", [])
    assert len(list(our_revisions(clients, target.environment))) == 1


def test_a_difference_is_registered_and_told(
    clients: Clients, target: Target, make_work: MakeWork
) -> None:
    """Another image gives another revision, and one line."""
    work = make_work(target, clients)
    register_step(work, image(1))

    revision = register_step(work, image(2))

    assert revision.label == "trial-task:2"
    assert work.verdict.facts["changes"] == [f"~ micro-etl.image: {image(1)} → {image(2)}"]


def test_a_role_that_is_not_valid_is_explained(
    recorded: Recorded, recorded_clients: Clients, target: Target, make_work: MakeWork
) -> None:
    """With the statement that the caller's policy needs: no task can be launched so."""
    recorded.answers = {
        "ListTaskDefinitions": [{"taskDefinitionArns": []}],
        "RegisterTaskDefinition": [("ClientException", "Role is not valid")],
    }
    with pytest.raises(NotLaunched) as caught:
        register_step(make_work(target, recorded_clients), "i")

    assert "role/execution" in str(caught.value)
    assert json.dumps("iam:PassRole") in caught.value.advice


def test_revisions_of_others_are_not_ours(clients: Clients, target: Target) -> None:
    """Another family, another container, another repository, or an image by its tag."""
    definition = task_definition(target, image=image(1))
    clients.ecs.register_task_definition(**definition)
    clients.ecs.register_task_definition(**(definition | {"family": "trial-task-2"}))
    for change in (
        {"name": "web"},
        {"image": f"{ADDRESS}:latest"},
        {"image": f"{ADDRESS}-2@{digest(1)}"},
    ):
        container = definition["containerDefinitions"][0] | change
        clients.ecs.register_task_definition(**(definition | {"containerDefinitions": [container]}))

    found = [item.label for item in our_revisions(clients, target.environment)]

    assert found == ["trial-task:1"]


def test_revisions_come_newest_first_by_number(clients: Clients, target: Target) -> None:
    """Not by name, where 10 comes before 9."""
    found = register_many(clients, target, 11)

    assert [item.number for item in found] == list(range(11, 0, -1))


def test_marks_are_read_back(clients: Clients, target: Target) -> None:
    """A mark set by one machine is seen by every other."""
    third, second, _ = register_many(clients, target, 3)

    mark(clients, second, PASSED)
    mark(clients, third, WITHDRAWN)
    found = list(our_revisions(clients, target.environment))

    assert [(item.passed, item.withdrawn) for item in found] == [
        (False, True),
        (True, False),
        (False, False),
    ]
    assert deployed(found) == found[1]
    assert good(found) == found[1]


def test_passing_again_takes_the_withdrawal_back(clients: Clients, target: Target) -> None:
    """A revision that is gone back to is the deployed one again."""
    (only,) = register_many(clients, target, 1)
    mark(clients, only, WITHDRAWN)
    (withdrawn,) = our_revisions(clients, target.environment)

    mark(clients, withdrawn, PASSED)

    (found,) = our_revisions(clients, target.environment)
    assert (found.passed, found.withdrawn) == (True, False)


PASS: dict[str, str] = {PASSED: "2026-01-01"}
GONE = {WITHDRAWN: "2026-01-01"}


@pytest.mark.parametrize(
    ("marks", "deployed_one", "good_one", "back_to"),
    [
        ([], None, None, None),
        ([{}], 1, None, None),
        ([PASS], 1, 1, None),
        ([{}, PASS], 2, 1, 1),
        ([{}, {}, PASS], 3, 1, 1),
        ([PASS, PASS], 2, 2, 1),
        ([PASS, {}, PASS], 3, 3, 1),
        ([PASS | GONE, PASS], 1, 1, None),
        ([GONE, PASS, PASS], 2, 2, 1),
        ([{}, PASS | GONE, PASS], 3, 1, 1),
    ],
)
def test_what_is_deployed_what_is_good_and_where_a_rollback_goes(
    make_revision: MakeRevision,
    marks: list[dict[str, str]],
    deployed_one: int | None,
    good_one: int | None,
    back_to: int | None,
) -> None:
    """Revisions are given newest first."""
    revisions = [make_revision(len(marks) - index, tags=tags) for index, tags in enumerate(marks)]

    def number(revision: Revision | None) -> int | None:
        return revision.number if revision else None

    assert number(deployed(revisions)) == deployed_one
    assert number(good(revisions)) == good_one
    assert number(rollback_target(revisions)) == back_to


def test_promoting_marks_and_says_so_once(
    clients: Clients, world: Target, make_work: MakeWork, told: Callable[[Work], str]
) -> None:
    """A second time, nothing is needed."""
    register_many(clients, world, 1)
    work = make_work(world, clients)

    for _ in range(2):
        promote_step(work, our_revisions(clients, world.environment)[0])

    assert told(work).splitlines() == [
        "promote    trial-task:1 is the good one now",
        "promote    not needed: trial-task:1 is marked as good",
    ]


def test_a_mark_that_is_not_allowed_is_no_failure(
    clients: Clients, world: Target, make_work: MakeWork, told: Callable[[Work], str]
) -> None:
    """The deploy has passed its test all the same; the user learns what rollback will need."""
    (revision,) = register_many(clients, world, 1)
    work = make_work(world, clients)
    denied = Stubber(clients.ecs)
    denied.add_client_error("tag_resource", "AccessDeniedException", "no")

    with denied:
        promote_step(work, revision)

    assert "not all marks of trial-task:1 were made: TagResource: no" in told(work)
    assert "--to NUMBER" in told(work)


def test_whatever_comes_after_the_test_fails_nothing(
    clients: Clients, world: Target, make_work: MakeWork, told: Callable[[Work], str]
) -> None:
    """What has been proven stays proven: no mark is worth a failed deploy."""
    (revision,) = register_many(clients, world, 1)
    work = make_work(world, clients)
    throttled = Stubber(clients.ecs)
    throttled.add_client_error("tag_resource", "ThrottlingException", "slow down")

    with throttled:
        promote_step(work, revision)

    assert work.verdict.facts["good"] is None
    assert "TagResource: slow down" in told(work)


def test_whoever_may_not_list_sees_the_latest_and_can_name_another(
    clients: Clients, world: Target, make_work: MakeWork
) -> None:
    """A deploy goes on without ecs:ListTaskDefinitions; so does a rollback --to NUMBER."""
    register_many(clients, world, 3)
    work = make_work(world, clients)
    denied = {"Error": {"Code": "AccessDeniedException", "Message": "no"}}

    def deny(**_: object) -> None:
        raise ClientError(denied, "ListTaskDefinitions")  # type: ignore[arg-type]

    clients.ecs.meta.events.register("before-call.ecs.ListTaskDefinitions", deny)

    found = our_revisions(clients, world.environment)
    first = chosen_revision(work, found, 1)

    assert [item.number for item in found] == [3]
    assert first is not None
    assert first.number == 1


def test_a_revision_that_is_not_there_is_told_with_those_that_are(
    clients: Clients, world: Target, make_work: MakeWork
) -> None:
    """A wrong number runs nothing."""
    register_many(clients, world, 2)

    with pytest.raises(Refused, match=r"trial-task:9 is no active revision .* there are: 2, 1"):
        run_command(make_work(world, clients), number=9)


def test_without_any_revision_there_is_nothing_to_run(
    clients: Clients, world: Target, make_work: MakeWork
) -> None:
    """The user is told what makes one."""
    with pytest.raises(Refused, match="no revision of trial-task to run") as caught:
        run_command(make_work(world, clients), number=None)

    assert "./deploy.sh" in caught.value.advice
