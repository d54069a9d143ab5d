"""How handlers ask the agent as a whole to do something."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol


class ReloadError(Exception):
    """The settings cannot be read anew; everything stays as it was.  The text is for an operator."""


class Control(Protocol):
    """The agent as a whole."""

    def reload(self) -> Awaitable[None]:
        """Read the settings anew.  Raises ReloadError."""

    def leave(self) -> None:
        """End, once what is being asked has been answered."""
