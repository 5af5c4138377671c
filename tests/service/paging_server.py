"""A plain server of pages, whose rows move while it is read, as a seed decides."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from dev.loopback import HOST

KINDS = ("link_header", "next_url", "cursor", "last_record", "page_number", "offset")
COUNTING = ("page_number", "offset")
_MOST = 400  # requests of a sequence: a loop ends


@dataclass(frozen=True)
class Plan:
    """What a sequence is like.

    Attributes:
        kind: of pagination.
        posts: the parameter is in a body.
        wrapped: the records are inside an object.
        series: the values of ``each``; one of none where there is none.
        total: each page says how many rows there are.
        has_more: each page says whether there are more.
        last_page: each page says how many pages there are.
        relative: next URLs are relative.
        limit: the most rows of a page.
        moves: rows come, go, or stay.
        often: how often they do, between two pages.
        fails: how often an answer fails.
        loses: how often a page lacks a row; only a total tells.
    """

    kind: str
    posts: bool
    wrapped: bool
    series: tuple[str, ...]
    total: bool
    has_more: bool
    last_page: bool
    relative: bool
    limit: int
    moves: str
    often: float
    fails: float
    loses: float

    @property
    def is_sound(self) -> bool:
        """Whether the rows stay, and all of them come."""
        return not (self.often or self.loses)

    @classmethod
    def draw(cls, dice: random.Random) -> Plan:
        """Draw what a client that keeps the rules can always tell from a table that is complete.

        Without a total, no client can see that a row before its offset has gone, or that one row
        came and one went; so such rows stay there.
        """
        kind = dice.choice(KINDS)
        wrapped = kind in ("next_url", "cursor") or dice.random() < 0.5
        total = wrapped and dice.random() < 0.6
        moves = dice.choice(["stay", "come", "go"])
        if not total and moves == "go" and kind in COUNTING:
            moves = "come"
        return cls(
            kind=kind,
            posts=kind not in ("link_header", "next_url") and dice.random() < 0.3,
            wrapped=wrapped,
            series=("a", "b/ü") if dice.random() < 0.2 else ("",),
            total=total,
            has_more=wrapped and dice.random() < 0.4,
            last_page=wrapped and kind == "page_number" and dice.random() < 0.4,
            relative=dice.random() < 0.5,
            limit=dice.randint(1, 5),
            moves=moves,
            often=0 if moves == "stay" else dice.choice([0.05, 0.2, 0.6]),
            fails=dice.choice([0, 0, 0.1, 0.3]),
            loses=dice.choice([0, 0, 0.05, 0.2]) if total else 0,
        )

    def dataset(self, url: str) -> str:
        """The dataset file."""
        lines = ['name = "t"', "[source]", f'url = "{url}?s={{s}}"' if self.series[0] else
                 f'url = "{url}"']  # fmt: skip
        lines += ['records = "data.items"'] if self.wrapped else []
        lines += ["body = { page = {} }"] if self.posts else []
        lines += [f"each = {{ s = {json.dumps(self.series)} }}"] if self.series[0] else []
        lines += ["[source.pagination]", f'kind = "{self.kind}"']
        if self.kind in ("next_url", "cursor"):
            lines.append('next = "data.next"')
        if self.kind == "last_record":
            lines.append('field = "id"')
        if self.kind not in ("link_header", "next_url"):
            lines.append('param = "page.after"' if self.posts else 'param = "after"')
        lines += ['total = "data.total"'] if self.total else []
        lines += ['has_more = "data.more"'] if self.has_more else []
        lines += ['last_page = "data.pages"'] if self.last_page else []
        lines += ["[columns]", 'id = { type = "int64", required = true }']
        lines += ['s = { from = "{s}", type = "string" }'] if self.series[0] else []
        key = '["id", "s"]' if self.series[0] else '["id"]'
        return "\n".join([*lines, "[publish]", f"unique = {key}", "min_rows = 0\n"])


@dataclass
class Sequence:
    """The rows of one series while they are read.

    Attributes:
        plan: what it is like.
        dice: decide.
        rows: the ids, in order.
        states: every state that the rows have been in.
        requests: how many came.
    """

    plan: Plan
    dice: random.Random
    rows: list[int] = field(default_factory=list)
    states: list[list[int]] = field(default_factory=list)
    requests: int = 0
    _failures: int = 0
    _has_moved: bool = False

    def __post_init__(self) -> None:
        count = self.dice.choice([0, 1, self.plan.limit, 2 * self.plan.limit, 12])
        self.rows = sorted(self.dice.sample(range(1000), count))
        self.states = [[*self.rows]]

    def answer(self, after: str | None, url: str) -> tuple[int, dict[str, str], bytes]:
        """Answer a request, and let rows move before the next one."""
        self.requests += 1
        if self.requests > _MOST:
            return 508, {}, b"a loop"
        if self._failures < 2 and self.dice.random() < self.plan.fails:
            self._failures += 1
            return self.dice.choice([(503, {}, b""), (429, {"Retry-After": "0"}, b"")])
        self._failures = 0
        if after is None:
            self._has_moved = False  # an attempt begins
        answered = self._page(after, url)
        if self.dice.random() < self.plan.often:
            self._move()
        return answered

    def _move(self) -> None:
        """Let a row come or go; more than once an attempt only where a total tells."""
        if self._has_moved and not self.plan.total:
            return
        self._has_moved = True
        if self.plan.moves == "come":
            self.rows = sorted({*self.rows, self.dice.randrange(1000)})
        elif self.rows:
            self.rows = [*self.rows]
            self.rows.remove(self.dice.choice(self.rows))
        self.states.append([*self.rows])

    def _page(self, after: str | None, url: str) -> tuple[int, dict[str, str], bytes]:
        plan, limit = self.plan, self.plan.limit
        size = limit
        if plan.kind == "page_number":
            start = (int(after or 1) - 1) * limit
        elif plan.kind == "offset":
            start = int(after or 0)
            size = self.dice.randint(1, limit)
        else:
            last, _, _ = (after or "-1").partition(".")
            start = sum(row <= int(last) for row in self.rows)
            least = 1 if plan.kind == "last_record" else 0
            size = self.dice.randint(least, limit)
        rows = self.rows[start : start + size]
        more = start + size < len(self.rows)
        cursor = None
        if more:
            last = str(rows[-1]) if rows else (after or "-1").partition(".")[0]
            cursor = f"{last}.{self.requests}"  # after an empty page it is another one
        if self.dice.random() < plan.loses:
            rows = rows[1:]
        return 200, self._link(cursor, url), self._body(rows, cursor, url, more=more)

    def _link(self, cursor: str | None, url: str) -> dict[str, str]:
        if self.plan.kind != "link_header" or cursor is None:
            return {}
        return {"Link": f'<{url}&after=0>; rel="prev", <{url}&after={cursor}>; rel="next last"'}

    def _body(self, rows: list[int], cursor: str | None, url: str, *, more: bool) -> bytes:
        items: Any = [{"id": row} for row in rows]
        if self.plan.wrapped:
            data: dict[str, Any] = {"items": items}
            if self.plan.kind == "cursor":
                data["next"] = cursor
            if self.plan.kind == "next_url":
                data["next"] = cursor and f"{url}&after={cursor}"
            if self.plan.total:
                data["total"] = len(self.rows)
            if self.plan.has_more:
                data["more"] = more
            if self.plan.last_page:
                data["pages"] = -(-len(self.rows) // self.plan.limit)
            items = {"data": data}
        return json.dumps(items).encode()


class PagingServer:
    """Serves sequences, each at a path of its own.

    Attributes:
        url: the address.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._sequences: dict[tuple[str, str], Sequence] = {}

    def start(self, seed: int) -> tuple[Plan, str, list[Sequence]]:
        """Begin a sequence; gives what it is like, its URL, and the rows of each series."""
        dice = random.Random(seed)
        plan = Plan.draw(dice)
        sequences = [Sequence(plan, random.Random(dice.random())) for _ in plan.series]
        for series, sequence in zip(plan.series, sequences, strict=True):
            self._sequences[f"/{seed}", series] = sequence
        return plan, f"{self.url}/{seed}", sequences

    def answer(self, target: str, body: Any) -> tuple[int, dict[str, str], bytes]:
        """Answer a request for a target."""
        path, query = urlsplit(target).path, dict(parse_qsl(urlsplit(target).query))
        sequence = self._sequences[path, query.get("s", "")]
        after = query.get("after")
        if sequence.plan.posts:
            after = (body or {}).get("page", {}).get("after")
        base = "" if sequence.plan.relative else f"{self.url}{path}"
        series = f"s={query['s'].encode().hex(' ')}" if "s" in query else "x=1"
        series = series.replace(" ", "%").replace("s=", "s=%", 1)
        return sequence.answer(None if after is None else str(after), f"{base}?{series}")


@contextmanager
def serve_pages() -> Iterator[PagingServer]:
    """Serve sequences while the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, headers, data = pages.answer(self.path, body)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_GET  # noqa: N815 - the base class looks for this name

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        server.daemon_threads = True
        pages = PagingServer(f"http://{HOST}:{server.server_port}")
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield pages
        finally:
            server.shutdown()
