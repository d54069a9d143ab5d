"""Relays the requests of clients to the servers of this datacenter."""

from __future__ import annotations

from collections.abc import Awaitable
from weakref import WeakSet

from pyconsul.agent.httpapi.core.blocking import JITTER
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.forwarding.no_path import NoPath
from pyconsul.agent.httpapi.core.forwarding.standing import NO_LEADER, NO_SERVERS
from pyconsul.agent.httpapi.core.forwarding.unreachable import handled_without_state, refuse
from pyconsul.agent.httpapi.core.request import Request, seconds_to_wait, wait_options
from pyconsul.agent.httpapi.core.response import HTTPError, Response, server_error
from pyconsul.agent.httpapi.core.router import Endpoint, Handled, Route
from pyconsul.agent.httpapi.server.contract import HTTPRequest
from pyconsul.agent.rpc.contract import NotSent, RateExceeded, RPCError
from pyconsul.agent.rpc.forwarding.agent_cache import AgentCache, cache_control
from pyconsul.agent.rpc.forwarding.blocked_queries import all_refused, preceded, without_blocked
from pyconsul.agent.rpc.forwarding.message import forwarded
from pyconsul.agent.rpc.forwarding.question import Question, question_of
from pyconsul.agent.rpc.forwarding.server_requests import NoServers, ServerRequests, lacks_leader
from pyconsul.agent.rpc.forwarding.shared_queries import SharedQueries
from pyconsul.agent.rpc.transport.body_flow import BodyParts

NO_ADDRESSES = "resolver error: resolver produced no addresses"  # Consul's stream of health has its own error


class ServerForwarder:
    """Implements `Forwarder` for an agent with servers around it, a server or a client agent.

    context: that of the application.  Another datacenter cannot be reached yet.
    """

    def __init__(self, context: Context, requests: ServerRequests) -> None:
        self._context, self._requests = context, requests
        self._datacenters = NoPath(context)
        self._shared = SharedQueries(self._ask_read, context.rng)
        self._cache = AgentCache(self._ask_read, context.rng)
        self._streams: WeakSet[BodyParts] = WeakSet()  # that end only with this agent

    def forward(
        self, datacenter: str, route: Route, endpoint: Endpoint, request: Request
    ) -> Handled | Awaitable[Handled]:
        """Return the response of another datacenter.  Raises HTTPError."""
        return self._datacenters.forward(datacenter, route, endpoint, request)

    async def relay(self, route: Route, endpoint: Endpoint, request: Request) -> Response:
        """Return the response of a server of this datacenter.  Raises HTTPError, ServedHere."""
        try:
            ask = self._ask_endless if route.endless else self._ask
            return await ask(route, endpoint, request)
        except NoServers:
            error = _no_servers(route, request)
            await refuse(handled_without_state(self._context, endpoint, request, error), error)
        except RPCError as error:
            raise reason_of(error) from None

    def close(self) -> None:
        """End the waiting queries with their present responses, and endless streams: the agent stops."""
        for stream in list(self._streams):
            stream.finish()
        self._shared.close()
        self._cache.close()

    async def _ask_endless(self, route: Route, endpoint: Endpoint, request: Request) -> Response:
        """Return the response of a server to a stream of watches, without those that this agent blocks."""
        body, lines = request.body, b""
        prefixes = self._context.config.http_config.block_endpoints
        if prefixes and not request.origin:
            lines, request.body = without_blocked(body, tuple(prefixes))
            if not request.body:
                return all_refused(lines)
        try:
            response = await self._ask(route, endpoint, request)
        finally:
            request.body = body
        if isinstance(response.stream, BodyParts):
            self._streams.add(response.stream)
        return preceded(lines, response) if lines else response

    async def _ask(self, route: Route, endpoint: Endpoint, request: Request) -> Response:
        context = self._context
        default_token = context.tokens.get("default")
        keeps = route.cached and bool(request.query) and "cached" in request
        message = forwarded(
            request, default_token=default_token, agent=context.config.node_name, dropped=("cached",) if keeps else ()
        )
        is_read = request.method == "GET" and endpoint.scope == "read" and bool(request.query)
        index, wait = wait_options(request) if is_read else (0, 0.0)
        if not (index or (is_read and keeps)):
            return await self._requests.ask(endpoint.scope, message, max(0.0, self._hold_s() - request.waited_s))
        config = context.config
        seconds = seconds_to_wait(wait, config.default_query_time, config.max_query_time)
        seconds += context.rng.random() * seconds / JITTER
        question = question_of(message, request.token or default_token)
        if keeps:
            return await self._read_kept(question, index, seconds, route, request)
        return await self._shared.wait(question, index, seconds)

    async def _read_kept(
        self, question: Question, index: int, seconds: float, route: Route, request: Request
    ) -> Response:
        if index and route.watched:
            response = await self._cache.wait(question, index, seconds)
        else:
            control = cache_control(request.headers.get(b"cache-control", b""))
            response = await self._cache.read(question, control, follows=route.watched)
        return _without_leader(response) if _is_streamed(route) else response

    async def _ask_read(self, message: HTTPRequest) -> Response:
        return await self._requests.ask("read", message, self._hold_s())

    def _hold_s(self) -> float:
        return self._context.config.performance.rpc_hold_timeout


def reason_of(error: RPCError) -> HTTPError:
    """Return what a client is told about a request that no server has answered."""
    text = str(error)
    if isinstance(error, RateExceeded):
        return HTTPError(429, text)
    if isinstance(error, NotSent):
        return server_error(NO_LEADER if lacks_leader(error) else f"rpc error getting client: {text}")
    return server_error(f"rpc error making call: {text}")


def _no_servers(route: Route, request: Request) -> HTTPError:
    if _is_streamed(route) and "cached" in request:
        return HTTPError(503, NO_ADDRESSES)
    return server_error(NO_SERVERS)


def _is_streamed(route: Route) -> bool:
    """Return whether Consul's agents keep the responses of a route by its own stream of health."""
    return route.cached and route.pattern.startswith("/v1/health/")


def _without_leader(response: Response) -> Response:
    """Return a kept response as Consul's stream of health gives it: it does not know of a leader."""
    headers = tuple(
        [(name, b"false" if name == b"X-Consul-KnownLeader" else value) for name, value in response.headers]
    )
    return Response(response.status, response.body, headers)
