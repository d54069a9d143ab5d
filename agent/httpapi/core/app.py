"""The application: from a request to its route, its caller, its handler, and a response with Consul's headers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Iterable
from functools import partial
from typing import Any

from pyconsul.agent.acl.authorizer import EVERYTHING, CompiledPolicies, Forbidden
from pyconsul.agent.acl.resolver import PolicyKey, Unread
from pyconsul.agent.config.config import Config
from pyconsul.agent.engine.contract import EngineError, OutcomeUnknown
from pyconsul.agent.httpapi.core.admission import CHECKED_HEADERS, request_rates
from pyconsul.agent.httpapi.core.authorization import resolve
from pyconsul.agent.httpapi.core.cache import ResponseCache
from pyconsul.agent.httpapi.core.consistency.barrier import Barrier, with_news
from pyconsul.agent.httpapi.core.consistency.freshness import (
    RELAY_S,
    SHORT_HOLD_S,
    apply_defaults,
    has_contact,
    hold_s,
    needs_barrier,
    restamped,
    without,
)
from pyconsul.agent.httpapi.core.consistency.kept_responses import KeptResponses
from pyconsul.agent.httpapi.core.consistency.repeated_reads import repeated_read
from pyconsul.agent.httpapi.core.consistency.repeated_writes import Unwritten, repeated
from pyconsul.agent.httpapi.core.context import Context, ForeignDatacenter, OpenStream
from pyconsul.agent.httpapi.core.forwarding.agents import Agents
from pyconsul.agent.httpapi.core.forwarding.contract import Forwarder, ServedHere
from pyconsul.agent.httpapi.core.forwarding.standing import NO_LEADER
from pyconsul.agent.httpapi.core.query_runner import QueryRunner
from pyconsul.agent.httpapi.core.rendering import INTERNAL_ERROR, Renderer, failure, sized
from pyconsul.agent.httpapi.core.request import Request, wait_options
from pyconsul.agent.httpapi.core.request_checks import RequestChecks, has_large_body
from pyconsul.agent.httpapi.core.request_log import logged
from pyconsul.agent.httpapi.core.response import (
    JSON,
    TEXT,
    Headers,
    HTTPError,
    Query,
    Response,
    Seen,
    not_found,
    server_error,
)
from pyconsul.agent.httpapi.core.router import Endpoint, Handled, Route, Router
from pyconsul.agent.httpapi.server.contract import DEFAULT_BODY, BodyRule, PendingResponse

WAIT = ("index", "wait")

log = logging.getLogger("agent.http")


class App:
    """The HTTP API of one agent.

    checks, renderer: its routes and the form of its responses, for what serves the requests of other agents.
    """

    new_request = Request

    def __init__(self, context: Context, routes: Iterable[Route], cache: ResponseCache, forwarder: Forwarder) -> None:
        self._context, self._cache, self._forwarder = context, cache, forwarder
        self._standing = context.standing
        self._barrier = Barrier(context.standing, context.rng)
        self._kept = KeptResponses(cache, context.standing, self._barrier, uses_tokens=context.acl is not None)
        self.cached, self.current = self._kept.cached, self._kept.current
        self.checks = RequestChecks(context, Router(routes))
        self._compiling: dict[PolicyKey, asyncio.Future[CompiledPolicies]] = {}
        self.renderer = Renderer(context.config)
        self._queries = QueryRunner(context, cache, self.renderer)
        self.configure(context.config)

    def configure(self, config: Config) -> None:
        """Use other settings from now on (start and reload)."""
        self.renderer.configure(config)
        self.checks.configure(config)
        serves = self._standing.serves("memory")  # a client agent does not limit what servers answer
        self._rates = request_rates(config.limits.request_limits) if serves else None
        self._kept.configure(is_on=self._rates is None)
        self._has_defaults = config.discovery_max_stale > 0 or not config.http_config.use_cache
        self._cache.clear()

    @property
    def extra_headers(self) -> Headers:
        """`http_config.response_headers`, which the connection's own responses have, too."""
        return self.renderer.extra_headers

    def body_rule(self, request: Request) -> BodyRule | Response:
        """Return how to receive a request's body, or the refusal of a request with a large one."""
        route = self.checks.locate(request)
        if has_large_body(request) and (refusal := self._refusal(route, request)) is not None:
            return refusal
        if isinstance(route, Response) or route.body_rule is None:
            return DEFAULT_BODY
        return route.body_rule(self._context, request)

    def too_large(self, request: Request, rule: BodyRule, size: int) -> Response:
        """Return the refusal of a body that is too large, or of anything else that is wrong with the request."""
        route = self.checks.locate(request)
        refusal = self._refusal(route, request, rule, size)
        assert refusal is not None
        return refusal

    def _refusal(
        self, route: Route | Response, request: Request, rule: BodyRule | None = None, size: int = 0
    ) -> Response | None:
        """Return the refusal of a request before its body is read, or None."""
        if isinstance(route, Response):
            return self.renderer.outside(route, request)
        try:
            endpoint = route.endpoints.get(request.method)
            if endpoint is None or not self.checks.serves(endpoint) or _must_ask(self._context, endpoint, request):
                self.checks.form(route, request)
            else:
                if endpoint.gate is not None:
                    resolve(self._context, request)
                self.checks.all(route, request)
            if rule is not None:
                if rule.check is not None:
                    rule.check(request)
                raise HTTPError(413, rule.refusal(size))
        except Exception as error:
            return self._fail(error, route, request)
        return None

    def close(self) -> None:
        """End the waiting queries with their responses: the agent stops."""
        self._context.watches.close()
        self._barrier.close()
        self._forwarder.close()

    def begin(self, request: Request) -> Response | PendingResponse | Awaitable[Response]:
        """Return the response to a request, or an awaitable of it; neither raises."""
        try:
            response = self._begin(request)
        except Exception:
            log.exception("%s failed before it reached its route", request.method)
            response = self.renderer.outside(Response(500, INTERNAL_ERROR, TEXT), request)
        return logged(request, response) if log.isEnabledFor(logging.DEBUG) else response

    def _begin(self, request: Request) -> Response | PendingResponse | Awaitable[Response]:
        route = request.route or self.checks.locate(request)
        if isinstance(route, Response):
            return self.renderer.outside(route, request)
        if self._rates is not None and (refused := self._rates.refusal(request.method, route.pattern)) is not None:
            return self._fail(refused, route, request)
        if self._has_defaults and not request.origin:
            apply_defaults(request, self._context.config)
        endpoint = route.endpoints.get(request.method)
        if endpoint is not None and endpoint.scope != "local":
            if not self._standing.serves(endpoint.scope) and not self.checks.answers_alone(route, endpoint, request):
                return self._relay(route, endpoint, request)
            if not self._standing.always_current:
                return self._begin_in_cluster(route, endpoint, request)
        elif endpoint is not None and request.query and (name := self.checks.other_agent(request)):
            return self._relay(route, endpoint, request, name)
        return self._answer(route, request)

    def _answer(
        self, route: Route, request: Request, *, is_current: bool = False
    ) -> Response | PendingResponse | Awaitable[Response]:
        """Return the response that this agent gives from its present state.  is_current: that has every write."""
        if request.method == "GET" and CHECKED_HEADERS.isdisjoint(request.headers):
            known = self._queries.known(request)
            if known is not None:
                return sized(known.response, request)
        acl = self._context.acl
        if acl is not None and not request.is_resolved and (unread := acl.unread(request.token)) is not None:
            return self._begin_later(unread, route, request)
        if acl is None:
            request.authenticate(EVERYTHING)
        else:
            resolve(self._context, request)
            if request.is_refused and not (is_current or self._standing.always_current):
                # Another server may know the token already.
                return self._barrier.enter(lambda _: self._answer(route, request, is_current=True), SHORT_HOLD_S)
        try:
            return self._complete(self._handle(route, request), route, request)
        except Exception as error:
            return self._fail(error, route, request)

    def _begin_in_cluster(
        self, route: Route, endpoint: Endpoint, request: Request
    ) -> Response | PendingResponse | Awaitable[Response]:
        """Respond as one server of several: at once, or as soon as the state is current."""
        standing, writes = self._standing, endpoint.scope == "write"
        if writes and standing.knows_leader:
            return self._write(route, endpoint, request)
        try:
            self.checks.form(route, request)
            if not writes and not needs_barrier(standing, route, request):
                response = self._answer(route, request)
                return response if has_contact(standing) else restamped(response, standing)
            if not (route.patient or standing.knows_leader):
                raise server_error(NO_LEADER)
        except Exception as error:
            return self._fail(error, route, request)

        hold = hold_s(self._context.config, route, request)
        until = self._barrier.loop.time() + hold
        answer = partial(self._answer_later, route, endpoint, request, until)
        return self._barrier.enter(answer, hold if writes or request.origin else min(hold, RELAY_S))

    def _answer_later(
        self, route: Route, endpoint: Endpoint, request: Request, until: float, error: EngineError | None
    ) -> Response | PendingResponse | Awaitable[Response]:
        """Respond after a barrier.  until: loop time at which the request has waited long enough for a leader."""
        if error is not None:
            left_s = until - self._barrier.loop.time()
            if endpoint.scope == "write" or left_s <= 0:
                return self._fail(server_error(str(error)), route, request)
            if self._standing.serves("read"):
                return self._barrier.enter(partial(self._answer_later, route, endpoint, request, until), left_s)
            request.waited_s = hold_s(self._context.config, route, request) - left_s
            return self._relay(route, endpoint, request)
        if endpoint.scope == "write":
            return self._begin(request)
        made = self._answer(route, request, is_current=True)
        if isinstance(made, Response):
            return made
        if request.method == "GET" and (index := wait_options(request)[0]):
            return with_news(made, index, partial(self._answer_without_news, route, endpoint, request))
        if isinstance(made, PendingResponse):
            return made
        answer = partial(self._answer_later, route, endpoint, request, until)
        return repeated_read(made, self._barrier, answer, until, self._context.rng)

    def _answer_without_news(self, route: Route, endpoint: Endpoint, request: Request) -> PendingResponse:
        """Respond to a blocking query whose time is over: with the state of that moment."""
        request.retarget(without(request.target, WAIT))
        hold = hold_s(self._context.config, route, request)
        until = self._barrier.loop.time() + hold
        return self._barrier.enter(partial(self._answer_later, route, endpoint, request, until), hold)

    def _write(self, route: Route, endpoint: Endpoint, request: Request) -> PendingResponse | Response:
        """Respond to a write while this server leads."""

        def begin() -> Response | PendingResponse | Awaitable[Response]:
            serves = self._standing.serves("write")
            return self._answer(route, request, is_current=True) if serves else self._relay(route, endpoint, request)

        def no_leader() -> Response:
            return self._fail(server_error(NO_LEADER), route, request)

        seconds = 0.0 if request.stream is not None else hold_s(self._context.config, route, request)
        return repeated(begin, self._standing, seconds, self._context.rng, no_leader)

    async def _relay(self, route: Route, endpoint: Endpoint, request: Request, agent: str = "") -> Response:
        """Return the response of another server, or of the agent that the request is for."""
        try:
            self.checks.form(route, request)
            if agent:
                waiting = _others(self._context, agent).relay(agent, request)
            else:
                waiting = self._forwarder.relay(route, endpoint, request)
            return self.renderer.relayed(await waiting, request)
        except ServedHere:
            response = self._begin(request)
            return response if isinstance(response, Response) else await response
        except Exception as error:
            return self._fail(error, route, request)

    def _complete(
        self, handled: Handled | PendingResponse | Awaitable[Handled], route: Route, request: Request
    ) -> Response | PendingResponse | Awaitable[Response]:
        """Return the response that a handler's return value stands for."""
        if isinstance(handled, Query):
            return self._queries.run(handled, route, request)
        if isinstance(handled, Response):
            return self.renderer.complete(handled, request)
        if isinstance(handled, PendingResponse):
            return PendingResponse(handled.future, partial(self._settle, handled, route, request))
        if isinstance(handled, OpenStream):
            return self.renderer.complete(handled.open(self), request)
        return self._finish(handled, route, request)

    def _settle(
        self, handled: PendingResponse, route: Route, request: Request, future: asyncio.Future[Any]
    ) -> Response:
        try:
            return self.renderer.complete(handled.complete(future), request)
        except Exception as error:
            return self._fail(error, route, request)

    async def _finish(self, handled: Awaitable[Handled], route: Route, request: Request) -> Response:
        try:
            try:
                response = await handled
            except ForeignDatacenter as error:
                forwarded = self._forward(error.datacenter, route, request)
                response = await forwarded if isinstance(forwarded, Awaitable) else forwarded
            if isinstance(response, Query):
                ran = self._queries.run(response, route, request)
                return ran if isinstance(ran, Response) else await ran
            assert isinstance(response, Response)
            return self.renderer.complete(response, request)
        except Exception as error:
            return self._fail(error, route, request)

    def _fail(self, error: Exception, route: Route, request: Request) -> Response:
        refused = failure(error, route, request)
        if route.pages is not None:
            return self.renderer.complete(route.pages.failure(request, refused), request)
        response = self.renderer.complete(refused, request)
        if isinstance(error, EngineError) and not isinstance(error, OutcomeUnknown):
            return Unwritten(response.status, response.body, response.headers)
        return response

    async def _begin_later(self, unread: Unread | Awaitable[None], route: Route, request: Request) -> Response:
        """Respond once a server was asked for the caller's token, or a thread has compiled its rules for all requests that wait."""
        if not isinstance(unread, Unread):
            await unread
            resolve(self._context, request)
            response = self._answer(route, request)
            return response if isinstance(response, Response) else await response
        compiling = self._compiling.get(unread.key)
        if compiling is None:
            compiling = self._compiling[unread.key] = asyncio.ensure_future(asyncio.to_thread(unread.compile))
            compiling.add_done_callback(lambda _: self._compiling.pop(unread.key, None))
        rights = await asyncio.shield(compiling)
        if self._context.acl is not None:
            self._context.acl.adopt(unread, rights)
        response = self._answer(route, request)
        return response if isinstance(response, Response) else await response

    def _handle(self, route: Route, request: Request) -> Handled | PendingResponse | Awaitable[Handled]:
        """Run the handler of a request, or forward the request.  Raises HTTPError or Forbidden."""
        if request.method == "OPTIONS":
            return Response(200, b"", (*JSON, (b"Allow", ",".join(("OPTIONS", *route.methods)).encode())))
        endpoint = self.checks.all(route, request)
        if datacenter := self.checks.other_datacenter(route, endpoint, request):
            return self._forward(datacenter, route, request)
        try:
            return endpoint.handler(self._context, request)
        except ForeignDatacenter as error:
            return self._forward(error.datacenter, route, request)

    def _forward(self, datacenter: str, route: Route, request: Request) -> Handled | Awaitable[Handled]:
        return self._forwarder.forward(datacenter, route, route.endpoints[request.method], request)

    def look(self, request: Request) -> Seen:
        """Return the current response to a GET of a watched route; never raises."""
        route = self.checks.locate_watched(request)
        if isinstance(route, Response):
            return Seen(route)
        if (known := self._queries.known(request)) is not None:
            return known.seen
        resolve(self._context, request)
        try:
            handled = self._handle(route, request)
        except Exception as error:
            return Seen(failure(error, route, request))
        assert isinstance(handled, Query), f"{route.pattern} cannot be watched"
        return self._queries.read(handled, route, request)

    def rights(self, request: Request) -> object:
        """Return the permissions of a request's caller: the same object until they change; None for an unknown token."""
        resolve(self._context, request)
        try:
            return request.caller.rights
        except Forbidden:
            return None


def _must_ask(context: Context, endpoint: Endpoint, request: Request) -> bool:
    """Return whether the permission that an endpoint asks for is not known before its token has been resolved."""
    acl = context.acl
    return acl is not None and endpoint.gate is not None and acl.unread(request.token) is not None


def _others(context: Context, name: str) -> Agents:
    """Return the other agents.  Raises HTTPError 404 when none can be asked."""
    if context.agents is None:
        raise not_found(f'this agent knows no other agent, and "{name}" is not its name')
    return context.agents
