"""A forwarder without a path to any other datacenter.

The handler runs as for any other request, so that a mistake in the request is reported first; any access to the state
raises "No path to datacenter".
"""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import replace
from typing import Any, NoReturn

from pyconsul.agent.acl.authorizer import EVERYTHING
from pyconsul.agent.httpapi.core.context import Context, ForeignDatacenter
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import HTTPError, Query, server_error
from pyconsul.agent.httpapi.core.router import Endpoint, Handled, Route


class NoPath:
    """Refuses every request for another datacenter, after its handler has checked it."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def forward(
        self, datacenter: str, route: Route, endpoint: Endpoint, request: Request
    ) -> Handled | Awaitable[Handled]:
        """Raises HTTPError, at once or when awaited."""
        request.authenticate(EVERYTHING)
        try:
            handled: Any = endpoint.handler(_unreachable(self._context), request)
        except ForeignDatacenter:
            raise _no_path() from None
        return handled if route.anywhere or isinstance(handled, Query) else _refuse(handled)


class _Unreachable:
    """The state of another datacenter, and every way to change it."""

    def __getattr__(self, name: str) -> NoReturn:
        raise _no_path()

    def __getitem__(self, schema: object) -> NoReturn:
        raise _no_path()

    def __call__(self, *_: object, **__: object) -> NoReturn:
        raise _no_path()


def _unreachable(context: Context) -> Context:
    nothing: Any = _Unreachable()
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
        acl=None,
    )


async def _refuse(handled: Handled | Awaitable[Handled]) -> NoReturn:
    """Refuse a response that was made without the state: it is about this datacenter.  Raises HTTPError."""
    if isinstance(handled, Awaitable):
        with suppress(ForeignDatacenter):
            await handled
    raise _no_path()


def _no_path() -> HTTPError:
    return server_error("No path to datacenter")
