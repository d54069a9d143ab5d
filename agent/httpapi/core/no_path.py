"""Requests for a datacenter that this agent has no path to.

Their handlers run as for any other, so that a mistake in the request is told of first; whatever touches the state refuses.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace
from typing import Any, NoReturn

from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.response import server_error
from pyconsul.agent.httpapi.core.router import Handled

TEXT = "No path to datacenter"


class Unreachable:
    """A state, and every way to change it, that is not within reach."""

    def __getattr__(self, name: str) -> NoReturn:
        raise server_error(TEXT)

    def __getitem__(self, schema: object) -> NoReturn:
        raise server_error(TEXT)

    def __call__(self, *_: object, **__: object) -> NoReturn:
        raise server_error(TEXT)


def elsewhere(context: Context) -> Context:
    """What handlers work with for such a request."""
    nothing: Any = Unreachable()
    return replace(
        context,
        view=nothing,
        commit=nothing,
        commit_steps=nothing,
        replace=nothing,
        session_clock=nothing,
        kv_history=nothing,
        events=nothing,
        acl=None,
    )


async def refuse(handled: Handled | Awaitable[Handled]) -> Handled:
    """Refuse what a handler answered without the state: it knows this datacenter only.  Raises HTTPError."""
    if isinstance(handled, Awaitable):
        await handled
    raise server_error(TEXT)
