"""Publishing, tried whole: each answer at each request, over all that can stand there, with others.

The number of paths is in `docs/reliability.md`, and these tests compare it.
"""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import obstore
import pytest
from obstore.store import S3Store

from micro_etl.dataset import bundled_dataset
from micro_etl.errors import AccessDeniedError, DataError, MicroEtlError, RaceLostError, TargetError
from micro_etl.location import Location
from micro_etl.store import Place
from micro_etl.tablefile import Description, Table
from micro_etl.target.load import load
from micro_etl.target.look import look
from micro_etl.target.outcome import Outcome
from tests.service.model import ANSWERS, CODES, STATUS, WRITES, ModelStore, error_of
from tests.service.servers import Answer, Request, s3_error, serve
from tests.torture.reliability import MODEL_PATHS

DATASET = bundled_dataset("launches")
SCHEMA = (("n", "OPTIONAL", "INTEGER"),)
NEW, OLD, OTHER, FOREIGN = (
    f"PAR1 {name} PAR1".encode() for name in ("new", "old", "other", "foreign")
)
GARBAGE = b"no table"
TABLES = (NEW, OLD, OTHER, FOREIGN)


def said(data: bytes, run_id: str, dataset: str = "launches") -> dict[str, str]:
    """What an object of ours says of itself."""
    return {
        "rows": "9",
        "content-sha256": hashlib.sha256(data).hexdigest(),
        "schema-sha256": "5c4e",
        "source-hash": "xxh128:50c3",
        "dataset": dataset,
        "version": "9",
        "run-id": run_id,
    }


STATES: dict[str, tuple[bytes, dict[str, str]] | None] = {
    "nothing": None,
    "an older table of ours": (OLD, said(OLD, "run-before")),
    "the same table of ours": (NEW, said(NEW, "run-before")),
    "the same table of ours, broken": (NEW + b"?", said(NEW, "run-before")),
    "another dataset's table": (OLD, said(OLD, "run-before", "orders")),
    "a foreign table": (FOREIGN, {}),
    "no table": (GARBAGE, {}),
}


class Course(NamedTuple):
    """What happens in one run.

    Attributes:
        state: what stands there at first.
        other: what another program does, "publishes", "deletes", or nothing.
        before: the request that it does so before.
        answer: what the store answers.
        at: to the request of this number.
        for_ever: to all that come after it as well.
        force: the run is told to replace what the guards keep.
    """

    state: str
    other: str
    before: int
    answer: str
    at: int
    for_ever: bool
    force: bool


def describe(file: Path) -> Description | None:
    """Read a table of the model."""
    return Description(9, SCHEMA) if file.read_bytes() in TABLES else None


@pytest.fixture
def table(tmp_path: Path) -> Table:
    """The table that is published."""
    file = tmp_path / "new.parquet"
    file.write_bytes(NEW)
    return Table(file, 9, len(NEW), hashlib.sha256(NEW).hexdigest(), "5c4e", (), SCHEMA)


def publish(table: Table, place: Place, *, force: bool) -> Outcome | MicroEtlError:
    """Look and load, as a run does."""
    scratch = table.file.parent
    try:
        previous = look(place, scratch=scratch, describe=describe, force=force)
        return load(
            table,
            place,
            previous,
            dataset=DATASET,
            metadata={
                key: value for key, value in said(NEW, "this-run").items() if "-sha" not in key
            },
            scratch=scratch,
            describe=describe,
            force=force,
        )
    except MicroEtlError as error:
        return error


def walk(path: Course, table: Table) -> tuple[ModelStore, Outcome | MicroEtlError]:
    """Do one run against the model."""
    store = ModelStore()
    state = STATES[path.state]
    if state:
        store.keep(*state)

    def act(number: int) -> None:
        if number == path.before and path.other == "publishes":
            store.keep(OTHER, said(OTHER, "other-run"))
        if number == path.before and path.other == "deletes":
            store.stored = None

    def answer(number: int) -> str | None:
        hit = number >= path.at if path.for_ever else number == path.at
        return path.answer if hit and path.answer else None

    store.act, store.answer = act, answer
    place = Place(Location.parse("s3://bucket/key"), store, "key")  # type: ignore[arg-type]
    return store, publish(table, place, force=path.force)


