"""Fill the variables of a dataset: each ``${NAME}`` becomes what the environment has."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from micro_etl.dataset import Dataset, OAuth2, find_variables
from micro_etl.dataset.section import VARIABLE
from micro_etl.errors import ConfigError
from micro_etl.location import Location

_CONTROL = r"[\x00-\x1f\x7f]"
_USER = r"\w+://[^/?#]*@"  # and a password, before the host
# What means something in a URL stays as it is, apart from what would begin another part of it.
_SAFE_IN_URL = "/:@!$'()*,;=-._~%"


def request_headers(dataset: Dataset, environ: Mapping[str, str]) -> dict[str, str]:
    """The headers of each request of a dataset.

    Raises:
        ConfigError: a variable is missing, or can't stand in a header.
    """
    return {name: fill_text(text, environ) for name, text in dataset.headers.items()}


def fill_text(text: str, environ: Mapping[str, str]) -> str:
    """Replace each ``${NAME}`` of a text on one line by the variable.

    Raises:
        ConfigError: a variable is missing, or has a line break.
    """

    def value(found: re.Match[str]) -> str:
        return _one_line(found[1], environ)

    return VARIABLE.sub(value, text)


def fill_oauth2(oauth2: OAuth2, environ: Mapping[str, str]) -> OAuth2:
    """Replace the variables of client credentials.

    Raises:
        ConfigError: a variable is missing.
    """
    return OAuth2(
        token_url=fill_url(oauth2.token_url, environ, {}),
        client_id=fill_text(oauth2.client_id, environ),
        client_secret=fill_text(oauth2.client_secret, environ),
        scope=None if oauth2.scope is None else fill_text(oauth2.scope, environ),
    )


def secrets_of(
    dataset: Dataset, environ: Mapping[str, str], *, source: Location | None = None
) -> set[str]:
    """List what came from ``${NAME}``, alone and in what is made of it; for a `Mask`.

    A variable that is missing is no secret; whatever needs it raises an error.

    Args:
        dataset: the contract.
        environ: the variables.
        source: what is read instead of the dataset's own URL.
    """
    urls = [source.text if source else "", dataset.source_url or ""]
    oauth2 = dataset.oauth2
    if oauth2:
        urls.append(oauth2.token_url)
    names = {*find_variables(dataset), *VARIABLE.findall(source.text if source else "")}
    secrets = {environ.get(name, "") for name in names}
    secrets |= {quote(one, safe=_SAFE_IN_URL) for one in secrets}  # as a URL is filled
    with suppress(ConfigError):
        for url in urls:
            if VARIABLE.search(url):
                secrets |= Location.parse(fill_url(url, environ, {})).secrets
        for text in dataset.headers.values():
            scheme, _, credentials = fill_text(text, environ).partition(" ")
            if VARIABLE.search(text) and scheme.lower() == "basic":
                secrets |= _unpack_basic(credentials)
        if oauth2:
            filled = fill_oauth2(oauth2, environ)
            secrets |= {filled.client_secret, basic_credentials(filled)}
    return secrets - {""}


def basic_credentials(oauth2: OAuth2) -> str:
    """Write client credentials for basic authentication (RFC 6749, section 2.3.1)."""
    pair = f"{quote(oauth2.client_id, safe='')}:{quote(oauth2.client_secret, safe='')}"
    return b64encode(pair.encode()).decode()


def _unpack_basic(credentials: str) -> set[str]:
    try:
        pair = b64decode(credentials, validate=True).decode()
    except ValueError:
        return set()
    return {pair, pair.partition(":")[2]}


def fill(value: Any, environ: Mapping[str, str], series: Mapping[str, str]) -> Any:
    """Fill each text of a body, with ``{series}`` as well.

    Raises:
        ConfigError: a variable is missing.
    """
    if isinstance(value, str):
        return _pattern(series).sub(
            lambda found: _variable(found[1], environ) if found[1] else series[found[2]], value
        )
    if isinstance(value, Mapping):
        return {key: fill(member, environ, series) for key, member in value.items()}
    if isinstance(value, list):
        return [fill(member, environ, series) for member in value]
    return value


def fill_url(text: str, environ: Mapping[str, str], series: Mapping[str, str]) -> str:
    """Fill a URL; what begins it is a URL itself, anything else is encoded where it has to be.

    Raises:
        ConfigError: a variable is missing, or has a line break.
    """
    user = re.match(_USER, text)

    def value(found: re.Match[str]) -> str:
        if found[1] is None:
            return quote(series[found[2]], safe="")
        filled = _one_line(found[1], environ)
        if found.start() == 0:
            return filled
        is_user = user is not None and found.start() < user.end()
        return quote(filled, safe="" if is_user else _SAFE_IN_URL)

    return _pattern(series).sub(value, text)


def _pattern(series: Mapping[str, str]) -> re.Pattern[str]:
    names = "|".join(map(re.escape, series)) or r"(?!)"
    return re.compile(rf"{VARIABLE.pattern}|\{{({names})\}}")


def _one_line(name: str, environ: Mapping[str, str]) -> str:
    value = _variable(name, environ)
    if re.search(_CONTROL, value):
        raise ConfigError(
            f"{name} has a line break or another control character, perhaps at its end; a URL or "
            "a header can't have one"
        )
    return value


def _variable(name: str, environ: Mapping[str, str]) -> str:
    value = environ.get(name)
    if not value:
        raise ConfigError(
            f"{name} is {'missing' if value is None else 'empty'}; the dataset file uses it as "
            f"${{{name}}}: set it in the environment"
        )
    return value
