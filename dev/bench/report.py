"""Turn what was measured into a page with a figure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from dev.bench.container import CPUS, MEMORY, Contained
from dev.bench.job import Run
from dev.bench.peers import BASELINE, PEERS, SERVICE
from dev.bench.slow import PAGE_SECONDS, RATE, Late

# Fargate, Linux on x86, us-east-1, in dollars an hour, as AWS's price list has them.
_VCPU_HOUR, _GB_HOUR = 0.04048, 0.004445
_VCPUS, _LEAST_GB = 2, 4  # as many cores as the machine has, and the least memory with them

_WIDTH, _LEFT, _ROW = 720, 90, 22


@dataclass(frozen=True)
class Results:
    """Everything that was measured.

    Attributes:
        machine: what it was, before and after.
        small: runs of each peer with 205 records, in the order of the rounds.
        large: the same with 500,000.
        late: the service's runs with 500,000 from a slow source, by the form of the body.
        huge: the service's run with 5,000,000, if there was one.
        contained: its image's runs, if there were any.
        sizes: installed bytes of each peer.
        imports: CPU seconds of each import of each peer.
    """

    machine: list[str]
    small: Mapping[str, list[Run]]
    large: Mapping[str, list[Run]]
    late: Mapping[str, list[Late]]
    huge: Run | None
    contained: Contained | None
    sizes: Mapping[str, int]
    imports: Mapping[str, Mapping[str, float]]


def write(results: Results, folder: Path) -> None:
    """Write ``benchmarks.md`` and the figure that it shows."""
    folder.mkdir(exist_ok=True)
    (folder / "benchmarks.svg").write_text(figure(results), "utf-8")
    (folder / "benchmarks.md").write_text(page(results), "utf-8")


def page(results: Results) -> str:
    """The page, in Markdown."""
    small, large = ratio(results.small, "wall"), ratio(results.large, "wall")
    small_cpu, large_cpu = ratio(results.small, "cpu"), ratio(results.large, "cpu")
    return f"""# Benchmarks

Written by `make bench`. The same job by each peer: fetch launches over HTTP from loopback, write
their five columns as Parquet, put the file to an S3 API on loopback. A run is a whole process, from
its start to its end. Peers run in turn, every other round backwards; each output is compared with
the expected table, value by value, before its time counts. The scripts and pinned requirements of
the peers are in [`dev/bench/peers/`](../dev/bench/peers).

{
        _list(
            f"machine, {when}: {line}"
            for when, line in zip(("before", "after"), results.machine, strict=True)
        )
    }

**{SERVICE} to {BASELINE}** (every check against none), median of the pairs, with the quartiles:

| | wall | CPU |
| --- | --- | --- |
| 205 records | {small} | {small_cpu} |
| 500,000 records | {large} | {large_cpu} |

![Wall time of each peer](benchmarks.svg)

## 205 records

{_table(results.small)}

## 500,000 records, 1.1 GiB

{_table(results.large)}

## After the last byte

