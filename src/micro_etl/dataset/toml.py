"""Write values as TOML, on one line each."""

from __future__ import annotations

import json
import re
from datetime import date, datetime, time


def write_key(key: str) -> str:
    """Write a key, in quotes where it needs them."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else write_value(key)


def write_value(value: object) -> str:
    """Write a value; a table as an inline one."""
    if isinstance(value, dict):
        pairs = (f"{write_key(key)} = {write_value(member)}" for key, member in value.items())
        return f"{{ {', '.join(pairs)} }}" if value else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(write_value, value))}]"
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, str):  # as JSON does, which may leave DEL as it is
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value) if isinstance(value, float) else json.dumps(value)
