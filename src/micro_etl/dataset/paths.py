"""Read and write paths: ``a.b``, ``a."b.c"``, ``a[0]``, ``a[*].b``, ``$.a.*.b``."""

from __future__ import annotations

import re
from typing import NamedTuple

from micro_etl.dataset.model import EVERY, Origin, Path, Step

BARE_KEY = r'[^."\s\[\]*]+'
"""A key that needs no quotes in a path, as a regular expression."""

LONGEST_PATH = 100
"""The most steps of a path; the engine's types can't be nested much deeper."""

_KEY = rf'"(?:[^"\\]|\\.)*"|{BARE_KEY}|\*'
_ELEMENT = r"\[(?:0|[1-9][0-9]{0,8}|\*)\]"
_PATH = re.compile(rf"(?:{_KEY}|{_ELEMENT})(?:\.(?:{_KEY})|{_ELEMENT})*")
_STEP = re.compile(rf"{_KEY}|{_ELEMENT}")
_PLACEHOLDER = r"\{[^{}]*\}"


class ParsedPath(NamedTuple):
    """A path of the dataset file.

    Attributes:
        steps: the path.
        from_root: it is written with ``$.``, from the root of the body.
        has_members: one of its steps is written ``*``, not ``[*]``.
    """

    steps: Path
    from_root: bool
    has_members: bool


def parse_path(text: str) -> ParsedPath | None:
    """Read a path, or return none where the text is not one.

    A lone ``$`` is a key, since some formats have one of that name; before another step it is the
    root, and the key has to be written ``"$"``.
    """
    from_root = text.startswith(("$.", "$["))
    rest = text[1:].removeprefix(".") if from_root else text
    if not _PATH.fullmatch(rest) or text.startswith("$.["):
        return None
    written = _STEP.findall(rest)
    return ParsedPath(tuple(map(_read_step, written)), from_root, "*" in written)


def write_path(path: Path, origin: Origin = Origin.RECORD) -> str:
    """Write the path of a column as the dataset file does.

    Args:
        path: the steps.
        origin: what the path starts at.
    """
    if origin is Origin.SERIES:
        return "source.each"
    if origin is Origin.RECORD:
        return _write_steps(path, every="[*]")
    steps = _write_steps(path, every="*", after_root=True)
    return f"${steps}" if not steps or steps.startswith("[") else f"$.{steps}"


def write_records(path: Path) -> str:
    """Write the path of ``source.records``."""
    return _write_steps(path, every="*")


def placeholder(name: str) -> str:
    """Write what stands for a value of ``source.each``."""
    return f"{{{name}}}"


def is_placeholder(text: str) -> bool:
    """Whether a text looks like what stands for a value of ``source.each``."""
    return re.fullmatch(_PLACEHOLDER, text) is not None


def _read_step(text: str) -> Step:
    if text in ("*", "[*]"):
        return EVERY
    if text.startswith("["):
        return int(text[1:-1])
    return re.sub(r"(?s)\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text


def _write_steps(path: Path, *, every: str, after_root: bool = False) -> str:
    text = ""
    for step in path:
        if isinstance(step, int):
            written = f"[{step}]"
        elif isinstance(step, str):
            written = _write_key(step, needs_quotes=not (text or after_root))
        else:
            written = every
        text += written if not text or written.startswith("[") else f".{written}"
    return text


def _write_key(key: str, *, needs_quotes: bool) -> str:
    """Write a key; as the first one, it must not look like the root or a value of ``each``."""
    is_special = needs_quotes and (key == "$" or is_placeholder(key))
    if re.fullmatch(BARE_KEY, key) and not is_special:
        return key
    return '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'
