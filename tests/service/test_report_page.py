"""`report` writes one page that needs no other, whatever the values are; Chromium looks at it."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from micro_etl.report_page import write_page
from micro_etl.table.distribution import BINS, read_distributions
from micro_etl.table.profile import profile
from micro_etl.target.look import Published
from tests.conftest import Bucket
from tests.service.command import launches, micro_etl
from tests.service.conftest import Bench
from tests.service.test_ddl import EVERY_TYPE, every_value

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
HOSTILE = [
    "<script>parent.hacked = window.hacked = 1</script>",
    '"><img src=x onerror="parent.hacked = 1">',
    "</code></li></ol></section></main><h1>broken</h1>",
    "<!-- ",
    "$location ${title} $",
    "&lt;b&gt; &amp;",
    "\u202egnp.exe \x1b[31m \x00",
    "x" * 5000,
    "\ufeff 日本 العربية",
]
COLUMN = '"<b onclick=\\"x\\">$n' + "m" * 300 + '"'
SAFE_TAGS = {"html", "head", "meta", "link", "title", "style", "body", "main", "section", "div"}
SAFE_TAGS |= {"h1", "h2", "h3", "p", "ul", "ol", "li", "b", "span", "dl", "dt", "dd", "code"}
SAFE_TAGS |= {"svg", "rect", "footer"}


def page_of(bench: Bench, columns: str, body: str, **metadata: str) -> str:
    """The page about the table of a body."""
    file = bench.table(columns, body).file
    return write_page(
        metadata.pop("location", "s3://bucket/table.parquet"),
        Published(etag='"e<1>"', last_modified=NOW, metadata=metadata),
        profile(file, scratch=bench.folder),
        read_distributions(file, scratch=bench.folder),
        version="0.1.0",
        now=NOW,
    )


def hostile_page(bench: Bench) -> str:
    """A page in which everything that comes from elsewhere is hostile."""
    records = [{"a": value} for value in HOSTILE for _ in range(2)]
    said = {"dataset": HOSTILE[0], "source": HOSTILE[1], "run-id": HOSTILE[2]}
    columns = f'{COLUMN} = {{ from = "a", type = "string" }}'
    return page_of(bench, columns, json.dumps(records), location=HOSTILE[0], **said)


class Tags(HTMLParser):
    """Collects tags, attributes and text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.text.append(data)


def test_hostile_values_are_text(bench: Bench) -> None:
    page = Tags(hostile_page(bench))
    assert set(page.tags) <= SAFE_TAGS
    assert page.tags.count("h1") == 1
    assert {name for name, _ in page.attributes if name.startswith("on")} == set()
    for value in (HOSTILE[0], HOSTILE[1], HOSTILE[2]):
        assert value in page.text
    assert "x" * 200 + "…" in page.text
    assert "x" * 201 not in "".join(page.text)
    assert "\x1b" not in "".join(page.text)


def test_the_page_names_nothing_that_would_have_to_be_loaded(bench: Bench) -> None:
    page = Tags(hostile_page(bench))
    loaded = [value for name, value in page.attributes if name in ("src", "href")]
    assert loaded == ["data:,"]
    assert any("default-src 'none'" in (value or "") for _, value in page.attributes)
    style = re.search(r"<style>(.*?)</style>", hostile_page(bench), re.DOTALL)
    assert style
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def test_the_page_says_what_was_published_when_and_from_where(bench: Bench) -> None:
    body = json.dumps([{"n": number % 3, "t": "a" * number} for number in range(1, 31)])
    columns = 'n = { type = "int32" }\nt = { type = "string" }'
    said = {"dataset": "things", "source": "https://h/things", "content-sha256": "5a5a"}
    text = unescape(" ".join(Tags(page_of(bench, columns, body, **said)).text))
    text = re.sub(r"\s+", " ", text)
    for expected in (
        "things s3://bucket/table.parquet 30 rows 2 columns",
        "Published 2026-11-30 12:00:00 UTC Dataset things Source https://h/things",
        "Table SHA-256 5a5a",
        "n int32 Nulls 0 Distinct 3",
        "Most frequent 0 10 1 10 2 10",
        f"Longest {'a' * 30} 30 {'a' * 29} 29 {'a' * 28} 28",
        "Lengths",
    ):
        assert expected in text


