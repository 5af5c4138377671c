"""Say things about URLs without opening them."""

from __future__ import annotations

import re

_NDJSON_ENDINGS = (".ndjson", ".jsonl")
_STORES = ("s3", "gs", "az", "file")  # where ? and # are characters of a key like any other


def redact(url: str) -> str:
    """A URL as it may be shown: no user, no password, no values of its query.

    Takes what is not quite a URL as well, since the message about it has to name it.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    end = re.search(r"[/?#]|$", rest).start()  # type: ignore[union-attr] # $ always matches
    host, path = rest[:end].rpartition("@")[2], rest[end:]
    if scheme.lower() not in _STORES:
        path, question_mark, query = path.partition("#")[0].partition("?")
        path += question_mark + "&".join(_without_value(pair) for pair in query.split("&"))
    return f"{scheme}://{host}{path}"


def _without_value(pair: str) -> str:
    name, separator, _ = pair.partition("=")
    return f"{name}=…" if separator else "…" if pair else ""


def names_ndjson(url: str, content_type: str | None) -> bool:
    """Whether a source says, by its name or media type, that it has one record a line."""
    scheme, separator, rest = url.partition("://")
    path = re.split("[?#]", rest)[0] if separator and scheme.lower() not in _STORES else url
    media_type = (content_type or "").lower()
    named = path.lower().removesuffix(".gz").endswith(_NDJSON_ENDINGS)
    return named or "ndjson" in media_type or "jsonl" in media_type
