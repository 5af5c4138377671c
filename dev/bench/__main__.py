"""Run every peer in turn, round after round, and write docs/benchmarks.md.

In turn, so that whatever else the machine does meets all of them alike: a ratio is the median of
the ratios of each round's pair.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from dev.bench import records, slow
from dev.bench.container import CPUS, Contained, image_size, run_contained
from dev.bench.job import Run, Store, run_job
from dev.bench.machine import describe, import_seconds
from dev.bench.peers import BASELINE, PEERS, SERVICE
from dev.bench.report import Results, write
from dev.bench.serve import serve_file, serve_pieces
from dev.loopback import serve_aws

_SEED = 2006
_SMALL, _LARGE, _HUGE = 205, 500_000, 5_000_000


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m dev.bench", description=__doc__)
    parser.add_argument("--rounds-small", type=int, default=21, metavar="N", help="of 205 records")
    parser.add_argument("--rounds-large", type=int, default=9, metavar="N", help="of 500,000")
    parser.add_argument(
        "--rounds-slow", type=int, default=3, metavar="N", help="those that other peers are in"
    )
    parser.add_argument(
        "--rounds-late",
        type=int,
        default=5,
        metavar="N",
        help="of 500,000 from a slow source, and of a small container",
    )
    parser.add_argument("--skip-huge", action="store_true", help="no run of 5,000,000 (11 GiB)")
    parser.add_argument("--image", help="a built image, to run 500,000 in little memory")
    options = parser.parse_args()

    for peer in PEERS:
        _say(f"installing {peer.name}")
        peer.install()
    before = describe()
    with serve_aws() as endpoint:
        store = Store(endpoint)
        small = _compare(_SMALL, options.rounds_small, options.rounds_small, store)
        large = _compare(_LARGE, options.rounds_large, options.rounds_slow, store)
        results = Results(
            machine=[before, describe()],
            small=small,
            large=large,
            late=_measure_late(options.rounds_late, store),
            huge=None,
            contained=_contain(options.image, options.rounds_late, store)
            if options.image
            else None,
            sizes={peer.name: peer.size() for peer in PEERS},
            imports={peer.name: import_seconds(peer) for peer in PEERS},
        )
        write(results, Path("docs"))
        if not options.skip_huge:
            write(replace(results, huge=_run_huge(store)), Path("docs"))
    _say("written: docs/benchmarks.md")


def _compare(count: int, rounds: int, rounds_slow: int, store: Store) -> dict[str, list[Run]]:
    """The runs of each peer: service and baseline in every round, the others in the first ones.

    With few records a first round, in which caches get warm, does not count.
    """
    expected = records.table(_SEED, count)
    runs: dict[str, list[Run]] = {peer.name: [] for peer in PEERS}
    with _served(count) as source:
        for number in range(0 if count == _SMALL else 1, rounds + 1):
            # There and back, so that each follows others as often as it goes before them.
            for peer in PEERS if number % 2 else PEERS[::-1]:
                if number > rounds_slow and peer.name not in (SERVICE, BASELINE):
                    continue
                run = run_job(peer.command, source, store, expected)
                _say(
                    f"{count:,} records, round {number} of {rounds}, {peer.name}:"
                    f" {run.wall:.3f} s, CPU {run.cpu:.3f} s, {run.peak / 2**20:.0f} MiB"
                )
                if number:
                    runs[peer.name].append(run)
    return runs


def _measure_late(rounds: int, store: Store) -> dict[str, list[slow.Late]]:
    """The service's runs on slow sources, by the form of the body."""
    service = next(peer for peer in PEERS if peer.name == SERVICE)
    late: dict[str, list[slow.Late]] = {form: [] for form in slow.FORMS}
    for number in range(rounds):
        for form in slow.FORMS:
            one = slow.measure(service.command, form, store, seed=_SEED, count=_LARGE)
            _say(f"slow source, {form}, round {number + 1} of {rounds}: {one.after:.2f} s after")
            late[form].append(one)
    return late


def _contain(image: str, rounds: int, store: Store) -> Contained:
    """One run of the image with 500,000 records, and some with 205 on a part of a core."""
    with _served(_LARGE) as source:
        large = run_contained(image, source, store, records.table(_SEED, _LARGE))
    _say(f"{_LARGE:,} records, {image}: {large.wall:.1f} s")
    expected = records.table(_SEED, _SMALL)
    with _served(_SMALL) as source:
        small = [run_contained(image, source, store, expected, cpus=CPUS) for _ in range(rounds)]
    _say(f"{_SMALL} records, {image}, {CPUS} CPUs: {[f'{run.wall:.2f} s' for run in small]}")
    return Contained(image_size(image), large, small)


@contextmanager
def _served(count: int) -> Iterator[str]:
    """The URL of so many records, while the block lasts."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        body = Path(folder, "body.json")
        with body.open("wb") as file:
            file.writelines(records.body(_SEED, count))
        with serve_file(body) as source:
            yield source


def _run_huge(store: Store) -> Run:
    """One run of the service whose source is made while it is read: for its memory, not its time.

    The table of half a gigabyte is not compared: the same code is, at the other sizes.
    """
    service = next(peer for peer in PEERS if peer.name == SERVICE)
    with serve_pieces(lambda: records.body(_SEED, _HUGE)) as source:
        run = run_job(service.command, source, store, None)
    _say(f"{_HUGE:,} records, {SERVICE}: {run.wall:.0f} s, {run.peak / 2**20:.0f} MiB")
    return run


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    main()