def check(path: Course, store: ModelStore, end: Outcome | MicroEtlError) -> None:
    """Compare how a run ended with what stands there."""
    now = store.stored.data if store.stored else None
    state = STATES[path.state]
    before = state[0] if state else None
    acted = path.other != "nothing" and path.before < len(store.requests)
    kept = OTHER if path.other == "publishes" else None
    first_write = next((at for at, one in enumerate(store.requests) if one in WRITES), 99)
    where = (path, store.requests, end, now)
    if isinstance(end, Outcome):
        assert end.result in ("published", "unchanged"), where
        assert now == NEW, where
        assert NEW in store.read, where
    if acted and kept and path.before >= first_write:  # after what was looked at
        assert now == kept, where
    if isinstance(end, RaceLostError):
        assert now in (OLD, OTHER, FOREIGN, NEW), where
        assert store.stored, where
        assert store.stored.said.get("run-id") != "this-run", where
    if isinstance(end, DataError | AccessDeniedError | TargetError):
        untouched = now == before or (acted and now == kept)
        assert untouched or now in (None, *TABLES) or "may be broken" in str(end), where


Walked = tuple[Course, ModelStore, Outcome | MicroEtlError]


def walk_all(table: Table, force: bool) -> Iterator[Walked]:
    """Walk each course; how many requests one has is known once it was walked."""
    for state in STATES:
        for other in ("nothing", "publishes", "deletes"):
            for before in itertools.count():
                sound = Course(state, other, before, "", 0, False, force)
                store, end = walk(sound, table)
                yield sound, store, end
                for answer, for_ever in itertools.product(ANSWERS, (False, True)):
                    for at in itertools.count():
                        course = sound._replace(answer=answer, at=at, for_ever=for_ever)
                        walked = walk(course, table)
                        if at >= len(walked[0].requests):
                            break
                        yield course, *walked
                if other == "nothing" or before >= len(store.requests):
                    break


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the model stand where the store's client does, and no time pass."""

    def get(store: ModelStore, key: str, *, options: dict[str, Any] | None = None) -> Any:
        del key
        options = options or {}
        return store.get("head" if options.get("head") else "get", options.get("if_match"))

    def send(
        store: ModelStore, key: str, content: Any, *, attributes: dict[str, str], mode: Any
    ) -> Any:
        del key
        kept = {name: value for name, value in attributes.items() if name != "Content-Type"}
        return store.put(bytes(content), kept, mode)

    monkeypatch.setattr(obstore, "get", get)
    monkeypatch.setattr(obstore, "put", send)
    monkeypatch.setattr(time, "sleep", lambda _: None)


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize("force", [False, True])
def test_every_path_ends_and_says_what_is_so(table: Table, force: bool) -> None:
    """0 is the new table, read; a newer one of another run stays; nothing is broken in silence."""
    count = 0
    for walked in walk_all(table, force):
        check(*walked)
        count += 1
    assert count == MODEL_PATHS["remote, with --force" if force else "remote"]


@pytest.mark.parametrize("operation", ["head", "get", "create", "update"])
@pytest.mark.parametrize("answer", [*STATUS, "no ETag", "reset before it came"])
def test_model_raises_what_the_client_raises(
    monkeypatch: pytest.MonkeyPatch, answer: str, operation: str
) -> None:
    """So that the model is about the client that runs use."""

    def respond(request: Request) -> Answer:
        if request.path == "/login":
            return Answer(body=b"login")
        if answer in CODES:
            return s3_error(STATUS[answer], CODES[answer])
        if answer == "no ETag":
            return Answer()
        if answer == "reset before it came":
            return Answer(reset=True)
        headers = {"Location": "/login"} if answer.startswith("303") else {"ETag": '"x"'}
        return Answer(status=STATUS[answer], body=b"", headers=headers)

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.setenv(name, "x")
    with serve(respond) as server:
        store = S3Store(
            "bucket",
            endpoint=server.url,
            client_options={"allow_http": True},
            retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=1)},
        )
        calls: dict[str, Callable[[], Any]] = {
            "head": lambda: obstore.get(store, "key", options={"head": True}),
            "get": lambda: obstore.get(store, "key"),
            "create": lambda: obstore.put(store, "key", b"x", mode="create"),
            "update": lambda: obstore.put(store, "key", b"x", mode={"e_tag": '"old"'}),
        }
        reads = operation in ("head", "get")
        if answer == "202" or (reads and answer in ("no ETag", "303 to a login page")):
            calls[operation]()
            return
        expected = error_of(answer, operation)
        with pytest.raises(type(expected)) as raised:
            calls[operation]()
    for sign in (f"status code: {STATUS.get(answer)}", "ETag Header missing", *CODES.values()):
        assert (sign in str(raised.value)) == (sign in str(expected)), raised.value
