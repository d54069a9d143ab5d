"""Runs the handler of a request that cannot be answered, without any state.

A mistake in the request is reported first, as if it had reached a server; any access to the state raises the given error.
"""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import replace
from typing import Any, NoReturn, cast

from pyconsul.agent.acl.authorizer import EVERYTHING
from pyconsul.agent.httpapi.core.context import Context, ForeignDatacenter
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import HTTPError, Query
from pyconsul.agent.httpapi.core.router import Endpoint, Handled


class Unreachable:
    """The state of servers that cannot be reached, and every way to change it: each use raises an error."""

    def __init__(self, error: HTTPError) -> None:
        self._error = error

    def __getattr__(self, name: str) -> NoReturn:
        raise self._error

    def __getitem__(self, schema: object) -> NoReturn:
        raise self._error

    def __call__(self, *_: object, **__: object) -> NoReturn:
        raise self._error


def handled_without_state(
    context: Context, endpoint: Endpoint, request: Request, error: HTTPError
) -> Handled | Awaitable[Handled]:
    """Return what a handler returns without state.  Raises HTTPError."""
    request.authenticate(EVERYTHING)
    try:
        handled = endpoint.handler(without_state(context, error), request)
    except ForeignDatacenter:
        raise error from None
    return cast("Handled | Awaitable[Handled]", handled)


def without_state(context: Context, error: HTTPError) -> Context:
    """Return the context of an agent whose state cannot be reached; access control is on or off as here."""
    nothing: Any = Unreachable(error)
    return replace(
        context,
        view=nothing,
        commit=nothing,
        commit_steps=nothing,
        replace=nothing,
        session_clock=nothing,
        kv_history=nothing,
        events=nothing,
        lan=nothing,
        cluster=nothing,
        acl=None if context.acl is None else nothing,
    )


async def refuse(handled: Handled | Awaitable[Handled], error: HTTPError) -> NoReturn:
    """Raise an error in place of a response that was made without state, or the mistake that its handler found."""
    if isinstance(handled, Awaitable):
        with suppress(ForeignDatacenter):
            handled = await handled
    if isinstance(handled, Query):
        handled.read()
    raise error
