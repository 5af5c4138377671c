"""Faults of sources that are up, and answer oddly."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from functools import partial

from tests.service.servers import Answer, Request, gzipped, headed, redirect
from tests.torture.faults import NEW, Fault

NDJSON = b"\n".join(line.rstrip(b",") for line in NEW[1:-1].replace(b"}}, ", b"}},\n").split(b"\n"))
"""The new records, one a line."""

_LINES = NDJSON.split(b"\n")
_CUT = len(b"\n".join(_LINES[:3])) + 1  # at the end of a line, where nothing looks cut

_source = partial(Fault, group="source")
_good = partial(Fault, group="source", code=0, published=True)


_PAST = "1700000000"


def _unread(value: bytes) -> bytes:
    """The new records, the first of them with a field that no column reads."""
    return NEW.replace(b'"flight_number"', b'"unread": ' + value + b', "flight_number"', 1)


def _zipped() -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("launches.json", NEW)
    return archive.getvalue()


def _with_cookie(request: Request) -> Answer:
    wanted = request.headers.get("cookie") == "session=abc"
    return Answer(body=NEW) if wanted else Answer(status=401)


_HEADS = [
    *(
        _source(
            name=f"{what} before the length of a body that is cut",
            code=69,
            says="header line",
            answers=[headed(*lines, body=NDJSON, sent=_CUT)],
            fast=what == "blank in a header's name",
        )
        for what, *lines in [
            ("blank in a header's name", b"X-Foo : bar"),
            ("header line without a colon", b"X-Foo"),
            ("two words and no colon", b"X-Foo bar"),
            ("tab in a header's name", b"X-Foo\t: bar"),
            ("carriage return within a header", b"X-Foo: bar\rX-Bar: foo"),
            ("NUL in a header", b"X-Foo: b\0r"),
            ("second status line", b"HTTP/1.1 200 OK"),
        ]
    ),
    *(
        _source(
            name=f"{what} before the length of a body that is cut",
            code=69,
            says="after all retries",
            answers=[headed(line, body=NDJSON, sent=_CUT)],
            gets=3,
        )
        for what, line in [
            ("header whose name is not ASCII", b"X-F\xc3\xbc: bar"),
            ("header without a name", b": bar"),
            ("first header line that is folded", b" X-Foo: bar"),
            ("mail's From line", b"From me Thu Jan  1 00:00:00 1970"),
        ]
    ),
    _source(
        name="length on a folded first line, of a body that is cut",
        code=69,
        says="may be the body's length",
        answers=[
            Answer(
                raw=b"HTTP/1.1 200 OK\r\n Content-Length: %d\r\nConnection: close\r\n\r\n%s"
                % (len(NDJSON), NDJSON[:_CUT])
            )
        ],
    ),
    _source(
        name="two lengths",
        code=69,
        says="two lengths",
        answers=[headed(b"Content-Length: 90", body=NDJSON)],
    ),
    _source(
        name="head that is cut",
        code=69,
        says="after all retries",
        answers=[Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")],
        gets=3,
    ),
    *(
        _good(name=what, answers=[headed(*lines, body=NEW)])
        for what, lines in [
            ("folded header", [b"X-Foo: bar", b"  more"]),
            ("header that is not ASCII", [b"X-F\xc3\xbc: b\xc3\xa4r", b": no name", b"X-Empty:"]),
            ("first header line that is folded", [b" X-Foo: bar"]),
            ("mail's From line", [b"From me Thu Jan  1 00:00:00 1970"]),
            ("media type of several parts", [b"Content-Type: multipart/mixed"]),
            ("300 headers", [b"X-%d: y" % number for number in range(300)]),
            ("length twice, the same", [b"Content-Length: %d" % len(NEW)]),
        ]
    ),
    _good(
        name="100 Continue before the answer",
        answers=[
            Answer(
                raw=b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\nHTTP/1.1 200 OK\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (len(NEW), NEW)
            )
        ],
    ),
    _good(
        name="chunks and a length that is not theirs",
        answers=[Answer(body=NEW, chunked=True, headers={"Content-Length": "7"})],
    ),
    _good(
        name="chunks after another coding",
        answers=[
            Answer(
                body=gzip.compress(NEW),
                chunked=True,
                headers={"Transfer-Encoding": "gzip, Chunked"},
            )
        ],
    ),
]

_PACKED = [
    *(
        _good(
            name=f"content encoding {encoding!r} over a {kind} body",
            answers=[Answer(body=body, headers={"Content-Encoding": encoding})],
        )
        for encoding in ("GZIP", " gzip ", "", "none", "identity", "aws-chunked", "x", "UTF-8")
        for kind, body in [("plain", NEW), ("gzip", gzip.compress(NEW))]
    ),
    _good(name="zeros after gzip", answers=[Answer(body=gzip.compress(NEW) + bytes(999))]),
    _good(
        name="zeros between the members of gzip",
        answers=[Answer(body=gzip.compress(NEW[:99]) + bytes(99) + gzip.compress(NEW[99:]))],
    ),
    _source(
        name="rubbish after gzip",
        code=69,
        says="gzip stream is broken",
        answers=[Answer(body=gzip.compress(NEW) + bytes(9) + b"x" * 9)],
    ),
    _good(name="gzip twice", answers=[gzipped(gzip.compress(NEW))]),
    _good(name="zlib", answers=[Answer(body=zlib.compress(NEW))]),
    _good(name="byte order mark within gzip", answers=[gzipped(b"\xef\xbb\xbf" + NEW)]),
    *(
        _source(name=f"body that is {name}", code=69, says=f"{name}", answers=[Answer(body=body)])
        for name, body in [
            ("a zip archive", _zipped()),
            ("zstd", b"\x28\xb5\x2f\xfd" + NEW[:50]),
            ("bzip2", bz2.compress(NEW)),
            ("xz", lzma.compress(NEW)),
            ("gzip within gzip", gzip.compress(gzip.compress(gzip.compress(NEW)))),
            ("UTF-16", NEW.decode().encode("utf-16-le")),
            ("UTF-32", NEW.decode().encode("utf-32-be")),
            ("the frames of aws-chunked", b"1f4;chunk-signature=00\r\n" + NEW[:500] + b"\r\n"),
            ("JSONP", b"callback(" + NEW + b")"),
        ]
    ),
]

_LAID_OUT = [
    *(
        _good(name=f"lines {what}", answers=[Answer(body=body)])
        for what, body in [
            ("after a blank one", b"\n\r\n" + NDJSON),
            ("that end in CR and LF", NDJSON.replace(b"\n", b"\r\n")),
            ("after 100,000 blank ones", b"\n" * 100_000 + NDJSON),
            ("after a byte order mark", b"\xef\xbb\xbf" + NDJSON),
        ]
    ),
    _good(name="objects without line breaks", answers=[Answer(body=b"".join(_LINES))]),
    _good(
        name="objects over several lines",
        answers=[Answer(body=b"\n".join(_LINES).replace(b", ", b",\n  "))],
    ),
    _source(
        name="byte order mark on a later line",
        code=69,
        says="byte order mark",
        answers=[Answer(body=b"\n\xef\xbb\xbf".join(_LINES))],
    ),
    _source(
        name="an object of 64 MB on one line",
        code=69,
        says="not one object",
        answers=[Answer(body=b'{"data": "' + b"x" * (64 << 20) + b'"}')],
        environ={"SOURCE_MAX_RECORD_BYTES": "100MB"},
    ),
    *(
        _source(name=what, code=69, says="is not JSON", answers=[Answer(body=body)], fast=fast)
        for what, body, fast in [
            ("vertical tab between records", NEW.replace(b"}}, ", b"}},\v", 1), True),
            ("form feed before the end", NEW[:-1] + b"\f]", False),
            (
                "form feed between lines",
                b"\n\f\n".join([b"\n".join(_LINES[:2]), *_LINES[2:]]),
                False,
            ),
            (
                "records behind the array",
                NEW[: NEW.rindex(b", {")] + b"]\n" + NEW[NEW.rindex(b", {") + 2 :],
                False,
            ),
            ("comma at the end of a record", NEW.replace(b"}}", b"}, }", 1), False),
            ("comma in an array that no column reads", _unread(b"[1, 2, ]"), False),
            ("NaN in what no column reads", _unread(b"NaN"), False),
            ("-Infinity in what no column reads", _unread(b"[-Infinity]"), False),
        ]
    ),
    _good(
        name="what only looks like it is not JSON, within strings",
        answers=[Answer(body=_unread(b'"x, ] y, } : NaN, \\", ] [1]  {"'))],
    ),
]

_LIMITED = [
    *(
        _good(
            name=f"{status} that is a rate limit by {what}, then sound",
            answers=[Answer(status=status, headers=headers), Answer(body=NEW)],
            gets=2,
        )
        for status in (403, 429)
        for what, headers in [
            ("Retry-After", {"Retry-After": "1"}),
            ("a count and seconds", {"RateLimit-Remaining": "0", "RateLimit-Reset": "1"}),
            ("a count and a moment", {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": _PAST}),
        ]
    ),
    *(
        _source(
            name=f"{status} that asks for an hour by {what}",
            code=69,
            says="SOURCE_RETRY_AFTER_MAX",
            answers=[Answer(status=status, headers=headers)],
        )
        for status in (403, 429)
        for what, headers in [
            ("Retry-After", {"Retry-After": "3600"}),
            ("a moment", {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "4102444800"}),
        ]
    ),
    _source(
        name="403 with requests left",
        code=77,
        says="status 403",
        answers=[
            Answer(status=403, headers={"X-RateLimit-Remaining": "9", "X-RateLimit-Reset": "1"})
        ],
    ),
    _source(
        name="401 without a token", code=77, says="source.headers", answers=[Answer(status=401)]
    ),
]

_REDIRECTED = [
    _good(
        name="redirect to a path in raw UTF-8",
        answers=[redirect("/fl\u00c3\u00bcge?q=\u00c3\u00a4"), Answer(body=NEW)],
        gets=2,
    ),
    _good(
        name="redirect with blanks at its end",
        answers=[redirect("/b \t "), Answer(body=NEW)],
        gets=2,
    ),
    _good(
        name="redirect whose cookie its target wants",
        answers=[
            Answer(status=302, headers={"Location": "/in", "Set-Cookie": "session=abc; Path=/"}),
            _with_cookie,
        ],
        gets=2,
    ),
    *(
        _source(
            name=f"redirect to {where}",
            code=69,
            says="link-local",
            answers=[redirect(f"http://{where}/latest/meta-data/")],
        )
        for where in (
            "169.254.169.254",
            "169.254.170.2:80",
            "2852039166",
            "0xa9fea9fe",
            "[fe80::1]",
            "[::ffff:169.254.169.254]",
            "[fd00:ec2::254]",
        )
    ),
    _source(
        name="line break at the end of SOURCE_URL",
        code=78,
        says="line break",
        environ={"SOURCE_URL": "https://example.com/\n"},
        gets=0,
    ),
    _source(
        name="file that is not there",
        code=66,
        says="No such file",
        environ={"SOURCE_URL": "nowhere.json"},
        gets=0,
    ),
]

ODD = [*_HEADS, *_PACKED, *_LAID_OUT, *_LIMITED, *_REDIRECTED]
