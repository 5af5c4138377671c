"""Run a command and print what it took as JSON: seconds, CPU seconds, peak memory, exit code.

A process of its own, started by `python -I -S`: the kernel counts what a process had before it
became another into its peak, so the process that starts the measured one has to be small.
"""

import json
import os
import sys
import time

started = time.monotonic()
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(pid, 0)
ended = time.monotonic()
print(  # noqa: T201 - for the process that reads it
    json.dumps(
        {
            "wall": ended - started,
            "ended": ended,
            "cpu": usage.ru_utime + usage.ru_stime,
            "peak": usage.ru_maxrss * 1024,
            "code": os.waitstatus_to_exitcode(status),
        }
    )
)
