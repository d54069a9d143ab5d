"""Runs the reads of the API: from kept bytes, at once, or when their index passes the caller's."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import replace

from pyconsul.agent.acl.authorizer import Forbidden
from pyconsul.agent.common.steps import Steps
from pyconsul.agent.common.turns import in_turns
from pyconsul.agent.httpapi.core.authorization import require_gate, resolve
from pyconsul.agent.httpapi.core.blocking import BlockingQueries
from pyconsul.agent.httpapi.core.cache import Entry, ResponseCache, cache_key
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.rendering import Renderer, encoded, failure, hit, sized
from pyconsul.agent.httpapi.core.request import Request, seconds_to_wait, wait_options
from pyconsul.agent.httpapi.core.response import Headers, Query, Response, Result, Seen
from pyconsul.agent.httpapi.core.router import Route
from pyconsul.agent.httpapi.core.validation import takes_kept
from pyconsul.agent.state.acl.tables import TOPIC

WAITS = re.compile(rb"(?:^|&)(?:index|wait)=")


class QueryRunner:
    """The reads of one agent."""

    def __init__(self, context: Context, cache: ResponseCache, renderer: Renderer) -> None:
        self._context, self._cache, self._renderer = context, cache, renderer
        self._blocking = BlockingQueries(context.watches, context.rng, sized)
        if context.acl is not None:
            self._follow_rights()

    def _follow_rights(self) -> None:
        """Drop every kept response: permissions have changed."""
        self._cache.clear()
        self._blocking.rights_changed()
        if not self._context.watches.closed:
            self._context.watches.add(self._follow_rights, (TOPIC,))

    def known(self, request: Request) -> Entry | None:
        """Return the kept response to a request."""
        return self._cache.live(self._key(request, request.target))

    def run(self, query: Query, route: Route, request: Request) -> Response | Awaitable[Response]:
        """Return the complete response to a query, at once unless it waits."""
        index, wait = wait_options(request) if request.query else (0, 0.0)
        if not index:
            if (
                route.cached
                and "cached" in request
                and takes_kept(request)
                and (kept := self.known(request)) is not None
            ):
                return sized(kept.response, request)
            if query.steps is not None:
                return self._read_in_steps(query.steps, query.headers, route, request)
            return sized(self.read(query, route, request).response, request)
        key = self._question(request)
        if (question := self._blocking.find(key)) is not None:
            _ = request.caller  # raises for a token that has expired since the question was first asked
            seen = question.current()
        else:
            known = self._cache.live(key)
            seen = known.seen if known is not None else self.read(query, route, request)
        if seen.index > index or not seen.waits:
            return sized(seen.response, request)
        if question is None:
            question = self._blocking.ask(key, lambda: self._read_again(query, route, request), seen)
        config = self._context.config
        seconds = seconds_to_wait(wait, config.default_query_time, config.max_query_time)
        return self._blocking.wait(question, request, index, seconds)

    def read(self, query: Query, route: Route, request: Request) -> Seen:
        """Run a query now, and keep its response for callers with the same question; never raises."""
        try:
            result = query.read()
            response = self._renderer.unsized(encoded(result, query.headers, route, request), request)
        except Exception as error:
            return Seen(self._renderer.unsized(failure(error, route, request), request))
        return self._keep(result, response, route, request)

    async def _read_in_steps(
        self, steps: Callable[[], Steps[Result]], headers: Headers, route: Route, request: Request
    ) -> Response:
        """Run a query with a large result, while others are served; never raises."""
        began = self._context.view.index
        try:
            result = await in_turns(steps())
            response = self._renderer.unsized(encoded(result, headers, route, request), request)
        except Exception as error:
            return self._renderer.complete(failure(error, route, request), request)
        if self._context.view.index == began:
            self._keep(result, response, route, request)
        return await asyncio.to_thread(sized, response, request)

    def _keep(self, result: Result, response: Response, route: Route, request: Request) -> Seen:
        seen = Seen(response, max(1, result.index), result.topics, result.prefixes, result.cacheable)
        if result.cacheable:
            acl = self._context.acl
            kept = replace(seen, response=hit(response)) if route.cached and "cached" in request else seen
            self._cache.put(self._question(request), kept, acl.expires(request.token) if acl is not None else None)
        return seen

    def _read_again(self, query: Query, route: Route, request: Request) -> Seen:
        """Run a query with the permissions that its caller has now."""
        resolve(self._context, request)
        try:
            require_gate(self._context, route.endpoints[request.method].gate, request)
        except Forbidden as error:
            return Seen(self._renderer.unsized(failure(error, route, request), request))
        return self.read(query, route, request)

    def _key(self, request: Request, target: bytes) -> Hashable:
        if self._context.acl is None or not (secret := request.token):
            return target
        return cache_key(target, secret.encode("latin-1", "replace"))

    def _question(self, request: Request) -> Hashable:
        """Return the key of a question, without the time and index of a wait."""
        if not request.query or not WAITS.search(request.query):
            return self._key(request, request.target)
        kept = b"&".join(part for part in request.query.split(b"&") if not part.startswith((b"index=", b"wait=")))
        return self._key(request, request.target.partition(b"?")[0] + (b"?" + kept if kept else b""))