@pytest.mark.parametrize(
    ("kind", "values", "bins"),
    [
        ("int32", "[1, 2, 2, 5, null]", (1, 2, 0, 0, 1)),
        ("int32", "[7, 7]", (2,)),
        ("boolean", "[true, false, true]", (1, 2)),
        ("float64", "[1.5, 1.5]", (2,)),
        ("float64", "[-1.7e308, 0, 1.7e308]", (1, *[0] * 11, 1, *[0] * 10, 1)),
        ("decimal(9,2)", "[0, 0.01]", (1, *[0] * 22, 1)),
        ("date", '["2024-01-01", "2024-01-25"]', (1, *[0] * 22, 1)),
        ("timestamp", '["0001-01-01T00:00:00Z", "9999-12-31T00:00:00Z"]', (1, *[0] * 22, 1)),
        ("string", '["", "abc"]', (1, 0, 0, 1)),
        ("string[]", '[[], ["a", "b"]]', (1, 0, 1)),
        ("json", '["ab", 5]', (1, 0, 0, 1)),
        ("string", "[null, null]", ()),
    ],
)
def test_values_are_counted_in_intervals_of_one_width(
    bench: Bench, kind: str, values: str, bins: tuple[int, ...]
) -> None:
    records = json.dumps([{"k": 0, "v": value} for value in json.loads(values)])
    file = bench.table(f'k = {{ type = "int32" }}\nv = {{ type = "{kind}" }}', records).file
    _, found = read_distributions(file, scratch=bench.folder)
    assert found.bins == bins
    assert len(bins) <= BINS


def test_every_type_and_an_empty_table_have_a_page(bench: Bench) -> None:
    for body in (every_value(), "[]"):
        file = bench.table_of(EVERY_TYPE, body).file
        page = write_page(
            "x.parquet",
            Published(None, NOW, {}),
            profile(file, scratch=bench.folder),
            read_distributions(file, scratch=bench.folder),
            version="0.1.0",
            now=NOW,
        )
        assert page.count("<section>") == len(EVERY_TYPE.columns)


def test_the_command_writes_the_page_of_what_a_run_published(
    tmp_path: Path, bucket: Bucket
) -> None:
    (tmp_path / "a  läunches.json").write_bytes(launches(5))
    environ = {**bucket.environ, "S3_BUCKET": bucket.name, "RUN_ID": "run-7"}
    micro_etl(tmp_path, "run", SOURCE_URL="a  läunches.json", **environ)
    url = f"s3://{bucket.name}/launches.parquet"
    ended = micro_etl(tmp_path, "report", url, "-o", "page.html", **environ)
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    page = (tmp_path / "page.html").read_text("utf-8")
    for expected in (
        "<h1>launches</h1>",
        url,
        "<dd>a%20%20l%C3%A4unches.json</dd>",
        "run-7",
        "Flight 1 ü",
    ):
        assert expected in page
    printed = micro_etl(tmp_path, "report", url, **environ)
    assert printed.out.startswith("<!doctype html>")
    refused = micro_etl(tmp_path, "report", url, "-o", "no/such/folder/x", **environ)
    assert refused.code == 64
    assert "-o is no/such/folder/x, which can't be written" in refused.err


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_a_browser_shows_it_whole_and_loads_nothing(
    bench: Bench, tmp_path: Path, width: int, scheme: str
) -> None:
    (tmp_path / "page.html").write_text(hostile_page(bench), "utf-8")
    seen = look(tmp_path, width=width, scheme=scheme)
    assert seen["title"] == HOSTILE[0]
    assert seen["scrolls"] == seen["width"] == width
    assert seen["outside"] == []
    assert (seen["loaded"], seen["scripts"], seen["hacked"]) == ([], 0, False)
    red, green, blue = map(int, re.findall(r"\d+", seen["background"])[:3])
    assert (red + green + blue > 3 * 128) is (scheme == "light")


def look(folder: Path, *, width: int, scheme: str) -> dict[str, Any]:
    """What Chromium makes of page.html in a frame of some width."""
    (folder / "frame.html").write_text(
        f"""<body style="margin:0"><iframe src="page.html" style="border:0;width:{width}px;
        height:2000px"></iframe><pre></pre><script>
        onload = () => {{
          const frame = document.querySelector("iframe").contentWindow, page = frame.document;
          const root = page.documentElement;
          document.querySelector("pre").textContent = JSON.stringify({{
            title: page.title,
            width: root.clientWidth,
            scrolls: root.scrollWidth,
            outside: [...page.querySelectorAll("body *")].filter(
              one => one.getBoundingClientRect().right > root.clientWidth + 1).map(
              one => one.outerHTML.slice(0, 99)),
            loaded: frame.performance.getEntriesByType("resource").map(one => one.name),
            scripts: page.scripts.length + page.images.length,
            hacked: "hacked" in window || "hacked" in frame,
            background: frame.getComputedStyle(page.body).backgroundColor,
          }});
        }};</script>""",
        "utf-8",
    )
    done = subprocess.run(
        [
            *(CHROMIUM or "", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
            *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
            *("--allow-file-access-from-files", f"--user-data-dir={folder / 'profile'}"),
            f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}",
            *("--dump-dom", (folder / "frame.html").as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found = re.search(r"<pre>(.*?)</pre>", done.stdout, re.DOTALL)
    assert found, done.stderr
    seen: dict[str, Any] = json.loads(unescape(found[1]))
    return seen
