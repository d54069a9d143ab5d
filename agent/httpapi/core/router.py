"""Finds the route of a path, as Go's request multiplexer does it for Consul: whole paths, or prefixes that end in a slash.

Each route states what its callers need, method by method:

    operator:read           checked before the handler runs; `agent:…` is about this agent's node name
    handler key:write       checked in the operation or read that the handler calls, since the name is known there
    filter node             the response shows only what the caller may read; nothing is refused
    self                    about the caller's own token, or needs any token
    open                    for everybody

A test walks all routes and fails for a route that states nothing or does something else.
"""

from __future__ import annotations

import posixpath
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import ClassVar, NamedTuple, Protocol, TypeAlias
from urllib.parse import unquote_to_bytes

from pyconsul.agent.acl.rules import NAMED, SINGLE, parse_permission
from pyconsul.agent.httpapi.core.context import Context, OpenStream
from pyconsul.agent.httpapi.core.forwarding.standing import Scope
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import Query, Response
from pyconsul.agent.httpapi.server.contract import BodyRule, PendingResponse

WORDS = ("open", "self")


class Gate(NamedTuple):
    """A permission that is checked before the handler runs."""

    kind: str
    level: int


def _check(part: str) -> None:
    """Raises ValueError for a declaration that means nothing."""
    word, _, rest = part.partition(" ")
    if word == "filter" and rest in NAMED + SINGLE:
        return
    if part not in WORDS:
        parse_permission(rest if word == "handler" else part)


def gate(part: str) -> Gate | None:
    """Return the permission that a declaration asks for before the handler runs; None if it does not."""
    return Gate(*parse_permission(part)) if ":" in part and " " not in part else None


Handled: TypeAlias = Response | Query | OpenStream
Handler: TypeAlias = Callable[[Context, Request], Handled | PendingResponse | Awaitable[Handled]]


class Endpoint:
    """One method of a route: its handler, what its callers need, and its scope.

    scope: `local` is served by the agent that receives it; `read` by any server; `write` by the leader.
    gate: the permission that is checked before the handler runs, if the declaration asks for that.
    """

    __slots__ = ("gate", "handler", "permission")

    scope: ClassVar[Scope]

    def __init__(self, handler: Handler, permission: str) -> None:
        _check(permission)
        self.handler, self.permission, self.gate = handler, permission, gate(permission)


class Local(Endpoint):
    """Served by the agent itself, whatever `?dc` says."""

    __slots__ = ()
    scope = "local"


class Read(Endpoint):
    """Served by any server of the datacenter that `?dc` names."""

    __slots__ = ()
    scope = "read"


class Write(Endpoint):
    """Served by the leader of the datacenter that `?dc` names."""

    __slots__ = ()
    scope = "write"


class PageHooks(Protocol):
    """The differences between pages for browsers and the API."""

    @property
    def passed_headers(self) -> tuple[bytes, ...]:
        """Return the request headers that a server gets when another agent forwards a request."""

    def token(self, request: Request) -> str:
        """Return the secret ID of the caller's token, or ""."""

    def failure(self, request: Request, response: Response) -> Response:
        """Return the page for an error of the application."""


