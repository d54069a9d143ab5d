"""Sends requests to the servers of this datacenter, and decides what is sent again.

A read is sent to the next server whenever one fails.  A write goes to the leader and is sent again only after NotSent: then nobody
has carried it out.  While there is no leader, requests are tried again until `rpc_hold_timeout` is over.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable

from pyconsul.agent.httpapi.core.forwarding.contract import ServedHere
from pyconsul.agent.httpapi.core.forwarding.standing import NO_LEADER, NO_SERVERS, Scope, Standing
from pyconsul.agent.httpapi.server.contract import HTTPRequest, Response
from pyconsul.agent.rpc.contract import Lost, NotSent, Peers, RateExceeded, RPCError, ServedByItself, Servers
from pyconsul.agent.rpc.forwarding.server_choice import ServerChoice

SNAPSHOT = b"/v1/snapshot"  # is made before its first byte is sent
NOT_LEADER = "not the leader"
LEADER = b"x-pyconsul-leader"  # header of a response between agents: the node ID of the leader
#: Seconds before all servers are tried once more: at first, and at last.
FIRST_WAIT_S, LAST_WAIT_S = 0.02, 0.25
#: Seconds after which the next server is asked for a read in place of one that does not answer; the third has all the time.  Two
#: of them are sooner than the connection to a machine without power is known to be dead.
PATIENCE_S = 1.5, 3.0


def lacks_leader(reason: RPCError | None) -> bool:
    """Return whether a server has refused a request since it knew no leader, or was not the leader."""
    return isinstance(reason, NotSent) and str(reason).endswith((NO_LEADER, NOT_LEADER))


class NoServers(NotSent):
    """Gossip knows no server that is alive."""

    def __init__(self) -> None:
        super().__init__(NO_SERVERS)


class ServerRequests:
    """Implements `AskServer`.

    standing: of this agent; it never sends a request that it serves itself.
    leader: the node ID of the leader, as this server knows it, or ""; None on a client agent, which learns it from responses, as
        a server does that is without a leader because its own etcd has no quorum.
    hold_s: seconds that a request waits for a leader.
    """

    def __init__(
        self,
        servers: Servers,
        peers: Peers,
        standing: Standing,
        *,
        own_id: str,
        leader: Callable[[], str] | None,
        hold_s: Callable[[], float],
        rng: random.Random,
    ) -> None:
        self._servers, self._peers, self._standing = servers, peers, standing
        self._own_id, self._leader, self._hold_s, self._rng = own_id, leader, hold_s, rng
        self._learned = ""  # the leader, from the last response that named one
        self.counts: Counter[str] = Counter()  # of requests, by the names of Consul's metrics of client agents
        self.choice = ServerChoice(servers, own_id, asyncio.get_running_loop().time, rng)

    async def __call__(self, scope: Scope, request: HTTPRequest) -> Response:
        """Return the response of a server.  Raises NotSent (also ServedByItself), Lost, RateExceeded."""
        try:
            return await self.ask(scope, request, self._hold_s())
        except ServedHere:
            raise ServedByItself(f"this agent serves requests of scope {scope} itself now") from None

    async def ask(self, scope: Scope, request: HTTPRequest, hold_s: float) -> Response:
        """Return the response of a server.  hold_s: seconds that it may be tried again.

        Raises ServedHere, NotSent, Lost, RateExceeded; NoServers at once.
        """
        clock = asyncio.get_running_loop().time
        until, wait_s = clock() + hold_s, FIRST_WAIT_S
        tried: set[str] = set()
        patience = iter(PATIENCE_S if _is_quick(scope, request) else ())
        reason: RPCError | None = None
        while True:
            if self._standing.serves(scope):
                raise ServedHere
            node_id = self._next(scope, tried)
            if node_id:
                self.counts["client.rpc"] += 1
                try:
                    async with asyncio.timeout(next(patience, None)):
                        return self._learn(await self._peers.ask(node_id, request))
                except RateExceeded:
                    self.counts["client.rpc.exceeded"] += 1
                    raise
                except TimeoutError:
                    self._failed(node_id)
                    tried.add(node_id)
                except (NotSent, Lost) as error:
                    self._failed(node_id)
                    if request.stream is not None or (scope != "read" and isinstance(error, Lost)):
                        raise  # a body that streams can be sent once
                    tried.add(node_id)
                    reason = reason if lacks_leader(reason) else error
            left_s = until - clock()
            if left_s <= 0:
                is_stuck = reason is None or lacks_leader(reason) or (scope == "read" and self._leader is not None)
                raise NotSent(NO_LEADER) if is_stuck or reason is None else reason
            if not node_id or not self._next(scope, tried):
                tried.clear()
                await asyncio.sleep(min(left_s, self._rng.uniform(0.5, 1) * wait_s))
                wait_s = min(2 * wait_s, LAST_WAIT_S)

    def _next(self, scope: Scope, tried: set[str]) -> str:
        """Return the server to ask, "" for none at the moment.  Raises NoServers."""
        if self._leader is not None and scope == "write":
            leader = self._leader()
            if leader not in tried and leader != self._own_id and self._servers.find(leader) is not None:
                return leader
            if self._standing.knows_leader:
                return ""  # the next leader will be known soon
        if not self.choice.known():
            if self._leader is None:
                raise NoServers
            return ""
        if scope == "write" and self._learned not in tried and self._servers.find(self._learned) is not None:
            return self._learned
        return self.choice.next(tried)

    def _failed(self, node_id: str) -> None:
        self.counts["client.rpc.failed"] += 1
        self.choice.failed(node_id)
        if self._learned == node_id:
            self._learned = ""

    def _learn(self, response: Response) -> Response:
        """Take the name of the leader out of a response."""
        for name, value in response.headers:
            if name == LEADER:
                self._learned = value.decode()
                headers = tuple([header for header in response.headers if header[0] != LEADER])
                return Response(response.status, response.body, headers, response.stream)
        return response


def _is_quick(scope: Scope, request: HTTPRequest) -> bool:
    """Return whether the response to a request is expected at once, and another server may be asked for it."""
    target = request.target
    return scope == "read" and request.method == "GET" and b"index=" not in target and not target.startswith(SNAPSHOT)
