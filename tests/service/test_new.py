"""`micro-etl new` writes a dataset file that runs, and says what in it is a guess."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from micro_etl.dataset import write_records
from micro_etl.draft.find_records import choose_records
from micro_etl.draft.flatten import flatten
from micro_etl.draft.infer_types import infer_types
from tests.cases.replay import serve_case
from tests.service.command import micro_etl
from tests.service.servers import Answer, Request, serve

APIS = sorted((Path(__file__).parents[1] / "cases" / "apis").iterdir())


def curl_arguments(source: dict[str, Any]) -> list[str]:
    """What a user would type for the request of a dataset file."""
    url = source["url"]
    for name, values in source.get("each", {}).items():
        url = url.replace(f"{{{name}}}", str(values[0]))
    arguments = [url]
    for name, value in source.get("headers", {}).items():
        arguments += ["-H", f"{name}: {value}"]
    if "body" in source:
        arguments += ["--body", json.dumps(source["body"])]
    return arguments


@pytest.mark.parametrize("case", APIS, ids=lambda case: case.name)
def test_what_is_drafted_runs_without_an_edit(case: Path, tmp_path: Path) -> None:
    routes = json.loads((case / "routes.json").read_text("utf-8"))
    with serve_case(case) as replay:
        source = tomllib.loads(replay.dataset())["source"]
        if "oauth2" in source:  # a draft is made with a token
            source["headers"] = routes["need_headers"]
        request = curl_arguments(source)
        ended = micro_etl(
            tmp_path, "new", *request, "-o", "datasets/drafted.toml", **replay.variables()
        )
        assert (ended.code, ended.err) == (0, "")
        assert "written     datasets/drafted.toml" in ended.out
        assert len(replay.asked) <= 3  # the first page, and a try or two to get the second
    with serve_case(case) as replay:
        file = tmp_path / "datasets" / "drafted.toml"
        drafted = file.read_text("utf-8")
        base = drafted.partition("http://")[2].partition("/")[0]
        file.write_text(drafted.replace(f"http://{base}", replay.base), "utf-8")
        variables = {"DATASET": "drafted", "TARGET_URL": "t.parquet", **replay.variables()}
        if "oauth2" in source:
            variables["API_TOKEN"] = source["headers"]["Authorization"].partition(" ")[2]
        ended = micro_etl(tmp_path, "run", **variables)
        assert ended.code == 0, ended.out
        rows = replay.expected()
        for name, values in source.get("each", {}).items():
            rows = [row for row in rows if row[name] == values[0]]
        assert ended.result["rows"] == len(rows)


def draft(folder: Path, body: Any, *arguments: str, **headers: str) -> tuple[dict[str, Any], str]:
    """The file that is drafted of a page, as TOML reads it and as it is."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    with serve(Answer(body=content, headers=headers)) as server:
        ended = micro_etl(folder, "new", server.url, *arguments)
    assert ended.code == 0, ended.err
    return tomllib.loads(ended.out), ended.out


@pytest.mark.parametrize(
    ("values", "column"),
    [
        (["2024-01-01T00:00:00Z", None], {"type": "timestamp"}),
        (["2024-01-01T00:00:00.1234567Z"], {"type": "timestamp", "truncate": True}),
        (["2024-01-01T00:00:00"], {"type": "string"}),
        (["2024-01-01"], {"type": "date"}),
        (["2024-01-01", "soon"], {"type": "string"}),
        (["1.50", "", "22.25"], {"type": "decimal(18,2)", "format": "text", "null_values": [""]}),
        ([".", "1.5"], {"type": "decimal(18,1)", "format": "text", "null_values": ["."]}),
        (["2024-01-01", "N/A", ""], {"type": "date", "null_values": ["", "N/A"]}),
        (["0.01634790"], {"type": "decimal(38,8)", "format": "text"}),
        ([".", ""], {"type": "string"}),
        (["true", "false"], {"type": "boolean", "format": "text"}),
        (["0012"], {"type": "string"}),
        (["a", ""], {"type": "string"}),
        ([1, 2], {"type": "int64"}),
        ([1, 2.5], {"type": "float64"}),
        ([2**70, 1], {"type": "decimal(38,0)"}),
        ([1, "a"], {"type": "json"}),
        ([None, None], {"type": "json"}),
        ([True, None], {"type": "boolean"}),
        ([[1, 2], [], None], {"type": "int64[]"}),
        ([["a"], ["b", None]], {"type": "string[]"}),
        ([[1, "a"]], {"type": "json"}),
        ([[{"a": 1}]], {"type": "json"}),
        ([[], []], {"type": "json"}),
        ([{}, {}], {"type": "json"}),
        ([{"a": 1}, "b"], {"type": "json"}),
        ([{"EUR": 1}, {"USD": 2}], {"type": "json"}),
    ],
)
def test_a_type_is_what_the_engine_reads_every_value_as(
    values: list[Any], column: dict[str, Any], tmp_path: Path
) -> None:
    (leaf,) = flatten([{"v": value} for value in values])
    (inferred,) = infer_types([leaf], scratch=tmp_path, in_utc=False)
    assert {"type": inferred.type, **inferred.options} == column


