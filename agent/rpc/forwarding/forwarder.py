"""Relays the requests of clients to the servers of this datacenter."""

from __future__ import annotations

from collections.abc import Awaitable

from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.forwarding.no_path import NoPath
from pyconsul.agent.httpapi.core.forwarding.standing import NO_LEADER, NO_SERVERS
from pyconsul.agent.httpapi.core.forwarding.unreachable import handled_without_state, refuse
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import HTTPError, Response, server_error
from pyconsul.agent.httpapi.core.router import Endpoint, Handled, Route
from pyconsul.agent.httpapi.server.contract import HTTPRequest
from pyconsul.agent.rpc.contract import NotSent, RateExceeded, RPCError
from pyconsul.agent.rpc.forwarding.message import forwarded
from pyconsul.agent.rpc.forwarding.peer_requests import NOT_LEADER
from pyconsul.agent.rpc.forwarding.server_requests import NoServers, ServerRequests

NO_ADDRESSES = "resolver error: resolver produced no addresses"  # Consul's stream of health has its own error


class ServerForwarder:
    """Implements `Forwarder` for an agent with servers around it, a server or a client agent.

    context: that of the application.  Another datacenter cannot be reached yet.
    """

    def __init__(self, context: Context, requests: ServerRequests) -> None:
        self._context, self._requests = context, requests
        self._datacenters = NoPath(context)

    def forward(
        self, datacenter: str, route: Route, endpoint: Endpoint, request: Request
    ) -> Handled | Awaitable[Handled]:
        """Return the response of another datacenter.  Raises HTTPError."""
        return self._datacenters.forward(datacenter, route, endpoint, request)

    async def relay(self, route: Route, endpoint: Endpoint, request: Request) -> Response:
        """Return the response of a server of this datacenter.  Raises HTTPError, ServedHere."""
        try:
            return await self._ask(route, endpoint, request)
        except NoServers:
            error = _no_servers(route, request)
            await refuse(handled_without_state(self._context, endpoint, request, error), error)
        except RPCError as error:
            raise reason_of(error) from None

    async def _ask(self, route: Route, endpoint: Endpoint, request: Request) -> Response:
        hold_s = self._context.config.performance.rpc_hold_timeout
        return await self._requests.ask(endpoint.scope, self._message(request), hold_s)

    def _message(self, request: Request) -> HTTPRequest:
        context = self._context
        return forwarded(
            request,
            default_token=context.tokens.get("default"),
            agent=context.config.node_name,
        )


def reason_of(error: RPCError) -> HTTPError:
    """Return what a client is told about a request that no server has answered."""
    text = str(error)
    if isinstance(error, RateExceeded):
        return HTTPError(429, text)
    if isinstance(error, NotSent):
        return server_error(NO_LEADER if text in (NO_LEADER, NOT_LEADER) else f"rpc error getting client: {text}")
    return server_error(f"rpc error making call: {text}")


def _no_servers(route: Route, request: Request) -> HTTPError:
    streamed = route.pattern.startswith("/v1/health/") and route.cached
    return HTTPError(503, NO_ADDRESSES) if streamed and "cached" in request else server_error(NO_SERVERS)