500,000 records from a source that sends {RATE // 1_000_000} MB a second, or answers
{round(1000 * PAGE_SECONDS)} ms after it was asked for a page: what counts is how long {
        SERVICE
    } goes on after the source has sent its last byte. Medians,
with the quartiles.

| form | runs | seconds after the last byte | wall, s | CPU, s |
| --- | --- | --- | --- | --- |
{
        _rows(
            [
                form,
                str(len(late)),
                _spread([one.after for one in late]),
                _spread([one.run.wall for one in late]),
                _spread([one.run.cpu for one in late]),
            ]
            for form, late in results.late.items()
        )
    }

## Memory

{_memory(results)}

## What is installed, and what an import costs

CPU of each import alone, on top of the bare interpreter. They share modules: sums are lower.

| | what | installed | imports |
| --- | --- | --- | --- |
{
        _rows(
            [
                peer.name,
                peer.what,
                f"{results.sizes[peer.name] / 1e6:.0f} MB",
                ", ".join(
                    f"`{name}` {1000 * seconds:.0f} ms"
                    for name, seconds in results.imports[peer.name].items()
                ),
            ]
            for peer in PEERS
        )
    }

## What a million records cost

On Fargate with {_VCPUS} vCPUs and the memory that it takes, at least {
        _LEAST_GB
    } GB, for twice the median wall time of
500,000 records: {_VCPU_HOUR} $ a vCPU-hour and {
        _GB_HOUR
    } $ a GB-hour (Linux on x86, us-east-1). The
start of the task and the minute that is billed at least are not in it.

| | memory | $ for a million records |
| --- | --- | --- |
{
        _rows(
            [
                peer.name,
                f"{_gigabytes(results.large[peer.name])} GB",
                f"{cost(results.large[peer.name]):.6f}",
            ]
            for peer in PEERS
        )
    }
"""


def ratio(runs: Mapping[str, list[Run]], what: str) -> str:
    """The service's to the baseline's, of each round: median and quartiles."""
    ratios = sorted(
        getattr(ours, what) / getattr(theirs, what)
        for ours, theirs in zip(runs[SERVICE], runs[BASELINE], strict=True)
    )
    return f"{median(ratios):.2f} ({_quartile(ratios, 1):.2f} to {_quartile(ratios, 3):.2f})"


def cost(runs: list[Run]) -> float:
    """Dollars for a million records, from runs of half a million."""
    hours = 2 * median(run.wall for run in runs) / 3600
    return hours * (_VCPUS * _VCPU_HOUR + _gigabytes(runs) * _GB_HOUR)


def figure(results: Results) -> str:
    """Two sets of bars, as SVG."""
    parts, top = [], 0
    for title, runs in (("205 records", results.small), ("500,000 records", results.large)):
        longest = max(median(run.wall for run in runs[peer.name]) for peer in PEERS)
        parts.append(f'<text x="0" y="{top + 14}" font-weight="bold">{title}, seconds</text>')
        top += _ROW
        for peer in PEERS:
            wall = median(run.wall for run in runs[peer.name])
            length = (_WIDTH - _LEFT - 60) * wall / longest
            color = "#1f6feb" if peer.name == SERVICE else "#8c959f"
            parts.append(
                f'<text x="{_LEFT - 8}" y="{top + 14}" text-anchor="end">{peer.name}</text>'
                f'<rect x="{_LEFT}" y="{top + 2}" width="{length:.1f}" height="16" fill="{color}"/>'
                f'<text x="{_LEFT + length + 6:.1f}" y="{top + 14}">{wall:.3g}</text>'
            )
            top += _ROW
        top += _ROW // 2
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top}"'
        ' font-family="sans-serif" font-size="13">\n'
        f'<rect width="{_WIDTH}" height="{top}" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _table(runs: Mapping[str, list[Run]]) -> str:
    head = (
        "Medians, with the quartiles of the time.\n\n"
        "| | runs | wall, s | CPU, s | peak memory, MiB |\n| --- | --- | --- | --- | --- |\n"
    )
    return head + _rows(
        [
            peer.name,
            str(len(runs[peer.name])),
            _spread([run.wall for run in runs[peer.name]]),
            _spread([run.cpu for run in runs[peer.name]]),
            f"{median(run.peak for run in runs[peer.name]) / 2**20:,.0f}",
        ]
        for peer in PEERS
    )


def _memory(results: Results) -> str:
    large = median(run.peak for run in results.large[SERVICE])
    text = f"{SERVICE} peaks at {large / 2**20:,.0f} MiB with 500,000 records"
    if results.huge:
        text += (
            f", and at {results.huge.peak / 2**20:,.0f} MiB with 5,000,000 (11 GiB, made by the"
            f" server while they are read): {results.huge.peak / large:.2f} times as much"
        )
    if results.contained:
        text += (
            f".\n\nIts image has {results.contained.size / 1e6:.0f} MB with its base, unpacked."
            f" With `docker run --read-only --memory {MEMORY} --memory-swap {MEMORY}` it\npublishes"
            f" 500,000 records in {results.contained.large.wall:.1f} s; with `--cpus {CPUS}` too,"
            f" 205 in {_spread([run.wall for run in results.contained.small])} s. The start of the"
            " container is in both"
        )
    return f"{text}."


def _gigabytes(runs: list[Run]) -> int:
    return max(_LEAST_GB, math.ceil(median(run.peak for run in runs) / 2**30))


def _spread(values: list[float]) -> str:
    ordered = sorted(values)
    return f"{median(ordered):.3g} ({_quartile(ordered, 1):.3g} to {_quartile(ordered, 3):.3g})"


def _quartile(ordered: list[float], number: int) -> float:
    """The nearest value: with a handful of rounds, nothing is gained by interpolation."""
    return ordered[round((len(ordered) - 1) * number / 4)]


def _rows(rows: Iterable[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
