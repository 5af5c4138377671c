"""Hide secrets in everything that is printed, in each form in which they may be repeated."""

from __future__ import annotations

import json
import os
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from micro_etl.location import Location

SHORTEST_SECRET = 6
"""A shorter text would be found, and hidden, where it is not meant."""

_HIDDEN = "…"
_SECRET_VARIABLES = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


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
        return text

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


def mask_of(*locations: str | None) -> Mask:
    """Make a mask that hides the secrets of these locations and of the environment."""
    mask = Mask(os.environ.get(name, "") for name in _SECRET_VARIABLES)
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
    return {
        secret,
        quote(encoded, safe=""),
        quote(encoded),
        quote_plus(encoded),
        _escape_html(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        ascii(secret)[1:-1],
        b64encode(encoded).decode().rstrip("="),
    }
