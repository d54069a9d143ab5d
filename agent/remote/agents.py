"""Local requests for another agent (`?node=NAME`): carried out by that agent, which authorizes them with the caller's token.

    this agent ── its server ── the agent
    this agent ── its server ── the server that the agent is connected to ── the agent

A server is dialed by everybody.  A client agent is asked over the connection that it keeps open to one of the servers.
A request makes at most these three steps: one that a server sends on to another server says so, and is not sent on to a third.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pyconsul.agent.gossip.consul.tags import server_of
from pyconsul.agent.gossip.membership import Membership
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import HTTPError, Response, not_found
from pyconsul.agent.model.acl import ANONYMOUS_SECRET
from pyconsul.agent.model.member import Member, MemberStatus
from pyconsul.agent.rpc.contract import Lost, NotSent, Peers, RPCError, Servers

VIA = b"x-pyconsul-via-server"  # of a request that a server sends on to another server; trusted between agents only
MARK = b"x-pyconsul-not-connected"  # header of a server to which the agent is not connected: the request was not carried out
#: Headers of the client's connection to the first agent.
HOP_HEADERS = frozenset(
    (b"accept-encoding", b"authorization", b"connection", b"content-length", b"expect", b"host", b"transfer-encoding")
)


class OtherAgents:
    """Implements `httpapi.core.forwarding.agents.Agents`."""

    def __init__(
        self,
        peers: Peers,
        servers: Servers,
        lan: Membership,
        own: Callable[[str], str],
        *,
        node_id: str,
        is_server: bool,
    ) -> None:
        """own: returns one of this agent's tokens by its name.   node_id, is_server: of this agent."""
        self._peers, self._servers, self._lan, self._own = peers, servers, lan, own
        self._node_id, self._is_server = node_id, is_server

    async def relay(self, name: str, request: Request) -> Response:
        """Return the response of an agent.  Raises HTTPError."""
        member = self._member(name)
        if member is None:
            raise not_found(f'no agent has the name "{name}" (`pyconsul members` lists them)')
        last = bool(request.origin) and VIA in request.headers
        reasons: list[str] = []
        for node_id, headers in self._ways(member, last):
            try:
                response = await self._peers.ask(node_id, self._forwarded(request, headers))
            except NotSent as error:
                reasons.append(str(error))
                continue
            except Lost as error:
                text = f'agent "{name}" may have carried the request out, but its response was lost: {error}'
                raise HTTPError(502, text) from None
            except RPCError as error:
                raise HTTPError(429, str(error)) from None
            if not any(key.lower() == MARK for key, _ in response.headers):
                return response
        raise _not_connected(member, reasons, is_marked=last)

    def _member(self, name: str) -> Member | None:
        """Return the member with a name, without regard to case; one that is alive if there are several."""
        found = [member for member in self._lan.members() if member.name.lower() == name.lower()]
        return min(found, key=lambda member: member.status is not MemberStatus.ALIVE, default=None)

    def _ways(self, member: Member, last: bool) -> Iterator[tuple[str, dict[bytes, bytes]]]:
        """Yield the agents to ask, by node ID, the best first; each with the headers to add."""
        if (server := server_of(member)) is not None:
            yield server.node_id, {}
            return
        if not self._is_server:
            for server in self._servers.all():
                yield server.node_id, {}
            return
        if (peer := self._peers.find(member.name)) is not None:
            yield peer.node_id, {}
        if not last:
            for server in self._servers.all():
                if server.node_id != self._node_id:
                    yield server.node_id, {VIA: b"1"}

    def _forwarded(self, request: Request, headers: dict[bytes, bytes]) -> Request:
        """Return a request as the next agent gets it: without a token of the client, that of the first agent counts."""
        kept = {name: value for name, value in request.headers.items() if name not in HOP_HEADERS and name != VIA}
        if not request.origin:
            token = request.token or self._own("default") or ANONYMOUS_SECRET
            kept[b"x-consul-token"] = token.encode("latin-1", "replace")
        return Request(request.method, request.target, {**kept, **headers}, request.body, request.remote)


def _not_connected(member: Member, reasons: list[str], *, is_marked: bool) -> HTTPError:
    """Return the error of an agent that no server can reach."""
    if member.status is not MemberStatus.ALIVE:
        status = "is leaving" if member.status is MemberStatus.LEAVING else f"has {member.status.name.lower()}"
        text = f'agent "{member.name}" is not running, or cannot be reached: it {status} in the gossip pool'
    else:
        text = (
            f'agent "{member.name}" is connected to no server: check its log, and that it reaches the port of the servers '
            "(ports.server, 8300 by default)"
        )
    detail = f" ({'; '.join(dict.fromkeys(reasons))})" if reasons else ""
    return HTTPError(503, text + detail, ((MARK, b"true"),) if is_marked else ())