def test_numbers_that_are_moments_by_name_and_range_are_timestamps(tmp_path: Path) -> None:
    record = {"id": 1, "created": 1_700_000_000, "updatedAt": 1_700_000_000_123, "size": 1 << 30}
    drafted, text = draft(tmp_path, [record])
    columns = drafted["columns"]
    assert columns["created"] == {"type": "timestamp", "format": "epoch"}
    assert columns["updatedAt"] == {"type": "timestamp", "format": "epoch_ms"}
    assert columns["size"] == {"type": "int64"}
    assert "# by its name and range, seconds since 1970" in text


@pytest.mark.parametrize(
    ("page", "records", "shape"),
    [
        ({"meta": {"n": 1}, "data": {"items": [{"id": 1}]}}, "data.items", "objects"),
        ({"errors": [], "things": [{"id": 1}]}, "things", "objects"),
        ({"included": [{"id": 1}, {"id": 2}], "data": [{"id": 1}]}, "data", "objects"),
        ([{"page": 1}, [{"id": 1}, {"id": 2}]], "[1]", "objects"),
        ({"2024-01-01": {"a": 1}, "2024-01-02": {"b": 2}}, "*", "members"),
        ({"x": {"one": {"a": 1}, "two": {"a": 2}}}, "x.*", "members"),
        ({"a": {"t": [1, 2], "u": [3, 4]}}, "a", "arrays of one length"),
        ({"rates": {"USD": 1.1, "JPY": 155}}, "rates.*", "numbers by key"),
        ([[1, "a"], [2, "b"]], "", "arrays"),
        (["a", "b"], "*", "values"),
        ([{"id": 1}], "", "objects"),
    ],
)
def test_records_are_found_where_they_are(page: Any, records: str, shape: str) -> None:
    chosen, _ = choose_records(page, shown="the page")
    assert (write_records(chosen.path), chosen.shape) == (records, shape)


@pytest.mark.parametrize(
    "page",
    [
        [{"page": 1}, [{"id": 1}, {"id": 2}]],
        {"a": {"t": [1, 2], "u": [3, 4]}},
        [[1, "a"], [2, "b"]],
        ["a", "b"],
        {"names": ["a", "b"]},
    ],
)
def test_records_of_any_shape_become_a_table(page: Any, tmp_path: Path) -> None:
    (tmp_path / "page.json").write_text(json.dumps(page))
    ended = micro_etl(tmp_path, "new", "page.json")
    assert (ended.code, tomllib.loads(ended.out)["name"]) == (0, "page")


def test_values_by_key_are_a_column_beside_their_key(tmp_path: Path) -> None:
    drafted, _ = draft(tmp_path, {"base": "EUR", "rates": {"USD": 1.1, "JPY": 155}})
    assert drafted["columns"] == {
        "key": {"from_key": "$.rates.*", "type": "string", "required": True, "unique": True},
        "value": {"from": "$.rates.*", "type": "float64"},
    }


def test_columns_of_names_that_need_quotes_or_differ_by_case_are_read(tmp_path: Path) -> None:
    record = {"id": 1, "m": 1, "M": 2, "a b": 3, "": 4, "x.y": {"z": 5}, "$": 6, "größe": 7}
    columns = draft(tmp_path, [record])[0]["columns"]
    read = {name: column.get("from", name) for name, column in columns.items()}
    assert read == {
        "id": "id",
        "m": "m",
        "M_2": "M",
        "a_b": '"a b"',
        "value": '""',
        "x_y_z": '"x.y".z',
        "value_2": '"$"',
        "größe": "größe",
    }


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ([], "has no array of records: it is an array of 0 elements"),
        ({}, "has no array of records: it is an empty object"),
        ({"a": 1, "b": {"c": 2}}, "it is an object with a, b; source.records would have to lead"),
        ({"a": {"items": []}}, "an object with a; a.items (0 objects); source.records would have"),
        (7, "has no array of records: it is 7"),
    ],
)
def test_a_page_without_records_says_what_was_seen(page: Any, message: str, tmp_path: Path) -> None:
    with serve(Answer(body=json.dumps(page).encode())) as server:
        ended = micro_etl(tmp_path, "new", server.url)
    assert (ended.code, ended.out) == (65, "")
    assert message in ended.err


def paged(names: dict[str, str], size: int = 2, total: int = 5) -> Any:
    """A server of five records that knows one parameter; pages may say more of them."""

    def answer(request: Request) -> Answer:
        query = dict(pair.partition("=")[::2] for pair in request.path.partition("?")[2].split("&"))
        param = names["param"]
        at = int(query.get(param, "0" if names["kind"] != "page" else "1"))
        start = (at - 1) * size if names["kind"] == "page" else at
        records = [{"id": one} for one in range(start, min(start + size, total))]
        page: dict[str, Any] = {"items": records}
        if names["kind"] == "cursor":
            page["next_cursor"] = start + size if start + size < total else None
        elif "total" in names:
            page["total"] = total
        return Answer(body=json.dumps(page).encode())

    return answer


