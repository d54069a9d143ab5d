"""A forwarder without a path to any other agent.

The handler runs as for any other request, so that a mistake in the request is reported first; any access to the state
raises "No path to datacenter".
"""

from __future__ import annotations

from collections.abc import Awaitable

from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.forwarding.standing import NO_SERVERS
from pyconsul.agent.httpapi.core.forwarding.unreachable import handled_without_state, refuse
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import Query, Response, server_error
from pyconsul.agent.httpapi.core.router import Endpoint, Handled, Route


class NoPath:
    """Refuses every request for another datacenter or server, after its handler has checked it."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def forward(
        self, datacenter: str, route: Route, endpoint: Endpoint, request: Request
    ) -> Handled | Awaitable[Handled]:
        """Raises HTTPError, at once or when awaited."""
        error = server_error("No path to datacenter")
        handled = handled_without_state(self._context, endpoint, request, error)
        return handled if route.anywhere or isinstance(handled, Query) else refuse(handled, error)

    async def relay(self, route: Route, endpoint: Endpoint, request: Request) -> Response:
        """Raises HTTPError."""
        error = server_error(NO_SERVERS)
        await refuse(handled_without_state(self._context, endpoint, request, error), error)

    def close(self) -> None:
        """Do nothing: no request waits."""
