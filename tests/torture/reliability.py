"""The document of the fault matrix, made from what the suite has seen."""

# ruff: noqa: E501 - its lines are those of the document
from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).parents[2] / "docs" / "reliability.md"

KILLS, KILL_SEED = 90, 20061
RACES = (2, 10, 50)
FUZZ_INPUTS = {"dataset": 400_000, "settings": 20_000, "body": 1_000}
FUZZ_SEED = 20062
SPOILT_INPUTS = 60
SOAK_RUNS, SOAK_SEED, SOAK_MEMORY = 1000, 20063, 40 << 20
PROPERTY_EXAMPLES = 1500
MEMORY_LIMITS = range(100, 1100, 20)
MODEL_PATHS = {"remote": 6931, "remote, with --force": 8379, "local": 2885}

_LONGEST = 160
_HEADINGS = {
    "source": "Source and network",
    "data": "Data",
    "store": "Store",
    "machine": "Machine",
}


class Row(NamedTuple):
    """One fault as it was seen."""

    group: str
    fault: str
    message: str
    code: int
    tries: str
    object: str

    def line(self) -> str:
        """The row of the table."""
        message = self.message.replace("|", "\\|").replace("<", "&lt;")
        if len(message) > _LONGEST:
            message = message[:_LONGEST] + "…"
        return f"| {self.fault} | {message} | {self.code} | {self.tries} | {self.object} |"


def render(rows: list[Row]) -> str:
    """The whole document."""
    parts = [HEAD.format(faults=len(rows))]
    for group, heading in _HEADINGS.items():
        parts.append(f"## {heading}\n")
        parts.append("| fault | what the user sees | exit code | requests | object |")
        parts.append("| --- | --- | --- | --- | --- |")
        parts += [row.line() for row in rows if row.group == group]
        parts.append("")
    return "\n".join([*parts, TAIL])


def _words(numbers: Iterable[int]) -> str:
    *first, last = (f"{number:,}" for number in numbers)
    return f"{', '.join(first)} and {last}"


def write(text: str) -> None:
    """Write the document."""
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(text, "utf-8")


HEAD = """# What can go wrong, and what then happens

Made by `make reliability`; a test of each row fails when this page is not what the suite sees.

Each of these {faults} faults is a run of the real command, as a process, against real servers on loopback, over an object
that holds a table of five launches. `same`: the object is byte for byte what it was. `new`: it is the complete new table.
*Requests* is how often the source was asked, with three attempts allowed. In each case nothing else is in the bucket, no
upload is left open, standard error is empty, the scratch folder is gone, and the last line of the log says what is shown here.
"""

TAIL = f"""## Publishing, enumerated

Publishing is small enough to try whole. Each of 16 odd answers (another ETag or none, 202, a redirect, 304, 403, 404 of the key
and of the bucket, 409, 412, 500, 503, a connection that is reset before and after the bytes came, other bytes) comes at each
request of look, put and read-back, once and from then on, over each of 7 things that can stand there, with another publisher
or a program that deletes before each request: {MODEL_PATHS["remote"]:,} paths, and {MODEL_PATHS["remote, with --force"]:,} with `--force`. For a local file each step fails in
turn, by lack of room, a broken disk, missing rights or other bytes: {MODEL_PATHS["local"]:,} paths. In each one the run ends; 0 means that the object
is the new table, whole, read in that run; what another run has published since the look stays; 75 means that another's table
is there; every other end leaves a whole table, or says that it may be broken.

## Kills, races, fuzzing and a soak

| what | how much | seed |
| --- | --- | --- |
| SIGTERM, SIGINT and SIGKILL at random moments of a run, S3 and local | {KILLS} runs | {KILL_SEED}, printed |
| runs at once on one target, S3 and local, on the same records and on records of their own | {_words(RACES)} | |
| runs within {MEMORY_LIMITS[0]} to {MEMORY_LIMITS[-1]:,} MB of address space | {len(MEMORY_LIMITS)} runs | |
| lists of records against a plain Python reading of the contract | {PROPERTY_EXAMPLES:,} lists | Hypothesis, derandomized |
| spoilt dataset files, settings and bodies | {SPOILT_INPUTS} each | Hypothesis, derandomized |
| coverage-guided fuzzing of dataset files, settings and bodies | {_words(FUZZ_INPUTS.values())} inputs | {FUZZ_SEED} |
| runs in a row on changing sources and faults of source and store, with a reader | {SOAK_RUNS:,} runs | {SOAK_SEED} |

`make test` has a fast cut of each; `make torture` runs them in full.

A soak ends with the descriptors and threads that it held after its first tenth, within 2 of each, with no more than
{SOAK_MEMORY >> 20} MiB more memory, and with nothing in the folder for temporary files; its reader sees published tables
alone, whole, in their order.

Where memory runs out, the run says so and ends with 71 if Python or the engine is told; else the kernel or the C library ends
it, by a signal or with 127. It never waits for ever, and never touches the object. A container that is killed for its memory is
part of `make rehearse`; a read-only or full disk under a local target is in `tests/torture/test_defects.py`.

What no program can promise: a store that accepts an upload and keeps other bytes has lost the object; the run reads it back,
says so, and ends with 74, and the next run publishes again. After 74 at the read-back the object is the new one, not verified.
A store that ignores conditions is not noticed: of two runs at once, the later upload would replace the earlier. NDJSON whose length is not announced and that is cut between two lines is complete for all that can be
seen; `max_shrink` is what refuses it. SIGKILL leaves the scratch folder `micro-etl-*`, which no later run reads, and next to
a local target at most `.<name>.part`, which the next run overwrites.
"""
