"""Contracts between leadership and the duties of the leader."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from pyconsul.agent.state.write_txn import WriteTxn

#: Makes an operation durable; see `engine.writer`.
Commit = Callable[[Callable[[WriteTxn], Any]], Awaitable[Any]]


class Leadership(Protocol):
    """Tells whether this server leads its datacenter."""

    @property
    def leads(self) -> bool:
        """Return whether this server leads now."""

    def subscribe(self, listener: Callable[[], None], /) -> None:
        """Call a listener on the event loop whenever `leads` has changed."""


class Duty(Protocol):
    """A background job that only the leader does.

    Starts and stops alternate; a stop may follow a start that was canceled, that failed, or that was never made.
    """

    async def start(self) -> None:
        """Begin; an exception is logged and does not affect other duties."""

    async def stop(self) -> None:
        """End, and wait for running work; must not raise."""
