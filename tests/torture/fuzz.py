"""Fuzz targets: each takes any bytes, and fails where the service does what it must not.

Run as ``python -m tests.torture.fuzz TARGET INPUTS SEED``, it looks for inputs that reach new
code.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import suppress
from pathlib import Path

SEEDS = {
    "dataset": [
        (
            b'name = "t"\n[source]\nurl = "https://h/x"\nrecords = "a.b"\n[publish]\nmin_rows = 1\n'
            b'max_shrink = 0.1\n[columns]\nn = { from = "l.w", type = "int32", required = true }\n'
        ),
        b'name = "t"\n[columns]\n"a\'; \\"b" = { from = \'"c.d"\', type = "json" }\n',
        b'name = "t"\n[columns]\na = { type = "date", unique = true }\n[publish]\nmin_rows = 0\n',
        (
            b'name = "t"\n[source]\nurl = "https://h/{s}?p=1"\nrecords = "a.*.b[0]"\n'
            b'each = { s = ["A", 1] }\nheaders = { X = "${T}" }\nexpect = { ok = true }\n'
            b'[source.pagination]\nkind = "page_number"\nparam = "p"\ntotal = "n"\n[columns]\n'
            b'k = { from_key = "$.a.*", type = "string", unique = true }\ns = { from = "{s}", '
            b'type = "string" }\nl = { from = "x[*].y", type = "decimal(9,2)[]" }\n'
        ),
        (
            b'name = "t"\n[source]\nrecords = "h"\ncolumnar = true\n[columns]\n'
            b't = { type = "timestamp", timezone = "-05:00", truncate = true }\n'
            b'e = { from = "u[0]", type = "timestamp", format = "epoch_ms" }\n'
            b'm = { type = "boolean", map = { 0 = false, Y = true }, null_values = ["", []] }\n'
            b'p = { from = "$.v", type = "decimal(12,2)", format = "text" }\n'
            b'[publish]\nunique = ["t", "e"]\n'
        ),
        (
            b'name = "t"\n[source]\nurl = "https://h/q"\nempty_arrays_as_objects = true\n'
            b'[source.body]\nq = { a = 1 }\n[source.oauth2]\ntoken_url = "https://h/t"\n'
            b'client_id = "a"\nclient_secret = "${S}"\n[source.pagination]\nkind = "cursor"\n'
            b'next = "n.c"\nparam = "q.c"\nhas_more = "m"\n[columns]\n'
            b'i = { type = "int64", unique = true }\nM = { from = "i.M", type = "json" }\n'
        ),
    ],
    "settings": [
        b"SOURCE_ATTEMPTS=3\nS3_BUCKET=b\nS3_KEY=a/b\nAWS_REGION=us-east-1\n",
        b"TARGET_URL=s3://b/k\nSOURCE_DEADLINE=1e3\nSOURCE_MAX_BYTES=64MiB\nRUN_ID=a b\n",
        b"TARGET_URL=out/x\nAWS_ENDPOINT_URL=http://127.0.0.1:1\nSOURCE_URL=https://u:p@h/?q=1\n",
        b"http_proxy=http://127.0.0.1:1\nSOURCE_URL=http://127.0.0.1:1/\nAWS_SESSION_TOKEN=t\n",
    ],
    "body": [
        b'[{"n": 1, "s": "x", "t": "2020-01-01T00:00:00Z", "b": true, "l": {"w": 1.5}}]',
        b'[{"n": -0, "s": "\\ud83d\\ude00"}, {"t": "2020-01-01 00:00:00.1+05:00", "l": null}]',
        b'[{"n": 1, "\\u006e": 2}]',
    ],
}
"""What each target starts from."""

_BODY_COLUMNS = """
name = "t"
[columns]
n = { type = "int32" }
s = { type = "string" }
t = { type = "timestamp" }
b = { type = "boolean" }
w = { from = "l.w", type = "float64" }
"""


def fuzz_dataset(data: bytes) -> None:
    """A dataset file is read or refused in one line; one that is read compiles to sound SQL."""
    from micro_etl.body import Body, Layout, Part
    from micro_etl.dataset import describe, parse_dataset
    from micro_etl.errors import ConfigError, MicroEtlError
    from micro_etl.table.transform import transform

    with suppress(UnicodeDecodeError):
        try:
            dataset = parse_dataset(data.decode(), label="fuzz.toml")
        except ConfigError:
            return
        describe(dataset, known=())
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "body")
            layout = Layout.WRAPPED if dataset.is_wrapped else Layout.ARRAY
            file.write_text("{}" if dataset.is_wrapped else "[{}]")
            with suppress(MicroEtlError):
                body = Body((Part(file, "body"),), layout, 1 << 20)
                transform(body, dataset, scratch=Path(folder))


def fuzz_settings(data: bytes) -> None:
    """Settings are taken or refused in one line; those that are taken open a target."""
    import click

    from micro_etl.cli import cli
    from micro_etl.dataset import bundled_dataset
    from micro_etl.errors import MicroEtlError
    from micro_etl.log import open_report
    from micro_etl.options import prefer_flags
    from micro_etl.settings import Settings
    from micro_etl.source.deadline import Deadline
    from micro_etl.source.http.send import Request, send
    from micro_etl.source.limits import HttpOptions
    from micro_etl.store import open_place

    lines = data.decode("utf-8", "surrogateescape").replace("\0", "").splitlines()
    pairs = {name: value for name, _, value in (line.partition("=") for line in lines) if name}
    flags = [
        f"--{name.lower().replace('_', '-')}={value}"
        for name, value in pairs.items()
        if name.isupper() and not name.startswith("AWS_")
    ]
    with suppress(click.UsageError, click.exceptions.Exit, MicroEtlError):
        context = cli.commands["run"].make_context("run", flags)
        values = {
            name: value
            for name, value in context.params.items()
            if name not in ("force", "dry_run")
        }
        settings = Settings(**prefer_flags(values, set()))
        source = settings.source(bundled_dataset("launches"))
        _ = source.secrets, source.shown, settings.extract_options
        open_report(log_format=settings.log_format, log_level=settings.log_level)
        target = settings.target(bundled_dataset("launches"), attended=True)
        open_place(target, timeout=1, deadline=1, environ=pairs)
        if source.text.lower().startswith(("http://127.0.0.1:1/", "http://127.0.0.1:1?")):
            send(
                Request(source),
                lambda _: None,
                options=HttpOptions(attempts=1),
                deadline=Deadline(1, source.shown),
                on_retry=lambda *_: None,
            )


def fuzz_body(data: bytes) -> None:
    """A body is refused, or its table is what plain Python reads."""
    from tests.torture.fuzz_body import compare

    compare(data, _BODY_COLUMNS)


TARGETS = {"dataset": fuzz_dataset, "settings": fuzz_settings, "body": fuzz_body}


def main(target: str, inputs: str, seed: str) -> None:
    """Fuzz a target with so many inputs."""
    import atheris

    with atheris.instrument_imports(include=["micro_etl", "tests.torture", "tomllib"]):
        import tests.torture.fuzz_body  # noqa: F401

    with tempfile.TemporaryDirectory() as folder:
        for number, text in enumerate(SEEDS[target]):
            Path(folder, str(number)).write_bytes(text)
        limits = [f"-runs={inputs}", f"-seed={seed}", "-max_len=2048", "-timeout=30"]
        atheris.Setup(
            [sys.argv[0], *limits, f"-artifact_prefix={folder}/", folder], TARGETS[target]
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
