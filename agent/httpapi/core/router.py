"""Finds the route of a path, as Go's request multiplexer does it for Consul: whole paths, or prefixes that end in a slash.

Each route states what its callers need, for each method or once for all of them, separated by commas:

    operator:read           checked before the handler runs; `agent:…` is about this agent's node name
    handler key:write       checked by the handler, since only the handler knows the name
    filter node             the response shows only what the caller may read; nothing is refused
    self                    about the caller's own token, or needs any token
    open                    for everybody

A test walks all routes and fails for a route that states nothing or does something else.
"""

from __future__ import annotations

import posixpath
from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple, TypeAlias
from urllib.parse import unquote_to_bytes

from pyconsul.agent.acl.rules import NAMED, SINGLE, parse_permission
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import Answer, Query
from pyconsul.agent.httpapi.server.contract import BodyRule, PendingResponse

WORDS = ("open", "self")


class Gate(NamedTuple):
    """What is asked for before the handler runs."""

    kind: str
    level: int


def split(permission: str, methods: tuple[str, ...]) -> dict[str, str]:
    """What each method needs.  Raises ValueError for words that mean nothing."""
    parts = [part.strip() for part in permission.split(",")] if permission else []
    if len(parts) not in (0, 1, len(methods)):
        raise ValueError(f"{len(parts)} permissions for {len(methods)} methods")
    for part in parts:
        _check(part)
    if len(parts) == 1:
        return dict.fromkeys(methods or ("*",), parts[0])
    return dict(zip(methods, parts, strict=False))


def _check(part: str) -> None:
    word, _, rest = part.partition(" ")
    if word == "filter" and rest in NAMED + SINGLE:
        return
    if part not in WORDS:
        parse_permission(rest if word == "handler" else part)


def gate(part: str) -> Gate | None:
    """What is asked for before the handler runs, if that is what the words say."""
    return Gate(*parse_permission(part)) if ":" in part and " " not in part else None


Handled: TypeAlias = Answer | Query
Handler: TypeAlias = Callable[[Context, Request], Handled | PendingResponse | Awaitable[Handled]]


class Route:
    """One endpoint.

    methods: what is served, in the order of the `Allow` header; with none the handler decides.
    pattern: a whole path, or a prefix ending in "/" whose rest the handler finds in `request.tail`.
    reads: it takes `?stale`, `?consistent` and `?dc`, and refuses what contradicts itself.
    strict: its writes do so, too; others look only at `?dc`.
    consistency: its answers say how consistent they are (X-Consul-Effective-Consistency).
    meta_on_error: even its refusals carry an index, as Consul's do where the servers refuse.
    cached: it takes `?cached`, and says whether its answer came from a cache.
    anywhere: it answers the same whatever `?dc` says.
    writes: its methods other than GET write, and are subject to `allow_write_http_from`.
    watched: its reads may be asked for in a stream (see `streams`); all of them give a `Query`.
    body_rule: how much is taken of a request's body, and how; None: as `DEFAULT_BODY`.
    permission: what the caller needs, for each method in their order or one for all (see `permissions`).
    """

    __slots__ = (
        "anywhere",
        "body_rule",
        "cached",
        "consistency",
        "gates",
        "handler",
        "meta_on_error",
        "methods",
        "pattern",
        "permission",
        "reads",
        "strict",
        "watched",
        "writes",
    )

    def __init__(
        self,
        methods: str,
        pattern: str,
        handler: Handler,
        *,
        reads: bool = True,
        consistency: bool = False,
        meta_on_error: bool = False,
        cached: bool = False,
        strict: bool = False,
        watched: bool = False,
        writes: bool = True,
        body_rule: Callable[[Context, Request], BodyRule] | None = None,
        anywhere: bool = False,
        permission: str = "",
    ) -> None:
        self.methods = tuple(methods.split(",")) if methods else ()
        self.pattern, self.handler, self.reads = pattern, handler, reads
        self.consistency, self.meta_on_error, self.cached, self.strict = consistency, meta_on_error, cached, strict
        self.watched, self.writes, self.anywhere, self.body_rule = watched, writes, anywhere, body_rule
        self.permission = split(permission, self.methods)
        self.gates = {method: found for method, part in self.permission.items() if (found := gate(part))}


class Router:
    """The routes by path."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._exact: dict[str, Route] = {}
        self._prefixes: dict[str, Route] = {}
        for route in routes:
            table = self._prefixes if route.pattern.endswith("/") else self._exact
            if route.pattern in table:
                raise ValueError(f"two routes for {route.pattern}")
            table[route.pattern] = route
        self._longest = max(map(len, self._prefixes), default=0)

    def find(self, path: str) -> tuple[Route, str] | None:
        """The route of a path as sent, and what follows its pattern, decoded; the longest prefix wins."""
        route = self._exact.get(path)
        if route is not None:
            return route, ""
        end = path.rfind("/", 0, self._longest) + 1  # no prefix reaches further, however long the path is
        while end:
            if (route := self._prefixes.get(path[:end])) is not None:
                rest = path[end:]
                return route, unquote_to_bytes(rest).decode("utf-8", "replace") if "%" in rest else rest
            end = path.rfind("/", 0, end - 1) + 1
        return None

    def redirect(self, path: str) -> str | None:
        """Where a path with `//`, `.` or `..`, or without the slash of its pattern, is found instead."""
        clean = posixpath.normpath("/" + path.lstrip("/"))
        if path.endswith("/") and clean != "/":
            clean += "/"
        if clean != path:
            return clean
        if path not in self._exact and path + "/" in self._prefixes:
            return path + "/"
        return None
