"""Tell from an answer's headers how long a source wants to be left alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

_FAMILIES = ("ratelimit", "x-ratelimit", "x-rate-limit")
_NUMBER = r"\d{1,13}(\.\d{1,9})?"
# A smaller number is a count of seconds: a moment as small was in 2001.
_FIRST_MOMENT, _FIRST_MILLISECOND = 10**9, 10**12
_NONE_LEFT = r"(?:^|[;, ])(?:r|remaining)=0(?:[;, ]|$)"
_UNTIL_RESET = r"(?:^|[;, ])(?:t|reset)=(\d{1,13})(?:[;, ]|$)"


def wait_asked_for(headers: Mapping[str, str], *, now: float) -> float | None:
    """The seconds until the source may be asked again, or none where the headers do not say.

    ``Retry-After`` counts, then a reset time where the remaining number of requests is 0: seconds
    or a moment, under the names that are in use.

    Args:
        headers: of the answer; looked up in lower case.
        now: the time, in seconds since 1970; the answer's own ``Date`` is preferred.
    """
    sent = _moment(headers.get("date", ""))
    now = now if sent is None else sent
    asked = _seconds(headers.get("retry-after", ""), now)
    if asked is not None:
        return asked
    for family in _FAMILIES:
        if _is_zero(headers.get(f"{family}-remaining", "")):
            for name in (f"{family}-reset-after", f"{family}-reset"):
                asked = _seconds(headers.get(name, ""), now)
                if asked is not None:
                    return asked
    combined = headers.get("ratelimit", "")
    found = re.search(_UNTIL_RESET, combined) if re.search(_NONE_LEFT, combined) else None
    return float(found[1]) if found else None


def _is_zero(text: str) -> bool:
    """Whether none are left; some servers list several windows, the first of which counts."""
    return bool(re.match(r"\s*0+(\.0+)?\s*(?:[,;]|$)", text))


def _seconds(text: str, now: float) -> float | None:
    """The seconds that a text stands for: a number of them, or a moment."""
    text = text.strip()
    if re.fullmatch(_NUMBER, text):
        number = float(text)
        if number >= _FIRST_MILLISECOND:
            number /= 1000
        return max(0.0, number - now) if number >= _FIRST_MOMENT else number
    moment = _moment(text)
    return None if moment is None else max(0.0, moment - now)


def _moment(text: str) -> float | None:
    """The seconds since 1970 of an HTTP date, or of one as in RFC 3339."""
    for parse in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            return parse(text).timestamp()
        except (ValueError, OverflowError, TypeError, IndexError):
            continue
    return None
