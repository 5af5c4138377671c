"""One table of a dataset file: its getters name the key in the errors that they raise."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from micro_etl.dataset.model import Path
from micro_etl.dataset.paths import LONGEST_PATH, ParsedPath, parse_path
from micro_etl.errors import ConfigError

_SHOWN = 100  # characters of a wrong value
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""A variable of the environment, in a text of the file."""

WRITE_VARIABLES = "a variable is written ${NAME}, with letters, digits and _"


class Section:
    """One table of the file.

    Attributes:
        label: what messages call the file.
        name: the table's name; empty for the file itself.
        values: what it holds.
        allowed: the keys that it may hold.
        is_secret: its values must not be shown.
    """

    def __init__(
        self,
        label: str,
        name: str,
        values: Mapping[str, Any],
        allowed: tuple[str, ...],
        *,
        is_secret: bool = False,
    ) -> None:
        """Refuse the keys that are not known."""
        self.label, self.name, self.values = label, name, values
        self.allowed, self.is_secret = allowed, is_secret
        for key in values:
            if key not in allowed:
                raise self.error(
                    f"{self.full(key)} is not known; {self.name or 'the file'} may hold "
                    f"{', '.join(self.allowed)}{did_you_mean(key, self.allowed)}"
                )

    def error(self, text: str) -> ConfigError:
        """Build an error about the file."""
        return ConfigError(f"{self.label}: {text}")

    def wrong(self, key: str, should: str) -> ConfigError:
        """Build the error for a key that holds the wrong thing."""
        if key not in self.values:
            was = "is missing"
        else:
            was = "is wrong" if self.is_secret else f"is {show(self.values[key])}"
        return self.error(f"{self.full(key)} {was}; it should be {should}")

    def clash(self, key: str, other: str, why: str) -> ConfigError:
        """Build the error for a key that can't be used together with another."""
        return self.error(f"{self.full(key)} can't be used together with {other}: {why}")

    def section(self, key: str, allowed: tuple[str, ...]) -> Section:
        """Get a table; empty where it is missing."""
        return Section(self.label, self.full(key), self.table(key), allowed)

    def table(self, key: str) -> dict[str, Any]:
        """Get what a table holds; nothing where it is missing."""
        value = self.values.get(key, {})
        if not isinstance(value, dict):
            raise self.wrong(key, f"a table: [{self.full(key)}]")
        return value

    def string(self, key: str) -> str | None:
        """Get a text that is not blank, or none."""
        value = self.values.get(key)
        if value is not None and (not isinstance(value, str) or not value.strip()):
            raise self.wrong(key, "text in quotes")
        return value

    def required_string(self, key: str) -> str:
        """Get a text that has to be there."""
        value = self.string(key)
        if value is None:
            raise self.wrong(key, "text in quotes")
        return value

    def template(self, key: str) -> str | None:
        """Get a text that may hold ``${NAME}``, or none."""
        value = self.string(key)
        if value is not None:
            self.check_variables(key, value)
        return value

    def check_variables(self, key: str, text: str) -> None:
        """Refuse a ``${`` that does not begin the name of a variable."""
        if "${" in VARIABLE.sub("", text):
            raise self.error(f"{self.full(key)} is wrong; {WRITE_VARIABLES}")

    def choice(self, key: str, allowed: Sequence[str]) -> str:
        """Get one of a few texts."""
        value = self.string(key)
        if value is None or value not in allowed:
            hint = "" if value is None else did_you_mean(value, allowed)
            raise self.wrong(key, f"one of {', '.join(allowed)}{hint}")
        return value

    def boolean(self, key: str) -> bool:
        """Get true or false; false where it is missing."""
        value = self.values.get(key, False)
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return value

    def integer(self, key: str, *, default: int, of: str = " of rows") -> int:
        """Get a whole number."""
        value = self.values.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self.wrong(key, f"a whole number{of}, 0 or more")
        return value

    def fraction(self, key: str, *, default: float) -> float:
        """Get a number from 0 to 1."""
        value = self.values.get(key, default)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
            raise self.wrong(key, "a fraction from 0 to 1")
        return float(value)

    def array(self, key: str, should: str) -> list[Any] | None:
        """Get an array, or none."""
        value = self.values.get(key)
        if value is not None and not isinstance(value, list):
            raise self.wrong(key, should)
        return value

    def parsed_path(self, key: str) -> ParsedPath | None:
        """Get a path of any kind, or none."""
        text = self.string(key)
        if text is None:
            return None
        parsed = parse_path(text)
        if parsed is None:
            raise self.wrong(
                key,
                'keys joined by dots, such as links.webcast, or links."a.b" for the key a.b; '
                "[0] is the first element of an array, [*] every one",
            )
        if len(parsed.steps) > LONGEST_PATH:
            raise self.wrong(key, f"a path of at most {LONGEST_PATH} steps")
        return parsed

    def required_path(self, key: str) -> ParsedPath:
        """Get a path that has to be there."""
        parsed = self.parsed_path(key)
        if parsed is None:
            raise self.wrong(key, "a path in quotes")
        return parsed

    def page_path(self, key: str) -> Path | None:
        """Get the path to one value of a page, or none."""
        parsed = self.parsed_path(key)
        if parsed is None:
            return None
        if not is_single(parsed.steps):
            raise self.wrong(key, "the path to one value of a page, without *")
        return parsed.steps

    def full(self, key: str) -> str:
        """Name a key with the tables around it."""
        shown = shorten(key if key.isprintable() else ascii(key))
        return f"{self.name}.{shown}" if self.name else shown


def is_single(path: Path) -> bool:
    """Whether a path leads to one value."""
    return all(isinstance(step, str | int) for step in path)


def is_json(value: object) -> bool:
    """Whether JSON can hold a value of TOML: it has no dates, no NaN and no Infinity."""
    if isinstance(value, dict):
        return all(map(is_json, value.values()))
    if isinstance(value, list):
        return all(map(is_json, value))
    return isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))


def show(value: object) -> str:
    """Show a value of the file, shortened, on one line."""
    return shorten(repr(value))


def did_you_mean(text: object, allowed: Iterable[str]) -> str:
    """Suggest the nearest of what is allowed, where one is near."""
    from difflib import get_close_matches  # only for a file that is wrong: 3 ms

    wrong, known = str(text)[:_SHOWN].lower(), list(allowed)
    near = [name for name in known if wrong and name.startswith(wrong)]
    near = near or get_close_matches(wrong, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def shorten(text: str) -> str:
    """Cut a text that is too long for a message."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