class Route:
    """A path and the endpoints of its methods, in the order of the `Allow` header.

    pattern: a whole path; or a prefix ending in "/", whose rest is `request.tail`; or `prefix/*/suffix`, where the part
        between prefix and suffix is `request.tail`.
    strict: writes check `?stale`, `?consistent` and `?cached` as reads do.
    consistency: responses name their consistency (X-Consul-Effective-Consistency).
    meta_on_error: error responses of GET carry an index, as Consul's do for errors of its servers.
    cached: accepts `?cached` and states whether the response came from a cache.
    stateless: answered without the state of the cluster, so at any time.
    patient: waits for a leader while there is none; otherwise it fails at once.
    anywhere: responds the same for every datacenter.  ignores_dc: takes neither `?dc` nor a consistency mode.
    writes: methods other than GET are subject to `allow_write_http_from`.
    watched: GET returns a `Query` and may be part of a stream (see `handlers.streams`).
    lists_options: the `Allow` header of a 405 response names OPTIONS.
    endless: the response is a stream that ends only with the agent.
    body_rule: limits and way of receiving a request's body; None: `DEFAULT_BODY`.
    pages: what differs for pages of the web interface; None: not one.   bare: its responses have none of the API's headers.
    """

    __slots__ = (
        "anywhere",
        "bare",
        "body_rule",
        "cached",
        "consistency",
        "endless",
        "endpoints",
        "ignores_dc",
        "lists_options",
        "meta_on_error",
        "methods",
        "pages",
        "patient",
        "pattern",
        "stateless",
        "strict",
        "subroutes",
        "watched",
        "writes",
    )

    def __init__(
        self,
        pattern: str,
        endpoints: Mapping[str, Endpoint],
        *,
        consistency: bool = False,
        meta_on_error: bool = False,
        cached: bool = False,
        strict: bool = False,
        watched: bool = False,
        writes: bool = True,
        body_rule: Callable[[Context, Request], BodyRule] | None = None,
        anywhere: bool = False,
        ignores_dc: bool = False,
        lists_options: bool = True,
        stateless: bool = False,
        patient: bool = True,
        endless: bool = False,
        pages: PageHooks | None = None,
        bare: bool = False,
    ) -> None:
        self.pattern, self.endpoints, self.methods = pattern, endpoints, tuple(endpoints)
        self.consistency, self.meta_on_error, self.cached, self.strict = consistency, meta_on_error, cached, strict
        self.watched, self.writes, self.body_rule = watched, writes, body_rule
        self.anywhere, self.ignores_dc, self.lists_options = anywhere, ignores_dc, lists_options
        self.stateless, self.patient, self.pages, self.bare = stateless, patient, pages, bare or pages is not None
        self.endless = endless
        self.subroutes: list[tuple[str, Route]] = []  # suffixes of this prefix that have separate routes


class Router:
    """Routes by path."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._exact: dict[str, Route] = {}
        self._prefixes: dict[str, Route] = {}
        suffixed: list[Route] = []
        for route in routes:
            if "*" in route.pattern:
                suffixed.append(route)
                continue
            table = self._prefixes if route.pattern.endswith("/") else self._exact
            if route.pattern in table:
                raise ValueError(f"two routes for {route.pattern}")
            table[route.pattern] = route
        for route in suffixed:
            prefix, _, suffix = route.pattern.partition("*")
            self._prefixes[prefix].subroutes.append((suffix, route))
        self._longest = max(map(len, self._prefixes), default=0)

    def find(self, path: str) -> tuple[Route, str] | None:
        """Return the route of a path as sent, and the decoded rest of the path; the longest prefix wins."""
        route = self._exact.get(path)
        if route is not None:
            return route, ""
        end = path.rfind("/", 0, self._longest) + 1  # no prefix reaches further, however long the path is
        while end:
            if (route := self._prefixes.get(path[:end])) is not None:
                rest = path[end:]
                tail = unquote_to_bytes(rest).decode("utf-8", "replace") if "%" in rest else rest
                for suffix, subroute in route.subroutes:
                    if tail.endswith(suffix):
                        return subroute, tail.removesuffix(suffix)
                return route, tail
            end = path.rfind("/", 0, end - 1) + 1
        return None

    def redirect(self, path: str) -> str | None:
        """Return the path to redirect to, for a path with `//`, `.`, `..` or without the final slash of its pattern."""
        clean = posixpath.normpath("/" + path.lstrip("/"))
        if path.endswith("/") and clean != "/":
            clean += "/"
        if clean != path:
            return clean
        if path not in self._exact and path + "/" in self._prefixes:
            return path + "/"
        return None
