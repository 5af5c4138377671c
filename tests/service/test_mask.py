"""Secrets are hidden in each form in which they come back, and where a message cuts them."""

# ruff: noqa: D103 - a test's name is its promise
from __future__ import annotations

import base64
from urllib.parse import quote

import pytest

from micro_etl.mask import SHORTEST_SECRET, Mask, mask_of

SECRET = "TopSecret+Value/42abcdefgh"
MASK = Mask([SECRET])


@pytest.mark.parametrize("form", [SECRET, quote(SECRET, safe=""), SECRET.replace("+", "%2b")])
def test_beginning_of_a_secret_at_a_cut_is_hidden(form: str) -> None:
    for length in range(SHORTEST_SECRET, len(form)):
        shown = form[:length]
        for mark in ("…", "'…", '"…', ", expected a number"):
            text = MASK.clean(f"value {shown}{mark} and more")
            assert shown[:SHORTEST_SECRET] not in text, text
            assert text.startswith("value …"), text
            assert text.endswith(f"{mark[-1]} and more"), text


def test_end_of_a_secret_behind_a_cut_is_hidden() -> None:
    for length in range(SHORTEST_SECRET, len(SECRET)):
        shown = SECRET[-length:]
        for mark in ("…", "…'", "it ends with '"):
            text = MASK.clean(f"{mark}{shown} and more")
            assert SECRET[-SHORTEST_SECRET:] not in text, text
            assert text == f"{mark}… and more"


@pytest.mark.parametrize(
    "text",
    [
        "TopSecret is a film", "TopSe…", "a TopSecret film…", "…bcdefgh", "… …", "…", "",
        "… of abcdefgh", "x, expected TopSecret",
    ],
)  # fmt: skip
def test_what_no_cut_stands_beside_is_shown(text: str) -> None:
    expected = text.replace("bcdefgh", "…") if text == "…bcdefgh" else text
    assert MASK.clean(text) == expected


def test_percent_codes_may_be_in_lower_case() -> None:
    lower = quote(SECRET, safe="").replace("%2B", "%2b").replace("%2F", "%2f")
    assert MASK.clean(f"?key={lower}&x") == "?key=…&x"


@pytest.mark.parametrize("user", ["", "a", "me", "you", "name"])
@pytest.mark.parametrize("behind", ["", ":", "==x"])
def test_base64_of_a_longer_text_shows_almost_nothing(user: str, behind: str) -> None:
    encoded = base64.b64encode(f"{user}:{SECRET}{behind}".encode()).decode()
    for text in (encoded, encoded.replace("+", "-").replace("/", "_")):
        shown = MASK.clean(f"Basic {text}.")
        assert "…" in shown
        start, _, end = shown.removeprefix("Basic ").partition("…")
        bits = len(user) * 8 + 8
        assert len(start) * 6 < bits + 6
        assert len(end.rstrip(".=")) * 6 < len(behind) * 8 + 12


def test_a_mask_without_secrets_changes_nothing() -> None:
    assert Mask().clean("abcdef… x, expected y") == "abcdef… x, expected y"


@pytest.mark.parametrize(
    ("variable", "value", "repeated"),
    [
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7", "key wJalrXUtnFEMI/K7"),
        ("AZURE_STORAGE_ACCOUNT_KEY", "c2VjcmV0LWtleQ==", "key c2VjcmV0LWtleQ=="),
        ("AZURE_STORAGE_SAS_TOKEN", "sv=2022&sig=aB%2Fc9dEfgh", "signature aB/c9dEfgh"),
        ("GOOGLE_SERVICE_ACCOUNT_KEY", '{"private_key": "x"}', 'key {"private_key": "x"}'),
    ],
)
def test_credentials_of_every_store_are_hidden(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, repeated: str
) -> None:
    """A store's error may repeat what it was given."""
    monkeypatch.setenv(variable, value)
    assert mask_of(None).clean(repeated).endswith(" …")
