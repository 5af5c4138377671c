"""What the values of settings are: how a text is read, and what a wrong one should have been."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from micro_etl.dataset import bundled_datasets, local_datasets

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30}
_DAY = 86_400


class SettingType:
    """A kind of value; this one is any text.

    Attributes:
        name: what the help calls it.
        should: what a value should be, as messages say it; empty where any will do.
        is_path: whether it may be a path, which a shell completes.
    """

    name = "text"
    should = ""
    is_path = False

    def read(self, text: str) -> Any:
        """Read a value.

        Raises:
            ValueError: it is not what it should be.
        """
        return text

    def complete(self) -> Iterable[str]:
        """List the words that a shell may offer."""
        return ()


class FileOrUrl(SettingType):
    """A path or a URL."""

    is_path = True


class DatasetReference(FileOrUrl):
    """The name of a dataset, or the path or URL of a dataset file."""

    def complete(self) -> Iterable[str]:
        """List the names."""
        return dict.fromkeys([*local_datasets(), *bundled_datasets()])


class _Parsed(SettingType):
    """A value that is read without the white space around it."""

    def read(self, text: str) -> Any:
        """Read a value.

        Raises:
            ValueError: it is not what it should be.
        """
        return self.parse(text.strip())

    def parse(self, text: str) -> Any:
        """The value of a text; a ValueError where it is not what it should be."""
        raise NotImplementedError


class Whole(_Parsed):
    """A whole number within bounds."""

    name = "number"

    def __init__(self, least: int, most: int) -> None:
        self.least, self.most = least, most
        self.should = f"a whole number from {least} to {most}"

    def parse(self, text: str) -> int:
        """Read the number."""
        if not self.least <= int(text) <= self.most:
            raise ValueError
        return int(text)


class Seconds(_Parsed):
    """A duration in seconds, more than none and a day at most."""

    name = "seconds"
    should = f"a number of seconds above 0, {_DAY} at most"

    def parse(self, text: str) -> float:
        """Read the number."""
        if not 0 < float(text) <= _DAY:
            raise ValueError
        return float(text)


class ByteSize(_Parsed):
    """A number of bytes, with a unit or without."""

    name = "bytes"
    should = "a size in bytes such as 500000, 64MiB or 2GB"

    def parse(self, text: str) -> int:
        """Read the number and its unit."""
        found = re.fullmatch(r"([1-9]\d{0,15})\s*(|[kmg]i?)b?", text.lower())
        if not found:
            raise ValueError
        return int(found[1]) * _UNITS[found[2]]


class OneOf(_Parsed):
    """One of some words."""

    name = "word"

    def __init__(self, *words: str) -> None:
        self.words, self.should = words, f"one of {', '.join(words)}"
        self.name = "|".join(words)

    def parse(self, text: str) -> str:
        """Find the word, whatever its case."""
        return self.words[self.words.index(text.lower())]

    def complete(self) -> Iterable[str]:
        """List the words."""
        return self.words


class BucketName(_Parsed):
    """The name of a bucket, without a scheme or a key."""

    name = "bucket"
    should = "the name of a bucket, without s3:// and without a slash"

    def parse(self, text: str) -> str:
        """Check the characters that a name or an access point's ARN may have."""
        if not re.fullmatch(r"[\w.:-]*", text):
            raise ValueError
        return text


class RunId(_Parsed):
    """A name that an object's metadata can carry."""

    name = "id"
    should = "1 to 200 printable ASCII characters"

    def parse(self, text: str) -> str:
        """Check the characters."""
        if not re.fullmatch(r"[ -~]{1,200}", text):
            raise ValueError
        return text
