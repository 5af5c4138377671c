"""Photograph the page that `micro-etl report` writes about the bundled sample, light and dark.

.venv/bin/python -m dev.report_png

It publishes to an S3 API on loopback, and needs Chromium.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from dev.loopback import CREDENTIALS, serve_aws

_SAMPLE = "src/micro_etl/datasets/launches.sample.json"
_BUCKET = "analytics"
_SIZE = "1000,1590"
_SCHEMES = {"dark": 0, "light": 1}  # as Chromium counts them


def main() -> int:
    """Publish, write the page, and take the pictures."""
    with tempfile.TemporaryDirectory() as folder, serve_aws() as endpoint:
        request = urllib.request.Request(f"{endpoint}/{_BUCKET}", method="PUT")  # noqa: S310 - ours
        urllib.request.urlopen(request, timeout=30).close()  # noqa: S310
        environ = {**os.environ, **CREDENTIALS, "AWS_ENDPOINT_URL": endpoint}
        page = Path(folder, "report.html")
        url = f"s3://{_BUCKET}/launches.parquet"
        for arguments in (
            ("run", "--source-url", _SAMPLE, "--target-url", url, "--log-format", "text"),
            ("report", url, "-o", str(page)),
        ):
            command = (sys.executable, "-m", "micro_etl", *arguments)
            subprocess.run(command, env=environ, check=True)
        for scheme, number in _SCHEMES.items():
            picture = Path("docs", f"report-{scheme}.png")
            subprocess.run(
                [
                    *("chromium", "--headless", "--no-sandbox", "--hide-scrollbars"),
                    f"--user-data-dir={folder}/{scheme}",
                    f"--blink-settings=preferredColorScheme={number}",
                    *(f"--window-size={_SIZE}", f"--screenshot={picture}", page.as_uri()),
                ],
                check=True,
                stderr=subprocess.DEVNULL,
            )
            sys.stdout.write(f"written: {picture}, {picture.stat().st_size:,} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
