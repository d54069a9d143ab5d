"""The application: from a request to its route, its caller, its handler, and a response with Consul's headers."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Iterable
from functools import partial
from typing import Any

from pyconsul.agent.acl.authorizer import EVERYTHING, CompiledPolicies, Forbidden
from pyconsul.agent.acl.resolver import PolicyKey, Unread
from pyconsul.agent.config.config import Config
from pyconsul.agent.httpapi.core.admission import CHECKED_HEADERS, Admission, request_rates
from pyconsul.agent.httpapi.core.authorization import require_gate, resolve
from pyconsul.agent.httpapi.core.cache import ResponseCache, cache_key
from pyconsul.agent.httpapi.core.context import Context, ForeignDatacenter, OpenStream
from pyconsul.agent.httpapi.core.forwarding.contract import Forwarder
from pyconsul.agent.httpapi.core.query_runner import QueryRunner
from pyconsul.agent.httpapi.core.rendering import INTERNAL_ERROR, Renderer, failure, redirect, sized, unknown_path
from pyconsul.agent.httpapi.core.request import Request, method_not_allowed
from pyconsul.agent.httpapi.core.response import JSON, TEXT, Headers, HTTPError, Query, Response, Seen
from pyconsul.agent.httpapi.core.router import Endpoint, Handled, Route, Router
from pyconsul.agent.httpapi.core.validation import check_read, refuse_enterprise, unsupported_in_stream
from pyconsul.agent.httpapi.server.contract import DEFAULT_BODY, BodyRule, PendingResponse, Wire

LARGE_DIGITS = 5  # a request that is refused anyway is refused before a body of 100,000 bytes or more
MAX_PARAMETERS = 1000  # of a query: each costs a microsecond wherever a value is looked for
BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
TOKEN = re.compile(r"(?<=[?&]token=)[^&]*", re.IGNORECASE)

log = logging.getLogger("agent.http")


class App:
    """The HTTP API of one agent."""

    new_request = Request

    def __init__(self, context: Context, routes: Iterable[Route], cache: ResponseCache, forwarder: Forwarder) -> None:
        self._context, self._cache, self._forwarder = context, cache, forwarder
        self._router = Router(routes)
        self._compiling: dict[PolicyKey, asyncio.Future[CompiledPolicies]] = {}
        self._renderer = Renderer(context.config)
        self._queries = QueryRunner(context, cache, self._renderer)
        self.configure(context.config)

    def configure(self, config: Config) -> None:
        """Use other settings from now on (start and reload)."""
        self._renderer.configure(config)
        self._admission = Admission(config)
        self._rates = request_rates(config.limits.request_limits)
        self._filter_off = config.disable_http_unprintable_char_filter
        self._cache.clear()

    @property
    def extra_headers(self) -> Headers:
        """`http_config.response_headers`, which the connection's own responses have, too."""
        return self._renderer.extra_headers

    def body_rule(self, request: Request) -> BodyRule | Response:
        """Return how to receive a request's body, or the refusal of a request with a large one."""
        route = self._locate(request)
        if _has_large_body(request) and (refusal := self._refusal(route, request)) is not None:
            return refusal
        if isinstance(route, Response) or route.body_rule is None:
            return DEFAULT_BODY
        return route.body_rule(self._context, request)

    def too_large(self, request: Request, rule: BodyRule, size: int) -> Response:
        """Return the refusal of a body that is too large, or of anything else that is wrong with the request."""
        route = self._locate(request)
        refusal = self._refusal(route, request, rule, size)
        assert refusal is not None
        return refusal

    def _refusal(
        self, route: Route | Response, request: Request, rule: BodyRule | None = None, size: int = 0
    ) -> Response | None:
        """Return the refusal of a request before its body is read, or None."""
        if isinstance(route, Response):
            return self._renderer.outside(route, request)
        try:
            if (endpoint := route.endpoints.get(request.method)) is not None and endpoint.gate is not None:
                resolve(self._context, request)
            self._check(route, request)
            if rule is not None:
                if rule.check is not None:
                    rule.check(request)
                raise HTTPError(413, rule.refusal(size))
        except Exception as error:
            return self._fail(error, route, request)
        return None

    def cached(self, target: bytes, token: bytes) -> Wire | None:
        """Return the kept response to a GET as bytes; `token`: the value of `X-Consul-Token`."""
        if self._rates is not None or log.isEnabledFor(logging.DEBUG):
            return None  # every request is to be counted, or logged
        if token and self._context.acl is not None:
            entry = self._cache.live(cache_key(target, token))
        else:
            entry = self._cache.get(target)
        return None if entry is None else entry.wire or entry.render()

    def close(self) -> None:
        """End the waiting queries with their responses: the agent stops."""
        self._context.watches.close()

    def begin(self, request: Request) -> Response | PendingResponse | Awaitable[Response]:
        """Return the response to a request, or an awaitable of it; neither raises."""
        try:
            response = self._begin(request)
        except Exception:
            log.exception("%s failed before it reached its route", request.method)
            response = self._renderer.outside(Response(500, INTERNAL_ERROR, TEXT), request)
        return _logged(request, response) if log.isEnabledFor(logging.DEBUG) else response

    def _begin(self, request: Request) -> Response | PendingResponse | Awaitable[Response]:
        route = request.route or self._locate(request)
        if isinstance(route, Response):
            return self._renderer.outside(route, request)
        if self._rates is not None and (refused := self._rates.refusal(request.method, route.pattern)) is not None:
            return self._fail(refused, route, request)
        if request.method == "GET" and CHECKED_HEADERS.isdisjoint(request.headers):
            known = self._queries.known(request)
            if known is not None:
                return sized(known.response, request)
        acl = self._context.acl
        if acl is not None and (unread := acl.unread(request.token)) is not None:
            return self._begin_later(unread, request)
        if acl is None:
            request.authenticate(EVERYTHING)
        else:
            resolve(self._context, request)
        try:
            return self._complete(self._handle(route, request), route, request)
        except Exception as error:
            return self._fail(error, route, request)

    def _complete(
        self, handled: Handled | PendingResponse | Awaitable[Handled], route: Route, request: Request
    ) -> Response | PendingResponse | Awaitable[Response]:
        """Return the response that a handler's return value stands for."""
        if isinstance(handled, Query):
            return self._queries.run(handled, route, request)
        if isinstance(handled, Response):
            return self._renderer.complete(handled, request)
        if isinstance(handled, PendingResponse):
            return PendingResponse(handled.future, partial(self._settle, handled, route, request))
        if isinstance(handled, OpenStream):
            return self._renderer.complete(handled.open(self), request)
        return self._finish(handled, route, request)

    def _settle(
        self, handled: PendingResponse, route: Route, request: Request, future: asyncio.Future[Any]
    ) -> Response:
        try:
            return self._renderer.complete(handled.complete(future), request)
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
            return self._renderer.complete(response, request)
        except Exception as error:
            return self._fail(error, route, request)

    def _fail(self, error: Exception, route: Route, request: Request) -> Response:
        return self._renderer.complete(failure(error, route, request), request)

    async def _begin_later(self, unread: Unread, request: Request) -> Response:
        """Respond once a thread has compiled the rules of the caller's token, once for all waiting requests."""
        compiling = self._compiling.get(unread.key)
        if compiling is None:
            compiling = self._compiling[unread.key] = asyncio.ensure_future(asyncio.to_thread(unread.compile))
            compiling.add_done_callback(lambda _: self._compiling.pop(unread.key, None))
        rights = await asyncio.shield(compiling)
        if self._context.acl is not None:
            self._context.acl.adopt(unread, rights)
        response = self.begin(request)
        return response if isinstance(response, Response) else await response

    def _locate(self, request: Request) -> Route | Response:
        """Return a request's route, and keep it in the request; or the response to a request that reaches no route."""
        raw_path = request.target.partition(b"?")[0]
        if b"%" in raw_path and BAD_ESCAPE.search(raw_path):
            return Response(400, b"400 Bad Request", TEXT)
        if request.query.count(b"&") >= MAX_PARAMETERS:
            return Response(400, b"too many query parameters, at most %d are allowed" % MAX_PARAMETERS, TEXT)
        if not self._filter_off and not request.path.isprintable():
            return Response(400)
        try:
            self._admission.check(request)
        except HTTPError as error:
            return Response(error.status, error.text.encode(), TEXT)
        path = raw_path.decode("latin-1")
        found = self._router.find(path)
        if found is None or "//" in path or "/." in path:
            if (elsewhere := self._router.redirect(path)) is not None:
                return redirect(request, elsewhere)
            if found is None:
                if path == "/" and self._context.config.ui_config.enabled:
                    return redirect(request, self._context.config.ui_config.content_path, 301)
                return unknown_path(path)
        route, request.tail = found
        request.route = route
        return route

    def _handle(self, route: Route, request: Request) -> Handled | PendingResponse | Awaitable[Handled]:
        """Run the handler of a request, or forward the request.  Raises HTTPError or Forbidden."""
        if request.method == "OPTIONS":
            return Response(200, b"", (*JSON, (b"Allow", ",".join(("OPTIONS", *route.methods)).encode())))
        endpoint = self._check(route, request)
        if datacenter := self._foreign(route, endpoint, request):
            return self._forward(datacenter, route, request)
        try:
            return endpoint.handler(self._context, request)
        except ForeignDatacenter as error:
            return self._forward(error.datacenter, route, request)

    def _forward(self, datacenter: str, route: Route, request: Request) -> Handled | Awaitable[Handled]:
        return self._forwarder.forward(datacenter, route, route.endpoints[request.method], request)

    def _check(self, route: Route, request: Request) -> Endpoint:
        """Return the endpoint of a request.  Raises HTTPError or Forbidden for a request that must not reach it."""
        endpoint = route.endpoints.get(request.method)
        if endpoint is None:
            allowed = ("OPTIONS", *route.methods) if route.lists_options else route.methods
            raise method_not_allowed(request.method, allowed)
        if route.writes:
            self._admission.check_writer(request)
        if endpoint.scope != "local" and not route.ignores_dc and (request.method == "GET" or route.strict):
            check_read(request)
        refuse_enterprise(request)
        if endpoint.gate is not None and not self._foreign(route, endpoint, request):
            require_gate(self._context, endpoint.gate, request)
        return endpoint

    def _foreign(self, route: Route, endpoint: Endpoint, request: Request) -> str:
        """Return the other datacenter that a request is for, or ""; local endpoints ignore `?dc`."""
        if not request.query or endpoint.scope == "local" or route.ignores_dc:
            return ""
        datacenter = request.params.get("dc", "")
        return datacenter if datacenter != self._context.config.datacenter else ""

    def look(self, request: Request) -> Seen:
        """Return the current response to a GET of a watched route; never raises."""
        path = request.target.partition(b"?")[0].decode("latin-1")
        found = self._router.find(path)
        if self._admission.blocks(request.path):
            return Seen(Response(403, b"Endpoint is blocked by agent configuration", TEXT))
        if found is None or not found[0].watched or self._router.redirect(path) is not None:
            return Seen(Response(400, b"not the path of a read that can be watched", TEXT))
        if reason := unsupported_in_stream(request.params):
            return Seen(Response(400, reason.encode(), TEXT))
        route, request.tail = found
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


def _has_large_body(request: Request) -> bool:
    length = request.headers.get(b"content-length")
    return length is None or len(length) > LARGE_DIGITS


def _logged(request: Request, response: Response | Awaitable[Response]) -> Response | Awaitable[Response]:
    """Return the response, and log the request once there is one."""
    began = time.perf_counter()
    if isinstance(response, Response):
        _log(request, response, began)
        return response
    return _logged_later(request, response, began)


async def _logged_later(request: Request, response: Awaitable[Response], began: float) -> Response:
    made = await response
    _log(request, made, began)
    return made


def _log(request: Request, response: Response, began: float) -> None:
    fields = {
        "method": request.method,
        "url": TOKEN.sub("<hidden>", request.target.decode("latin-1")),
        "from": request.remote,
        "status": response.status,
        "latency": f"{(time.perf_counter() - began) * 1000:.3f}ms",
    }
    log.debug("request finished", extra={"fields": fields})
