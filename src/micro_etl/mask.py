"""Hide secrets in everything that is printed, in each form in which they may be repeated."""

from __future__ import annotations

import json
import os
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus, unquote

from micro_etl.location import Location

SHORTEST_SECRET = 6
"""A shorter text would be found, and hidden, where it is not meant."""

_HIDDEN = "…"
# Where messages cut a text: at an ellipsis, a value of a violation, and the tail of an array.
_CUTS = (_HIDDEN, ", expected ", " ends with ")
_CUT = re.compile(rf"[\"']?(?:{'|'.join(_CUTS)})[\"']?")
_URL_SAFE = str.maketrans("+/", "-_")
_SECRET_VARIABLES = (
    *("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN"),
    *("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCESS_KEY", "AZURE_STORAGE_MASTER_KEY"),
    *("AZURE_STORAGE_SAS_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_TOKEN"),
    *("AZURE_STORAGE_CLIENT_SECRET", "AZURE_CLIENT_SECRET", "GOOGLE_SERVICE_ACCOUNT_KEY"),
)
_SIGNATURE = re.compile("(?:^|[?&])sig=([^&]+)")  # of a SAS token, which is a query


class Mask:
    """Knows secrets, and takes them out of texts; secrets may be added at any time."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._forms: list[str] = []
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Hide further secrets, in each form in which they could come back."""
        forms = {form for secret in secrets for form in _forms(secret)}
        kept = {form for form in forms if len(form) >= SHORTEST_SECRET}
        # The longest first, so that no secret is cut by another that it holds.
        self._forms = sorted(kept.union(self._forms), key=lambda form: (-len(form), form))

    def clean(self, text: str) -> str:
        """Give a text without secrets."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, _HIDDEN)
        is_cut = self._forms and any(word in text for word in _CUTS)
        return self._clean_cuts(text) if is_cut else text

    def _clean_cuts(self, text: str) -> str:
        """Hide what a cut has left of a secret: its beginning before it, or its end behind it."""
        clean, at, longest = "", 0, len(self._forms[0])
        for cut in _CUT.finditer(text):
            before = text[at : cut.start()]
            behind = text[cut.end() : cut.end() + longest]
            end = max(_length_at_end(before, form) for form in self._forms)
            start = max(_length_at_start(behind, form) for form in self._forms)
            clean += f"{before[: len(before) - end]}{_HIDDEN if end else ''}{cut[0]}"
            clean += _HIDDEN if start else ""
            at = cut.end() + start
        return clean + text[at:]

    def clean_all(self, value: Any) -> Any:
        """Give a value without secrets in any text of it."""
        if not self._forms:
            return value
        if isinstance(value, str):
            return self.clean(value)
        if isinstance(value, Mapping):
            return {key: self.clean_all(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.clean_all(inner) for inner in value]
        return value


def _length_at_end(piece: str, form: str) -> int:
    """How much of the beginning of a form a piece ends with; 0 where that is too short."""
    tail = piece[-len(form) :]
    at = tail.find(form[:SHORTEST_SECRET])
    while at >= 0 and not form.startswith(tail[at:]):
        at = tail.find(form[:SHORTEST_SECRET], at + 1)
    return len(tail) - at if at >= 0 else 0


def _length_at_start(piece: str, form: str) -> int:
    """How much of the end of a form a piece begins with; 0 where that is too short."""
    head = piece[: len(form)]
    at = head.rfind(form[-SHORTEST_SECRET:])
    while at >= 0 and not form.endswith(head[: at + SHORTEST_SECRET]):
        at = head.rfind(form[-SHORTEST_SECRET:], 0, at + SHORTEST_SECRET - 1)
    return at + SHORTEST_SECRET if at >= 0 else 0


def mask_of(*locations: str | None) -> Mask:
    """Make a mask that hides the secrets of these locations and of the environment."""
    mask = Mask()
    for name in _SECRET_VARIABLES:
        value = os.environ.get(name, "")
        mask.add([value, *map(unquote, _SIGNATURE.findall(value))])
    for text in locations:
        mask.add(Location.parse(text or "").secrets)
    return mask


def _escape_html(text: str) -> str:
    """Do what `html.escape` does, whose module takes 2 ms to import."""
    for character, entity in (("&", "amp"), ("<", "lt"), (">", "gt"), ('"', "quot"), ("'", "#x27")):
        text = text.replace(character, f"&{entity};")
    return text


def _forms(secret: str) -> set[str]:
    encoded = secret.encode("utf-8", "surrogatepass")
    quoted = {quote(encoded, safe=""), quote(encoded), quote_plus(encoded)}
    base64 = {b64encode(encoded).decode().rstrip("="), *_base64_within(encoded)}
    return {
        secret,
        *quoted,
        *(re.sub("%..", lambda code: code[0].lower(), text) for text in quoted),
        _escape_html(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        ascii(secret)[1:-1],
        *base64,
        *(text.translate(_URL_SAFE) for text in base64),
    }


def _base64_within(secret: bytes) -> Iterator[str]:
    """Base64 as it stands within that of a longer text, such as `user:secret` of `Basic`.

    What shares a character with its neighbours is left out: up to five bits at either end.
    """
    for before in range(3):
        text = b64encode(bytes(before) + secret).decode()
        bits = (before + len(secret)) * 8
        yield text[-(-before * 8 // 6) : bits // 6]
