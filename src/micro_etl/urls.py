"""Say things about URLs without opening them."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

_NDJSON_ENDINGS = (".ndjson", ".jsonl")


def redact(url: str) -> str:
    """A URL as it may be shown: no user, no password, no values of its query."""
    parts = urlsplit(url)
    if not parts.scheme:
        return url
    query = "&".join(
        f"{name}=…" if separator else name
        for name, separator, _ in (pair.partition("=") for pair in parts.query.split("&"))
    )
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, query, ""))


def names_ndjson(url: str, content_type: str | None) -> bool:
    """Whether a source says, by its name or media type, that it has one record a line."""
    path = (urlsplit(url).path if "://" in url else url).lower().removesuffix(".gz")
    media_type = (content_type or "").lower()
    return path.endswith(_NDJSON_ENDINGS) or "ndjson" in media_type or "jsonl" in media_type