@pytest.mark.parametrize(
    ("names", "query", "pagination"),
    [
        (
            {"kind": "page", "param": "page", "total": ""},
            "?limit=2",
            {"kind": "page_number", "param": "page", "total": "total"},
        ),
        (
            {"kind": "offset", "param": "skip"},
            "?take=2",
            {"kind": "offset", "param": "skip"},
        ),
        (
            {"kind": "cursor", "param": "start_cursor"},
            "",
            {"kind": "cursor", "next": "next_cursor", "param": "start_cursor"},
        ),
        ({"kind": "offset", "param": "unheard_of"}, "?limit=2", {"kind": "?"}),
    ],
)
def test_a_guess_about_pages_is_tested_by_asking_for_the_second(
    names: dict[str, str], query: str, pagination: dict[str, Any], tmp_path: Path
) -> None:
    with serve(paged(names)) as server:
        ended = micro_etl(tmp_path, "new", f"{server.url}{query}")
    assert tomllib.loads(ended.out)["source"].get("pagination") == pagination
    is_open = pagination["kind"] == "?"
    said = "none of these parameters brought" if is_open else "a second page was asked for with"
    assert said in ended.out
    assert said in ended.err
    assert ("decide      source.pagination.kind" in ended.err) is is_open


def test_a_secret_that_is_given_as_it_is_is_not_written(tmp_path: Path) -> None:
    with serve(Answer(body=b'[{"id": 1}]')) as server:
        url = server.url.replace("http://", "http://me:pass-hush@")
        ended = micro_etl(
            tmp_path,
            "new",
            f"{url}?api_key=key-hush&limit=5",
            "-H",
            "Authorization: Bearer my-hush",
        )
        asked = server.requests[0]
    assert ended.code == 0, ended.err
    assert "hush" not in ended.out + ended.err
    assert asked.path.endswith("?api_key=key-hush&limit=5")
    assert asked.headers["authorization"] == "Bearer my-hush"
    source = tomllib.loads(ended.out)["source"]
    assert source["url"].endswith("?api_key=${API_KEY}&limit=5")
    assert source["headers"] == {"Authorization": "Bearer ${API_TOKEN}"}
    assert "needs       API_KEY, which was given" in ended.err


def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("mine")
    ended = micro_etl(tmp_path, "new", "http://127.0.0.1:1", "-o", "x.toml")
    assert (ended.code, (tmp_path / "x.toml").read_text()) == (64, "mine")
    assert "x.toml already exists; choose another file for -o" in ended.err


def test_a_file_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with serve(Answer(body=b'[{"id": 1}]')) as server:
        ended = micro_etl(tmp_path, "new", server.url, "-o", "file/My Orders.toml")
        assert (ended.code, ended.out) == (64, "")
        assert "-o is file/My Orders.toml, which can't be written: " in ended.err
        ended = micro_etl(tmp_path, "new", server.url, "-o", "new/My Orders.toml")
    assert ended.code == 0
    assert 'name = "my-orders"\n' in (tmp_path / "new" / "My Orders.toml").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["-H", "Accept"], 64, "-H is 'Accept'; it should be like 'Accept: application/json'"),
        (["--body", "x"], 64, "--body is not JSON"),
        (["--body", "[]"], 64, "--body is no object"),
        (["--body", '{"a": null}'], 64, "--body holds null"),
        (["-H", "Authorization: Bearer ${NOT_SET}"], 78, "NOT_SET is missing"),
    ],
)
def test_a_wrong_request_is_refused(
    arguments: list[str], code: int, message: str, tmp_path: Path
) -> None:
    ended = micro_etl(tmp_path, "new", "http://127.0.0.1:1/x", *arguments)
    assert (ended.code, ended.out) == (code, "")
    assert message in ended.err


def test_an_api_that_wants_a_token_says_how_the_command_sends_one(tmp_path: Path) -> None:
    with serve(Answer(status=401)) as server:
        ended = micro_etl(tmp_path, "new", server.url)
    assert ended.code == 77
    assert "status 401" in ended.err
    assert "; -H 'Authorization: Bearer ${API_TOKEN}' sends a token" in ended.err
    assert "dataset file" not in ended.err


def test_an_api_that_forbids_is_told_as_it_is(tmp_path: Path) -> None:
    with serve(Answer(status=403)) as server:
        ended = micro_etl(tmp_path, "new", server.url)
    assert (ended.code, "status 403" in ended.err, "-H" in ended.err) == (77, True, False)


def test_what_a_page_says_of_its_success_is_expected_of_every_page(tmp_path: Path) -> None:
    page = {"ok": True, "timed_out": False, "_shards": {"failed": 0}, "items": [{"id": 1}]}
    source = draft(tmp_path, page)[0]["source"]
    assert source["expect"] == {"ok": True, "timed_out": False, "_shards.failed": 0}
