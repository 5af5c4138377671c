"""What the values of options are: how each is parsed, and how a shell completes it."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import click

from micro_etl.dataset import bundled_datasets, local_datasets

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30}
_DAY = 86_400


class Setting(click.ParamType[Any]):
    """A value that says what it should be when it is not."""

    name = "value"
    should = ""

    def parse(self, text: str) -> Any:
        """The value of a text; a ValueError where it is not what it should be."""
        raise NotImplementedError

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse the text, or fail with what it was and what it should be."""
        try:
            return self.parse(str(value).strip())
        except ValueError:
            self.fail(f"is {str(value)!r}; it should be {self.should}", param, ctx)


class Whole(Setting):
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


class Seconds(Setting):
    """A duration in seconds, more than none and a day at most."""

    name = "seconds"
    should = f"a number of seconds above 0, {_DAY} at most"

    def parse(self, text: str) -> float:
        """Read the number."""
        if not 0 < float(text) <= _DAY:
            raise ValueError
        return float(text)


class ByteSize(Setting):
    """A number of bytes, with a unit or without."""

    name = "bytes"
    should = "a size in bytes such as 500000, 64MiB or 2GB"

    def parse(self, text: str) -> int:
        """Read the number and its unit."""
        found = re.fullmatch(r"([1-9]\d{0,15})\s*(|[kmg]i?)b?", text.lower())
        if not found:
            raise ValueError
        return int(found[1]) * _UNITS[found[2]]


class OneOf(Setting):
    """One of some words."""

    name = "word"

    def __init__(self, *words: str) -> None:
        self.words, self.should = words, f"one of {', '.join(words)}"
        self.name = "|".join(words)

    def parse(self, text: str) -> str:
        """Find the word, whatever its case."""
        return self.words[self.words.index(text.lower())]

    def shell_complete(
        self, _ctx: click.Context, _param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Complete one of the words."""
        return _complete(self.words, incomplete)


class FileOrUrl(click.ParamType[str]):
    """A path or a URL; a shell completes paths."""

    name = "text"

    def shell_complete(
        self, _ctx: click.Context, _param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Leave it to the shell."""
        return _complete_file(incomplete)


class DatasetReference(FileOrUrl):
    """The name of a dataset, or the path or URL of a dataset file."""

    def shell_complete(
        self, _ctx: click.Context, _param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Complete a name, or else leave it to the shell."""
        names = dict.fromkeys([*local_datasets(), *bundled_datasets()])
        return _complete(names, incomplete) or _complete_file(incomplete)


class BucketName(Setting):
    """The name of a bucket, without a scheme or a key."""

    name = "bucket"
    should = "the name of a bucket, without s3:// and without a slash"

    def parse(self, text: str) -> str:
        """Check the characters that a name or an access point's ARN may have."""
        if not re.fullmatch(r"[\w.:-]*", text):
            raise ValueError
        return text


class RunId(Setting):
    """A name that an object's metadata can carry."""

    name = "id"
    should = "1 to 200 printable ASCII characters"

    def parse(self, text: str) -> str:
        """Check the characters."""
        if not re.fullmatch(r"[ -~]{1,200}", text):
            raise ValueError
        return text


def _complete(words: Collection[str], incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


def _complete_file(incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]
