"""Serves the requests of clients that other agents forward to this server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from pyconsul.agent.httpapi.core.app import App
from pyconsul.agent.httpapi.core.forwarding.contract import ServedHere
from pyconsul.agent.httpapi.core.forwarding.standing import NO_LEADER, Scope, Standing
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.server.contract import BodyRule, PendingResponse, Response
from pyconsul.agent.rpc.contract import NotSent, Peer
from pyconsul.agent.rpc.forwarding.message import ORIGIN, forwarded
from pyconsul.agent.rpc.forwarding.server_requests import LEADER, NOT_LEADER, ServerRequests

SMALL_BODY_BYTES = 10_000  # within every limit, as on HTTP connections
HOLD_S = 1.0  # that a forwarded write waits for a leader; then its agent may ask another server


class PeerRequests:
    """Answers requests as `rpc.contract.Serve`.

    leader: the node ID of the leader, as this server knows it, or "".
    """

    def __init__(self, app: App, standing: Standing, requests: ServerRequests, leader: Callable[[], str]) -> None:
        self._app, self._standing, self._requests, self._leader = app, standing, requests, leader

    def serve(self, request: Request, peer: Peer) -> Response | PendingResponse | Awaitable[Response]:
        """Return the response without the headers that the asking agent adds.

        Raises NotSent, as the awaitable does, when the agent should ask another server.
        """
        if peer.is_server and (origin := request.headers.get(ORIGIN)):
            request.origin = origin.decode("utf-8", "replace")
        scope = self._app.checks.scope(request)
        if scope is not None and not self._standing.serves(scope):
            if peer.is_server or scope == "read":
                raise NotSent(NOT_LEADER if scope == "write" else NO_LEADER)
            return self._relay(scope, request)
        if len(request.body) >= SMALL_BODY_BYTES and (refusal := self._oversized(request)) is not None:
            return self._app.renderer.bare(refusal)
        finish = partial(self._finish, scope)
        begun = self._app.begin(request)
        if isinstance(begun, Response):
            return finish(begun)
        if isinstance(begun, PendingResponse):
            return PendingResponse(begun.future, partial(_completed, begun, finish))
        return _later(begun, finish)

    async def _relay(self, scope: Scope, request: Request) -> Response:
        """Pass a request on to the leader, once: a server does not pass on what a server has sent."""
        try:
            response = await self._requests.ask(scope, forwarded(request), HOLD_S)
        except ServedHere:
            begun = self._app.begin(request)
            response = self._app.renderer.bare(begun if isinstance(begun, Response) else await begun)
        return self._with_leader(response)

    def _oversized(self, request: Request) -> Response | None:
        """Return the refusal of a body that is larger than this server takes."""
        rule = self._app.body_rule(request)
        if not isinstance(rule, BodyRule):
            return rule
        size = len(request.body)
        return None if rule.stream or size <= rule.limit else self._app.too_large(request, rule, size)

    def _finish(self, scope: Scope | None, response: Response) -> Response:
        if scope in ("read", "write") and response.status == 500 and response.body == NO_LEADER.encode():
            raise NotSent(NO_LEADER)  # a read was not begun, of a write nothing was kept
        bare = self._app.renderer.bare(response)
        return self._with_leader(bare) if scope == "write" else bare

    def _with_leader(self, response: Response) -> Response:
        if not (leader := self._leader()):
            return response
        headers = (*response.headers, (LEADER, leader.encode()))
        return Response(response.status, response.body, headers, response.stream)


def _completed(pending: PendingResponse, finish: Callable[[Response], Response], future: Any) -> Response:
    return finish(pending.complete(future))


async def _later(begun: Awaitable[Response], finish: Callable[[Response], Response]) -> Response:
    return finish(await begun)
