"""Show things to people on one line: sizes, the first bytes of a body, texts from elsewhere."""

from __future__ import annotations

import math
import re

_SHOWN = 120  # characters of a body
# What would steer a terminal, or break a line.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def printable(text: str) -> str:
    """A text on one line, in which nothing steers a terminal: control characters as escapes."""
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def size(count: int) -> str:
    """A number of bytes for a reader."""
    if count < 1000:
        return f"{count} B"
    power = min(int(math.log10(count)) // 3, 4)
    return f"{count / 1000**power:.1f} {' kMGT'[power]}B"


def show_bytes(head: bytes) -> str:
    """Show the first bytes of a body on one line, whatever they are."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return f"{head[:16]!r} (UTF-16; it should be UTF-8)"
    if head.startswith(b"\xef\xbb\xbf"):
        return f"{head[:16]!r} (a byte order mark, which JSON must not have)"
    text = " ".join(head.decode("utf-8", "replace").split())
    return repr(text[:_SHOWN] + ("…" if len(text) > _SHOWN else ""))
