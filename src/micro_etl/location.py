"""A URL or path as a value: what kind it is, what may be shown of it, and what is secret in it."""

from __future__ import annotations

import re
from base64 import b64encode
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, unquote_plus, unquote_to_bytes

from micro_etl.errors import ConfigError

STORE_SCHEMES = ("s3", "gs", "az")
"""The schemes of remote stores, where ? and # are characters of a key like any other."""

_HTTP_SCHEMES = ("http", "https")
_NDJSON_ENDINGS = (".ndjson", ".jsonl")
_MISTYPED = r"(?i)(s3|gs|az|https?):/?(?!/)"
_HOST = r"(localhost|\d+(\.\d+){3}|[\w-]+(\.[\w-]+)*\.[A-Za-z]{2,})(:\d+)?(?=[/?])"
_FILES = r"(?i)(\.json|\.ndjson|\.jsonl)(\.gz)?$|/$"
_USER = r"[^/@\s]*:[^/@\s]*@"  # where the scheme of a URL is missing or misspelt
_FILE_URL = r"(?i)file:(//(localhost)?(?=/|$)|(?=/(?!/)))"  # RFC 8089; file:/path is its short form
_LONGEST_NAME, _LONGEST_PATH = 255, 4095  # bytes, as Linux takes them
_SHOWN = 60  # characters of a path that can't be one


class Location(NamedTuple):
    """Where something is: the URL of a server or a store, or a local path.

    Attributes:
        text: the URL or path as it was given, secrets included.
        scheme: in lower case; ``file`` for a local path.
    """

    text: str
    scheme: str

    @classmethod
    def parse(cls, text: str) -> Location:
        """Take a URL or path; any text is one, since a message about a wrong one has to name it."""
        scheme, separator, _ = text.partition("://")
        return cls(text, scheme.lower() if separator else "file")

    @property
    def without_typo(self) -> str:
        """The URL that is meant where slashes are missing, as in ``s3:/bucket``; else empty."""
        found = re.match(_MISTYPED, self.text)
        return f"{found[1].lower()}://{self.text[found.end() :]}" if found else ""

    @property
    def with_scheme(self) -> str:
        """The URL that is meant where there seems to be a host without a scheme; else empty.

        What ends like a file or a folder is a local path.
        """
        if "://" in self.text or not re.match(_HOST, self.text) or re.search(_FILES, self.text):
            return ""
        is_near = self.text.startswith(("localhost", "127."))
        return f"{'http' if is_near else 'https'}://{self.text}"

    @property
    def is_http(self) -> bool:
        """Whether a server answers there."""
        return self.scheme in _HTTP_SCHEMES

    @property
    def is_store(self) -> bool:
        """Whether it is an object, or a folder of them, in a remote store."""
        return self.scheme in STORE_SCHEMES

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine."""
        return self.scheme == "file"

    @property
    def path(self) -> Path:
        """The local path (RFC 8089: the host is empty or ``localhost``, ``%20`` is a space).

        Raises:
            ConfigError: no file can have it, or it is on another host.
        """
        return Path(self.local_text or "/")

    @property
    def local_text(self) -> str:
        """The local path as text, with a slash at its end where it has one; raises the same."""
        text, url = self.text, re.match(_FILE_URL, self.text)
        if url:
            text = unquote(text[url.end() :], errors="surrogateescape")
        elif "://" in text:
            raise ConfigError(
                f"{self._shortened!r} names another host; it should be like file:///folder/file, "
                "or a local path"
            )
        sizes = [len(name.encode("utf-8", "surrogatepass")) for name in text.split("/")]
        if "\0" in text:
            raise ConfigError(
                f"{self._shortened!r} has a NUL byte (%00); it should be a path, which has none"
            )
        if max(sizes) > _LONGEST_NAME or sum(sizes) + len(sizes) - 1 > _LONGEST_PATH:
            raise ConfigError(
                f"{self._shortened!r} is too long; it should be a path of at most "
                f"{_LONGEST_PATH:,} bytes, and {_LONGEST_NAME} for each name in it"
            )
        return text

    @property
    def _shortened(self) -> str:
        return self.shown[:_SHOWN] + ("…" if len(self.shown) > _SHOWN else "")

    @property
    def bucket(self) -> str:
        """The bucket or container of a store."""
        return self.text.partition("://")[2].partition("/")[0]

    @property
    def key(self) -> str:
        """The key in the bucket, as it was given."""
        return self.text.partition("://")[2].partition("/")[2]

    @property
    def is_folder(self) -> bool:
        """Whether it means several files: a folder or a pattern; looks at local paths."""
        if self.is_http:
            return False
        return self.text.endswith("/") or "*" in self.text or (self.is_local and self.path.is_dir())

    @property
    def shown(self) -> str:
        """The text as it may be shown: no user, no password, no values of a query."""
        scheme, separator, rest = self.text.partition("://")
        if not separator:
            return re.sub(_USER, "", self.text)
        end = _end_of_host(rest)
        host, path = rest[:end].rpartition("@")[2], rest[end:]
        if not (self.is_store or self.is_local):
            path, question_mark, query = path.partition("#")[0].partition("?")
            path += question_mark + "&".join(_without_value(pair) for pair in query.split("&"))
        return f"{scheme}://{host}{path}"

    @property
    def secrets(self) -> set[str]:
        """What must not be shown of it, in each form in which it could come back."""
        rest = self.text.partition("://")[2]
        user, _, password = rest[: _end_of_host(rest)].rpartition("@")[0].partition(":")
        pairs = rest.partition("#")[0].partition("?")[2].split("&")
        raw = {password, *(pair.partition("=")[2] or pair for pair in pairs)}
        forms = {*raw, *(unquote(text) for text in raw), *(unquote_plus(text) for text in raw)}
        sent = f"{user}:{password}".encode("utf-8", "surrogatepass")  # as the client encodes it
        forms.add(b64encode(unquote_to_bytes(sent)).decode())
        return forms - {""}

    def join(self, name: str) -> Location:
        """Go to a name below it."""
        return Location(f"{self.text.rstrip('/')}/{name}", self.scheme)

    def names_lines(self, content_type: str | None) -> bool:
        """Tell whether its name or a media type says that it has one record a line."""
        path = re.split("[?#]", self.text)[0] if self.is_http else self.text
        media_type = (content_type or "").lower()
        named = path.lower().removesuffix(".gz").endswith(_NDJSON_ENDINGS)
        return named or "ndjson" in media_type or "jsonl" in media_type


def _end_of_host(rest: str) -> int:
    return next((at for at, character in enumerate(rest) if character in "/?#"), len(rest))


def _without_value(pair: str) -> str:
    name, separator, _ = pair.partition("=")
    return f"{name}=…" if separator else "…" if pair else ""
