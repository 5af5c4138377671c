"""How the engine is started."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from pathlib import Path
from micro_etl.table.engine import connect
query = "SELECT current_setting('enable_progress_bar')"
print(*connect(Path(sys.argv[1])).execute(query).fetchone())
"""


def test_it_draws_no_progress_of_its_own_where_python_is_interactive(tmp_path: Path) -> None:
    """It would be on standard output, in the midst of a log; ``-c`` counts as interactive."""
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert run.stdout == "False\n"
