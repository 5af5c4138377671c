"""Whether a run may have changed the target: what a stopped run says of it."""

from __future__ import annotations

from enum import Enum


class State(Enum):
    """How far the publication of a table is."""

    NOT_BEGUN = "the target is untouched"
    UNDER_WAY = "the target holds the old table or the new one, whole"
    DONE = "the target holds the new table"


class Publication:
    """The state of one publication; read by the thread that waits for stop signals.

    Attributes:
        state: how far it is.
    """

    def __init__(self) -> None:
        self.state = State.NOT_BEGUN

    def begin(self) -> None:
        """Note that a write is about to be sent."""
        self.state = State.UNDER_WAY
