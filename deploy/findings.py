"""What looking at the resources showed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What a look at one thing showed."""

    about: str
    good: bool
    text: str
    advice: str = ""


@dataclass(frozen=True)
class Findings:
    """What was seen, and what could not be looked at."""

    seen: tuple[Finding, ...]
    unseen: tuple[str, ...]
    """IAM actions that were denied, and other refusals in AWS's words, each once."""

    @property
    def problems(self) -> tuple[Finding, ...]:
        """What would make a task fail."""
        return tuple(finding for finding in self.seen if not finding.good)
