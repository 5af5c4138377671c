"""No input gives a traceback, a hang or a wrong table: dataset file, settings and source body."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.torture.fuzz import SEEDS, TARGETS
from tests.torture.reliability import FUZZ_INPUTS, FUZZ_SEED, SPOILT_INPUTS

ROOT = Path(__file__).parents[2]


@st.composite
def _spoilt(draw: st.DrawFn, target: str) -> bytes:
    """A sound input, parts of which are replaced."""
    data = draw(st.sampled_from(SEEDS[target]))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(data)))
        length = draw(st.integers(0, 8))
        part = draw(st.one_of(st.binary(max_size=8), st.sampled_from(_PARTS)))
        data = data[:start] + part + data[start + length :]
    return data


_PARTS = [b"\n", b'"', b"'", b"\x1b[31m", b"\0", b"9" * 5000, b"-1", b"nan", b"1e999", b"[", b"{"]
_PARTS += [b"\\u0000", b"\\ud800", b"';--", b"/../", b"%s%n", b"{0}", b"\xff", b"0x" + b"f" * 5000]


@pytest.mark.parametrize("target", TARGETS)
def test_spoilt_input_is_no_defect(target: str) -> None:
    """A few inputs; the same each time."""

    @settings(
        max_examples=SPOILT_INPUTS,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(_spoilt(target))
    def check(data: bytes) -> None:
        TARGETS[target](data)

    check()


@pytest.mark.torture
@pytest.mark.timeout(240)
@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None,
    reason="the coverage-guided fuzzer has wheels for Linux on x86-64 alone",
)
@pytest.mark.parametrize("target", TARGETS)
def test_fuzzer_finds_nothing(target: str) -> None:
    """Thousands of inputs, led by the code that they reach."""
    command = [
        sys.executable,
        "-m",
        "tests.torture.fuzz",
        target,
        str(FUZZ_INPUTS[target]),
        str(FUZZ_SEED),
    ]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-4000:]
    done = re.search(r"Done (\d+) runs", ended.stderr)
    assert done
    assert int(done[1]) >= FUZZ_INPUTS[target]
    print(f"{target}: {done[1]} inputs, seed {FUZZ_SEED}")  # noqa: T201 - a figure to report
