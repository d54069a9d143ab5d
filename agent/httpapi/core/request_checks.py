"""From a request to its route, and what is checked before a handler runs, or before another agent is asked."""

from __future__ import annotations

import re

from pyconsul.agent.config.config import Config
from pyconsul.agent.httpapi.core.admission import BLOCKED, Admission
from pyconsul.agent.httpapi.core.authorization import require_gate
from pyconsul.agent.httpapi.core.consistency.freshness import needs_barrier
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.forwarding.standing import Scope
from pyconsul.agent.httpapi.core.rendering import redirect, root_of, unknown_path
from pyconsul.agent.httpapi.core.request import Request, method_not_allowed
from pyconsul.agent.httpapi.core.response import TEXT, HTTPError, Response
from pyconsul.agent.httpapi.core.router import Endpoint, Route, Router
from pyconsul.agent.httpapi.core.validation import check_read, refuse_enterprise, unsupported_in_stream

MAX_PARAMETERS = 1000  # of a query: each costs a microsecond wherever a value is looked for
UI_OFF = b"Consul Agent: UI disabled. To enable, set ui_config.enabled=true in the agent configuration and restart."
LARGE_DIGITS = 5  # a request that is refused anyway is refused before a body of 100,000 bytes or more
BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class RequestChecks:
    """The routes of an agent, and the checks that all of them share."""

    def __init__(self, context: Context, router: Router) -> None:
        self._context, self._router = context, router
        self.configure(context.config)

    def configure(self, config: Config) -> None:
        """Use other settings from now on."""
        self._admission = Admission(config)
        self._filter_off = config.disable_http_unprintable_char_filter

    def locate(self, request: Request) -> Route | Response:
        """Return a request's route, and keep it in the request; or the response to a request that reaches no route."""
        raw_path = request.target.partition(b"?")[0]
        if b"%" in raw_path and BAD_ESCAPE.search(raw_path):
            return Response(400, b"400 Bad Request", TEXT)
        if request.query.count(b"&") >= MAX_PARAMETERS:
            return Response(400, b"too many query parameters, at most %d are allowed" % MAX_PARAMETERS, TEXT)
        if not self._filter_off and not request.path.isprintable() and not self._is_page(raw_path):
            return Response(400)
        if not request.origin:  # the agent that forwarded it has done so
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
                if path == "/":
                    ui = self._context.config.ui_config
                    return redirect(request, root_of(ui), 301) if ui.enabled else Response(200, UI_OFF, TEXT)
                return unknown_path(path)
        route, request.tail = found
        request.route = route
        return route

    def _is_page(self, raw_path: bytes) -> bool:
        """Return whether a path is that of a page: pages show all names that the catalog has."""
        found = self._router.find(raw_path.decode("latin-1"))
        return found is not None and found[0].pages is not None

    def scope(self, request: Request) -> Scope | None:
        """Return the scope of a request's endpoint; None for one that no handler answers."""
        route = self.locate(request)
        if isinstance(route, Response) or (endpoint := route.endpoints.get(request.method)) is None:
            return None
        return endpoint.scope if self.serves(endpoint) or not self.answers_alone(route, endpoint, request) else "memory"

    def answers_alone(self, route: Route, endpoint: Endpoint, request: Request) -> bool:
        """Return whether a server answers a read even without a quorum: from memory, as a stream, or with an error at once."""
        standing = self._context.standing
        if endpoint.scope != "read" or not standing.serves("memory"):
            return False
        if route.stateless:
            return True
        if not route.patient or request.method != "GET":
            return standing.has_state or not standing.knows_leader
        return standing.has_state and not needs_barrier(standing, route, request)

    def locate_watched(self, request: Request) -> Route | Response:
        """Return the route of a GET in a stream, and keep what follows it in the request; or the refusal."""
        path = request.target.partition(b"?")[0].decode("latin-1")
        found = self._router.find(path)
        if not request.origin and self._admission.blocks(request.path):
            return Response(403, BLOCKED.encode(), TEXT)
        if found is None or not found[0].watched or self._router.redirect(path) is not None:
            return Response(400, b"not the path of a read that can be watched", TEXT)
        if reason := unsupported_in_stream(request.params):
            return Response(400, reason.encode(), TEXT)
        route, request.tail = found
        return route

    def all(self, route: Route, request: Request) -> Endpoint:
        """Return the endpoint of a request.  Raises HTTPError or Forbidden for a request that must not reach it."""
        endpoint = self.form(route, request)
        if endpoint.gate is not None and not self.other_datacenter(route, endpoint, request):
            require_gate(self._context, endpoint.gate, request)
        return endpoint

    def form(self, route: Route, request: Request) -> Endpoint:
        """Return the endpoint of a request of any sender.  Raises HTTPError for one that no agent takes."""
        endpoint = route.endpoints.get(request.method)
        if endpoint is None:
            allowed = ("OPTIONS", *route.methods) if route.lists_options else route.methods
            raise method_not_allowed(request.method, allowed)
        if route.writes and not request.origin:
            self._admission.check_writer(request)
        if endpoint.scope != "local" and not route.ignores_dc and (request.method == "GET" or route.strict):
            check_read(request)
        refuse_enterprise(request)
        return endpoint

    def serves(self, endpoint: Endpoint) -> bool:
        """Return whether this agent serves an endpoint; other requests are relayed to a server."""
        return endpoint.scope == "local" or self._context.standing.serves(endpoint.scope)

    def other_agent(self, request: Request) -> str:
        """Return the name of the other agent that a local request is for (`?node=NAME` on /v1/agent/…), or ""."""
        if b"node=" not in request.query or not request.path.startswith("/v1/agent/"):
            return ""
        name = request.params.get("node", "")
        return name if name.lower() != self._context.config.node_name.lower() else ""

    def other_datacenter(self, route: Route, endpoint: Endpoint, request: Request) -> str:
        """Return the other datacenter that a request is for, or ""; local endpoints ignore `?dc`."""
        if not request.query or endpoint.scope == "local" or route.ignores_dc:
            return ""
        datacenter = request.params.get("dc", "")
        return datacenter if datacenter != self._context.config.datacenter else ""


def has_large_body(request: Request) -> bool:
    """Return whether a body is worth a look at everything else before it is read."""
    length = request.headers.get(b"content-length")
    return length is None or len(length) > LARGE_DIGITS
