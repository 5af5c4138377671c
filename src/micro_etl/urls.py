"""Say things about URLs without opening them."""

from __future__ import annotations

import re
from base64 import b64encode
from pathlib import Path
from urllib.parse import unquote, unquote_plus, unquote_to_bytes

_NDJSON_ENDINGS = (".ndjson", ".jsonl")
SHORTEST_SECRET = 6  # a shorter text would be found, and hidden, where it is not meant
_USER = re.compile(r"[^/@\s]*:[^/@\s]*@")  # where the scheme of a URL is missing or misspelt
_STORES = ("s3", "gs", "az", "file")  # where ? and # are characters of a key like any other


def redact(url: str) -> str:
    """A URL as it may be shown: no user, no password, no values of its query.

    Takes what is not quite a URL as well, since the message about it has to name it.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return _USER.sub("", url)
    end = re.search(r"[/?#]|$", rest).start()  # type: ignore[union-attr] # $ always matches
    host, path = rest[:end].rpartition("@")[2], rest[end:]
    if scheme.lower() not in _STORES:
        path, question_mark, query = path.partition("#")[0].partition("?")
        path += question_mark + "&".join(_without_value(pair) for pair in query.split("&"))
    return f"{scheme}://{host}{path}"


def _without_value(pair: str) -> str:
    name, separator, _ = pair.partition("=")
    return f"{name}=…" if separator else "…" if pair else ""


def secrets(url: str) -> set[str]:
    """What of a URL nobody else may see, in each form in which it could come back."""
    rest = url.partition("://")[2]
    end = re.search(r"[/?#]|$", rest).start()  # type: ignore[union-attr] # $ always matches
    user, _, password = rest[:end].rpartition("@")[0].partition(":")
    pairs = rest.partition("#")[0].partition("?")[2].split("&")
    raw = {password, *(pair.partition("=")[2] or pair for pair in pairs)}
    forms = {*raw, *(unquote(text) for text in raw), *(unquote_plus(text) for text in raw)}
    sent = f"{user}:{password}".encode("utf-8", "surrogatepass")  # as the client encodes it
    forms.add(b64encode(unquote_to_bytes(sent)).decode())
    return {text for text in forms if len(text) >= SHORTEST_SECRET}


def names_ndjson(url: str, content_type: str | None) -> bool:
    """Whether a source says, by its name or media type, that it has one record a line."""
    scheme, separator, rest = url.partition("://")
    path = re.split("[?#]", rest)[0] if separator and scheme.lower() not in _STORES else url
    media_type = (content_type or "").lower()
    named = path.lower().removesuffix(".gz").endswith(_NDJSON_ENDINGS)
    return named or "ndjson" in media_type or "jsonl" in media_type


def means_files(url: str) -> bool:
    """Whether a source is a folder or a pattern, rather than one body; looks at local paths."""
    scheme, separator, rest = url.partition("://")
    if separator and scheme.lower() in ("http", "https"):
        return False
    local = not separator or scheme == "file"
    return url.endswith("/") or "*" in url or (local and Path(rest if separator else url).is_dir())
