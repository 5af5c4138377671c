"""Write the page about a published table: one HTML file that needs no other."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from string import Template

from micro_etl.table.distribution import Distribution
from micro_etl.table.profile import ColumnContents, Contents
from micro_etl.target.look import Published
from micro_etl.text import printable, size

_TEMPLATE = Path(__file__).with_suffix(".html")
_PLOT_WIDTH, _PLOT_HEIGHT, _GAP = 240, 72, 2
_FACTS = (
    ("dataset", "Dataset"),
    ("source", "Source"),
    ("source-hash", "Source hash"),
    ("content-sha256", "Table SHA-256"),
    ("run-id", "Run"),
    ("version", "Published by micro-etl"),
)


def write_page(
    location: str,
    published: Published,
    contents: Contents,
    distributions: Sequence[Distribution],
    *,
    version: str,
    now: datetime,
) -> str:
    """Write the page.

    Args:
        location: where the table is, as it may be shown.
        published: what the store says of it.
        contents: what its columns hold.
        distributions: how the values of each column are distributed.
        version: of the service that writes it.
        now: when the page is written.
    """
    said = published.metadata
    figures = {
        "rows": f"{contents.rows:,}",
        "columns": f"{len(contents.columns):,}",
        "of Parquet": size(contents.bytes),
        "published": _date(published.last_modified),
    }
    facts = [(title, said[name]) for name, title in _FACTS if said.get(name)]
    facts.insert(0, ("Published", _time(published.last_modified)))
    if published.etag:
        facts.append(("ETag", published.etag))
    return Template(_TEMPLATE.read_text("utf-8")).substitute(
        title=_text(said.get("dataset") or Path(location).stem or location),
        location=_text(location),
        figures="\n".join(
            f"<li><b>{_text(figure)}</b><span>{name}</span></li>"
            for name, figure in figures.items()
        ),
        facts="\n".join(f"<dt>{title}</dt><dd>{_text(fact)}</dd>" for title, fact in facts),
        columns="\n".join(
            _column(column, distribution, contents.rows)
            for column, distribution in zip(contents.columns, distributions, strict=True)
        ),
        version=version,
        written=_time(now),
    )


def _column(column: ColumnContents, distribution: Distribution, rows: int) -> str:
    nulls = f"{column.nulls:,}"
    if column.nulls:
        nulls = f'<span class="missing">{nulls} ({_share(column.nulls, rows)})</span>'
    return (
        f"<section>\n<div>\n<h2>{_text(column.name)}</h2>\n"
        f'<p class="type"><code>{_text(column.type)}</code></p>\n'
        f'<dl class="counts">\n<dt>Nulls</dt><dd>{nulls}</dd>\n'
        f"<dt>Distinct</dt><dd>{column.distinct:,}</dd>\n</dl>\n</div>\n"
        f"<div>\n{_plot(column, distribution)}\n</div>\n"
        f"<div>\n{_values(distribution, rows)}\n</div>\n</section>"
    )


def _plot(column: ColumnContents, distribution: Distribution) -> str:
    if not distribution.bins:
        return '<p class="none">No values</p>'
    what = "Values" if distribution.measure == "value" else "Lengths"
    wide, most = _PLOT_WIDTH / len(distribution.bins), max(distribution.bins)
    bars = []
    for index, count in enumerate(distribution.bins):
        height = max(_PLOT_HEIGHT * count / most, 2) if count else 0
        bars.append(
            f'<rect x="{index * wide:.1f}" y="{_PLOT_HEIGHT - height:.1f}" '
            f'width="{wide - _GAP:.1f}" height="{height:.1f}"><title>{count:,}</title></rect>'
            if count
            else ""
        )
    label = _text(f"{what} of {column.name}: {distribution.least} to {distribution.greatest}")
    return (
        f'<h3>{what}</h3>\n<svg viewBox="0 0 {_PLOT_WIDTH} {_PLOT_HEIGHT}" '
        f'preserveAspectRatio="none" role="img" aria-label="{label}">{"".join(bars)}</svg>\n'
        f'<div class="ends"><span>{_text(distribution.least or "")}</span>'
        f"<span>{_text(distribution.greatest or '')}</span></div>"
    )


def _values(distribution: Distribution, rows: int) -> str:
    parts = []
    if any(count > 1 for _, count in distribution.frequent):
        items = "\n".join(
            f'<li style="--part: {100 * count / rows:.1f}%"><code>{_text(value)}</code>'
            f"<span>{count:,}</span></li>"
            for value, count in distribution.frequent
        )
        parts.append(f"<h3>Most frequent</h3>\n<ol>\n{items}\n</ol>")
    elif distribution.frequent:
        parts.append('<h3>Most frequent</h3>\n<p class="none">Each value once</p>')
    if distribution.longest:
        items = "\n".join(
            f"<li><code>{_text(value)}</code><span>{length:,}</span></li>"
            for value, length in distribution.longest
        )
        parts.append(f'<h3>Longest</h3>\n<ol class="plain">\n{items}\n</ol>')
    return "\n".join(parts)


def _text(text: str) -> str:
    return escape(printable(text))


def _share(part: int, rows: int) -> str:
    return f"{100 * part / rows:.1f} %".replace(".0 ", " ")


def _date(moment: datetime) -> str:
    return f"{moment.day} {moment:%b %Y}"


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
