"""The application: from a request to its route, its handler, and an answer with Consul's headers."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Hashable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec

from pyconsul.agent.acl.authorizer import CompiledPolicies, Forbidden
from pyconsul.agent.acl.resolver import PolicyKey, Unread
from pyconsul.agent.config.config import Config
from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.httpapi.core.admission import CHECKED_HEADERS, Admission, request_rates
from pyconsul.agent.httpapi.core.blocking import BlockingQueries
from pyconsul.agent.httpapi.core.cache import AnswerCache, Entry
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.no_path import elsewhere, refuse
from pyconsul.agent.httpapi.core.rendering import encoded, hit, redirect, sized, unknown_path
from pyconsul.agent.httpapi.core.request import Request, method_not_allowed, seconds_to_wait, wait_options
from pyconsul.agent.httpapi.core.request_log import logged
from pyconsul.agent.httpapi.core.response import JSON, TEXT, Answer, Headers, HTTPError, Query, Seen
from pyconsul.agent.httpapi.core.router import Handled, Route, Router
from pyconsul.agent.httpapi.core.validation import check_read, refuse_enterprise, takes_kept
from pyconsul.agent.httpapi.handlers.streams import Streams, unfit
from pyconsul.agent.httpapi.server.contract import DEFAULT_BODY, BodyRule, PendingResponse, Wire
from pyconsul.agent.state.acl.tables import TOPIC
from pyconsul.agent.state.contract import Refused

UNKNOWN_LEADER: Headers = (
    (b"X-Consul-Index", b"1"),
    (b"X-Consul-KnownLeader", b"false"),
    (b"X-Consul-LastContact", b"0"),
)
LARGE_DIGITS = 5  # a request that is refused anyway is refused before a body of 100,000 bytes or more
MAX_PARAMETERS = 1000  # of a query: each costs a microsecond wherever a value is looked for
#: Headers that `response_headers` cannot set: they say where a response ends and how it is to be read.
FRAMING = frozenset(("connection", "content-encoding", "content-length", "content-type", "date", "transfer-encoding"))
WAITS = re.compile(rb"(?:^|&)(?:index|wait)=")
BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")

log = logging.getLogger("agent.http")


class App:
    """The HTTP API of one agent."""

    new_request = Request

    def __init__(self, context: Context, routes: Iterable[Route], cache: AnswerCache) -> None:
        self.context = context
        self.cache = cache
        self._router = Router(routes)
        self._reading: dict[PolicyKey, asyncio.Future[CompiledPolicies]] = {}
        self._blocking = BlockingQueries(context.watches, context.rng, sized)
        if context.acl is not None:
            self._follow_rights()
        context.open_stream = Streams(self.look, context.watches, self._rights if context.acl else None).open
        self.configure(context.config)

    def configure(self, config: Config) -> None:
        """Take the settings that hold from now on (start and reload)."""
        self.admission = Admission(config)
        self._rates = request_rates(config.limits.request_limits)
        policy = config.acl.default_policy.encode() if config.acl.enabled else b"allow"
        #: `http_config.response_headers`: on every response, those of the connection itself too.
        self.extra_headers: Headers = tuple(
            (name.encode("latin-1"), value.encode("latin-1"))
            for name, value in config.http_config.response_headers.items()
            if name.lower() not in FRAMING
        )
        self._common: Headers = (
            (b"Vary", b"Accept-Encoding"),
            (b"X-Consul-Default-Acl-Policy", policy),
            *self.extra_headers,
        )
        self._elsewhere = elsewhere(self.context)
        self._filter_off = config.disable_http_unprintable_char_filter
        self.cache.clear()

    def body_rule(self, request: Request) -> BodyRule | Answer:
        """How a request's body is taken; a large one only for a request that is not refused anyway."""
        route = self._locate(request)
        if _has_large_body(request) and (refusal := self._refusal(route, request)) is not None:
            return refusal
        if isinstance(route, Answer) or route.body_rule is None:
            return DEFAULT_BODY
        return route.body_rule(self.context, request)

    def too_large(self, request: Request, rule: BodyRule, size: int) -> Answer:
        """The refusal of a body, or what else is wrong with the request."""
        route = self._locate(request)
        refusal = self._refusal(route, request, rule, size)
        assert refusal is not None
        return refusal

    def _refusal(
        self, route: Route | Answer, request: Request, rule: BodyRule | None = None, size: int = 0
    ) -> Answer | None:
        """What a request is refused with before its body is looked at, if it is."""
        if isinstance(route, Answer):
            return self._outside(route, request)
        try:
            self._check(route, request)
            if rule is not None:
                if rule.check is not None:
                    rule.check(request)
                raise HTTPError(413, rule.refusal(size))
        except Exception as error:
            return self._complete(_failure(error, route, request), request)
        return None

    def cached(self, target: bytes, token: bytes) -> Wire | None:
        """A GET's response as bytes, if it is known; `token`: the value of `X-Consul-Token`."""
        if self._rates is not None or log.isEnabledFor(logging.DEBUG):
            return None  # every request is to be counted, or logged
        entry = self.cache.live((target, token)) if token and self.context.acl is not None else self.cache.get(target)
        return None if entry is None else entry.wire or entry.render()

    def close(self) -> None:
        """Answer the sleeping queries: the agent stops."""
        self.context.watches.close()

    def _follow_rights(self) -> None:
        """Whenever rights change, nothing that was answered for anybody holds any more."""
        self.cache.clear()
        self._blocking.rights_changed()
        if not self.context.watches.closed:
            self.context.watches.add(self._follow_rights, (TOPIC,))

    def begin(self, request: Request) -> Answer | PendingResponse | Awaitable[Answer]:
        """The finished answer to a request, or what must be awaited to have it; neither ever fails."""
        try:
            response = self._begin(request)
        except Exception:
            log.exception("%s failed before it reached its route", request.method)
            response = self._outside(Answer(500, b"internal error; the agent's log says more", TEXT), request)
        return logged(request, response) if log.isEnabledFor(logging.DEBUG) else response

    def _begin(self, request: Request) -> Answer | PendingResponse | Awaitable[Answer]:
        route = request.route or self._locate(request)
        if isinstance(route, Answer):
            return self._outside(route, request)
        if self._rates is not None and (refused := self._rates.refusal(request.method, route.pattern)) is not None:
            return self._complete(_failure(refused, route, request), request)
        if request.method == "GET" and CHECKED_HEADERS.isdisjoint(request.headers):
            known = self._known(request)
            if known is not None:
                return sized(known.answer, request)
        acl = self.context.acl
        if acl is not None and (unread := acl.unread(request.token)) is not None:
            return self._begin_later(unread, request)
        try:
            handled = self._handle(route, request)
            if isinstance(handled, Query):
                return self._run(handled, route, request)
            if isinstance(handled, Answer):
                return self._complete(handled, request)
        except Exception as error:
            return self._complete(_failure(error, route, request), request)
        if isinstance(handled, PendingResponse):
            return PendingResponse(handled.future, partial(self._settle, handled, route, request))
        return self._finish(handled, route, request)

    def _settle(self, handled: PendingResponse, route: Route, request: Request, future: asyncio.Future[Any]) -> Answer:
        try:
            answer = handled.complete(future)
        except Exception as error:
            answer = _failure(error, route, request)
        return self._complete(answer, request)

    async def _begin_later(self, unread: Unread, request: Request) -> Answer:
        """Answer once the rules of the caller's token are read, by a thread and once for all that wait for them."""
        reading = self._reading.get(unread.key)
        if reading is None:
            reading = self._reading[unread.key] = asyncio.ensure_future(asyncio.to_thread(unread.compile))
            reading.add_done_callback(lambda _: self._reading.pop(unread.key, None))
        rights = await asyncio.shield(reading)
        if self.context.acl is not None:
            self.context.acl.adopt(unread, rights)
        answer = self.begin(request)
        return answer if isinstance(answer, Answer) else await answer

    def _locate(self, request: Request) -> Route | Answer:
        """A request's route, kept in the request; or the answer to one that gets to no route."""
        raw_path = request.target.partition(b"?")[0]
        if b"%" in raw_path and BAD_ESCAPE.search(raw_path):
            return Answer(400, b"400 Bad Request", TEXT)
        if request.query.count(b"&") >= MAX_PARAMETERS:
            return Answer(400, b"too many query parameters, at most %d are allowed" % MAX_PARAMETERS, TEXT)
        if not self._filter_off and not request.path.isprintable():
            return Answer(400)
        try:
            self.admission.check(request)
        except HTTPError as error:
            return Answer(error.status, error.text.encode(), TEXT)
        path = raw_path.decode("latin-1")
        found = self._router.find(path)
        if found is None or "//" in path or "/." in path:
            if (elsewhere := self._router.redirect(path)) is not None:
                return redirect(request, elsewhere)
            if found is None:
                if path == "/" and self.context.config.ui_config.enabled:
                    return redirect(request, self.context.config.ui_config.content_path, 301)
                return unknown_path(path)
        route, request.tail = found
        request.route = route
        return route

    def _handle(self, route: Route, request: Request) -> Handled | PendingResponse | Awaitable[Handled]:
        if request.method == "OPTIONS" and route.methods:
            return Answer(200, b"", (*JSON, (b"Allow", ",".join(("OPTIONS", *route.methods)).encode())))
        self._check(route, request)
        if self._is_elsewhere(route, request):
            handled = route.handler(self._elsewhere, request)
            return handled if route.anywhere or isinstance(handled, Query) else refuse(handled)
        return route.handler(self.context, request)

    def _check(self, route: Route, request: Request) -> None:
        """Raises HTTPError or Forbidden for a request that does not get as far as its handler."""
        if route.methods and request.method not in route.methods:
            raise method_not_allowed(request.method, route.methods)
        if route.writes:
            self.admission.check_writer(request)
        if route.reads and (request.method == "GET" or route.strict):
            check_read(request)
        refuse_enterprise(request)
        if route.gates and self.context.acl is not None and not self._is_elsewhere(route, request):
            self._pass(route, request)

    def _is_elsewhere(self, route: Route, request: Request) -> bool:
        """Return whether a request is for another datacenter; a route that ignores `?dc` is always served here."""
        if not route.reads or not request.query:
            return False
        here = self.context.config.datacenter
        return request.params.get("dc", here) not in (here, "")

    def _pass(self, route: Route, request: Request) -> None:
        """Raises Forbidden unless the caller may ask at all."""
        asked = route.gates.get(request.method)
        if asked is not None and self.context.acl is not None:
            name = self.context.config.node_name if asked.kind == "agent" else ""
            self.context.acl.of(request.token).require(asked.kind, asked.level, name)

    async def _finish(self, handled: Awaitable[Handled], route: Route, request: Request) -> Answer:
        try:
            answer = await handled
            if isinstance(answer, Query):
                ran = self._run(answer, route, request)
                return ran if isinstance(ran, Answer) else await ran
        except Exception as error:
            answer = _failure(error, route, request)
        return self._complete(answer, request)

    def _run(self, query: Query, route: Route, request: Request) -> Answer | Awaitable[Answer]:
        """A query's finished answer, at once when it need not wait."""
        index, wait = wait_options(request) if request.query else (0, 0.0)
        if not index:
            if (
                route.cached
                and "cached" in request
                and takes_kept(request)
                and (kept := self._known(request)) is not None
            ):
                return sized(kept.answer, request)
            return sized(self._look(query, route, request).answer, request)
        key = self._question(request)
        if (question := self._blocking.find(key)) is not None:
            if self.context.acl is not None:
                self.context.acl.of(request.token)  # it may have expired since
            seen = question.current()
        else:
            known = self.cache.live(key)
            seen = known.seen if known is not None else self._look(query, route, request)
        if seen.index > index or not seen.waits:
            return sized(seen.answer, request)
        if question is None:
            question = self._blocking.ask(key, lambda: self._look(query, route, request), seen)
        config = self.context.config
        seconds = seconds_to_wait(wait, config.default_query_time, config.max_query_time)
        return self._blocking.wait(question, request, index, seconds)

    def _look(self, query: Query, route: Route, request: Request) -> Seen:
        """What a query finds now; never fails.  What is made for one caller serves the next."""
        try:
            result = query.read()
            answer = self._unsized(encoded(result, route, request), request)
        except Exception as error:
            return Seen(self._unsized(_failure(error, route, request), request))
        seen = Seen(answer, max(1, result.index), result.topics, result.prefixes, result.cacheable)
        if result.cacheable:
            acl = self.context.acl
            kept = replace(seen, answer=hit(answer)) if route.cached and "cached" in request else seen
            self.cache.put(self._question(request), kept, acl.expires(request.token) if acl is not None else None)
        return seen

    def look(self, request: Request) -> Seen:
        """What a GET of a watched route is answered now, without a wait; never fails."""
        path = request.target.partition(b"?")[0].decode("latin-1")
        found = self._router.find(path)
        if self.admission.blocks(request.path):
            return Seen(Answer(403, b"Endpoint is blocked by agent configuration", TEXT))
        if found is None or not found[0].watched or self._router.redirect(path) is not None:
            return Seen(Answer(400, b"not the path of a read that can be watched", TEXT))
        if reason := unfit(request.params):
            return Seen(Answer(400, reason.encode(), TEXT))
        route, request.tail = found
        if (known := self._known(request)) is not None:
            return known.seen
        try:
            handled = self._handle(route, request)
        except Exception as error:
            return Seen(_failure(error, route, request))
        assert isinstance(handled, Query), f"{route.pattern} cannot be watched"
        return self._look(handled, route, request)

    def _rights(self, request: Request) -> object:
        """What a request's caller may do: the same object for as long as that does not change; None for nobody."""
        try:
            return self.context.acl.of(request.token).rights if self.context.acl is not None else None
        except Forbidden:
            return None

    def _known(self, request: Request) -> Entry | None:
        return self.cache.live(self._key(request))

    def _key(self, request: Request) -> Hashable:
        """What an answer is kept by: where tokens are asked for it is for one of them alone (`cached` has the same keys).

        A token in the target itself counts before any other; then the key is one that nobody else comes to.
        """
        if self.context.acl is None or not (secret := request.token):
            return request.target
        return request.target, secret.encode("latin-1", "replace")

    def _outside(self, answer: Answer, request: Request) -> Answer:
        """A response that belongs to no route: it has none of the API's own headers."""
        return sized(Answer(answer.status, answer.body, (*answer.headers, *self.extra_headers)), request)

    def _question(self, request: Request) -> Hashable:
        """What was asked, whoever waits for another answer, and however long."""
        if not request.query or not WAITS.search(request.query):
            return self._key(request)
        kept = b"&".join(part for part in request.query.split(b"&") if not part.startswith((b"index=", b"wait=")))
        target = request.target.partition(b"?")[0] + (b"?" + kept if kept else b"")
        if self.context.acl is None or not (secret := request.token):
            return target
        return target, secret.encode("latin-1", "replace")

    def _complete(self, answer: Answer, request: Request) -> Answer:
        return sized(self._unsized(answer, request), request)

    def _unsized(self, answer: Answer, request: Request) -> Answer:
        """A response with everything but its length."""
        body = answer.body
        if request.query and body and answer.headers[:1] == JSON and "pretty" in request:
            body = msgspec.json.format(body, indent=4) + b"\n"
        return Answer(answer.status, body, (*answer.headers, *self._common), answer.stream)


def _failure(error: Exception, route: Route, request: Request) -> Answer:
    if isinstance(error, Forbidden):
        error = HTTPError(403, str(error))
    if isinstance(error, HTTPError):
        headers = (*TEXT, *error.headers)
        if route.meta_on_error and request.method == "GET" and error.status in (403, 500):
            headers = (*headers, *UNKNOWN_LEADER)
        return Answer(error.status, error.text.encode(), headers)
    if isinstance(error, Refused | EngineError):
        return Answer(500, str(error).encode(), TEXT)
    log.error("%s %s failed", request.method, route.pattern, exc_info=error)
    return Answer(500, b"internal error; the agent's log says more", TEXT)


def _has_large_body(request: Request) -> bool:
    length = request.headers.get(b"content-length")
    return length is None or len(length) > LARGE_DIGITS
