"""The type of a setting as click wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from micro_etl.setting_types import SettingType

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class Value(click.ParamType[Any]):
    """A value that says what it should be when it is not.

    Attributes:
        should: what it should be.
    """

    def __init__(self, kind: SettingType) -> None:
        """Take the type of a setting."""
        self._kind, self.name, self.should = kind, kind.name, kind.should

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read the text, or fail with what it was and what it should be."""
        try:
            return self._kind.read(str(value))
        except ValueError:
            self.fail(f"is {str(value)!r}; it should be {self.should}", param, ctx)

    def shell_complete(
        self, _ctx: click.Context, _param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Complete a word, or else leave it to the shell where it may be a path."""
        from click.shell_completion import CompletionItem

        words = [word for word in self._kind.complete() if word.startswith(incomplete)]
        if self._kind.is_path and not words:
            return [CompletionItem(incomplete, type="file")]
        return [CompletionItem(word) for word in words]
